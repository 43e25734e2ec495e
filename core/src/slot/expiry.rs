//! When to ask which channel whether something is due.
//!
//! A channel is registered at an instant that is never later than its first due, and looked at
//! again only then: a publish that moves the due back costs one look-up and no change.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::id::ChannelName;

/// Channels by when to look at them.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    order: BTreeSet<(Instant, ChannelName)>,
    registered: BTreeMap<ChannelName, Instant>,
}

impl Expiry {
    /// Looks at the channel no later than `at`.
    pub(super) fn expect(&mut self, channel: &ChannelName, at: Instant) {
        match self.registered.get_mut(channel) {
            Some(registered) if *registered <= at => {}
            Some(registered) => {
                self.order.remove(&(*registered, channel.clone()));
                *registered = at;
                self.order.insert((at, channel.clone()));
            }
            None => {
                self.registered.insert(channel.clone(), at);
                self.order.insert((at, channel.clone()));
            }
        }
    }

    /// When to look at the first one.
    pub(super) fn first(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// The next channel to look at by now. It is no longer registered.
    pub(super) fn take(&mut self, now: Instant) -> Option<ChannelName> {
        if self.first()? > now {
            return None;
        }
        let (_, channel) = self.order.pop_first()?;
        self.registered.remove(&channel);
        Some(channel)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::channel::tests::{name, start};

    #[test]
    fn the_earliest_registration_counts() {
        let at = |seconds| start() + Duration::from_secs(seconds);
        let mut expiry = Expiry::default();
        expiry.expect(&name("t:a"), at(5));
        expiry.expect(&name("t:b"), at(3));
        expiry.expect(&name("t:a"), at(9));
        expiry.expect(&name("t:b"), at(2));
        assert_eq!(expiry.first(), Some(at(2)));
        assert_eq!(expiry.take(at(1)), None);
        assert_eq!(expiry.take(at(5)), Some(name("t:b")));
        assert_eq!(expiry.take(at(5)), Some(name("t:a")));
        assert_eq!(expiry.take(at(50)), None);
        expiry.expect(&name("t:a"), at(9));
        assert_eq!(expiry.first(), Some(at(9)));
        assert_eq!(expiry.order.len(), expiry.registered.len());
    }
}
