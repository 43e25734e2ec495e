//! What a shard receives.

use starling_cluster::link::InboxRoom;
use starling_core::id::{ChannelName, NodeId, SlotId};
use starling_core::presence::{self, Mode, gateway, shard};

use super::Watcher;
use crate::actor::reply::Reply;

/// Everything that reaches a shard.
#[derive(Debug)]
pub enum Message {
    /// A session enters, updates or leaves, and is answered.
    Asked {
        /// Whom to answer.
        to: Reply,
        /// What it asks.
        input: gateway::Input,
    },
    /// Somebody watches, or wants more or less, and is answered.
    Watch {
        /// Whom to answer.
        to: Reply,
        /// Who.
        watcher: Watcher,
        /// What.
        channel: ChannelName,
        /// In which slot.
        slot: SlotId,
        /// How much of it.
        mode: Mode,
    },
    /// Another node has said something.
    Told {
        /// Who.
        from: NodeId,
        /// What.
        message: Box<presence::Message>,
        /// Its room among what is not worked off.
        room: InboxRoom,
    },
    /// Something else has happened.
    Happened(shard::Input<Watcher>),
}
