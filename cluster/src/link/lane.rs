//! The sending end of one lane: numbered frames, kept until the peer has taken them.
//!
//! A connection writes what it has not written yet; a new connection begins with what the peer has not taken. So a frame
//! is sent again after a redial and never twice to whoever listens: the peer passes over numbers that it knows.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use smallvec::SmallVec;
use thiserror::Error;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::frame::Outgoing;

/// What a frame costs beside its bytes: its place in the queue, and the buffers' own heads. It bounds how many small ones
/// wait.
const FRAME_COST: usize = 256;

/// Frames that go into one write.
const BATCH_FRAMES: usize = 64;

/// Bytes after which a write takes no further frame.
const BATCH_BYTES: usize = 256 * 1024;

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The peer has not taken what was sent before. Shed it, or wait with [`send`](super::Link::send).
    #[error("the lane to the peer is full; shed the message, or wait")]
    LinkFull,
    /// No frame holds it.
    #[error("the message is longer than a frame; send it in pieces")]
    TooLong,
    /// The peer is gone: another generation has its name, or it is no member any more.
    #[error("the peer is gone; look up who has its place")]
    Gone,
}

/// See the module.
pub(super) struct LaneQueue {
    /// Bytes that may wait; closed with the lane.
    room: Arc<Semaphore>,
    queue: Mutex<Queue>,
    /// There is something to write.
    ready: Notify,
}

struct Queue {
    frames: VecDeque<Kept>,
    /// Number of the first of them.
    first: u64,
    /// Of them, those that this connection has written.
    written: usize,
    /// The highest number that any connection has written.
    written_once: u64,
}

struct Kept {
    chunks: SmallVec<[Bytes; 4]>,
    bytes: usize,
    _room: OwnedSemaphorePermit,
}

impl LaneQueue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(bytes_max.min(Semaphore::MAX_PERMITS))),
            queue: Mutex::new(Queue {
                frames: VecDeque::new(),
                first: 1,
                written: 0,
                written_once: 0,
            }),
            ready: Notify::new(),
        }
    }

    /// Takes a message if there is room now.
    pub(super) fn try_push(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let room = Arc::clone(&self.room).try_acquire_many_owned(cost(outgoing)?);
        let room = room.map_err(|error| match error {
            TryAcquireError::NoPermits => SendError::LinkFull,
            TryAcquireError::Closed => SendError::Gone,
        })?;
        self.keep(outgoing, room);
        Ok(())
    }

    /// Takes a message when there is room. Whoever waits first is served first.
    pub(super) async fn push(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let room = Arc::clone(&self.room).acquire_many_owned(cost(outgoing)?).await;
        self.keep(outgoing, room.map_err(|_| SendError::Gone)?);
        Ok(())
    }

    fn keep(&self, outgoing: &Outgoing, room: OwnedSemaphorePermit) {
        let mut queue = self.lock();
        let index = queue.first + queue.frames.len() as u64;
        queue.frames.push_back(Kept {
            chunks: outgoing.chunks(index),
            bytes: outgoing.bytes(),
            _room: room,
        });
        drop(queue);
        self.ready.notify_one();
    }

    /// A new connection begins: the peer has taken what is up to `taken`. Says how many frames are sent again.
    pub(super) fn rewind(&self, taken: u64) -> u64 {
        self.acknowledge(taken);
        let mut queue = self.lock();
        queue.written = 0;
        let again = (queue.written_once + 1).saturating_sub(queue.first);
        drop(queue);
        self.ready.notify_one();
        again
    }

    /// The peer has taken what is up to `taken`. A number that was not sent is none that it could have taken.
    pub(super) fn acknowledge(&self, taken: u64) -> bool {
        let mut queue = self.lock();
        if taken > queue.written_once {
            return false;
        }
        while queue.first <= taken && queue.frames.pop_front().is_some() {
            queue.first += 1;
            queue.written = queue.written.saturating_sub(1);
        }
        true
    }

    /// Forgets everything: the peer begins anew.
    pub(super) fn reset(&self) {
        let mut queue = self.lock();
        queue.frames.clear();
        (queue.first, queue.written, queue.written_once) = (1, 0, 0);
    }

    /// Nothing is taken any more, and whoever waits is told so.
    pub(super) fn close(&self) {
        self.room.close();
    }

    /// Waits for the next buffers to write. Only one connection at a time asks.
    pub(super) async fn unwritten(&self, chunks: &mut Vec<Bytes>) {
        loop {
            let ready = self.ready.notified();
            if self.take_unwritten(chunks) {
                return;
            }
            ready.await;
        }
    }

    fn take_unwritten(&self, chunks: &mut Vec<Bytes>) -> bool {
        let mut queue = self.lock();
        let (mut count, mut bytes) = (0, 0);
        for kept in queue.frames.range(queue.written..) {
            if count == BATCH_FRAMES || bytes >= BATCH_BYTES {
                break;
            }
            count += 1;
            bytes += kept.bytes;
            chunks.extend(kept.chunks.iter().cloned());
        }
        queue.written += count;
        queue.written_once = queue.written_once.max(queue.first + queue.written as u64 - 1);
        count > 0
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(outgoing: &Outgoing) -> Result<u32, SendError> {
    if !outgoing.fits() {
        return Err(SendError::TooLong);
    }
    u32::try_from(outgoing.bytes() + FRAME_COST).map_err(|_| SendError::TooLong)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::super::frame::{Lane, parse};
    use super::*;

    fn message(number: u8) -> Outgoing {
        Outgoing {
            lane: Lane::Control,
            header: vec![number].into(),
            payloads: SmallVec::new(),
        }
    }

    /// Numbers and headers of what a connection would write now.
    fn written(lane: &LaneQueue) -> Vec<(u64, u8)> {
        let mut chunks = Vec::new();
        while lane.take_unwritten(&mut chunks) {}
        let mut buffer = BytesMut::from(&chunks.concat()[..]);
        let mut frames = Vec::new();
        while let Some(frame) = parse(&mut buffer).expect("frames") {
            frames.push((frame.index, frame.header[0]));
        }
        frames
    }

    #[test]
    fn what_the_peer_did_not_take_is_written_again_in_order() {
        let lane = LaneQueue::new(1 << 20);
        (1..=4).for_each(|number| lane.try_push(&message(number)).expect("there is room"));
        assert_eq!(written(&lane), [(1, 1), (2, 2), (3, 3), (4, 4)]);
        assert!(written(&lane).is_empty());
        assert!(lane.acknowledge(1));
        lane.try_push(&message(5)).expect("there is room");
        assert_eq!(lane.rewind(2), 2, "3 and 4 are sent again, 5 for the first time");
        assert_eq!(written(&lane), [(3, 3), (4, 4), (5, 5)]);
        assert!(lane.acknowledge(1), "an old acknowledgement says nothing");
        assert!(!lane.acknowledge(6), "nobody takes what was not sent");
        lane.reset();
        lane.try_push(&message(6)).expect("there is room");
        assert_eq!(written(&lane), [(1, 6)]);
    }

    #[tokio::test]
    async fn a_full_lane_says_so_and_who_waits_is_served_or_told() {
        let lane = Arc::new(LaneQueue::new(2 * (FRAME_COST + message(0).bytes())));
        lane.try_push(&message(1)).expect("there is room");
        lane.try_push(&message(2)).expect("there is room");
        assert_eq!(lane.try_push(&message(3)), Err(SendError::LinkFull));
        let waiting = tokio::spawn({
            let lane = lane.clone();
            async move { lane.push(&message(3)).await }
        });
        assert_eq!(written(&lane).len(), 2);
        assert!(lane.acknowledge(1));
        assert_eq!(waiting.await.expect("it ends"), Ok(()));
        assert_eq!(written(&lane), [(3, 3)]);
        let waiting = tokio::spawn({
            let lane = lane.clone();
            async move { lane.push(&message(4)).await }
        });
        lane.close();
        assert_eq!(waiting.await.expect("it ends"), Err(SendError::Gone));
        assert_eq!(lane.try_push(&message(5)), Err(SendError::Gone));
    }
}
