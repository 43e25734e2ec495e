//! What is watched of a channel's presence at this gateway, for all who see the same of it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use starling_core::id::Seq;
use starling_core::ring::{self, Ring};
use starling_core::session::{ChannelId, Place};

use super::Frame;
use super::readers::{Listener, Readers};
use crate::session::Mailbox;

/// Changes that are kept for those who are slow: some seconds of a busy channel. Whoever has missed more than that is shown
/// the whole again, which is then shorter.
const CHANGES: ring::Bounds = ring::Bounds {
    messages: 128,
    bytes: 512 * 1024,
};

/// Ephemeral states that are kept for those who are slow: a sixth of a second. Older ones are worth nothing any more.
const EPHEMERALS: ring::Bounds = ring::Bounds {
    messages: 8,
    bytes: 256 * 1024,
};

/// See the module. It counts what it holds by itself.
pub struct Board {
    /// Stands for what is watched in every frame.
    pub channel_id: ChannelId,
    rings: RwLock<Rings>,
    readers: Mutex<Readers>,
}

/// The newest of what those who watch are told.
#[derive(Debug)]
pub struct Rings {
    /// What has changed.
    pub changes: Ring<Arc<Frame>>,
    /// What may be missed.
    pub ephemerals: Ring<Arc<Frame>>,
}

/// How far somebody has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heads {
    /// In the changes.
    pub changes: Seq,
    /// In what may be missed.
    pub ephemerals: Seq,
}

impl Board {
    /// A board that nobody looks at.
    #[must_use]
    pub fn new(channel_id: ChannelId) -> Self {
        Self {
            channel_id,
            rings: RwLock::new(Rings {
                changes: Ring::new(CHANGES, Seq(0)),
                ephemerals: Ring::new(EPHEMERALS, Seq(0)),
            }),
            readers: Mutex::default(),
        }
    }

    /// Adds a reader: its mailbox is marked with `place` whenever something is new.
    pub fn join(&self, mailbox: Arc<Mailbox>, place: Place) -> Listener {
        self.readers().join(mailbox, place)
    }

    /// Removes a reader.
    pub fn leave(&self, listener: Listener) {
        self.readers().leave(listener);
    }

    /// Adds something that has changed. Readers are told by [`Self::tell`].
    pub fn change(&self, frame: Frame) {
        push(&mut self.rings_mut().changes, frame);
    }

    /// Adds something that may be missed.
    pub fn pass(&self, frame: Frame) {
        push(&mut self.rings_mut().ephemerals, frame);
    }

    /// Tells all who look at it that something is new.
    pub fn tell(&self) {
        self.readers().mark();
    }

    /// How far it is.
    #[must_use]
    pub fn heads(&self) -> Heads {
        let rings = self.rings();
        Heads {
            changes: rings.changes.span().head,
            ephemerals: rings.ephemerals.span().head,
        }
    }

    /// Reads what is new.
    pub fn read<T>(&self, look: impl FnOnce(&Rings) -> T) -> T {
        look(&self.rings())
    }

    fn rings(&self) -> RwLockReadGuard<'_, Rings> {
        self.rings.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rings_mut(&self) -> RwLockWriteGuard<'_, Rings> {
        self.rings.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push(ring: &mut Ring<Arc<Frame>>, frame: Frame) {
    let next = ring.span().head.next();
    let slot = ring::Slot {
        bytes: frame.body_bytes(),
        key: None,
        frame: Arc::new(frame),
    };
    ring.push(next, slot);
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board")
            .field("channel_id", &self.channel_id)
            .finish_non_exhaustive()
    }
}
