//! What who is in a channel looks like.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use starling_client::{Certainty, Occupancy, PresenceEvent, Present};

use super::{Shown, To, json};

/// How what is read is printed.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Reading {
    /// With what happened, because more follows.
    pub(in crate::cli) watch: bool,
    /// As JSON.
    pub(in crate::cli) json: bool,
}

/// What a reader is shown of one event, in order.
pub(in crate::cli) fn shown(channel: &str, event: &PresenceEvent, reading: Reading) -> Vec<Shown> {
    let line = |what, present: &Present| vec![client(channel, what, present, reading)];
    match event {
        PresenceEvent::Roster(everybody) => {
            let head = json(&Roster {
                channel,
                event: "roster",
                clients: everybody.len(),
            });
            let head = reading.json.then(|| result(head));
            let everybody = everybody.iter().map(|present| {
                let what = What::named("present");
                client(channel, what, present, reading)
            });
            head.into_iter().chain(everybody).collect()
        }
        PresenceEvent::Joined { present, first } => line(
            What {
                first: Some(*first),
                ..What::named("joined")
            },
            present,
        ),
        PresenceEvent::Updated(present) => line(What::named("updated"), present),
        PresenceEvent::Left { present, last } => line(
            What {
                last: Some(*last),
                ..What::named("left")
            },
            present,
        ),
        PresenceEvent::Ephemeral { present, state } => {
            let said = Present {
                state: state.clone(),
                ..Present::clone(present)
            };
            line(What::named("ephemeral"), &said)
        }
        PresenceEvent::Occupancy(Occupancy { members, clients }) => {
            let (members, clients) = (*members, *clients);
            let count = Count {
                channel,
                event: "count",
                members,
                clients,
            };
            let line = match reading.json {
                true => json(&count),
                false => format!("members {members} clients {clients}").into_bytes(),
            };
            vec![result(line)]
        }
        PresenceEvent::Certainty(certainty) => vec![doubt(channel, certainty, reading)],
        _ => Vec::new(),
    }
}

/// What happened to a client.
struct What {
    name: &'static str,
    /// It is the first of its member.
    first: Option<bool>,
    /// It was the last of its member.
    last: Option<bool>,
}

impl What {
    const fn named(name: &'static str) -> Self {
        Self {
            name,
            first: None,
            last: None,
        }
    }
}

#[derive(Serialize)]
struct Roster<'a> {
    channel: &'a str,
    event: &'a str,
    clients: usize,
}

#[derive(Serialize)]
struct Count<'a> {
    channel: &'a str,
    event: &'a str,
    members: u64,
    clients: u64,
}

/// One client: JSON, or its columns.
fn client(channel: &str, what: What, present: &Present, reading: Reading) -> Shown {
    #[derive(Serialize)]
    struct Client<'a> {
        channel: &'a str,
        event: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        member: Option<&'a str>,
        client: String,
        node: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        state_base64: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        first: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        last: Option<bool>,
    }

    let What { name, first, last } = what;
    let member = present.member.as_deref();
    let (id, node) = (present.client, &*present.node);
    if !reading.json {
        let mut line = match reading.watch {
            true => format!("{name}\t"),
            false => String::new(),
        };
        columns(&mut line, &[member.unwrap_or("-"), &id.to_string(), node]);
        line.push_str(&printable(&String::from_utf8_lossy(&present.state)));
        return result(line.into_bytes());
    }
    let text = std::str::from_utf8(&present.state).ok();
    result(json(&Client {
        channel,
        event: name,
        member,
        client: id.to_string(),
        node,
        state: text,
        state_base64: text.is_none().then(|| STANDARD.encode(&present.state)),
        first,
        last,
    }))
}

/// How far to believe what was printed: a result for machines, a note for a person.
fn doubt(channel: &str, certainty: &Certainty, reading: Reading) -> Shown {
    #[derive(Serialize)]
    struct Doubt<'a> {
        channel: &'a str,
        event: &'a str,
        stale: bool,
        uncertain: &'a [String],
    }

    let Certainty { stale, uncertain } = certainty;
    if reading.json {
        return result(json(&Doubt {
            channel,
            event: "certainty",
            stale: *stale,
            uncertain,
        }));
    }
    let mut text = match stale {
        true => format!("{channel}: what is shown may be old"),
        false => format!("{channel}: what is shown is up to date"),
    };
    if !uncertain.is_empty() {
        let _never_fails = write!(text, "; nodes that may be dead: {}", uncertain.join(", "));
    }
    Shown {
        to: To::Person,
        line: text.into_bytes(),
    }
}

const fn result(line: Vec<u8>) -> Shown {
    Shown { to: To::Message, line }
}

/// Each followed by a tab.
fn columns(line: &mut String, columns: &[&str]) {
    for column in columns {
        line.push_str(&printable(column));
        line.push('\t');
    }
}

/// The text on one line, and in one column: a client says what it likes, and another's terminal is not its to write to.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => printable.extend(character.escape_default()),
            false => printable.push(character),
        }
    }
    printable
}
