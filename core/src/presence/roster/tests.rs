//! An owner and its replica, told what gateways do.

use std::collections::VecDeque;

use bytes::Bytes;

use super::*;
use crate::id::Term;
use crate::presence::digest::{Place, Tally};
use crate::presence::entry::{Change, Entry};
use crate::presence::message::{Message, Present, ToGateway, ToReplica, ToWatch};
use crate::presence::settings::{Mode, Settings};
use crate::presence::tests::{channel, key, node, start};

mod following;
mod merging;
mod standing;

const SLOT: SlotId = SlotId(3);
const GRACE: Duration = Duration::from_secs(5);
/// After which a channel that is quiet is told at once.
const QUIET: Duration = Duration::from_secs(1);

/// A roster, its clock and its wake.
struct Node {
    id: NodeId,
    roster: Roster,
    now: Instant,
    wake: Option<Instant>,
}

impl Node {
    fn new(name: &str) -> Self {
        let small = Settings {
            roster_max: 20,
            ..Settings::default()
        };
        let namespaces = Namespaces::from_iter([(Arc::from("hall"), small)]);
        let (id, now) = (node(name, 1), start());
        Self {
            roster: Roster::new(id.clone(), Arc::new(namespaces), Faults::default(), now),
            id,
            now,
            wake: None,
        }
    }

    /// The owner of a slot that has compared with its gateways `a` and `b`, and that `w` watches.
    fn owner() -> Self {
        let mut owner = Self::new("o");
        for name in ["a", "b"] {
            owner.stands(name, 1, Standing::Up);
        }
        owner.own(1);
        for name in ["a", "b", "o"] {
            owner.digest(name, &[]);
        }
        owner.follow("w", Mode::Roster);
        owner.pass(QUIET);
        owner
    }

    fn turn(&mut self, input: Input) -> Vec<(NodeId, Message)> {
        let mut effects = Vec::new();
        self.roster.handle(input, self.now, &mut effects);
        let mut sent = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { to, message } => sent.push((to, message)),
                Effect::Wake { at } => self.wake = Some(at),
            }
        }
        sent
    }

    /// What is sent while so much time passes.
    fn pass(&mut self, time: Duration) -> Vec<(NodeId, Message)> {
        let end = self.now + time;
        let mut sent = Vec::new();
        while let Some(at) = self.wake.take_if(|at| *at <= end) {
            self.now = at;
            sent.extend(self.turn(Input::Wake));
        }
        self.now = end;
        sent
    }

    fn own(&mut self, term: u64) -> Vec<(NodeId, Message)> {
        let role = Role::Owner { term: Term(term) };
        self.turn(Input::Role { slot: SLOT, role })
    }

    fn stands(&mut self, name: &str, generation: u64, standing: Standing) -> Vec<(NodeId, Message)> {
        let node = node(name, generation);
        self.turn(Input::Standing { node, standing })
    }

    fn asked(&mut self, name: &str, asked: ToOwner) -> Vec<(NodeId, Message)> {
        let from = node(name, 1);
        self.turn(Input::Asked { from, asked })
    }

    fn change(&mut self, name: &str, change: Change) -> Vec<(NodeId, Message)> {
        let (slot, changes) = (SLOT, vec![change]);
        self.asked(name, ToOwner::Changes { slot, changes })
    }

    /// A gateway says that it has these entries.
    fn digest(&mut self, name: &str, entries: &[Entry]) -> Vec<(NodeId, Message)> {
        let mut tally = Tally::default();
        for entry in entries {
            tally.add(entry.key.place(), entry.counter);
        }
        let slots = [SLOT].into();
        self.asked(name, ToOwner::Digest { slots, tally })
    }

    fn listing(&mut self, name: &str, counter: u64, entries: &[Entry]) -> Vec<(NodeId, Message)> {
        let listing = ToOwner::Listing {
            slots: [SLOT].into(),
            range: Place(0)..=Place(u64::MAX),
            counter,
            entries: entries.iter().map(|entry| (SLOT, entry.clone())).collect(),
        };
        self.asked(name, listing)
    }

    fn follow(&mut self, name: &str, mode: Mode) -> Vec<(NodeId, Message)> {
        let scope = Scope::Channel(SLOT, channel("chat:a"));
        self.asked(name, ToOwner::Follow { scope, mode })
    }

    /// Who is held to be present by which gateway and connection.
    fn held(&self) -> Vec<(String, u64)> {
        let entries = self.roster.entries(SLOT);
        entries
            .map(|(gateway, _, _, connection, _)| (gateway.to_string(), connection.0))
            .collect()
    }
}

fn entry(subject: &str, connection: u64, counter: u64) -> Entry {
    Entry {
        key: key("chat:a", subject, connection),
        counter,
        is_lost: false,
        state: Bytes::new(),
    }
}

fn put(subject: &str, connection: u64, counter: u64) -> Change {
    Change::Put(entry(subject, connection, counter))
}

fn lost(subject: &str, connection: u64, counter: u64) -> Change {
    let is_lost = true;
    Change::Put(Entry {
        is_lost,
        ..entry(subject, connection, counter)
    })
}

/// The client has left by this connection.
fn gone(subject: &str, connection: u64, counter: u64) -> Change {
    dropped(subject, connection, counter, true)
}

/// The client has not returned within its grace.
fn missed(subject: &str, connection: u64, counter: u64) -> Change {
    dropped(subject, connection, counter, false)
}

fn dropped(subject: &str, connection: u64, counter: u64, is_left: bool) -> Change {
    let key = key("chat:a", subject, connection);
    Change::Drop { key, counter, is_left }
}

/// What watchers are told: who is by which node where, or gone.
fn told(sent: &[(NodeId, Message)]) -> Vec<(String, Option<String>)> {
    let mut told = Vec::new();
    for (_, message) in sent {
        if let Message::Watch(ToWatch::Delta(delta)) = message {
            told.extend(delta.changes.iter().map(|(client, one)| {
                let at = one.as_ref().map(|one| one.row.gateway.name.to_string());
                (client.subject.to_string(), at)
            }));
        }
    }
    told
}

fn at(subject: &str, gateway: &str) -> (String, Option<String>) {
    (subject.into(), Some(gateway.into()))
}

fn left(subject: &str) -> (String, Option<String>) {
    (subject.into(), None)
}
