//! Who is in the channels of some slots, as an actor: the rules are [`starling_core::presence`].
//!
//! A node has as many of these as a link has lanes for slots, and a slot belongs to the one of its number modulo that: so
//! all that two nodes say to each other about the slots of one shard travels in one lane, in order. A shard stands for
//! what its clients entered, for the slots that it owns or copies, and for what is watched here.
//!
//! * `message`: what a shard receives; [`Watcher`]: whom it tells;
//! * `actor`: message → input, run the rules, carry out the effects;
//! * `boards`: what those who watch are told, encoded once.

mod actor;
mod boards;
mod message;
mod watcher;

use starling_cluster::link::SLOT_LANES;
use starling_core::id::SlotId;
use starling_core::presence::shard;

pub use actor::{Arguments, PresenceActor};
pub use message::Message;
pub use starling_core::presence::roster::Standing;
pub use watcher::{Glance, Watcher, WatcherId};

/// Something that a shard is told.
pub type Happening = shard::Input<Watcher>;

/// Shards of a node. See the module.
pub const SHARDS: usize = SLOT_LANES;

/// Requests of sessions that a shard has not worked off.
pub const MAILBOX_SIZE: u32 = 1_024;

/// A shard, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl ShardId {
    /// The shard of a slot.
    #[must_use]
    pub const fn of(slot: SlotId) -> Self {
        Self(slot.0 % SHARDS as u16)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS as u16).map(Self)
    }
}
