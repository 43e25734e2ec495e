//! What happens in a cluster, and what clients and nodes say to each other.

use std::sync::Arc;

use crate::channel::{self, Refusal};
use crate::id::{ChannelName, Epoch, NodeId, Position, SlotId};
use crate::replica::Message;
use crate::table::{self, Change, Record, Registry};

/// One thing that happens, and to which start of which node.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Plan(usize),
    Beat {
        to: NodeId,
    },
    Heard {
        to: NodeId,
        from: NodeId,
        is_draining: bool,
    },
    Peer {
        to: NodeId,
        from: NodeId,
        slot: SlotId,
        message: Message,
    },
    Wake {
        to: NodeId,
        slot: SlotId,
        of_slot: bool,
    },
    Asked {
        by: NodeId,
        slot: SlotId,
        number: u64,
        version: u64,
        change: Change,
    },
    Answered {
        to: NodeId,
        slot: SlotId,
        number: u64,
        outcome: Result<table::Answer, table::Refusal>,
    },
    Registers {
        node: NodeId,
    },
    Record {
        to: NodeId,
        slot: SlotId,
        record: Record,
    },
    Registered {
        to: NodeId,
        registry: Registry,
    },
    Request {
        to: NodeId,
        request: Request,
    },
    /// Something that was sent may have arrived.
    Lane {
        to: NodeId,
        from: NodeId,
    },
    /// What did not get through is sent again.
    LaneAgain {
        to: NodeId,
        from: NodeId,
    },
    RelayWake {
        to: NodeId,
        channel: ChannelName,
    },
    Resume {
        node: usize,
    },
    Bury {
        node: usize,
    },
    Roll,
    Start {
        node: usize,
    },
    Publisher(usize),
    Reader(usize),
    Response {
        response: Response,
    },
}

/// Whom to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) client: Client,
    /// Numbers what the client asked.
    pub(super) number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Publisher(usize),
    Reader(usize),
}

/// What a client asks.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) reply: Reply,
    pub(super) channel: ChannelName,
    pub(super) what: Asked,
}

#[derive(Debug, Clone)]
pub(super) enum Asked {
    Publish {
        serial: u64,
        base: u64,
        since: crate::time::WallTime,
        skip: bool,
    },
    Attach(channel::From),
    Read(channel::Range),
}

/// What it is told.
#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) client: Client,
    pub(super) number: u64,
    pub(super) what: Told,
}

#[derive(Debug, Clone)]
pub(super) enum Told {
    Ack(channel::Ack),
    Refused(Refusal),
    Attached(channel::Attachment),
    Page(channel::Page),
    Live(Epoch, Arc<channel::Message>),
    /// What comes next follows this; what lies before is read back.
    Restarted(Position),
    /// There is nothing to follow any more: attach again.
    Dismissed,
}
