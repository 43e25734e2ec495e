//! One file per idea; all of them drive an [`Owner`]: a channel and its slot, without a shell.

mod attach;
mod commit;
mod due;
mod ephemeral;
mod faults;
mod history;
mod inspect;
mod keyed;
mod owner;
mod publish;
mod publishers;
mod random;
mod read;
mod refused;
mod standing;
mod state;
mod stored;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::id::{Author, Epoch, IdempotencyKey, Key, Position, PublisherId, Seq, Serial, Subject};
use crate::slot::entry::Origin;
use crate::slot::{self, CommitPoint, Slot};
use crate::time::WallTime;
use owner::{Effects, Owner};

/// Some instant. Tests go on from it by arithmetic.
#[expect(
    clippy::disallowed_methods,
    reason = "an `Instant` cannot be made but from the clock"
)]
pub(crate) fn start() -> Instant {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

pub(crate) fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

/// What the wall shows at [`start`].
const NOON: WallTime = WallTime(1_700_000_000_000);

fn anna() -> Author {
    Author {
        subject: Subject::new("anna"),
        publisher: PublisherId([1; 16]),
    }
}

fn number(serial: u64, base: u64) -> Origin {
    Origin::Publisher {
        author: anna(),
        serial: Serial(serial),
        base: Serial(base),
    }
}

fn request(key: &str) -> Origin {
    Origin::Idempotency {
        subject: Subject::new("anna"),
        key: IdempotencyKey::parse(key).unwrap(),
    }
}

/// The one acknowledgement among the effects.
fn ack(effects: &Effects) -> &Ack {
    let mut acks = effects.iter().filter_map(|effect| match effect {
        Effect::Ack { ack, .. } => Some(ack),
        _ => None,
    });
    match (acks.next(), acks.next()) {
        (Some(ack), None) => ack,
        _ => panic!("not one ack: {effects:?}"),
    }
}

/// The seq that was acknowledged.
fn acked(effects: &Effects) -> u64 {
    ack(effects).position.as_ref().expect("a position").seq.0
}

/// The one refusal, when there is nothing else.
fn refusal(effects: &Effects) -> &Refusal {
    match effects.as_slice() {
        [Effect::Refuse { refusal, .. }] => refusal,
        _ => panic!("not one refusal: {effects:?}"),
    }
}

/// The seqs that were fanned out.
fn fanned_out(effects: &Effects) -> Vec<u64> {
    let messages = effects.iter().filter_map(|effect| match effect {
        Effect::FanOut(message) => Some(message.seq.0),
        _ => None,
    });
    messages.collect()
}

/// The payloads of messages.
fn payloads(messages: &[Arc<Message>]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| std::str::from_utf8(&message.payload).unwrap())
        .collect()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
