//! What is known of messages that are in the store only: enough to say when they are to go.
//!
//! A chunk stands for up to [`CHUNK_MESSAGES`] messages, so that a channel that keeps a million costs
//! memory for sixteen thousand chunks. By bytes and by age a chunk goes as a whole, once none of its
//! messages fits any more: the store keeps up to a chunk too much, and never too little.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::learnt::Learnt;
use super::message::Message;
use crate::id::Seq;

/// Messages of one chunk. A page holds thousands, so that a chunk too much is not felt.
pub const CHUNK_MESSAGES: u64 = 64;

/// Consecutive messages of which only the sum is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) first: Seq,
    pub(super) last: Seq,
    pub(super) bytes: u64,
    /// When the newest was learnt of.
    pub(super) learnt: Learnt,
}

/// Every message between the floor of a history and the first that is in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Spilled {
    chunks: VecDeque<Chunk>,
    bytes: u64,
}

impl Spilled {
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        self.chunks.iter()
    }

    /// When the newest message of the oldest chunk was learnt of.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.chunks.front().map(|chunk| chunk.learnt.0)
    }

    /// The last message of the chunks that are older than `age`, if any is.
    pub(super) fn last_by_age(&self, age: Duration, now: Instant) -> Option<Seq> {
        let old = self.chunks.iter().take_while(|chunk| chunk.learnt.is_older(age, now));
        old.last().map(|chunk| chunk.last)
    }

    /// Adds a chunk behind the others.
    pub(super) fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes;
        self.chunks.push_back(chunk);
    }

    /// Adds the message that follows the last one.
    pub(super) fn add(&mut self, message: &Message, learnt: Learnt) {
        let (seq, weight) = (message.seq, message.weight());
        match self.chunks.back_mut() {
            Some(chunk) if seq.0 - chunk.first.0 < CHUNK_MESSAGES => {
                chunk.last = seq;
                chunk.bytes += weight;
                chunk.learnt = learnt;
                self.bytes += weight;
            }
            _ => self.push(Chunk {
                first: seq,
                last: seq,
                bytes: weight,
                learnt,
            }),
        }
    }

    /// Drops what is below `floor`. The rest of a chunk that is cut counts for its part of the bytes.
    pub(super) fn truncate(&mut self, floor: Seq) {
        while let Some(chunk) = self.chunks.pop_front_if(|chunk| chunk.last < floor) {
            self.bytes -= chunk.bytes;
        }
        if let Some(chunk) = self.chunks.front_mut()
            && chunk.first < floor
        {
            let messages = chunk.last.0 - chunk.first.0 + 1;
            let cut = u128::from(chunk.bytes) * u128::from(floor.0 - chunk.first.0) / u128::from(messages);
            let cut = u64::try_from(cut).unwrap_or(chunk.bytes);
            chunk.first = floor;
            chunk.bytes -= cut;
            self.bytes -= cut;
        }
    }

    pub(super) fn restamp(&mut self, now: Instant) {
        for chunk in &mut self.chunks {
            chunk.learnt = Learnt(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::channel::tests::start;
    use crate::id::Term;
    use crate::time::WallTime;

    fn filled(messages: u64) -> Spilled {
        let mut spilled = Spilled::default();
        for seq in 1..=messages {
            let message = Message {
                seq: Seq(seq),
                term: Term(1),
                time: WallTime(0),
                key: None,
                deleted: false,
                payload: Bytes::from_static(b"0123456789"),
            };
            spilled.add(&message, Learnt(start() + Duration::from_secs(seq)));
        }
        spilled
    }

    #[test]
    fn messages_are_gathered_in_chunks() {
        let spilled = filled(CHUNK_MESSAGES * 2 + 1);
        let chunks: Vec<_> = spilled
            .iter()
            .map(|chunk| (chunk.first.0, chunk.last.0, chunk.bytes))
            .collect();
        assert_eq!(chunks, [(1, 64, 640), (65, 128, 640), (129, 129, 10)]);
        assert_eq!(spilled.bytes(), 1_290);
    }

    #[test]
    fn a_chunk_that_is_cut_counts_for_what_is_left_of_it() {
        let mut spilled = filled(100);
        spilled.truncate(Seq(33));
        assert_eq!(spilled.bytes(), 680);
        spilled.truncate(Seq(65));
        assert_eq!(spilled.bytes(), 360);
        spilled.truncate(Seq(101));
        assert_eq!((spilled.bytes(), spilled.oldest()), (0, None));
    }

    #[test]
    fn a_chunk_is_as_old_as_its_newest_message() {
        let spilled = filled(100);
        let age = Duration::from_secs(10);
        let at = |seconds| start() + Duration::from_secs(seconds);
        assert_eq!(spilled.last_by_age(age, at(73)), None);
        assert_eq!(spilled.last_by_age(age, at(74)), Some(Seq(64)));
        assert_eq!(spilled.oldest(), Some(at(64)));
    }
}
