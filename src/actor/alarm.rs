//! Alarms that ring by a message to an actor.

use starling_runtime::mailbox::Address;
use starling_runtime::wheel::Alarm;

/// Sends a message when it rings. An actor that has ended waits for nothing.
pub(super) struct Rings<M: Send + 'static>(pub(super) Address<M>, pub(super) fn() -> M);

impl<M: Send + 'static> Alarm for Rings<M> {
    fn ring(&self) {
        let _ = self.0.post_single((self.1)());
    }
}
