//! Frames on their way into a connection.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

/// Frames queued for one connection, in order; the first may be written in part.
///
/// The first frame has a place of its own: a quiet connection, which has one frame to write now and
/// then, never allocates.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    /// Empty when nothing is queued.
    front: Bytes,
    rest: VecDeque<Bytes>,
    bytes: usize,
}

impl WriteQueue {
    /// Adds a frame, which is not empty.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        if self.front.is_empty() {
            self.front = frame;
        } else {
            self.rest.push_back(frame);
        }
    }

    /// Bytes queued.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing is queued.
    pub(super) const fn is_empty(&self) -> bool {
        self.front.is_empty()
    }

    /// Whether exactly one frame, or part of one, is queued.
    pub(super) fn is_single(&self) -> bool {
        self.rest.is_empty()
    }

    /// The first frame, or what is left of it.
    pub(super) const fn front(&self) -> &Bytes {
        &self.front
    }

    /// The queued frames, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.front).chain(&self.rest)
    }

    /// So many bytes were written.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while written >= self.front.len() {
            written -= self.front.len();
            match self.rest.pop_front() {
                Some(next) => self.front = next,
                None => {
                    // Whatever a busy moment made it grow to is given back.
                    *self = Self::default();
                    return;
                }
            }
        }
        self.front.advance(written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_in_order_and_in_parts() {
        let mut queue = WriteQueue::default();
        assert!(queue.is_empty());
        for frame in ["abc", "de", "f"] {
            queue.push(Bytes::from_static(frame.as_bytes()));
        }
        assert_eq!(queue.bytes(), 6);
        queue.advance(2);
        assert_eq!(
            queue.iter().map(|it| &it[..]).collect::<Vec<_>>(),
            [&b"c"[..], b"de", b"f"]
        );
        queue.advance(1);
        assert_eq!(
            (&queue.front()[..], queue.bytes(), queue.is_single()),
            (&b"de"[..], 3, false)
        );
        queue.advance(2);
        assert!(queue.is_single() && !queue.is_empty());
        queue.advance(1);
        assert!(queue.is_empty() && queue.bytes() == 0);
        queue.push(Bytes::from_static(b"g"));
        assert_eq!(&queue.front()[..], b"g");
    }
}
