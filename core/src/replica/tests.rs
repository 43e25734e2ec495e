//! One replica by itself, rule by rule. How several work together is simulated (`sim::cluster`).

mod asking;
mod catch_up;
mod claim;
mod hand_over;
mod members;
mod terms;

use std::collections::BTreeSet;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::message::{Part, WHOLE};
use super::*;
use crate::channel::tests::{name, start};
use crate::channel::{self, Proposal, Refusal, Ticket};
use crate::id::{Epoch, Generation, Index, NodeName, Seq};
use crate::slot::{Entry, Origin, Place};
use crate::table::{self, Answer, Change};
use crate::time::WallTime;

const SLOT: SlotId = SlotId(7);

fn node(name: &str) -> NodeId {
    restarted(name, 1)
}

fn restarted(name: &str, generation: u64) -> NodeId {
    NodeId {
        name: NodeName::parse(name).unwrap(),
        generation: Generation(generation),
    }
}

fn set(names: &[&str]) -> BTreeSet<NodeId> {
    names.iter().map(|name| node(name)).collect()
}

/// The replica of node `a`, with a clock.
struct One {
    replica: Replica,
    now: Instant,
    round: u64,
    number: u64,
    wake: Option<Instant>,
}

impl One {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let settings = Arc::new(channel::Config::default());
        let mut random = StdRng::seed_from_u64(1);
        Self {
            replica: Replica::new(node("a"), SLOT, config, settings, &mut random),
            now: start(),
            round: 0,
            number: 0,
            wake: None,
        }
    }

    /// `a` owns the slot, with the rest of `isr` as members that hold what it holds.
    fn owner_with(isr: &[&str]) -> Self {
        let mut one = Self::new();
        one.record(1, 1, "a", isr);
        for member in isr.iter().filter(|member| **member != "a") {
            one.appended(member, 0);
        }
        one
    }

    fn turn(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.replica.handle(input, self.now, &mut out);
        for effect in &out {
            if let Effect::Wake { at } = effect {
                assert!(*at > self.now, "a wake of the past would go round in circles");
                self.wake = Some(*at);
            }
        }
        out.retain(|effect| !matches!(effect, Effect::Wake { .. }));
        out
    }

    fn record(&mut self, version: u64, term: u64, owner: &str, isr: &[&str]) -> Vec<Effect> {
        self.turn(Input::Table(Record {
            owner: Some(node(owner)),
            term: Term(term),
            isr: set(isr),
            heirs: BTreeSet::new(),
            version,
            resets: 0,
        }))
    }

    fn pass(&mut self, millis: u64) -> Vec<Effect> {
        self.now += Duration::from_millis(millis);
        self.turn(Input::Wake)
    }

    /// Time passes, and nothing wakes the replica but what it asked for.
    fn pass_to_wake(&mut self, time: Duration) -> Vec<Effect> {
        let end = self.now + time;
        let mut effects = Vec::new();
        while let Some(at) = self.wake.take_if(|at| *at <= end) {
            self.now = self.now.max(at);
            effects.extend(self.turn(Input::Wake));
        }
        self.now = end;
        effects
    }

    fn receive(&mut self, from: &NodeId, message: Message) -> Vec<Effect> {
        let from = from.clone();
        self.turn(Input::Received { from, message })
    }

    fn appended(&mut self, from: &str, through: u64) -> Vec<Effect> {
        self.appended_from(&node(from), through)
    }

    fn appended_from(&mut self, from: &NodeId, through: u64) -> Vec<Effect> {
        let term = self.replica.owned_under().unwrap();
        let through = Index(through);
        self.receive(from, Message::Appended { term, through })
    }

    fn want(&mut self, copies: &[&str], owner: &str) -> Vec<Effect> {
        self.turn(Input::Wanted(Wanted {
            copies: copies.iter().map(|name| node(name)).collect(),
            owner: Some(node(owner)),
            lost: false,
        }))
    }

    /// A channel proposes one more change.
    fn propose(&mut self) -> Vec<Effect> {
        if self.round == 0 {
            let open = slot::Input::Open { channel: name("t:a") };
            let effects = self.turn(Input::Slot(open));
            self.round = effects
                .iter()
                .find_map(|effect| match effect {
                    Effect::Slot(slot::Effect::Opened { opening, .. }) => Some(opening.round),
                    _ => None,
                })
                .expect("it is opened");
        }
        let term = self.replica.owned_under().unwrap();
        let proposal = Proposal {
            ticket: Ticket {
                round: self.round,
                number: self.number,
            },
            change: change(self.number, term),
        };
        self.number += 1;
        let channel = name("t:a");
        let proposals = vec![proposal];
        self.turn(Input::Slot(slot::Input::Propose { channel, proposals }))
    }

    fn committed(&self) -> u64 {
        self.replica.slot().committed().0
    }
}

fn change(number: u64, term: Term) -> slot::Change {
    match number {
        0 => slot::Change::Create {
            epoch: Epoch::parse("0-1").unwrap(),
            keyed: false,
        },
        seq => slot::Change::Publish {
            message: Arc::new(channel::Message {
                seq: Seq(seq),
                term,
                time: WallTime(0),
                key: None,
                deleted: false,
                payload: Bytes::from_static(b"hello"),
            }),
            origin: Origin::Anonymous,
            floor: Seq(1),
        },
    }
}

fn entry(index: u64, term: u64) -> Arc<Entry> {
    Arc::new(Entry {
        term: Term(term),
        index: Index(index),
        channel: name("t:a"),
        change: change(index - 1, Term(term)),
    })
}

fn append(term: u64, previous: (u64, u64), entries: Vec<Arc<Entry>>, committed: u64) -> Message {
    Message::Append {
        term: Term(term),
        lineage: LINEAGE,
        previous: Place {
            index: Index(previous.0),
            term: Term(previous.1),
        },
        entries,
        committed: Index(committed),
    }
}

const LINEAGE: Lineage = Lineage {
    resets: 0,
    incarnation: 5,
};

/// The doubt of this number.
const fn doubted(number: u64) -> Ticket {
    Ticket { round: 1, number }
}

/// What is asked of the table.
fn asked(effects: &[Effect]) -> Vec<&Change> {
    let changes = effects.iter().filter_map(|effect| match effect {
        Effect::Ask { change, .. } => Some(change),
        _ => None,
    });
    changes.collect()
}

/// What is sent to a node.
fn sent<'a>(effects: &'a [Effect], to: &str) -> Vec<&'a Message> {
    let messages = effects.iter().filter_map(|effect| match effect {
        Effect::Send { to: whom, message } if *whom == node(to) => Some(message),
        _ => None,
    });
    messages.collect()
}
