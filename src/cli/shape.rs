//! What one result looks like. JSON fields keep their meaning for ever; new ones may be added behind them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use starling_client::{Event, KeyedState, Message, Outcome, Position, PublishError, Published};

pub(super) mod presence;

/// One object on one line.
pub(super) fn json(object: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(object).expect("strings, numbers and booleans can be written as JSON")
}

/// An acknowledged message: JSON, or its position as `--since` takes it.
pub(super) fn acknowledged(channel: &str, published: &Published, as_json: bool) -> Vec<u8> {
    #[derive(Serialize)]
    struct Acknowledged<'a> {
        channel: &'a str,
        epoch: &'a str,
        seq: u64,
        serial: u64,
        copies: u32,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        duplicate: bool,
    }

    let Published {
        position,
        serial,
        copies,
        duplicate,
    } = published;
    if !as_json {
        return position.to_string().into_bytes();
    }
    let (epoch, seq) = (&*position.epoch, position.seq);
    json(&Acknowledged {
        channel,
        epoch,
        seq,
        serial: *serial,
        copies: *copies,
        duplicate: *duplicate,
    })
}

/// A message that was not acknowledged, in the place where its acknowledgement would stand. `line` counts from 1.
pub(super) fn unacknowledged(channel: &str, line: u64, error: &PublishError) -> Vec<u8> {
    #[derive(Serialize)]
    struct Unacknowledged<'a> {
        channel: &'a str,
        line: u64,
        error: String,
        code: &'a str,
    }

    let code = match error {
        PublishError::Refused(refusal) => refusal.name(),
        PublishError::TooLarge { .. } => "payload_too_large",
        PublishError::Invalid(_) => "bad_request",
        PublishError::TimedOut { .. } => "timed_out",
        PublishError::OutcomeUnknown => "outcome_unknown",
        PublishError::Closed { .. } => "closed",
        _ => "failed",
    };
    json(&Unacknowledged {
        channel,
        line,
        error: error.to_string(),
        code,
    })
}

/// What a reader is shown of one event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// Whom it is for.
    pub(super) to: To,
    /// Without its line feed.
    pub(super) line: Vec<u8>,
}

/// Whom a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// A message: a result.
    Message,
    /// Messages were left out or lost: a result for machines, a note for people who asked for data alone.
    Notice,
    /// A person.
    Person,
}

/// What a reader is shown of one event of a channel, in order.
pub(super) fn shown(channel: &str, event: &Event, as_json: bool) -> Vec<Shown> {
    let notice = |object: Vec<u8>, text: String| {
        let line = if as_json {
            object
        } else {
            format!("{channel}: {text}").into_bytes()
        };
        vec![Shown { to: To::Notice, line }]
    };
    match event {
        Event::Message(message) => vec![Shown {
            to: To::Message,
            line: data(channel, message, as_json),
        }],
        Event::KeyedState(state) => keyed(channel, state, as_json),
        Event::Skipped { to, count, reason } => notice(
            json(&Skipped {
                channel,
                skipped: *count,
                to: *to,
                reason: reason.name(),
            }),
            format!("{count} messages up to {to} were left out ({reason})"),
        ),
        Event::Discontinuity { reason, position } => notice(
            json(&Discontinuity {
                channel,
                discontinuity: reason.name(),
                epoch: &position.epoch,
                seq: position.seq,
            }),
            format!("messages were lost ({reason}); going on after {position}"),
        ),
        // The discontinuity itself follows as its own event.
        Event::Attached {
            outcome: Outcome::Discontinuity(_),
            ..
        } => Vec::new(),
        Event::Attached { position, outcome, .. } => {
            let line = match outcome {
                Outcome::Rewound(count @ 1..) => {
                    format!("{channel}: attached, {count} messages back, after {position}")
                }
                _ => format!("{channel}: attached, after {position}"),
            };
            vec![Shown {
                to: To::Person,
                line: line.into_bytes(),
            }]
        }
        _ => Vec::new(),
    }
}

#[derive(Serialize)]
struct Skipped<'a> {
    channel: &'a str,
    skipped: u64,
    to: u64,
    reason: &'a str,
}

#[derive(Serialize)]
struct Discontinuity<'a> {
    channel: &'a str,
    discontinuity: &'a str,
    epoch: &'a str,
    seq: u64,
}

/// The state of a keyed channel: a line that says whether it replaces what the reader knew, then its entries.
fn keyed(channel: &str, state: &KeyedState, as_json: bool) -> Vec<Shown> {
    #[derive(Serialize)]
    struct State<'a> {
        channel: &'a str,
        state: &'a str,
        epoch: &'a str,
        seq: u64,
    }

    let mut lines = Vec::new();
    if state.first && as_json {
        let kind = if state.replace { "replace" } else { "changes" };
        let Position { epoch, seq, .. } = &state.at;
        lines.push(Shown {
            to: To::Notice,
            line: json(&State {
                channel,
                state: kind,
                epoch,
                seq: *seq,
            }),
        });
    }
    let entries = state.entries.iter().map(|entry| Shown {
        to: To::Message,
        line: data(channel, entry, as_json),
    });
    lines.extend(entries);
    lines
}

/// One message: JSON, or its payload alone.
fn data(channel: &str, message: &Message, as_json: bool) -> Vec<u8> {
    #[derive(Serialize)]
    struct Received<'a> {
        channel: &'a str,
        epoch: &'a str,
        seq: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data_base64: Option<String>,
        replayed: bool,
        time_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<&'a str>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        deleted: bool,
    }

    if !as_json {
        return message.payload.to_vec();
    }
    let text = std::str::from_utf8(&message.payload).ok();
    json(&Received {
        channel,
        epoch: &message.position.epoch,
        seq: message.position.seq,
        data: text,
        data_base64: text.is_none().then(|| STANDARD.encode(&message.payload)),
        replayed: message.replayed,
        time_ms: message.time_ms,
        key: message.key.as_deref(),
        deleted: message.deleted,
    })
}

#[cfg(test)]
mod tests;
