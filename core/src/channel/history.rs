//! The messages that can still be read back.
//!
//! What is kept is decided by the owner and carried by log entries as a *floor*, the first seq that
//! is still kept. A copy never decides by itself, or copies would differ.
//!
//! A stored channel keeps only its newest messages in memory; of those before them it knows what is
//! needed to say when they go ([`Spilled`]), and they are read from the store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::{Memory, Window};
use super::learnt::Learnt;
use super::message::Message;
use super::spilled::{Chunk, Spilled};
use crate::id::Seq;

/// Room for so many messages is kept even when there are none, so that a channel that keeps none
/// does not ask for memory with each. More is given back: a channel that was busy once must not hold
/// its room for ever.
const ROOM_MIN: usize = 32;

/// Consecutive messages up to the head, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// What is in memory: all of it, or the newest.
    messages: VecDeque<Kept>,
    bytes: u64,
    /// What is in the store only: from the floor to the first in memory.
    spilled: Spilled,
    floor: Seq,
    /// The first seq in memory; one after the head when none is.
    resident: Seq,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    message: Arc<Message>,
    learnt: Learnt,
}

impl Default for History {
    fn default() -> Self {
        Self::beginning_at(Seq(1))
    }
}

impl History {
    /// Nothing is kept, and `next` is the seq of the next message.
    pub(super) fn beginning_at(next: Seq) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            spilled: Spilled::default(),
            floor: next,
            resident: next,
        }
    }

    /// The first seq that is still kept; one after the head when nothing is.
    pub const fn floor(&self) -> Seq {
        self.floor
    }

    /// The first seq that is in memory; one after the head when none is. What is kept below it is in
    /// the store.
    pub const fn resident(&self) -> Seq {
        self.resident
    }

    /// How many messages are kept.
    pub fn len(&self) -> usize {
        let spilled = usize::try_from(self.resident.0 - self.floor.0).unwrap_or(usize::MAX);
        spilled.saturating_add(self.messages.len())
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The weight of all that is kept.
    pub const fn bytes(&self) -> u64 {
        self.spilled.bytes() + self.bytes
    }

    /// The messages in memory after `after`, in order.
    pub fn after(&self, after: Seq) -> impl Iterator<Item = &Arc<Message>> {
        let skipped = after.next().0.saturating_sub(self.resident.0);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.messages.len());
        self.messages.range(skipped..).map(|kept| &kept.message)
    }

    /// The floor that fits `window` once a message of `weight` is appended at `seq`.
    pub(super) fn floor_with(&self, seq: Seq, weight: u64, window: &Window, now: Instant) -> Seq {
        if window.messages == 0 || weight > window.bytes {
            return seq.next();
        }
        let least = Seq(seq.next().0.saturating_sub(u64::from(window.messages)));
        let mut floor = self.floor;
        let mut bytes = self.bytes() + weight;
        for chunk in self.spilled.iter() {
            let fits = chunk.last >= least && bytes - chunk.bytes <= window.bytes;
            if fits && !chunk.learnt.is_older(window.age, now) {
                return floor.max(least);
            }
            bytes -= chunk.bytes;
            floor = chunk.last.next();
        }
        for kept in &self.messages {
            let fits = floor >= least && bytes <= window.bytes;
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
        let spilled = self.spilled.last_by_age(age, now).map(Seq::next);
        if spilled.unwrap_or(self.floor) < self.resident {
            return spilled;
        }
        let old = self.messages.iter().take_while(|kept| kept.learnt.is_older(age, now));
        let floor = Seq(self.resident.0 + old.count() as u64);
        (floor > self.floor).then_some(floor)
    }

    /// When the oldest message was learnt of, or the newest of the chunk it is in.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let resident = self.messages.front().map(|kept| kept.learnt.0);
        self.spilled.oldest().or(resident)
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
        self.spilled.truncate(floor);
        while self.resident < floor
            && let Some(kept) = self.messages.pop_front()
        {
            self.bytes -= kept.message.weight();
            self.resident = self.resident.next();
        }
        self.floor = self.floor.max(floor);
        self.shrink();
    }

    /// Lets go of the oldest messages that are in memory beyond `memory`: the store has them.
    pub(super) fn spill(&mut self, memory: Memory) {
        while self.messages.len() > memory.messages as usize || self.bytes > memory.bytes {
            let Some(kept) = self.messages.pop_front() else {
                break;
            };
            self.bytes -= kept.message.weight();
            self.resident = self.resident.next();
            self.spilled.add(&kept.message, kept.learnt);
        }
        self.shrink();
    }

    /// Adds messages that are in the store only, when nothing is in memory yet.
    pub(super) fn add_spilled(&mut self, chunk: Chunk) {
        self.resident = chunk.last.next();
        self.spilled.push(chunk);
    }

    fn shrink(&mut self) {
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
        self.spilled.restamp(now);
        for kept in &mut self.messages {
            kept.learnt = Learnt(now);
        }
    }
}
