//! The document itself: in memory, on its way there, or not.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::COOL_AFTER;
use super::turn::Writer;
use crate::document::engine::DocumentEngine;
use crate::document::guard::{Guard, GuardError, Snapshot};
use crate::document::log::Log;
use crate::document::message::{Join, ToOwner};
use crate::id::NodeId;

/// Messages that wait until a document is loaded. Beyond it their gateway joins again, and its editors send what they have.
const WAITING_MAX: usize = 1_024;

/// Bytes of updates in them.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) enum Body<E> {
    /// It is in the store only.
    Cold,
    Loading(Loading),
    Hot(Box<Hot<E>>),
    /// It cannot be read.
    SetAside,
}

/// A document on its way into memory.
#[derive(Debug, Default)]
pub(super) struct Loading {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// The store could not be asked, and is again then.
    pub(super) retry_at: Option<Instant>,
}

/// Who said what.
pub(super) type Waiting = (NodeId, Join, ToOwner);

/// A document in memory.
#[derive(Debug)]
pub(super) struct Hot<E> {
    pub(super) guard: Guard<E>,
    pub(super) log: Log<Writer>,
    /// The state vector of the snapshot in the store.
    pub(super) stored: Option<Vec<u8>>,
    /// A snapshot that waits until all that is in it is saved, and the last row it takes the place of.
    pub(super) draft: Option<(u64, Snapshot)>,
    /// Everything as one update, until something changes: who comes with nothing is given this.
    pub(super) whole: Option<Bytes>,
    /// How often it was made what it was.
    pub(super) restored: u64,
    /// When somebody last edited or asked.
    pub(super) used: Instant,
    /// When the store is asked whether another owner has written.
    pub(super) look_at: Option<Instant>,
}

impl<E: DocumentEngine> Hot<E> {
    pub(super) const fn new(
        guard: Guard<E>,
        log: Log<Writer>,
        stored: Option<Vec<u8>>,
        now: Instant,
        look_at: Option<Instant>,
    ) -> Self {
        Self {
            guard,
            log,
            stored,
            draft: None,
            whole: None,
            restored: 0,
            used: now,
            look_at,
        }
    }

    /// How much is here, if it can be said.
    pub(super) fn state_vector(&mut self) -> Option<Bytes> {
        let state_vector = self.guard.with(|engine| engine.state_vector());
        state_vector.ok().map(Bytes::from)
    }

    /// Another number after each restore. That of another owner, or of this one in another life, is another.
    pub(super) fn restores(&mut self) -> Result<u64, GuardError> {
        let author = self.guard.with(|engine| Ok(engine.author()))?;
        Ok(author.wrapping_add(self.restored))
    }

    /// How much waits for what has not come.
    pub(super) fn pending(&mut self) -> usize {
        self.guard.with(|engine| Ok(engine.size().pending)).unwrap_or_default()
    }

    fn may_cool(&mut self) -> bool {
        self.log.is_idle() && self.draft.is_none() && self.pending() == 0
    }
}

impl<E: DocumentEngine> Body<E> {
    pub(super) fn loading() -> Self {
        Self::Loading(Loading::default())
    }

    /// Keeps a message until the document is loaded. Whether there was room.
    pub(super) fn wait(&mut self, waiting: Waiting) -> bool {
        let Self::Loading(loading) = self else {
            return false;
        };
        let bytes = match &waiting.2 {
            ToOwner::Edit { update, .. } => update.len(),
            ToOwner::Step1 { state_vector, .. } => state_vector.len(),
            _ => 0,
        };
        let has_room = loading.waiting.len() < WAITING_MAX && loading.bytes + bytes <= WAITING_BYTES_MAX;
        if has_room {
            loading.bytes += bytes;
            loading.waiting.push_back(waiting);
        }
        has_room
    }

    pub(super) fn load_again(&mut self, at: Instant) {
        if let Self::Loading(loading) = self {
            loading.retry_at = Some(at);
        }
    }

    /// Takes what was loaded, and gives back what waited for it.
    pub(super) fn heat(&mut self, hot: Hot<E>) -> VecDeque<Waiting> {
        match std::mem::replace(self, Self::Hot(Box::new(hot))) {
            Self::Loading(loading) => loading.waiting,
            Self::Cold | Self::Hot(_) | Self::SetAside => VecDeque::new(),
        }
    }

    /// Lets the document go from memory if it was not used for long, and the store has all of it. What waits for something
    /// that has not come keeps it there: its editors are asked for the rest.
    pub(super) fn cool(&mut self, now: Instant) {
        if let Self::Hot(hot) = self
            && hot.used + COOL_AFTER <= now
        {
            match hot.may_cool() {
                true => *self = Self::Cold,
                false => hot.used = now,
            }
        }
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        match self {
            Self::Cold | Self::SetAside => None,
            Self::Loading(loading) => loading.retry_at,
            Self::Hot(hot) => {
                let cools = hot.used + COOL_AFTER;
                Some(hot.look_at.map_or(cools, |at| at.min(cools)))
            }
        }
    }
}
