//! One subscription under a hand-driven server.

use std::time::Instant;

use bytes::Bytes;
use starling_protocol::v1::client_frame;

use super::*;
use crate::credit::Credit;
use crate::session::{Common, Effect, Turn};
use crate::{Message, SkipReason, Stats};

mod answer;
mod keyed;
mod order;
mod room;
mod simulated;

const ID: SubscriptionId = SubscriptionId(7);
const CHANNEL_ID: u32 = 5;

/// A subscription, with what it did.
struct Reader {
    channel: Channel,
    common: Common,
    effects: Vec<Effect>,
}

impl Reader {
    fn new(options: SubscribeOptions) -> Self {
        let channel = Channel::new(ID, "demo:lobby".into(), options, Instant::now());
        let mut common = Common::new(0);
        common.credit.connected();
        Self {
            channel,
            common,
            effects: Vec::new(),
        }
    }

    /// One that is attached after `seq`, with the head at the same place.
    fn attached(options: SubscribeOptions, seq: u64) -> Self {
        let mut reader = Self::new(options);
        reader.channel.attach(1);
        reader.attach(attached(seq, seq)).expect("a good answer");
        reader.effects.clear();
        reader
    }

    /// Lets the rules have a turn: what followed.
    fn turn<T>(&mut self, act: impl FnOnce(&mut Channel, &mut Turn<'_>) -> T) -> (T, Vec<Effect>) {
        let mut effects = Vec::new();
        let mut turn = Turn {
            now: Instant::now(),
            effects: &mut effects,
            common: &mut self.common,
        };
        let answer = act(&mut self.channel, &mut turn);
        (answer, effects)
    }

    fn attach(&mut self, frame: v1::Attached) -> Result<Vec<Event>, Violation> {
        let (outcome, effects) = self.turn(|channel, turn| channel.attached(frame, turn));
        outcome.map(|()| events(effects))
    }

    fn publication(&mut self, seq: u64) -> Vec<Effect> {
        let (outcome, effects) = self.turn(|channel, turn| channel.publication(publication(seq), turn));
        outcome.expect("a publication of an attached channel");
        effects
    }

    fn page(&mut self, after: u64, through: u64, bytes: usize) -> Vec<Effect> {
        let credit = self.common.credit.received(bytes).expect("within the window");
        let (outcome, effects) = self.turn(|channel, turn| channel.page(page(after, through), credit, turn));
        outcome.expect("a page of an attached channel");
        effects
    }

    fn skipped(&mut self, to: u64, count: u64) -> Vec<Effect> {
        let frame = v1::Skipped {
            channel_id: CHANNEL_ID,
            to,
            count,
            reason: 1,
        };
        let (outcome, effects) = self.turn(|channel, turn| channel.skipped(&frame, turn));
        outcome.expect("skipped on an attached channel");
        effects
    }

    fn lagged(&mut self, seq: u64) -> Vec<Effect> {
        let frame = v1::Lagged {
            channel_id: CHANNEL_ID,
            seq,
        };
        let (outcome, effects) = self.turn(|channel, turn| channel.lagged(&frame, turn));
        outcome.expect("lagged on an attached channel");
        effects
    }

    fn taken(&mut self, events: usize, bytes: usize) -> Vec<Effect> {
        let taken = Taken {
            events,
            bytes,
            ..Taken::default()
        };
        self.turn(|channel, turn| channel.taken(taken, turn)).1
    }

    fn stats(&self) -> Stats {
        self.common.stats
    }
}

/// An answer to Attach that resumes after `seq`.
fn attached(seq: u64, head: u64) -> v1::Attached {
    v1::Attached {
        request: 1,
        channel_id: CHANNEL_ID,
        channel: "demo:lobby".into(),
        position: Some(v1::Position {
            epoch: "0-a".into(),
            seq,
            term: 3,
        }),
        head,
        window: Some(v1::Window {
            messages: 10,
            bytes: 20,
            age_ms: 30,
        }),
        policy: v1::Policy::Recover.into(),
        keyed: false,
        outcome: Some(v1::attached::Outcome::Resumed(v1::Resumed {})),
    }
}

fn discontinuous(mut frame: v1::Attached, reason: v1::Reason) -> v1::Attached {
    frame.outcome = Some(v1::attached::Outcome::Discontinuity(v1::Lost { reason: reason.into() }));
    frame
}

fn publication(seq: u64) -> v1::Publication {
    let payload = Bytes::from(format!("message {seq}"));
    v1::Publication {
        channel_id: CHANNEL_ID,
        seq,
        term: 3,
        time_ms: 1_000 + seq,
        payload,
        ..Default::default()
    }
}

fn page(after: u64, through: u64) -> v1::Page {
    let entry = |seq| {
        let v1::Publication {
            term,
            time_ms,
            key,
            deleted,
            payload,
            ..
        } = publication(seq);
        v1::PageEntry {
            seq,
            term,
            time_ms,
            key,
            deleted,
            payload,
        }
    };
    v1::Page {
        channel_id: CHANNEL_ID,
        after,
        entries: (after + 1..=through).map(entry).collect(),
    }
}

fn position(seq: u64, term: u64) -> Position {
    Position {
        epoch: "0-a".into(),
        seq,
        term,
    }
}

/// The events among what followed.
fn events(effects: Vec<Effect>) -> Vec<Event> {
    let event = |effect| match effect {
        Effect::Deliver { to, item } => {
            assert_eq!(to, ID);
            Some(item.event)
        }
        _ => None,
    };
    effects.into_iter().filter_map(event).collect()
}

/// The seqs of the messages among what followed.
fn seqs(effects: &[Effect]) -> Vec<u64> {
    let seq = |effect: &Effect| match effect {
        Effect::Deliver { item, .. } => match &item.event {
            Event::Message(message) => Some(message.position.seq),
            _ => None,
        },
        _ => None,
    };
    effects.iter().filter_map(seq).collect()
}

/// The seqs of the Pulls among what followed.
fn pulls(effects: &[Effect]) -> Vec<u64> {
    let seq = |effect: &Effect| match effect {
        Effect::Send(client_frame::Body::Pull(pull)) => {
            assert_eq!(pull.channel_id, CHANNEL_ID);
            Some(pull.seq)
        }
        _ => None,
    };
    effects.iter().filter_map(seq).collect()
}
