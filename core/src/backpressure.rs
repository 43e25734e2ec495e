//! What happens to a reader that is behind.
//!
//! A reader is behind when the [`Ring`](crate::ring::Ring) no longer holds its next message. It is
//! never allowed to slow the channel or its other readers: the application chooses, per
//! subscription, what it loses and how it is told.

use crate::id::Seq;
use crate::ring::{Slot, Span};

/// What happens when a reader is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Stop sending and say so; the reader pulls from its position. Loses nothing while history
    /// reaches back. The default where there is history.
    Recover,
    /// The newest value of each key replaces the queued one, also before the reader is behind.
    Latest,
    /// The oldest are dropped, and the reader is told how many. The default without history.
    Drop,
    /// The session is closed with a code that says to return.
    Disconnect,
}

/// What is due to a reader that can take messages now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing: it stands at the head.
    Nothing,
    /// The messages after its cursor.
    Messages,
    /// The newest message of each key after its cursor, see [`latest`].
    Latest,
    /// Say that it lagged and send nothing until it pulls.
    Lagged,
    /// Say that messages up to `to` are dropped, then go on after it.
    Dropped {
        /// The last message dropped.
        to: Seq,
        /// How many.
        count: u64,
    },
    /// Close its session.
    Disconnect,
}

/// What is due to a reader at `cursor` of a channel whose ring spans `span`.
#[must_use]
pub fn due(policy: Policy, cursor: Seq, span: Span) -> Due {
    if cursor >= span.head {
        return Due::Nothing;
    }
    if span.reaches(cursor) {
        return match policy {
            Policy::Latest => Due::Latest,
            Policy::Recover | Policy::Drop | Policy::Disconnect => Due::Messages,
        };
    }
    match policy {
        Policy::Recover => Due::Lagged,
        Policy::Disconnect => Due::Disconnect,
        Policy::Latest | Policy::Drop => {
            let to = Seq(span.tail.0 - 1);
            Due::Dropped {
                to,
                count: to.0 - cursor.0,
            }
        }
    }
}

/// One thing to send to a reader that wants only the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latest<F> {
    /// `count` messages up to `to` have newer ones behind them.
    Superseded {
        /// The last message left out.
        to: Seq,
        /// How many in a row.
        count: u64,
    },
    /// A message that is the newest of its key.
    Message(Seq, F),
}

/// Leaves out every message that a later one of the same key replaces. Messages without a key
/// replace one another: the channel has one value.
pub fn latest<'a, F: Clone + 'a>(messages: impl Iterator<Item = (Seq, &'a Slot<F>)>) -> Vec<Latest<F>> {
    let messages: Vec<_> = messages.collect();
    let mut newest: Vec<_> = messages.iter().map(|(seq, slot)| (slot.key, *seq)).collect();
    newest.sort_unstable();
    let is_newest = |seq: Seq, key: Option<u64>| {
        let end = newest.partition_point(|(other, _)| *other <= key);
        newest[end - 1].1 == seq
    };
    let mut out = Vec::new();
    let mut left_out = 0;
    for (seq, slot) in &messages {
        if is_newest(*seq, slot.key) {
            if left_out > 0 {
                out.push(Latest::Superseded {
                    to: Seq(seq.0 - 1),
                    count: left_out,
                });
                left_out = 0;
            }
            out.push(Latest::Message(*seq, slot.frame.clone()));
        } else {
            left_out += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span {
        tail: Seq(5),
        head: Seq(9),
    };

    #[test]
    fn a_reader_the_ring_reaches_gets_its_messages() {
        for policy in [Policy::Recover, Policy::Drop, Policy::Disconnect] {
            assert_eq!(due(policy, Seq(4), SPAN), Due::Messages);
            assert_eq!(due(policy, Seq(8), SPAN), Due::Messages);
            assert_eq!(due(policy, Seq(9), SPAN), Due::Nothing);
        }
        assert_eq!(due(Policy::Latest, Seq(4), SPAN), Due::Latest);
    }

    #[test]
    fn a_reader_behind_gets_its_policys_answer() {
        let dropped = Due::Dropped { to: Seq(4), count: 1 };
        assert_eq!(due(Policy::Recover, Seq(3), SPAN), Due::Lagged);
        assert_eq!(due(Policy::Disconnect, Seq(3), SPAN), Due::Disconnect);
        assert_eq!(due(Policy::Drop, Seq(3), SPAN), dropped);
        assert_eq!(due(Policy::Latest, Seq(3), SPAN), dropped);
    }

    #[test]
    fn the_latest_of_each_key_is_kept_in_order() {
        let slot = |key: Option<u64>, frame: u64| Slot { frame, bytes: 1, key };
        let slots = [
            slot(Some(1), 1),
            slot(Some(2), 2),
            slot(Some(1), 3),
            slot(Some(1), 4),
            slot(Some(3), 5),
        ];
        let numbered = slots.iter().enumerate().map(|(at, slot)| (Seq(at as u64 + 1), slot));
        assert_eq!(
            latest(numbered),
            [
                Latest::Superseded { to: Seq(1), count: 1 },
                Latest::Message(Seq(2), 2),
                Latest::Superseded { to: Seq(3), count: 1 },
                Latest::Message(Seq(4), 4),
                Latest::Message(Seq(5), 5),
            ]
        );
        let unkeyed = [slot(None, 1), slot(None, 2)];
        let numbered = unkeyed.iter().enumerate().map(|(at, slot)| (Seq(at as u64 + 1), slot));
        assert_eq!(
            latest(numbered),
            [Latest::Superseded { to: Seq(1), count: 1 }, Latest::Message(Seq(2), 2)]
        );
    }
}
