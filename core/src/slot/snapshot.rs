//! All channels of a slot at one index, and how another copy goes on from there.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Slot;
use super::expiry::Expiry;
use super::log::Place;
use crate::channel::State;
use crate::id::{ChannelName, Lineage};

/// The committed state of a slot. Equal snapshots hold the same replicated state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// What the slot's epochs are made from.
    pub lineage: Lineage,
    /// The last entry that is in it.
    pub at: Place,
    /// Every channel there is.
    pub channels: BTreeMap<ChannelName, State>,
}

impl Slot {
    /// The committed state. Messages are shared, not copied.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            lineage: self.lineage,
            at: self.committed_place(),
            channels: self.channels.clone(),
        }
    }

    /// Replaces what is committed by a snapshot. What the log holds beyond it stays, if it follows: this
    /// node may have acknowledged it. Channels have to be opened again; what was parked or set
    /// aside was so by what this node held, and is no more. Ages are counted from now, for the
    /// snapshot's instants are another node's.
    pub fn install(&mut self, snapshot: Snapshot, now: Instant) {
        self.lineage = snapshot.lineage;
        self.log.restart(snapshot.at);
        self.channels = snapshot.channels;
        self.parked.clear();
        self.rounds.clear();
        self.waiting.clear();
        self.quarantined.clear();
        self.expiry = Expiry::default();
        for (channel, state) in &mut self.channels {
            state.restamp(now);
            if let Some(due) = state.next_due(self.settings.of(channel)) {
                self.expiry.expect(channel, due);
            }
        }
    }
}
