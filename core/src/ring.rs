//! The newest messages of a channel, kept once for all its readers.
//!
//! A reader has no queue of its own: it holds a cursor, the seq of the last message it was sent,
//! and reads on from there. A reader that stands still costs nothing; when the ring has moved past
//! its cursor it is *behind*, and its policy ([`crate::backpressure`]) says what happens.
//! The idea is the LMAX Disruptor's: one writer, many readers, each with a sequence.
//!
//! The ring is generic over what it keeps: the node keeps encoded frames, the simulation messages.

use std::collections::VecDeque;

use crate::id::Seq;

/// How much a ring may keep. When either bound is passed, the oldest goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Messages.
    pub messages: usize,
    /// Bytes, as counted by whoever pushes.
    pub bytes: usize,
}

/// What a ring holds: the seqs `tail..=head`. Empty when `tail` is `head + 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The oldest message held.
    pub tail: Seq,
    /// The newest message of the channel.
    pub head: Seq,
}

impl Span {
    /// Whether a reader at `cursor` finds its next message in the ring, or is at the head.
    #[must_use]
    pub fn reaches(self, cursor: Seq) -> bool {
        cursor.next() >= self.tail
    }
}

/// One message of the ring.
#[derive(Debug, Clone)]
pub struct Slot<F> {
    /// What is kept of it.
    pub frame: F,
    /// Bytes it counts for.
    pub bytes: usize,
    /// Hash of its key on a keyed channel: a newer message with the same one replaces it for
    /// readers that want only the latest.
    pub key: Option<u64>,
}

/// See the module.
#[derive(Debug)]
pub struct Ring<F> {
    bounds: Bounds,
    /// Seq of the newest message, held or not.
    head: Seq,
    slots: VecDeque<Slot<F>>,
    bytes: usize,
}

impl<F> Ring<F> {
    /// An empty ring whose next message is the one after `head`.
    #[must_use]
    pub fn new(bounds: Bounds, head: Seq) -> Self {
        Self {
            bounds,
            head,
            slots: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Adds the message `seq`, dropping the oldest ones that no longer fit. The newest is always kept, however large.
    ///
    /// One that the readers were given before is passed over: a new owner that is alone shows less at first than the
    /// owner before it did. One that leaves a gap starts the ring over, and readers read back what lies between.
    pub fn push(&mut self, seq: Seq, slot: Slot<F>) {
        if seq <= self.head {
            return;
        }
        if seq > self.head.next() {
            self.restart(Seq(seq.0 - 1));
        }
        self.head = seq;
        self.bytes += slot.bytes;
        self.slots.push_back(slot);
        while self.slots.len() > 1 && (self.slots.len() > self.bounds.messages || self.bytes > self.bounds.bytes) {
            if let Some(oldest) = self.slots.pop_front() {
                self.bytes -= oldest.bytes;
            }
        }
    }

    /// Starts over at `head`, empty: the channel's history broke.
    pub fn restart(&mut self, head: Seq) {
        self.head = head;
        self.slots.clear();
        self.bytes = 0;
    }

    /// What the ring holds.
    #[must_use]
    pub fn span(&self) -> Span {
        let held = u64::try_from(self.slots.len()).expect("a length fits in 64 bits");
        Span {
            tail: Seq(self.head.0 + 1 - held),
            head: self.head,
        }
    }

    /// Bytes held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The messages after `cursor`, oldest first; from the tail if the cursor is behind it.
    pub fn after(&self, cursor: Seq) -> impl Iterator<Item = (Seq, &Slot<F>)> {
        let tail = self.span().tail;
        let skip = cursor.next().0.saturating_sub(tail.0);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        self.slots
            .iter()
            .enumerate()
            .skip(skip)
            .map(move |(at, slot)| (Seq(tail.0 + at as u64), slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        messages: 4,
        bytes: 100,
    };

    fn push(ring: &mut Ring<u64>, bytes: usize) {
        let next = ring.span().head.next();
        push_at(ring, next.0, bytes);
    }

    fn push_at(ring: &mut Ring<u64>, seq: u64, bytes: usize) {
        let (frame, key) = (seq, None);
        ring.push(Seq(seq), Slot { frame, bytes, key });
    }

    fn held(ring: &Ring<u64>, cursor: u64) -> Vec<(u64, u64)> {
        ring.after(Seq(cursor)).map(|(seq, slot)| (seq.0, slot.frame)).collect()
    }

    #[test]
    fn readers_read_on_from_their_cursor() {
        let mut ring = Ring::new(BOUNDS, Seq(10));
        assert_eq!(
            ring.span(),
            Span {
                tail: Seq(11),
                head: Seq(10)
            }
        );
        assert!(ring.span().reaches(Seq(10)) && !ring.span().reaches(Seq(9)));
        for _ in 0..3 {
            push(&mut ring, 1);
        }
        assert_eq!(held(&ring, 10), [(11, 11), (12, 12), (13, 13)]);
        assert_eq!(held(&ring, 12), [(13, 13)]);
        assert_eq!(held(&ring, 13), []);
    }

    #[test]
    fn what_was_given_before_is_passed_over_and_a_gap_starts_the_ring_over() {
        let mut ring = Ring::new(BOUNDS, Seq(10));
        for seq in [11, 12, 11, 12, 13] {
            push_at(&mut ring, seq, 1);
        }
        assert_eq!(held(&ring, 10), [(11, 11), (12, 12), (13, 13)]);
        push_at(&mut ring, 16, 1);
        assert_eq!((held(&ring, 15), ring.bytes()), (vec![(16, 16)], 1));
        assert!(!ring.span().reaches(Seq(13)), "its readers read back what they lack");
    }

    #[test]
    fn the_oldest_goes_at_either_bound() {
        let mut ring = Ring::new(BOUNDS, Seq(0));
        for _ in 0..6 {
            push(&mut ring, 1);
        }
        assert_eq!(
            ring.span(),
            Span {
                tail: Seq(3),
                head: Seq(6)
            }
        );
        assert!(!ring.span().reaches(Seq(1)) && ring.span().reaches(Seq(2)));
        push(&mut ring, 99);
        assert_eq!(
            ring.span(),
            Span {
                tail: Seq(6),
                head: Seq(7)
            }
        );
        assert_eq!(ring.bytes(), 100);
        push(&mut ring, 1_000);
        assert_eq!(held(&ring, 0), [(8, 8)], "the newest is kept, however large");
    }

    #[test]
    fn a_restarted_ring_is_empty_at_its_new_head() {
        let mut ring = Ring::new(BOUNDS, Seq(0));
        push(&mut ring, 1);
        ring.restart(Seq(100));
        assert_eq!(
            ring.span(),
            Span {
                tail: Seq(101),
                head: Seq(100)
            }
        );
        assert_eq!((ring.bytes(), held(&ring, 0).len()), (0, 0));
    }
}
