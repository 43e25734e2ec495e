//! What the sessions of a crowd were told, together.

use hdrhistogram::Histogram;

use crate::load::probe::latencies;

/// What sessions were told since they were asked last.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Clients that came, and that went, summed over the sessions that watch who is there.
    pub(crate) joined: u64,
    pub(crate) left: u64,
    /// Clients that were told to have changed, which none does.
    pub(crate) updated: u64,
    /// Rosters that were begun.
    pub(crate) rosters: u64,
    /// Times that a session was told that what it sees may be old.
    pub(crate) doubts: u64,
    /// From the instant that a client was to enter to when somebody was told of it, in nanoseconds.
    pub(crate) staleness: Histogram<u64>,
    /// The first thing that was wrong.
    pub(crate) fault: Option<String>,
    /// Requests without an answer.
    pub(crate) unanswered: u64,
    /// Sessions that believe another number to be there than the one that was asked for.
    pub(crate) astray: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            joined: 0,
            left: 0,
            updated: 0,
            rosters: 0,
            doubts: 0,
            staleness: latencies(),
            fault: None,
            unanswered: 0,
            astray: 0,
        }
    }
}

impl Seen {
    /// What was seen after it, too; how it stands is what was seen last.
    pub(crate) fn add(&mut self, later: Self) {
        self.joined += later.joined;
        self.left += later.left;
        self.updated += later.updated;
        self.rosters += later.rosters;
        self.doubts += later.doubts;
        self.staleness
            .add(&later.staleness)
            .expect("all histograms have the same bounds");
        self.fault = self.fault.take().or(later.fault);
        self.unanswered = later.unanswered;
        self.astray = later.astray;
    }

    /// Notes what was wrong, if it is the first thing.
    pub(super) fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }
}
