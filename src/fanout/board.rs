//! What is watched of a channel's presence at this gateway, for all who see the same of it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use starling_core::id::Seq;
use starling_core::ring::{self, Ring};
use starling_core::session::{ChannelId, Place};

use super::readers::{Listener, Readers};
use super::{Frame, Moment};
use crate::session::Mailbox;

/// Changes that are kept for those who are slow: some seconds of a busy channel. Whoever has missed more than that is shown
/// the whole again, which is then shorter.
const CHANGES: ring::Bounds = ring::Bounds {
    messages: 128,
    bytes: 512 * 1024,
};

/// Passes of ephemeral states that are kept for those who are slow: a quarter of a second, with as many that are told once more.
/// Older ones are worth nothing any more.
const EPHEMERALS: ring::Bounds = ring::Bounds {
    messages: 16,
    bytes: 256 * 1024,
};

/// See the module. It counts what it holds by itself.
pub struct Board {
    /// Stands for what is watched in every frame.
    pub channel_id: ChannelId,
    rings: RwLock<Rings>,
    readers: Mutex<Readers>,
    /// How many of them are told what may be missed by datagrams.
    by_datagram: AtomicUsize,
}

/// The newest of what those who watch are told.
#[derive(Debug)]
pub struct Rings {
    /// What has changed.
    pub changes: Ring<Arc<Frame>>,
    /// What may be missed.
    pub ephemerals: Ring<Arc<Moment>>,
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
            by_datagram: AtomicUsize::new(0),
        }
    }

    /// Adds a reader: its mailbox is marked with `place` whenever something is new.
    pub fn join(&self, mailbox: Arc<Mailbox>, place: Place, by_datagram: bool) -> Listener {
        self.by_datagram.fetch_add(usize::from(by_datagram), Ordering::Relaxed);
        self.readers().join(mailbox, place)
    }

    /// Removes a reader, as it joined.
    pub fn leave(&self, listener: Listener, by_datagram: bool) {
        self.by_datagram.fetch_sub(usize::from(by_datagram), Ordering::Relaxed);
        self.readers().leave(listener);
    }

    /// Whether what may be missed is worth telling once more: to some it may have been lost on the way.
    #[must_use]
    pub fn repeats(&self) -> bool {
        self.by_datagram.load(Ordering::Relaxed) > 0
    }

    /// Adds something that has changed. Readers are told by [`Self::tell`].
    pub fn change(&self, frame: Frame) {
        let bytes = frame.body_bytes();
        push(&mut self.rings_mut().changes, frame, bytes);
    }

    /// Adds something that may be missed.
    pub fn pass(&self, moment: Moment) {
        let bytes = moment.frame.body_bytes();
        push(&mut self.rings_mut().ephemerals, moment, bytes);
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

fn push<T>(ring: &mut Ring<Arc<T>>, new: T, bytes: usize) {
    let next = ring.span().head.next();
    let slot = ring::Slot {
        bytes,
        key: None,
        frame: Arc::new(new),
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
