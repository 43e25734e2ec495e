//! All channels of a slot at one index, and how another copy goes on from there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;
use tracing::error;

use super::Slot;
use super::entry::Entry;
use super::log::Log;
use crate::channel::State;
use crate::id::{ChannelName, Index, Lineage, Term};

/// The committed state of a slot. Equal snapshots hold the same replicated state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// What the slot's epochs are made from.
    pub lineage: Lineage,
    /// The highest term in the log.
    pub term: Term,
    /// The last entry that is in it.
    pub index: Index,
    /// Every channel there is.
    pub channels: BTreeMap<ChannelName, State>,
}

/// An entry was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FollowError {
    /// It is not the one after the last.
    #[error("entry {found} does not follow, {expected} is next; ask for the tail from there or for a snapshot")]
    Gap {
        /// The next one.
        expected: Index,
        /// The one that came.
        found: Index,
    },
    /// Its term is lower than one already in the log.
    #[error("entry was written under term {found} after one of term {known}; its sender is no longer the owner")]
    Stale {
        /// The highest so far.
        known: Term,
        /// The entry's.
        found: Term,
    },
}

impl Slot {
    /// The committed state. Messages are shared, not copied.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            lineage: self.lineage,
            term: self.log.term(),
            index: self.log.committed(),
            channels: self.channels.clone(),
        }
    }

    /// The committed entries after `index`, or `None` if they are no longer all kept and a snapshot
    /// is needed.
    #[must_use]
    pub fn tail_after(&self, index: Index) -> Option<impl Iterator<Item = &Arc<Entry>>> {
        self.log.tail_after(index)
    }

    /// Replaces everything by a snapshot. Channels have to be opened again; what was parked or set
    /// aside was so by what this node held, and is no more. Ages are counted from now, for the
    /// snapshot's instants are another node's.
    pub fn install(&mut self, snapshot: Snapshot, now: Instant) {
        self.lineage = snapshot.lineage;
        self.log = Log::new(snapshot.term, snapshot.index, self.config.tail);
        self.channels = snapshot.channels;
        self.parked.clear();
        self.rounds.clear();
        self.quarantined.clear();
        for (channel, state) in &mut self.channels {
            state.restamp(now);
            if let Some(due) = state.next_due(self.settings.of(channel)) {
                self.expiry.expect(channel, due);
            }
        }
    }

    /// Applies a committed entry that another copy sends.
    ///
    /// # Errors
    /// When it is not the next one, or comes from an owner of the past. Nothing is changed then.
    pub fn follow(&mut self, entry: &Arc<Entry>, now: Instant) -> Result<(), FollowError> {
        let (expected, found) = (self.log.committed().next(), entry.index);
        if found != expected {
            return Err(FollowError::Gap { expected, found });
        }
        let (known, found) = (self.log.term(), entry.term);
        if found < known {
            return Err(FollowError::Stale { known, found });
        }
        self.log.follow(entry);
        if let Err(misfit) = self.apply(entry, now) {
            error!(channel = %entry.channel, index = %entry.index, %misfit, "channel set aside");
            self.quarantined.insert(entry.channel.clone());
        }
        Ok(())
    }
}
