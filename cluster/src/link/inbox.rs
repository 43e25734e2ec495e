//! Where messages from all peers arrive: a queue for each lane, so that a consumer that is busy with one slot leaves the
//! others alone.
//!
//! A queue that is full is not read into: the peer's stream stands still, then its lane is full, and whoever sends there
//! is told.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use super::frame::{FRAME_BYTES_MAX, Incoming, LANES};

/// Messages that wait in one queue.
const INBOX_FRAMES_MAX: usize = 1_024;

/// Bytes of the messages of one queue that were not dropped yet: four of the longest.
const INBOX_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;

/// The receiving ends, one for each lane, by [`Lane::index`](super::Lane::index).
pub type Inboxes = [mpsc::Receiver<Incoming>; LANES];

/// The other ends.
#[derive(Clone)]
pub(super) struct Doors(Arc<[Door; LANES]>);

pub(super) struct Door {
    pub(super) room: Arc<Semaphore>,
    pub(super) queue: mpsc::Sender<Incoming>,
}

impl Doors {
    pub(super) fn new() -> (Self, Inboxes) {
        let mut inboxes = Vec::with_capacity(LANES);
        let doors = std::array::from_fn(|_| {
            let (queue, inbox) = mpsc::channel(INBOX_FRAMES_MAX);
            inboxes.push(inbox);
            Door {
                room: Arc::new(Semaphore::new(INBOX_BYTES_MAX)),
                queue,
            }
        });
        let inboxes = inboxes.try_into().expect("one for each door");
        (Self(Arc::new(doors)), inboxes)
    }

    pub(super) fn of(&self, lane: usize) -> &Door {
        &self.0[lane]
    }
}
