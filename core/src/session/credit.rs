//! How many bytes of pages a client is ready to take.
//!
//! The client grants credit; a page may be fetched only when a whole page fits into it, and only one at a time: a session
//! holds one page, however many channels it reads back and whatever it is granted. What is reserved for a page comes back when the page turns out smaller, or is never sent. A reservation
//! that did not come back would stop the session's replay for good: the leak the simulation plants.

use super::PAGE_BYTES_MAX;

/// Credit that a client may hold, in bytes. More than a few pages in flight buys no speed, and a
/// larger grant counts as this much.
pub const CREDIT_BYTES_MAX: u32 = 16 * PAGE_BYTES_MAX;

/// One session's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    available: u32,
    /// Room for one page is taken out.
    reserved: bool,
}

impl Credit {
    /// Opens an account. Less than one page would never send anything, so it counts as one page.
    #[must_use]
    pub fn new(granted: u32) -> Self {
        Self {
            available: granted.clamp(PAGE_BYTES_MAX, CREDIT_BYTES_MAX),
            reserved: false,
        }
    }

    /// Adds what the client granted.
    pub fn grant(&mut self, bytes: u32) {
        self.available = self.available.saturating_add(bytes).min(CREDIT_BYTES_MAX);
    }

    /// Takes out room for one page, if there is and no other page has it.
    #[must_use]
    pub fn reserve(&mut self) -> bool {
        if self.reserved {
            return false;
        }
        let left = self.available.checked_sub(PAGE_BYTES_MAX);
        self.available = left.unwrap_or(self.available);
        self.reserved = left.is_some();
        self.reserved
    }

    /// Gives back what a page of `sent` bytes did not use of its reservation.
    pub fn settle(&mut self, sent: usize) {
        self.reserved = false;
        let sent = u32::try_from(sent).unwrap_or(PAGE_BYTES_MAX).min(PAGE_BYTES_MAX);
        self.grant(PAGE_BYTES_MAX - sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_reserved_only_when_it_fits() {
        let mut credit = Credit::new(PAGE_BYTES_MAX + 10);
        assert!(credit.reserve());
        credit.settle(10);
        assert!(credit.reserve(), "all but ten bytes came back, and ten were left");
        credit.settle(PAGE_BYTES_MAX as usize);
        assert!(!credit.reserve(), "a full page gives nothing back");
        credit.grant(PAGE_BYTES_MAX);
        assert!(credit.reserve());
    }

    #[test]
    fn credit_has_a_floor_and_a_ceiling() {
        assert!(Credit::new(0).reserve());
        let mut credit = Credit::new(u32::MAX);
        credit.grant(u32::MAX);
        let mut page = || {
            let reserved = credit.reserve();
            if reserved {
                credit.settle(PAGE_BYTES_MAX as usize);
            }
            reserved
        };
        let pages = (0..1_000).take_while(|_| page()).count();
        assert_eq!(pages, 16);
    }

    #[test]
    fn a_session_holds_one_page_at_a_time() {
        let mut credit = Credit::new(CREDIT_BYTES_MAX);
        assert!(credit.reserve());
        assert!(!credit.reserve(), "there is credit, but a page is on its way");
        credit.settle(100);
        assert!(credit.reserve());
    }
}
