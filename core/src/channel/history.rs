//! The messages that can still be read back.
//!
//! What is kept is decided by the owner and carried by log entries as a *floor*, the first seq that
//! is still kept. A copy never decides by itself, or copies would differ.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::Window;
use super::learnt::Learnt;
use super::message::Message;
use crate::id::Seq;

/// Room for so many messages is kept even when there are none, so that a channel that keeps none
/// does not ask for memory with each. More is given back: a channel that was busy once must not hold
/// its room for ever.
const ROOM_MIN: usize = 32;

/// Consecutive messages up to the head, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    messages: VecDeque<Kept>,
    bytes: u64,
    floor: Seq,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    message: Arc<Message>,
    learnt: Learnt,
}

impl Default for History {
    fn default() -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            floor: Seq(1),
        }
    }
}

impl History {
    /// The first seq that is still kept; one after the head when nothing is.
    #[must_use]
    pub const fn floor(&self) -> Seq {
        self.floor
    }

    /// How many messages are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The weight of all that is kept.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The kept messages after `after`, in order.
    pub fn after(&self, after: Seq) -> impl Iterator<Item = &Arc<Message>> {
        let skipped = after.next().0.saturating_sub(self.floor.0);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.messages.len());
        self.messages.range(skipped..).map(|kept| &kept.message)
    }

    /// The floor that fits `window` once a message of `weight` is appended at `seq`.
    pub(super) fn floor_with(&self, seq: Seq, weight: u64, window: &Window, now: Instant) -> Seq {
        if window.messages == 0 || weight > window.bytes {
            return seq.next();
        }
        let mut floor = self.floor;
        let mut bytes = self.bytes + weight;
        for kept in &self.messages {
            let messages = seq.0 - floor.0 + 1;
            let fits = messages <= u64::from(window.messages) && bytes <= window.bytes;
            if fits && !kept.learnt.is_older(window.age, now) {
                break;
            }
            bytes -= kept.message.weight();
            floor = floor.next();
        }
        floor
    }

    /// The floor once everything of `age` is dropped, if anything is.
    pub(super) fn floor_by_age(&self, age: Duration, now: Instant) -> Option<Seq> {
        let old = self.messages.iter().take_while(|kept| kept.learnt.is_older(age, now));
        let old = old.count() as u64;
        (old > 0).then(|| Seq(self.floor.0 + old))
    }

    /// When the oldest message was learnt of.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.messages.front().map(|kept| kept.learnt.0)
    }

    /// Appends the message at the head, then drops what is below `floor`.
    pub(super) fn append(&mut self, message: &Arc<Message>, floor: Seq, now: Instant) {
        self.bytes += message.weight();
        self.messages.push_back(Kept {
            message: Arc::clone(message),
            learnt: Learnt(now),
        });
        self.truncate(floor);
    }

    /// Drops what is below `floor`.
    pub(super) fn truncate(&mut self, floor: Seq) {
        while self.floor < floor {
            if let Some(kept) = self.messages.pop_front() {
                self.bytes -= kept.message.weight();
            }
            self.floor = self.floor.next();
        }
        if self.messages.capacity() > ROOM_MIN && self.messages.len() < self.messages.capacity() / 4 {
            self.messages.shrink_to(self.messages.len() * 2);
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.messages.capacity()
    }

    /// Takes everything for learnt of now.
    pub(super) fn restamp(&mut self, now: Instant) {
        for kept in &mut self.messages {
            kept.learnt = Learnt(now);
        }
    }
}
