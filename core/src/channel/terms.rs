//! Which owner wrote which messages.

use std::collections::VecDeque;

use crate::id::{Seq, Term};

/// Ranges a table holds: one per change of owner between two messages. 1,024 of them are years of
/// daily restarts, in 16 KiB. The oldest goes first; a position in it can no longer be checked and
/// counts as older than the window.
pub const RANGES_MAX: usize = 1_024;

/// The term of every message, as ranges. It outlives the messages, so that a position at the head
/// can be checked when no history is left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms(VecDeque<Range>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: Seq,
    term: Term,
}

impl Terms {
    /// The term that wrote `seq`, a message up to the head; `None` if that is no longer known, or
    /// if `seq` is 0.
    #[must_use]
    pub fn at(&self, seq: Seq) -> Option<Term> {
        let after = self.0.partition_point(|range| range.first <= seq);
        Some(self.0[after.checked_sub(1)?].term)
    }

    /// The first message of each range, and who wrote it.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (Seq, Term)> {
        self.0.iter().map(|range| (range.first, range.term))
    }

    /// Notes that `seq`, one after the head, was written under `term`.
    pub(super) fn record(&mut self, seq: Seq, term: Term) {
        if self.0.back().is_some_and(|last| last.term == term) {
            return;
        }
        if self.0.len() == RANGES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Range { first: seq, term });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_runs_to_the_next() {
        let mut terms = Terms::default();
        assert_eq!(terms.at(Seq(0)), None);
        for (seq, term) in [(1, 4), (2, 4), (3, 6), (4, 6), (5, 9)] {
            terms.record(Seq(seq), Term(term));
        }
        let at = |seq| terms.at(Seq(seq)).map(|term| term.0);
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(at),
            [None, Some(4), Some(4), Some(6), Some(6), Some(9)]
        );
        assert_eq!(terms.0.len(), 3);
    }

    #[test]
    fn the_oldest_range_is_given_up() {
        let mut terms = Terms::default();
        for n in 1..=RANGES_MAX as u64 {
            terms.record(Seq(n), Term(n));
        }
        assert_eq!(terms.at(Seq(1)), Some(Term(1)));
        terms.record(Seq(2_000), Term(2_000));
        assert_eq!(terms.at(Seq(1)), None);
        assert_eq!(terms.at(Seq(2)), Some(Term(2)));
        assert_eq!(terms.at(Seq(1_999)), Some(Term(1_024)));
    }
}
