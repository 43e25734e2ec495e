//! The log of a slot: what is appended, what is committed, and a tail for those who catch up.

use std::collections::VecDeque;
use std::sync::Arc;

use super::entry::{Change, Entry};
use crate::channel::{Proposal, Ticket};
use crate::id::{ChannelName, Index, Term};

/// How much of what is committed is kept, so that a copy that was away for a moment needs no
/// snapshot. The bound that is reached first counts; a node alone needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TailBounds {
    /// Entries.
    pub entries: usize,
    /// Their weight, see [`Entry::weight`].
    pub bytes: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Log {
    term: Term,
    committed: Index,
    /// Appended and not committed, in order.
    uncommitted: VecDeque<Appended>,
    /// Committed, in order, up to the last.
    tail: VecDeque<Arc<Entry>>,
    tail_bytes: u64,
    bounds: TailBounds,
}

/// An entry, and the proposal it came from.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) entry: Arc<Entry>,
    pub(super) ticket: Ticket,
}

impl Log {
    /// A log of which everything up to `committed` is known and nothing is kept.
    pub(super) const fn new(term: Term, committed: Index, bounds: TailBounds) -> Self {
        Self {
            term,
            committed,
            uncommitted: VecDeque::new(),
            tail: VecDeque::new(),
            tail_bytes: 0,
            bounds,
        }
    }

    pub(super) const fn term(&self) -> Term {
        self.term
    }

    pub(super) const fn committed(&self) -> Index {
        self.committed
    }

    pub(super) fn appended(&self) -> Index {
        Index(self.committed.0 + self.uncommitted.len() as u64)
    }

    /// Appends a change under the present term.
    pub(super) fn append(&mut self, channel: &ChannelName, proposal: Proposal) {
        let entry = Arc::new(Entry {
            term: self.term,
            index: self.appended().next(),
            channel: channel.clone(),
            change: proposal.change,
        });
        self.uncommitted.push_back(Appended {
            entry,
            ticket: proposal.ticket,
        });
    }

    /// The next entry up to `through`, which is now committed.
    pub(super) fn commit_next(&mut self, through: Index) -> Option<Appended> {
        let appended = self.uncommitted.pop_front_if(|next| next.entry.index <= through)?;
        self.keep(&appended.entry);
        Some(appended)
    }

    /// Takes a committed entry from another copy; it is the one after the last.
    pub(super) fn follow(&mut self, entry: &Arc<Entry>) {
        self.term = self.term.max(entry.term);
        self.keep(entry);
    }

    /// What is appended and not committed of one channel, in order.
    pub(super) fn uncommitted_of(&self, channel: &ChannelName) -> Vec<Proposal> {
        let of_channel = self.uncommitted.iter().filter(|one| one.entry.channel == *channel);
        of_channel
            .map(|appended| Proposal {
                ticket: appended.ticket,
                change: appended.entry.change.clone(),
            })
            .collect()
    }

    /// How many channels begin in what is not committed.
    pub(super) fn uncommitted_creates(&self) -> usize {
        let changes = self.uncommitted.iter().map(|one| &one.entry.change);
        changes.filter(|change| matches!(change, Change::Create { .. })).count()
    }

    /// The committed entries after `index`; `None` if they are no longer all kept.
    pub(super) fn tail_after(&self, index: Index) -> Option<impl Iterator<Item = &Arc<Entry>>> {
        let start = self.committed.0 - self.tail.len() as u64;
        let skipped = index.0.checked_sub(start)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.tail.len());
        Some(self.tail.range(skipped..))
    }

    fn keep(&mut self, entry: &Arc<Entry>) {
        self.committed = entry.index;
        self.tail_bytes += entry.weight();
        self.tail.push_back(Arc::clone(entry));
        while self.tail.len() > self.bounds.entries || self.tail_bytes > self.bounds.bytes {
            let Some(oldest) = self.tail.pop_front() else {
                break;
            };
            self.tail_bytes -= oldest.weight();
        }
    }
}
