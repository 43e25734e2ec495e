//! One channel of one session: where the reader stands, and what is due to it next.

use super::credit::Credit;
use super::{ChannelId, PageTicket};
use crate::backpressure::{self, Due, Policy};
use crate::id::{ChannelName, Epoch, Position, Seq};
use crate::ring::Span;

/// See the module.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The channel.
    pub channel: ChannelName,
    /// Stands for it on this node.
    pub channel_id: ChannelId,
    /// The history the cursor counts in.
    pub epoch: Epoch,
    /// The last message the reader was sent, or told it would not get.
    pub cursor: Seq,
    /// What happens when the reader is behind.
    pub policy: Policy,
    /// The session may not read the past: nothing from before its start is sent.
    pub live_only: bool,
    /// Where its attach placed it.
    start: Seq,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Follows the ring.
    Live,
    /// Reads the past in pages until the ring reaches its cursor.
    Paging,
    /// A page is on its way; room for it is reserved.
    Fetching(PageTicket),
    /// Was told that it lagged; waits for its pull.
    Lagged,
}

/// What is due to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing until the channel moves, credit comes, or the reader pulls.
    Nothing,
    /// The messages after the cursor, from the ring.
    Messages,
    /// The newest message of each key after the cursor, from the ring.
    Latest,
    /// A page after `after` is to be fetched; room for it is reserved.
    Page {
        /// The cursor.
        after: Seq,
        /// Comes back with the page.
        ticket: PageTicket,
    },
    /// Tell the reader that it lagged.
    Lagged,
    /// Tell the reader that it will not get `count` messages up to its cursor.
    Dropped {
        /// How many.
        count: u64,
    },
    /// Close the session.
    Disconnect,
}

impl Subscription {
    /// A reader that goes on after `cursor`.
    #[must_use]
    pub const fn new(channel: ChannelName, channel_id: ChannelId, epoch: Epoch, cursor: Seq, policy: Policy) -> Self {
        Self {
            channel,
            channel_id,
            epoch,
            cursor,
            policy,
            live_only: false,
            start: cursor,
            mode: Mode::Paging,
        }
    }

    /// Whether the reader may be sent what follows `after`, once it was sent that before.
    #[must_use]
    pub fn may_read(&self, after: Seq) -> bool {
        !self.live_only || after >= self.start
    }

    /// From now on the session may read the past of the channel, or may not. Answers whether the reader can
    /// stay: one that is in the past and may not be there cannot.
    pub fn limit(&mut self, reads_history: bool) -> bool {
        if !reads_history && !self.live_only {
            if self.mode != Mode::Live {
                return false;
            }
            self.start = self.cursor;
        }
        self.live_only = !reads_history;
        true
    }

    /// What is due, given what the ring spans; moves the reader's state accordingly.
    pub fn next(&mut self, span: Span, credit: &mut Credit, ticket: PageTicket) -> Next {
        match self.mode {
            Mode::Fetching(_) | Mode::Lagged => return Next::Nothing,
            Mode::Paging if span.reaches(self.cursor) => self.mode = Mode::Live,
            Mode::Paging if credit.reserve() => {
                self.mode = Mode::Fetching(ticket);
                return Next::Page {
                    after: self.cursor,
                    ticket,
                };
            }
            Mode::Paging => return Next::Nothing,
            Mode::Live => {}
        }
        match backpressure::due(self.policy, self.cursor, span) {
            Due::Nothing => Next::Nothing,
            Due::Messages => Next::Messages,
            Due::Latest => Next::Latest,
            Due::Lagged => {
                self.mode = Mode::Lagged;
                Next::Lagged
            }
            Due::Dropped { to, count } => {
                self.cursor = to;
                Next::Dropped { count }
            }
            Due::Disconnect => Next::Disconnect,
        }
    }

    /// Whether the page of `ticket` is the one it waits for.
    #[must_use]
    pub fn awaits(&self, ticket: PageTicket) -> bool {
        self.mode == Mode::Fetching(ticket)
    }

    /// A page (or the news that there is none) moved the cursor.
    pub fn paged(&mut self, cursor: Seq) {
        self.cursor = cursor;
        self.mode = Mode::Paging;
    }

    /// The page that was asked for is lost; delivery goes on after `position`.
    pub fn moved(&mut self, position: &Position) {
        if self.epoch != position.epoch {
            self.epoch = position.epoch.clone();
            self.start = Seq(0); // all of a history that began since is new to the reader
        }
        self.paged(position.seq);
    }

    /// The reader asks for what follows `cursor`. Answers whether room was reserved for a page
    /// that is no longer wanted.
    #[must_use]
    pub fn pull(&mut self, cursor: Seq) -> bool {
        let reserved = self.is_fetching();
        self.paged(cursor);
        reserved
    }

    /// Whether room is reserved for a page on its way.
    #[must_use]
    pub const fn is_fetching(&self) -> bool {
        matches!(self.mode, Mode::Fetching(_))
    }
}

#[cfg(test)]
mod tests {
    use super::super::PAGE_BYTES_MAX;
    use super::*;

    fn reader(cursor: u64, policy: Policy) -> Subscription {
        Subscription::new(
            ChannelName::parse("chat:a").expect("valid"),
            ChannelId(1),
            Epoch::parse("0-a").expect("valid"),
            Seq(cursor),
            policy,
        )
    }

    fn span(tail: u64, head: u64) -> Span {
        Span {
            tail: Seq(tail),
            head: Seq(head),
        }
    }

    const TICKET: PageTicket = PageTicket(7);

    #[test]
    fn the_past_comes_in_pages_until_the_ring_reaches_the_reader() {
        let mut credit = Credit::new(PAGE_BYTES_MAX);
        let mut reader = reader(0, Policy::Recover);
        let page = Next::Page {
            after: Seq(0),
            ticket: TICKET,
        };
        assert_eq!(reader.next(span(11, 20), &mut credit, TICKET), page);
        assert_eq!(reader.next(span(11, 20), &mut credit, TICKET), Next::Nothing);
        assert!(reader.awaits(TICKET) && !reader.awaits(PageTicket(8)));
        reader.paged(Seq(8));
        credit.settle(PAGE_BYTES_MAX as usize);
        assert_eq!(
            reader.next(span(11, 20), &mut credit, TICKET),
            Next::Nothing,
            "no credit"
        );
        credit.grant(PAGE_BYTES_MAX);
        assert!(matches!(
            reader.next(span(11, 20), &mut credit, TICKET),
            Next::Page { .. }
        ));
        reader.paged(Seq(10));
        assert_eq!(reader.next(span(11, 20), &mut credit, TICKET), Next::Messages);
        reader.cursor = Seq(20);
        assert_eq!(reader.next(span(11, 20), &mut credit, TICKET), Next::Nothing);
    }

    #[test]
    fn a_live_reader_that_falls_behind_is_told_once_and_pulls() {
        let mut credit = Credit::new(0);
        let mut reader = reader(5, Policy::Recover);
        assert_eq!(reader.next(span(1, 5), &mut credit, TICKET), Next::Nothing);
        assert_eq!(reader.next(span(8, 20), &mut credit, TICKET), Next::Lagged);
        assert_eq!(reader.next(span(8, 20), &mut credit, TICKET), Next::Nothing);
        assert!(!reader.pull(Seq(5)));
        assert!(matches!(
            reader.next(span(8, 20), &mut credit, TICKET),
            Next::Page { .. }
        ));
        assert!(reader.pull(Seq(5)), "the reserved page is no longer wanted");
    }

    #[test]
    fn a_dropping_reader_moves_to_the_tail() {
        let mut credit = Credit::new(0);
        let mut reader = reader(5, Policy::Drop);
        assert_eq!(reader.next(span(1, 5), &mut credit, TICKET), Next::Nothing);
        assert_eq!(
            reader.next(span(8, 20), &mut credit, TICKET),
            Next::Dropped { count: 2 }
        );
        assert_eq!(reader.cursor, Seq(7));
        assert_eq!(reader.next(span(8, 20), &mut credit, TICKET), Next::Messages);
    }
}
