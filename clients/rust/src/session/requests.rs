//! Which request an answer belongs to.

use std::collections::HashMap;
use std::sync::Arc;

use super::SubscriptionId;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// To attach a subscription.
    Attach(SubscriptionId),
    /// To leave a channel.
    Detach(u32),
    /// To publish or retire a serial on a channel.
    Publish { channel: Arc<str>, serial: u64 },
    /// To be in a channel, or to say something else there.
    Enter(SubscriptionId),
    /// To be in a channel no more.
    Leave(SubscriptionId),
    /// To be told who is in a channel.
    Watch(SubscriptionId),
    /// To go on with a new token.
    Refresh,
}

/// The requests of one connection that have no answer yet.
///
/// Bounded by what asks: one attach or detach for each channel, and one to enter, leave, watch or detach; the publishes in
/// flight, one refresh.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    last: u64,
    open: HashMap<u64, Request>,
}

impl Requests {
    /// Numbers a request. Numbers are never used twice, so that an answer that crossed a reconnect finds nothing.
    pub(crate) fn open(&mut self, request: Request) -> u64 {
        self.last += 1;
        self.open.insert(self.last, request);
        self.last
    }

    /// The request that was answered.
    pub(crate) fn answered(&mut self, number: u64) -> Option<Request> {
        self.open.remove(&number)
    }

    /// The connection is gone: nothing will be answered.
    pub(crate) fn forget_all(&mut self) {
        self.open.clear();
    }
}
