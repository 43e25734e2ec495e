//! The stored lane of a slot: the changes of its stored channels.
//!
//! Its commit point is the store's: a change is committed once the store says that it has synced the
//! batch it is in. It shares nothing with the log in memory, so a disk that is slow holds up nobody
//! else's publishes.
//!
//! ```text
//!   Open ──▶ resident? ──no──▶ Load ──▶ store ──Loaded──▶ Opened
//!   Propose ──▶ append ──Store──▶ store ──Stored──▶ apply, Committed
//!                                   └──StoreFailed──▶ Closed: the channel is opened anew
//! ```
//!
//! The store is the truth. When it cannot say that a batch is synced, nobody knows what it holds: the
//! channel is closed, all that waits for it is refused, and whoever opens it next gets what the store
//! has. That is asked only once no batch of the channel is on its way, so the answer holds.
//!
//! Who may write is said by a [`Lease`]. A store that has been claimed by another node refuses the batches of this one as
//! fenced: then the lane is [given up](Slot::unlease), all of it at once, and what the store has yet to say about it is not
//! listened to. The shell may claim the slot again if it is still this node's.
//!
//! A channel is in memory while it is open. What is due by time to one that is not, the store knows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;
use tracing::{debug, error};

use super::entry::{Change, Entry};
use super::turn::Effect;
use super::{CommitPoint, Slot, log::Appended};
use crate::channel::{self, Durability, Opening, Proposal, Refusal, State};
use crate::id::{ChannelName, Index, Lineage, Term};
use crate::time::Now;

/// What makes a node the one that writes a slot to the store (rule R14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Fences earlier owners: every batch carries it.
    pub term: Term,
    /// What epochs are made from: the store's, so that they outlive the process.
    pub lineage: Lineage,
    /// Channels of the slot that the store holds.
    pub channels: usize,
}

/// Changes of one channel that the store is to commit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The channel.
    pub channel: ChannelName,
    /// Names the batch in the answer: its last entry.
    pub through: Index,
    /// The entries, in order.
    pub entries: Vec<Arc<Entry>>,
    /// When something of the channel may be due, no later than that.
    pub due: Option<Instant>,
}

/// Why a store did not commit a batch, or does not give a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StoreFailure {
    /// It cannot now: the disk is full, or fails. What became of the batch is not known.
    #[error("the store cannot be used now; what was not acknowledged may or may not be in it")]
    Unavailable,
    /// The batch does not follow what the store holds.
    #[error("the store holds something else than the batch follows; the channel is loaded again")]
    Conflict,
    /// Another owner has taken the slot over.
    #[error("another node has taken the slot over; this one steps down")]
    Fenced,
    /// What it holds is damaged.
    #[error("the store holds a damaged row of the channel; it is set aside until an operator has looked")]
    Corrupt,
}

impl StoreFailure {
    const fn refusal(self) -> Refusal {
        match self {
            Self::Unavailable | Self::Conflict | Self::Fenced => Refusal::Unavailable,
            Self::Corrupt => Refusal::Quarantined,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lane {
    lease: Option<Lease>,
    appended: Index,
    /// Batches up to here were given up with the actor that sent them.
    abandoned: Index,
    uncommitted: VecDeque<Appended>,
    pub(super) channels: BTreeMap<ChannelName, State>,
    /// Channels that somebody wants to open and that are not in memory.
    wanted: BTreeSet<ChannelName>,
    /// Batches of each channel that the store has not answered.
    in_flight: BTreeMap<ChannelName, u32>,
}

impl Slot {
    /// The node may write the slot to the store.
    pub fn lease(&mut self, lease: Lease) {
        self.stored.lease = Some(lease);
    }

    /// The node may not write the slot to the store any more, or nobody knows: ends its stored channels. They are opened
    /// anew where the lease is.
    pub fn unlease(&mut self, out: &mut Vec<Effect>) {
        let reason = Refusal::Unavailable;
        for channel in std::mem::take(&mut self.stored.wanted) {
            let reason = reason.clone();
            out.push(Effect::Barred { channel, reason });
        }
        let rounds = std::mem::take(&mut self.rounds);
        let (stored, rest) = rounds.into_iter().partition(|(channel, _)| self.is_stored(channel));
        self.rounds = rest;
        let stored: BTreeMap<_, _> = stored;
        for channel in stored.into_keys() {
            let reason = reason.clone();
            out.push(Effect::Closed { channel, reason });
        }
        self.stored.give_up();
    }

    pub(super) fn is_stored(&self, channel: &ChannelName) -> bool {
        self.settings.of(channel).durability == Durability::Stored
    }

    pub(super) fn open_stored(&mut self, channel: ChannelName, out: &mut Vec<Effect>) {
        let Some(lease) = self.stored.lease else {
            let reason = Refusal::Unavailable;
            return out.push(Effect::Barred { channel, reason });
        };
        // One that begins is not in the store yet, and whatever it is opened with stands in the lane.
        if self.stored.channels.contains_key(&channel) || self.stored.is_changing(&channel) {
            let opening = Box::new(self.opening_stored(&channel, lease));
            return out.push(Effect::Opened { channel, opening });
        }
        if self.stored.wanted.insert(channel.clone()) {
            self.load(&channel, out);
        }
    }

    pub(super) fn opening_stored(&mut self, channel: &ChannelName, lease: Lease) -> Opening {
        Opening {
            term: lease.term,
            lineage: lease.lineage,
            copies: 1,
            // What the store holds was read when the channel was opened: a later owner may have written since.
            confirms: self.commit != CommitPoint::Standalone,
            state: self.stored.channels.get(channel).cloned(),
            tail: self.stored.uncommitted_of(channel),
            ..self.begin_round(channel)
        }
    }

    /// Asks the store for a channel that somebody wants, unless it has yet to answer about it.
    fn load(&self, channel: &ChannelName, out: &mut Vec<Effect>) {
        let Some(lease) = self.stored.lease else {
            return;
        };
        if self.stored.wanted.contains(channel) && !self.stored.in_flight.contains_key(channel) {
            out.push(Effect::Load {
                channel: channel.clone(),
                term: lease.term,
            });
        }
    }

    /// The store has answered what it holds.
    pub(super) fn loaded(
        &mut self,
        channel: ChannelName,
        term: Term,
        found: Result<Option<Box<channel::Stored>>, StoreFailure>,
        Now { instant: now, wall }: Now,
        out: &mut Vec<Effect>,
    ) {
        // Under an earlier lease: another node may have written since.
        let Some(lease) = self.stored.lease.filter(|lease| lease.term == term) else {
            return;
        };
        if !self.stored.wanted.remove(&channel) {
            return; // asked for by an actor that is gone
        }
        let instant = now;
        let state = found.and_then(|found| {
            let restored = found.map(|stored| State::restore(&stored, Now { instant, wall }));
            restored.transpose().map_err(|damage| {
                error!(%channel, %damage, "channel set aside");
                StoreFailure::Corrupt
            })
        });
        match state {
            Ok(state) => {
                if let Some(state) = state {
                    if let Some(due) = state.next_due(self.settings.of(&channel)) {
                        self.expiry.expect(&channel, due);
                    }
                    self.stored.channels.insert(channel.clone(), state);
                }
                let opening = Box::new(self.opening_stored(&channel, lease));
                out.push(Effect::Opened { channel, opening });
            }
            Err(failure) => {
                if failure == StoreFailure::Corrupt {
                    self.quarantined.insert(channel.clone());
                }
                let reason = failure.refusal();
                out.push(Effect::Barred { channel, reason });
            }
        }
    }

    /// Appends what is admitted of `proposals`, and sends it to the store as one batch.
    pub(super) fn propose_stored(
        &mut self,
        channel: ChannelName,
        proposals: Vec<Proposal>,
        now: Instant,
        out: &mut Vec<Effect>,
    ) {
        let mut refusal = None;
        let mut entries = Vec::with_capacity(proposals.len());
        let mut due = None;
        for proposal in proposals {
            let admitted = self.admit_stored(&channel, &proposal.change);
            let (Ok(term), change) = (&admitted, &proposal.change) else {
                refusal = admitted.err();
                break;
            };
            let after = channel::soonest(change, self.settings.of(&channel));
            due = due
                .into_iter()
                .chain(after.and_then(|after| now.checked_add(after)))
                .min();
            entries.push(self.stored.append(&channel, *term, proposal));
        }
        if !entries.is_empty() {
            *self.stored.in_flight.entry(channel.clone()).or_default() += 1;
            let through = self.stored.appended;
            out.push(Effect::Store(Batch {
                channel: channel.clone(),
                through,
                entries,
                due,
            }));
            if self.config.faults.ack_before_sync() {
                self.commit_stored(through, now, out);
            }
        }
        if let Some(reason) = refusal {
            self.refuse(channel, reason, out);
        }
    }

    fn admit_stored(&self, channel: &ChannelName, change: &Change) -> Result<Term, Refusal> {
        if self.quarantined.contains(channel) {
            return Err(Refusal::Quarantined);
        }
        let lease = self.stored.lease.ok_or(Refusal::Unavailable)?;
        match change {
            Change::Publish { message, .. } if message.term != lease.term => Err(Refusal::Unavailable),
            Change::Create { .. } if self.stored.names() >= self.config.channels_max => Err(Refusal::SlotFull),
            _ => Ok(lease.term),
        }
    }

    /// The store has synced a batch, and all before it that did not fail.
    pub(super) fn stored(&mut self, channel: &ChannelName, through: Index, now: Instant, out: &mut Vec<Effect>) {
        if through <= self.stored.abandoned {
            return;
        }
        self.commit_stored(through, now, out);
        self.stored.answered(channel);
        self.load(channel, out);
    }

    fn commit_stored(&mut self, through: Index, now: Instant, out: &mut Vec<Effect>) {
        while let Some(appended) = self.stored.commit_next(through) {
            let channel = appended.entry.channel.clone();
            if let Err(misfit) = self.apply(&appended.entry, now) {
                error!(%channel, index = %appended.entry.index, %misfit, "channel set aside");
                self.quarantined.insert(channel.clone());
                self.close(channel, Refusal::Quarantined, out);
                continue;
            }
            match out.last_mut() {
                Some(Effect::Committed {
                    channel: last, through, ..
                }) if *last == channel => *through = appended.ticket,
                _ => out.push(Effect::Committed {
                    channel,
                    through: appended.ticket,
                    copies: 1,
                }),
            }
        }
    }

    /// The store has not committed a batch.
    pub(super) fn store_failed(
        &mut self,
        channel: ChannelName,
        through: Index,
        failure: StoreFailure,
        out: &mut Vec<Effect>,
    ) {
        if through <= self.stored.abandoned {
            return;
        }
        if failure == StoreFailure::Fenced {
            self.unlease(out);
            return out.push(Effect::Unleased);
        }
        if failure == StoreFailure::Corrupt {
            self.quarantined.insert(channel.clone());
        }
        self.stored.answered(&channel);
        // Otherwise a batch before this one has closed it, and this one was built on that.
        if self.stored.is_changing(&channel) {
            debug!(%channel, %failure, "channel closed");
            self.close(channel.clone(), failure.refusal(), out);
        }
        self.load(&channel, out);
    }

    /// Ends the round of a stored channel: what it proposed is given up.
    pub(super) fn close(&mut self, channel: ChannelName, reason: Refusal, out: &mut Vec<Effect>) {
        self.rounds.remove(&channel);
        self.stored.drop(&channel);
        out.push(Effect::Closed { channel, reason });
    }

    /// The actor of the slot began again: what it had sent may not have left it. Its channels begin
    /// again as well.
    pub(super) fn abandon(&mut self) {
        let Lane {
            appended,
            abandoned,
            uncommitted,
            channels,
            wanted,
            in_flight,
            ..
        } = &mut self.stored;
        *abandoned = *appended;
        for channel in channels.keys().chain(uncommitted.iter().map(|one| &one.entry.channel)) {
            self.rounds.remove(channel);
        }
        uncommitted.clear();
        channels.clear();
        wanted.clear();
        in_flight.clear();
    }

    /// The actor of a stored channel ended in order: the store has it all.
    pub(super) fn park_stored(&mut self, channel: &ChannelName, out: &mut Vec<Effect>) {
        self.mark(channel, out);
        if !self.stored.in_flight.contains_key(channel) {
            self.stored.channels.remove(channel);
        }
    }

    /// Has the store note when the channel was used, and when something of it is due.
    pub(super) fn mark(&self, channel: &ChannelName, out: &mut Vec<Effect>) {
        if let Some(state) = self.stored.channels.get(channel) {
            out.push(Effect::Mark {
                channel: channel.clone(),
                used: state.used(),
                due: state.next_due(self.settings.of(channel)),
            });
        }
    }
}

impl Lane {
    pub(super) const fn leased(&self) -> Option<Lease> {
        self.lease
    }

    /// Forgets all but how many changes there were: what the store has yet to say about those is not listened to.
    pub(super) fn give_up(&mut self) {
        *self = Self {
            appended: self.appended,
            abandoned: self.appended,
            ..Self::default()
        };
    }

    /// Channels of the slot, those that are about to begin included.
    fn names(&self) -> usize {
        let changes = self.uncommitted.iter().map(|one| &one.entry.change);
        let begin = changes.filter(|change| matches!(change, Change::Create { .. })).count();
        self.lease.map_or(0, |lease| lease.channels) + begin
    }

    /// Whether the store has yet to answer about changes of the channel.
    fn is_changing(&self, channel: &ChannelName) -> bool {
        self.uncommitted.iter().any(|one| one.entry.channel == *channel)
    }

    fn append(&mut self, channel: &ChannelName, term: Term, proposal: Proposal) -> Arc<Entry> {
        self.appended = self.appended.next();
        let entry = Arc::new(Entry {
            term,
            index: self.appended,
            channel: channel.clone(),
            change: proposal.change,
        });
        self.uncommitted.push_back(Appended {
            entry: Arc::clone(&entry),
            ticket: proposal.ticket,
        });
        entry
    }

    fn commit_next(&mut self, through: Index) -> Option<Appended> {
        let appended = self.uncommitted.pop_front_if(|next| next.entry.index <= through)?;
        if let Some(lease) = &mut self.lease {
            match appended.entry.change {
                Change::Create { .. } => lease.channels += 1,
                Change::ForgetHead => lease.channels = lease.channels.saturating_sub(1),
                _ => {}
            }
        }
        Some(appended)
    }

    fn uncommitted_of(&self, channel: &ChannelName) -> Vec<Proposal> {
        let of_channel = self.uncommitted.iter().filter(|one| one.entry.channel == *channel);
        of_channel
            .map(|appended| Proposal {
                ticket: appended.ticket,
                change: appended.entry.change.clone(),
            })
            .collect()
    }

    /// The store has answered about a batch of the channel.
    fn answered(&mut self, channel: &ChannelName) {
        if let Some(batches) = self.in_flight.get_mut(channel) {
            *batches -= 1;
            if *batches == 0 {
                self.in_flight.remove(channel);
            }
        }
    }

    fn drop(&mut self, channel: &ChannelName) {
        self.uncommitted.retain(|one| one.entry.channel != *channel);
        self.channels.remove(channel);
    }
}
