//! What nodes say to each other about presence.
//!
//! Between two nodes everything about the slots of one shard travels in one lane, in order. It may be lost: when the link
//! breaks, which both are told, or when the lane is full, which the sender is told. Nothing here is acknowledged;
//! what was lost is found by comparing ([`super::digest`]), and every message may come twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::digest::{Range, Set, Sums, Tally};
use super::entry::{Change, Client, ConnectionId, Entry, Key, Row};
use super::settings::Mode;
use crate::id::{ChannelName, NodeId, SlotId, Term};

/// One message, by the machine that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// For the owner of a slot.
    Owner(ToOwner),
    /// For the gateway that entries belong to.
    Gateway(ToGateway),
    /// For a gateway that watches.
    Watch(ToWatch),
    /// For a replica.
    Replica(ToReplica),
}

/// How far a feed of an owner has got. Terms come first: each owner counts from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stamp {
    /// Under which term.
    pub term: Term,
    /// How far.
    pub version: u64,
}

/// What of an owner a node follows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// A slot, as its replica.
    Slot(SlotId),
    /// A channel, for its watchers.
    Channel(SlotId, ChannelName),
}

impl Scope {
    /// Which slot it belongs to.
    #[must_use]
    pub const fn slot(&self) -> SlotId {
        match self {
            Self::Slot(slot) | Self::Channel(slot, _) => *slot,
        }
    }
}

/// From a gateway or a follower to the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToOwner {
    /// What became of the gateway's entries in a slot.
    Changes {
        /// Which slot.
        slot: SlotId,
        /// In the order of their counters.
        changes: Vec<Change>,
    },
    /// All that the gateway has entered in slots of this owner, as sums. On the wire the slots are a bitmap of 128 bytes,
    /// so that this takes about 660 bytes, whatever there is to compare.
    Digest {
        /// Which slots it covers: all that the owner has, as far as the gateway knows.
        slots: BTreeSet<SlotId>,
        /// The entries.
        tally: Tally,
    },
    /// The sums of the cells of some groups.
    Cells {
        /// Which slots they cover.
        slots: BTreeSet<SlotId>,
        /// Group by group.
        groups: Vec<(u8, Sums)>,
    },
    /// Every entry of the gateway whose place lies in a range.
    Listing {
        /// Which slots it covers.
        slots: BTreeSet<SlotId>,
        /// Which places.
        range: Range,
        /// The gateway's counter by now: what is not listed and no newer than this is gone.
        counter: u64,
        /// The entries.
        entries: Vec<(SlotId, Entry)>,
    },
    /// Send what this is now, and then what becomes of it.
    Follow {
        /// Of what.
        scope: Scope,
        /// How much, of a channel.
        mode: Mode,
    },
    /// Send nothing more of it.
    Unfollow(Scope),
    /// How far is everything that I follow, in these groups?
    AskHeads {
        /// Of which kind.
        of: Kind,
        /// The groups.
        groups: Set,
    },
    /// Ephemeral state of a client: for those who watch, now, or nobody. May travel as a datagram.
    Ephemeral {
        /// In which slot.
        slot: SlotId,
        /// Whose.
        key: Key,
        /// What.
        ephemeral: Ephemeral,
    },
}

/// State that is worth nothing when the next has come: where a cursor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ephemeral {
    /// Its number among those of its connection. Older ones than the last are dropped.
    pub number: u64,
    /// The state.
    pub state: Bytes,
}

/// From the owner to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToGateway {
    /// This node owns slots that it did not: send a digest.
    Compare,
    /// The sums of these groups differ: send those of their cells.
    Differ(Set),
    /// These differ: list them.
    List(Vec<Range>),
}

/// The two kinds of feeds, which are compared apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of slots, for replicas.
    Slots,
    /// Of channels, for watchers.
    Channels,
}

/// Nodes of which an owner is not sure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doubts {
    /// It has not compared its entries with theirs since it became the owner. It may lack some, and have some too many.
    pub unsettled: BTreeSet<NodeId>,
    /// Some of these live, and a client that has left elsewhere may be with them: nobody has left until they are settled.
    pub is_holding: bool,
    /// They may be dead, and their clients with them.
    pub uncertain: BTreeSet<NodeId>,
}

impl Doubts {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unsettled.is_empty() && self.uncertain.is_empty()
    }
}

/// From the owner to a gateway that watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToWatch {
    /// A part of everybody who is in a channel.
    Roster {
        /// Which channel.
        channel: ChannelName,
        /// As it is now.
        stamp: Stamp,
        /// Which part; the first is 0.
        part: u32,
        /// It is the last.
        is_last: bool,
        /// Who.
        rows: Vec<Present>,
        /// Of whom the owner is not sure.
        doubts: Doubts,
    },
    /// What has changed.
    Delta(Arc<Delta>),
    /// How many are in a channel.
    Count {
        /// Which channel.
        channel: ChannelName,
        /// As it is now.
        stamp: Stamp,
        /// How many.
        count: Count,
        /// The owner has compared its entries with all gateways.
        is_settled: bool,
    },
    /// How far everything is that this node follows.
    Heads(Heads),
    /// The same one by one, of the groups that were asked for.
    HeadList(HeadList),
    /// Ephemeral state.
    Ephemeral {
        /// In which channel.
        channel: ChannelName,
        /// Whose.
        client: Client,
        /// By which gateway and connection.
        of: (NodeId, ConnectionId),
        /// What.
        ephemeral: Ephemeral,
    },
}

/// What a tick has changed in a channel: the same for every gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// Which channel.
    pub channel: ChannelName,
    /// As it is now.
    pub stamp: Stamp,
    /// As it was before, under the same term.
    pub after: u64,
    /// The newest of each client that changed; `None` has left.
    pub changes: Vec<(Client, Option<Present>)>,
    /// Of whom the owner is not sure.
    pub doubts: Doubts,
}

/// A client that is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// How it looks.
    pub row: Row,
    /// All its connections are lost, and its grace has not passed. Whoever shows it goes on; nobody begins to.
    pub is_away: bool,
}

/// How many are present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Members: people.
    pub members: u64,
    /// Their clients: tabs.
    pub clients: u64,
}

/// How far an owner's feeds are, as sums. About 540 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heads {
    /// Of everything that the node follows.
    pub tally: Tally,
    /// The owner hears from a majority. Without it, it may not be the owner any more.
    pub is_sure: bool,
}

/// The same one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadList {
    /// Which groups.
    pub groups: Set,
    /// All that the node follows in them.
    pub heads: Vec<(Scope, Stamp)>,
}

/// From the owner to a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToReplica {
    /// A part of everything in a slot.
    Copy {
        /// Which slot.
        slot: SlotId,
        /// As it is now.
        stamp: Stamp,
        /// Which part; the first is 0.
        part: u32,
        /// It is the last.
        is_last: bool,
        /// Its entries.
        entries: Vec<Copied>,
        /// The highest counter that was seen of each gateway; with the last part.
        seen: Vec<(NodeId, u64)>,
    },
    /// What has changed.
    Log {
        /// Which slot.
        slot: SlotId,
        /// As it is now.
        stamp: Stamp,
        /// As it was before, under the same term.
        after: u64,
        /// In order.
        steps: Arc<[Step]>,
    },
    /// How far every slot is that this node is a replica of.
    Heads(Heads),
    /// The same one by one.
    HeadList(HeadList),
}

/// An entry as an owner holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Whose it is.
    pub gateway: NodeId,
    /// What it is.
    pub entry: Entry,
    /// It counts no more: its connection was lost, and the client has left by another since.
    pub is_replaced: bool,
}

/// One step of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A gateway changed an entry of its own.
    Change {
        /// Which gateway.
        gateway: NodeId,
        /// How.
        change: Change,
    },
    /// A gateway is dead: its entries go, in channels whose grace is no longer than this.
    Purge {
        /// Which gateway.
        gateway: NodeId,
        /// How long it was dead.
        after: std::time::Duration,
    },
}
