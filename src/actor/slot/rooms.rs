//! The room of proposals that are not committed: it came with them, and goes back with the answer.

use std::collections::VecDeque;

use starling_core::channel::Ticket;
use starling_core::id::ChannelName;
use starling_runtime::mailbox::Permit;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rooms(VecDeque<(ChannelName, Ticket, Permit)>);

impl Rooms {
    /// A channel has proposed changes up to `through`.
    pub(super) fn take(&mut self, channel: ChannelName, through: Ticket, permit: Permit) {
        self.0.push_back((channel, through, permit));
    }

    /// They are committed up to `through`, which may be several batches: the room of all but one is free.
    pub(super) fn through(&mut self, channel: &ChannelName, through: Ticket) -> Option<Permit> {
        let is_covered = |(of, ticket, _): &(ChannelName, Ticket, Permit)| of == channel && *ticket <= through;
        let first = self.0.iter().position(is_covered)?;
        let room = self.0.remove(first)?.2;
        // Alone every batch is committed by itself, and nothing is left.
        if !self.0.is_empty() {
            self.0.retain(|one| !is_covered(one));
        }
        Some(room)
    }

    /// What was proposed last is not taken.
    pub(super) fn latest(&mut self, channel: &ChannelName) -> Option<Permit> {
        let last = self.0.iter().rposition(|(of, ..)| of == channel)?;
        Some(self.0.remove(last)?.2)
    }

    /// All that was proposed is given up.
    pub(super) fn free_all(&mut self, channel: &ChannelName) {
        self.0.retain(|(of, ..)| of != channel);
    }
}
