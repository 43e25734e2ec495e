//! A slot of which other nodes hold copies: what replication does to it.
//!
//! ```text
//!            accept, learn            lead                            step_down
//!   copy ◀──────────────── owner    copy ──▶ owner: inherited? ──▶ open ──▶ copy
//! ```
//!
//! A copy keeps the log and the committed state and starts no channels. One that becomes the owner
//! keeps its whole log, also what is not committed (rule R7), and holds whoever wants to open a
//! channel until what it inherited is safe (rule R8). [`crate::replica`] decides when that is.

use std::sync::Arc;
use std::time::Instant;

use rand::Rng;
use tracing::error;

use super::commit::{CommitPoint, Reached};
use super::entry::{Change, Entry, Origin};
use super::log::{Log, Mismatch, Place};
use super::turn::Effect;
use super::{Role, Settings, Slot, expiry::Expiry};
use crate::channel::{Refusal, Ticket};
use crate::id::{ChannelName, Index, Lineage, Term};

impl Slot {
    /// An empty copy of a slot that another node owns, or nobody.
    #[must_use]
    pub fn copy(config: super::Config, settings: Arc<dyn Settings>, random: &mut impl Rng) -> Self {
        let commit = CommitPoint::Replicated(Reached::default());
        Self {
            role: Role::Copy,
            ..Self::new(config, settings, commit, Term(0), 0, random)
        }
    }

    /// Forgets everything: the slot begins anew, in another lineage.
    pub fn clear(&mut self, lineage: Lineage) {
        self.lineage = lineage;
        self.log = Log::new(self.log.term(), Place::default(), self.config.tail);
        self.commit = CommitPoint::Replicated(Reached::default());
        self.channels.clear();
        self.parked.clear();
        self.rounds.clear();
        self.waiting.clear();
        self.doubts.clear();
        self.quarantined.clear();
        self.stored.give_up();
        self.expiry = Expiry::default();
    }

    /// The log that the slot's epochs are made by.
    #[must_use]
    pub const fn lineage(&self) -> Lineage {
        self.lineage
    }

    /// Whether this node orders the slot.
    #[must_use]
    pub const fn is_owner(&self) -> bool {
        matches!(self.role, Role::Owner { .. })
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.log.appended() == Index(0)
    }

    /// The last entry of the log.
    #[must_use]
    pub fn appended(&self) -> Index {
        self.log.appended()
    }

    /// The entry at `index`, if it is still known which that is.
    #[must_use]
    pub fn place(&self, index: Index) -> Option<Place> {
        self.log.place(index)
    }

    /// The last entry that is committed.
    pub(super) fn committed_place(&self) -> Place {
        let committed = self.log.committed();
        let place = self.log.place(committed);
        place.expect("the last committed entry is kept, or is what the tail follows")
    }

    /// The entries after `index`, committed or not, or `None` if they are no longer all kept and a
    /// snapshot is needed.
    #[must_use]
    pub fn entries_after(&self, index: Index) -> Option<impl Iterator<Item = &Arc<Entry>>> {
        self.log.after(index)
    }

    /// Takes entries of the owner's log, which follow `previous` there. Says up to where the log is
    /// the owner's.
    ///
    /// # Errors
    /// When `previous` is not held. What cannot be the owner's is dropped.
    pub fn accept(&mut self, previous: Place, entries: &[Arc<Entry>]) -> Result<Index, Mismatch> {
        debug_assert!(!self.is_owner(), "an owner's log is its own");
        self.log.accept(previous, entries)
    }

    /// Everything up to `through` is committed, as its owner says: applies it.
    pub fn learn(&mut self, through: Index, now: Instant) {
        while let Some(mut appended) = self.log.commit_next(through) {
            if self.config.faults.publishers_not_replicated() {
                appended.entry = without_publisher(&appended.entry);
            }
            let Entry { channel, index, .. } = &*appended.entry;
            if let Err(misfit) = self.apply(&appended.entry, now) {
                error!(%channel, %index, %misfit, "channel set aside");
                self.quarantined.insert(channel.clone());
            }
        }
    }

    /// This node orders the slot from now on. Whoever opens a channel waits until [`Slot::serve`].
    pub fn lead(&mut self, term: Term) {
        self.role = Role::Owner { serving: false };
        self.log.lead(term);
        self.rounds.clear();
        self.commit = CommitPoint::Replicated(Reached {
            through: self.log.committed(),
            copies: 0,
        });
    }

    /// Opens channels from now on.
    pub fn serve(&mut self, out: &mut Vec<Effect>) {
        if self.role != (Role::Owner { serving: false }) {
            return;
        }
        self.role = Role::Owner { serving: true };
        for channel in std::mem::take(&mut self.waiting) {
            self.open(channel, out);
        }
        self.ask_to_be_woken(out);
    }

    /// Takes nothing new, or takes it again. What is refused meanwhile was not appended.
    pub const fn seal(&mut self, sealed: bool) {
        self.sealed = sealed;
    }

    /// Another node orders the slot: ends every channel. What waits in them is refused; whoever asks
    /// the new owner is told what became of it.
    pub fn step_down(&mut self, out: &mut Vec<Effect>) {
        self.role = Role::Copy;
        self.unlease(out);
        let reason = Refusal::Moving;
        for channel in std::mem::take(&mut self.waiting) {
            out.push(Effect::Barred {
                channel,
                reason: reason.clone(),
            });
        }
        for channel in std::mem::take(&mut self.rounds).into_keys() {
            out.push(Effect::Closed {
                channel,
                reason: reason.clone(),
            });
        }
        self.doubts.clear();
        self.standing = Ok(());
        self.sealed = false;
        // Ephemeral channels have no copies: they begin anew at the next owner.
        self.parked.clear();
        self.wake = None;
    }

    /// The in-sync set holds the log so far: commits it, and tells the channels.
    pub fn commit_to(&mut self, reached: Reached, now: Instant, out: &mut Vec<Effect>) {
        self.commit = CommitPoint::Replicated(reached);
        self.advance(now, out);
        self.ask_to_be_woken(out);
    }

    /// Whether acknowledgements may be given from now on, and why not.
    pub fn stand(&mut self, standing: Result<(), Refusal>, out: &mut Vec<Effect>) {
        if self.standing == standing {
            return;
        }
        self.standing = standing;
        for channel in self.rounds.keys() {
            out.push(Effect::Standing {
                channel: channel.clone(),
                standing: self.standing.clone(),
            });
        }
    }

    /// The channels with positions that may show that this node is the owner no longer, and the
    /// latest such position of each.
    pub fn take_doubts(&mut self) -> Vec<(ChannelName, Ticket)> {
        std::mem::take(&mut self.doubts).into_iter().collect()
    }

    /// Takes note of a doubt. Alone, a node is the owner whatever anybody believes.
    pub(super) fn doubt(&mut self, channel: ChannelName, through: Ticket, out: &mut Vec<Effect>) {
        match self.commit {
            CommitPoint::Standalone => out.push(Effect::Confirmed { channel, through }),
            CommitPoint::Replicated(_) => {
                self.doubts.insert(channel, through);
            }
        }
    }
}

/// The planted fault: a copy does not learn who published.
fn without_publisher(entry: &Arc<Entry>) -> Arc<Entry> {
    let mut entry = (**entry).clone();
    if let Change::Publish { origin, .. } = &mut entry.change {
        *origin = Origin::Anonymous;
    }
    Arc::new(entry)
}
