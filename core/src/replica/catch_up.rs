//! Snapshots, for a copy that lacks more than the log keeps.
//!
//! A snapshot is of one index. It goes over in parts, one at a time, so that a large slot takes no
//! more than a part of the way to a copy; what is appended meanwhile follows from the log. If the
//! log does not keep that much, another snapshot is sent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::message::Part;
use crate::channel::State;
use crate::id::{ChannelName, Lineage, Term};
use crate::slot::{Place, Slot, Snapshot};

/// What a channel weighs beside its messages.
const CHANNEL_BYTES: u64 = 256;

/// A snapshot on its way to a copy.
#[derive(Debug)]
pub(super) struct CatchUp {
    pub(super) at: Place,
    term: Term,
    lineage: Lineage,
    /// In order; always one, which may be empty.
    parts: Vec<Vec<(ChannelName, State)>>,
    /// How many the copy has.
    next: usize,
    sent: Option<Instant>,
}

impl CatchUp {
    /// A snapshot of what is committed. Messages are shared, so it costs their number.
    pub(super) fn new(slot: &Slot, term: Term, part_bytes: u64) -> Self {
        let Snapshot { lineage, at, channels } = slot.snapshot();
        let mut parts = vec![Vec::new()];
        let mut bytes = 0;
        for (channel, state) in channels {
            let weight = CHANNEL_BYTES + state.view().history().bytes();
            if bytes > 0 && bytes + weight > part_bytes {
                parts.push(Vec::new());
                bytes = 0;
            }
            bytes += weight;
            parts.last_mut().expect("there is always one").push((channel, state));
        }
        Self {
            at,
            term,
            lineage,
            parts,
            next: 0,
            sent: None,
        }
    }

    /// The next part, unless it is on its way.
    pub(super) fn send(&mut self, every: Duration, now: Instant) -> Option<Part> {
        if self.sent.is_some_and(|sent| now < sent + every) {
            return None;
        }
        let channels = self.parts.get(self.next)?.clone();
        self.sent = Some(now);
        Some(Part {
            term: self.term,
            lineage: self.lineage,
            at: self.at,
            number: u32::try_from(self.next).ok()?,
            is_last: self.next + 1 == self.parts.len(),
            channels,
        })
    }

    /// The copy needs part `next`. Whether that is progress.
    pub(super) fn taken(&mut self, next: u32) -> bool {
        let next = usize::try_from(next).unwrap_or(usize::MAX);
        let is_progress = next > self.next;
        if next != self.next {
            // One that began again needs the first.
            self.next = next.min(self.parts.len());
            self.sent = None;
        }
        is_progress
    }

    pub(super) const fn is_done(&self) -> bool {
        self.next >= self.parts.len()
    }
}

/// A snapshot on its way from the owner.
#[derive(Debug)]
pub(super) struct Incoming {
    term: Term,
    lineage: Lineage,
    at: Place,
    next: u32,
    channels: BTreeMap<ChannelName, State>,
}

impl Incoming {
    pub(super) fn of(part: &Part) -> Self {
        Self {
            term: part.term,
            lineage: part.lineage,
            at: part.at,
            next: 0,
            channels: BTreeMap::new(),
        }
    }

    /// Whether `part` is of this snapshot.
    pub(super) fn is_of(&self, part: &Part) -> bool {
        (self.term, self.lineage, self.at) == (part.term, part.lineage, part.at)
    }

    /// The number of the part that is needed next.
    pub(super) const fn next(&self) -> u32 {
        self.next
    }

    /// Takes the part that is needed next; others come again. The snapshot, if it is whole by now.
    pub(super) fn take(&mut self, part: Part) -> Option<Snapshot> {
        if part.number != self.next {
            return None;
        }
        self.next += 1;
        self.channels.extend(part.channels);
        part.is_last.then(|| Snapshot {
            lineage: self.lineage,
            at: self.at,
            channels: std::mem::take(&mut self.channels),
        })
    }
}
