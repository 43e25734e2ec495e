//! How many bytes of pages the server may send.
//!
//! It starts with a window and loses what each Page or Snapshot takes. What the application took from its queues, and
//! what the client had no use for, comes back with Credit frames. So pages that nobody reads pile up to one window, in
//! the client and on the way together, and the rest of history stays with the server.

use starling_protocol::limits;
use starling_protocol::v1;

use crate::session::Violation;

/// Bytes of pages on their way to the application, over all channels of a client.
///
/// The protocol's default, two full pages: one travels while the application works on the other.
const WINDOW_BYTES: u32 = limits::PAGE_CREDIT_BYTES_DEFAULT;

/// Returned bytes are granted together once they are as many.
///
/// A quarter of the window: few frames, and the server still has more than a full page when the queues are empty.
const GRANT_BYTES: u32 = WINDOW_BYTES / 4;

/// Credit of one connection. That of an earlier one is void.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credit {
    /// Counts a client's connections.
    pub(crate) connection: u32,
    pub(crate) bytes: u32,
}

impl Credit {
    pub(crate) fn add(&mut self, other: Self) {
        match self.connection.cmp(&other.connection) {
            std::cmp::Ordering::Less => *self = other,
            std::cmp::Ordering::Equal => self.bytes = self.bytes.saturating_add(other.bytes),
            std::cmp::Ordering::Greater => {}
        }
    }

    /// Takes as much of `other` away as is there: what was taken.
    pub(crate) fn remove(&mut self, other: Self) -> Self {
        let there = if self.connection == other.connection {
            self.bytes
        } else {
            0
        };
        let bytes = there.min(other.bytes);
        self.bytes -= bytes;
        Self { bytes, ..other }
    }
}

/// The page credit of a client.
#[derive(Debug, Default)]
pub(crate) struct PageCredit {
    connection: u32,
    /// Received and not yet granted again.
    used: u32,
    /// The part of `used` that may be granted again.
    returned: u32,
}

impl PageCredit {
    /// What Hello opens with.
    pub(crate) const fn window() -> u32 {
        WINDOW_BYTES
    }

    /// A new connection starts with a full window.
    pub(crate) fn connected(&mut self) {
        *self = Self {
            connection: self.connection + 1,
            used: 0,
            returned: 0,
        };
    }

    /// A page of so many bytes came: the credit it used.
    pub(crate) fn received(&mut self, bytes: usize) -> Result<Credit, Violation> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.used = self.used.saturating_add(bytes);
        // One page more than the window is let pass: whether the last may overdraw it is a matter of reading.
        if self.used > WINDOW_BYTES + limits::PAGE_BYTES_MAX as u32 {
            return Err(Violation("more bytes of pages than the credit allows"));
        }
        Ok(Credit {
            connection: self.connection,
            bytes,
        })
    }

    /// Whether the server may send a full page.
    pub(crate) fn covers_a_page(&self) -> bool {
        self.used + limits::PAGE_BYTES_MAX as u32 <= WINDOW_BYTES
    }

    /// What a page used is free again.
    pub(crate) fn give_back(&mut self, credit: Credit) {
        if credit.connection == self.connection {
            self.returned = self.returned.saturating_add(credit.bytes);
        }
    }

    /// The grant to send, if it is worth a frame.
    pub(crate) fn grant(&mut self) -> Option<v1::Credit> {
        if self.returned < GRANT_BYTES {
            return None;
        }
        let bytes = std::mem::take(&mut self.returned);
        self.used = self.used.saturating_sub(bytes);
        Some(v1::Credit { bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_granted_again_in_large_pieces() {
        let mut credit = PageCredit::default();
        credit.connected();
        let page = credit.received(100_000).expect("within the window");
        assert_eq!(credit.grant(), None, "nothing was taken");
        credit.give_back(page);
        assert_eq!(credit.grant(), None, "too little for a frame");
        let page = credit.received(100_000).expect("within the window");
        credit.give_back(page);
        assert_eq!(credit.grant(), Some(v1::Credit { bytes: 200_000 }));
        assert_eq!(credit.grant(), None, "granted once");
    }

    #[test]
    fn what_is_held_back_never_keeps_the_server_from_a_full_page() {
        let mut credit = PageCredit::default();
        credit.connected();
        let held_back = credit.received(GRANT_BYTES as usize - 1).expect("within the window");
        credit.give_back(held_back);
        assert_eq!(credit.grant(), None);
        assert!(credit.covers_a_page());
    }

    #[test]
    fn credit_of_an_earlier_connection_is_void() {
        let mut credit = PageCredit::default();
        credit.connected();
        let old = credit.received(300_000).expect("within the window");
        credit.connected();
        credit.give_back(old);
        assert_eq!(credit.grant(), None);

        let new = credit.received(10).expect("within the new window");
        let mut held = old;
        held.add(new);
        assert_eq!(held, new, "only the newest counts");
        held.remove(old);
        assert_eq!(held, new);
        held.remove(new);
        assert_eq!(held.bytes, 0);
    }

    #[test]
    fn a_server_that_overdraws_breaks_the_rules() {
        let mut credit = PageCredit::default();
        credit.connected();
        for _ in 0..3 {
            credit
                .received(limits::PAGE_BYTES_MAX)
                .expect("the window and one page more");
        }
        assert!(credit.received(1).is_err());
    }
}
