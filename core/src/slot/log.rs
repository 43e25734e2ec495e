//! The log of a slot: what is appended, what is committed, and a tail for those who catch up.

use std::collections::VecDeque;
use std::sync::Arc;

use thiserror::Error;

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

/// Which entry: of all logs of a slot, those that hold it are the same up to it. So an owner asks a
/// copy for one place only, and knows all before it (the log matching property of Raft).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Where.
    pub index: Index,
    /// Under which term it was appended first; 0 before the first entry.
    pub term: Term,
}

/// Entries were not taken, for they do not follow what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the entries do not follow entry {last}; send from there, or a snapshot")]
pub struct Mismatch {
    /// The last entry that is the owner's, or may be.
    pub last: Index,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Log {
    term: Term,
    /// What the tail follows.
    start: Place,
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

impl Appended {
    /// An entry that was proposed to another owner.
    fn inherited(entry: &Arc<Entry>) -> Self {
        Self {
            entry: Arc::clone(entry),
            ticket: Ticket {
                round: 0,
                number: entry.index.0,
            },
        }
    }
}

impl Log {
    /// A log of which everything up to `start` is known, committed, and not kept.
    pub(super) const fn new(term: Term, start: Place, bounds: TailBounds) -> Self {
        Self {
            term,
            start,
            committed: start.index,
            uncommitted: VecDeque::new(),
            tail: VecDeque::new(),
            tail_bytes: 0,
            bounds,
        }
    }

    /// The term that is appended under.
    pub(super) const fn term(&self) -> Term {
        self.term
    }

    pub(super) const fn committed(&self) -> Index {
        self.committed
    }

    pub(super) fn appended(&self) -> Index {
        Index(self.committed.0 + self.uncommitted.len() as u64)
    }

    /// The entry at `index`; `None` before the tail, and after the end.
    fn at(&self, index: Index) -> Option<&Arc<Entry>> {
        let place = |of: Index| usize::try_from(index.0.checked_sub(of.0 + 1)?).ok();
        if index > self.committed {
            return Some(&self.uncommitted.get(place(self.committed)?)?.entry);
        }
        self.tail.get(place(self.start.index)?)
    }

    /// The place of the entry at `index`, if it is known.
    pub(super) fn place(&self, index: Index) -> Option<Place> {
        if index == self.start.index {
            return Some(self.start);
        }
        let term = self.at(index)?.term;
        Some(Place { index, term })
    }

    /// Everything up to `at` is known by other means, and committed. What follows it here stays; if
    /// another entry stands in its place, nothing does.
    pub(super) fn restart(&mut self, at: Place) {
        let follows = at.index > self.committed && self.place(at.index) == Some(at);
        let mut uncommitted = std::mem::take(&mut self.uncommitted);
        uncommitted.retain(|appended| follows && appended.entry.index > at.index);
        *self = Self {
            uncommitted,
            ..Self::new(self.term, at, self.bounds)
        };
    }

    /// Goes on under another term: what is appended stays.
    pub(super) fn lead(&mut self, term: Term) {
        self.term = term;
        // Whoever proposed it was answered by its own node, or has to ask again.
        for appended in &mut self.uncommitted {
            *appended = Appended::inherited(&appended.entry);
        }
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

    /// Takes entries of the owner's log that follow `previous` there. What stands in their place and
    /// is not committed is dropped: it was never acknowledged. Says up to where the log is the
    /// owner's.
    pub(super) fn accept(&mut self, previous: Place, entries: &[Arc<Entry>]) -> Result<Index, Mismatch> {
        // What is committed is in every owner's log.
        if previous.index > self.appended() {
            return Err(Mismatch { last: self.appended() });
        }
        if previous.index > self.committed && self.place(previous.index) != Some(previous) {
            self.drop_from(previous.index);
            // How much of the rest is the owner's is not known: going back one by one would take a
            // round trip for each.
            return Err(Mismatch { last: self.committed });
        }
        let mut last = previous.index;
        for entry in entries {
            if entry.index != last.next() {
                return Err(Mismatch { last });
            }
            last = entry.index;
            if last <= self.committed || self.at(last).is_some_and(|held| held.term == entry.term) {
                continue;
            }
            self.drop_from(last);
            self.uncommitted.push_back(Appended::inherited(entry));
        }
        Ok(last)
    }

    fn drop_from(&mut self, index: Index) {
        let kept = index.0.saturating_sub(self.committed.0 + 1);
        self.uncommitted.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    }

    /// The next entry up to `through`, which is now committed.
    pub(super) fn commit_next(&mut self, through: Index) -> Option<Appended> {
        let appended = self.uncommitted.pop_front_if(|next| next.entry.index <= through)?;
        self.keep(&appended.entry);
        Some(appended)
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

    /// All entries after `index`, committed or not; `None` if they are no longer all kept.
    pub(super) fn after(&self, index: Index) -> Option<impl Iterator<Item = &Arc<Entry>>> {
        let skipped = index.0.checked_sub(self.start.index.0)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let tail = self.tail.range(skipped.min(self.tail.len())..);
        let skipped = skipped.saturating_sub(self.tail.len()).min(self.uncommitted.len());
        let rest = self.uncommitted.range(skipped..).map(|appended| &appended.entry);
        Some(tail.chain(rest))
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
            self.start = Place {
                index: oldest.index,
                term: oldest.term,
            };
        }
    }
}
