//! What messages about presence are made of.

use std::collections::BTreeSet;

use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::id::{Generation, NodeId, NodeName, SlotId, Term};
use starling_core::presence::digest::{GROUPS, Place, Range, Sums, Tally};
use starling_core::presence::message::{Copied, Count, Doubts, Ephemeral, HeadList, Heads, Present, Scope, Stamp};
use starling_core::presence::{Change, Client, ClientId, ConnectionId, Entry, Key, Mode, Row, digest};

use crate::wire::{WireError, name};

/// Something of core's as it travels.
pub(super) trait Mirror: Sized {
    type Core;

    fn of(core: &Self::Core) -> Self;

    fn back(self) -> Result<Self::Core, WireError>;
}

/// All of them, as they travel.
pub(super) fn all<'a, M: Mirror>(core: impl IntoIterator<Item = &'a M::Core>) -> Vec<M>
where
    M::Core: 'a,
{
    core.into_iter().map(M::of).collect()
}

/// All of them, back.
pub(super) fn all_back<M: Mirror, C: FromIterator<M::Core>>(travelled: Vec<M>) -> Result<C, WireError> {
    travelled.into_iter().map(M::back).collect()
}

/// Some slots, a bit for each.
#[derive(Debug, Encode, Decode)]
pub(super) struct SlotsHead(Vec<u8>);

impl Mirror for SlotsHead {
    type Core = BTreeSet<SlotId>;

    fn of(slots: &Self::Core) -> Self {
        let bytes = slots.last().map_or(0, |last| usize::from(last.0) / 8 + 1);
        let mut bits = vec![0; bytes];
        for slot in slots {
            bits[usize::from(slot.0) / 8] |= 1 << (slot.0 % 8);
        }
        Self(bits)
    }

    fn back(self) -> Result<Self::Core, WireError> {
        if self.0.len() > usize::from(u16::MAX) / 8 + 1 {
            return Err(WireError::Text("set of slots"));
        }
        let slots = (0..=u16::MAX).take(8 * self.0.len());
        let is_in = |slot: &u16| self.0[usize::from(*slot) / 8] >> (slot % 8) & 1 == 1;
        Ok(slots.filter(is_in).map(SlotId).collect())
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct NodeHead(String, u64);

impl Mirror for NodeHead {
    type Core = NodeId;

    fn of(node: &NodeId) -> Self {
        Self(node.name.as_str().into(), node.generation.0)
    }

    fn back(self) -> Result<NodeId, WireError> {
        Ok(NodeId {
            name: NodeName::parse(&self.0).map_err(|_| WireError::Text("node name"))?,
            generation: Generation(self.1),
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct ClientHead(String, [u8; 16]);

impl Mirror for ClientHead {
    type Core = Client;

    fn of(client: &Client) -> Self {
        Self(client.subject.as_str().into(), client.id.0)
    }

    fn back(self) -> Result<Client, WireError> {
        Ok(Client {
            subject: name::subject(&self.0)?,
            id: ClientId(self.1),
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct KeyHead {
    channel: String,
    client: ClientHead,
    connection: u64,
}

impl Mirror for KeyHead {
    type Core = Key;

    fn of(key: &Key) -> Self {
        Self {
            channel: key.channel.as_str().into(),
            client: ClientHead::of(&key.client),
            connection: key.connection.0,
        }
    }

    fn back(self) -> Result<Key, WireError> {
        Ok(Key {
            channel: name::channel(&self.channel)?,
            client: self.client.back()?,
            connection: ConnectionId(self.connection),
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct EntryHead {
    key: KeyHead,
    counter: u64,
    is_lost: bool,
    state: Vec<u8>,
}

impl Mirror for EntryHead {
    type Core = Entry;

    fn of(entry: &Entry) -> Self {
        Self {
            key: KeyHead::of(&entry.key),
            counter: entry.counter,
            is_lost: entry.is_lost,
            state: entry.state.to_vec(),
        }
    }

    fn back(self) -> Result<Entry, WireError> {
        Ok(Entry {
            key: self.key.back()?,
            counter: self.counter,
            is_lost: self.is_lost,
            state: self.state.into(),
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) enum ChangeHead {
    Put(EntryHead),
    Drop { key: KeyHead, counter: u64, is_left: bool },
}

impl Mirror for ChangeHead {
    type Core = Change;

    fn of(change: &Change) -> Self {
        match change {
            Change::Put(entry) => Self::Put(EntryHead::of(entry)),
            Change::Drop { key, counter, is_left } => Self::Drop {
                key: KeyHead::of(key),
                counter: *counter,
                is_left: *is_left,
            },
        }
    }

    fn back(self) -> Result<Change, WireError> {
        Ok(match self {
            Self::Put(entry) => Change::Put(entry.back()?),
            Self::Drop { key, counter, is_left } => Change::Drop {
                key: key.back()?,
                counter,
                is_left,
            },
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct PresentHead {
    client: ClientHead,
    gateway: NodeHead,
    connection: u64,
    state: Vec<u8>,
    is_away: bool,
}

impl Mirror for PresentHead {
    type Core = Present;

    fn of(Present { row, is_away }: &Present) -> Self {
        Self {
            client: ClientHead::of(&row.client),
            gateway: NodeHead::of(&row.gateway),
            connection: row.connection.0,
            state: row.state.to_vec(),
            is_away: *is_away,
        }
    }

    fn back(self) -> Result<Present, WireError> {
        Ok(Present {
            row: Row {
                client: self.client.back()?,
                gateway: self.gateway.back()?,
                connection: ConnectionId(self.connection),
                state: self.state.into(),
            },
            is_away: self.is_away,
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct CopiedHead(NodeHead, EntryHead, bool);

impl Mirror for CopiedHead {
    type Core = Copied;

    fn of(copied: &Copied) -> Self {
        Self(
            NodeHead::of(&copied.gateway),
            EntryHead::of(&copied.entry),
            copied.is_replaced,
        )
    }

    fn back(self) -> Result<Copied, WireError> {
        Ok(Copied {
            gateway: self.0.back()?,
            entry: self.1.back()?,
            is_replaced: self.2,
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct DoubtsHead {
    unsettled: Vec<NodeHead>,
    is_holding: bool,
    uncertain: Vec<NodeHead>,
}

impl Mirror for DoubtsHead {
    type Core = Doubts;

    fn of(doubts: &Doubts) -> Self {
        Self {
            unsettled: all(&doubts.unsettled),
            is_holding: doubts.is_holding,
            uncertain: all(&doubts.uncertain),
        }
    }

    fn back(self) -> Result<Doubts, WireError> {
        Ok(Doubts {
            unsettled: all_back(self.unsettled)?,
            is_holding: self.is_holding,
            uncertain: all_back(self.uncertain)?,
        })
    }
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(super) struct StampHead(u64, u64);

impl Mirror for StampHead {
    type Core = Stamp;

    fn of(stamp: &Stamp) -> Self {
        Self(stamp.term.0, stamp.version)
    }

    fn back(self) -> Result<Stamp, WireError> {
        Ok(Stamp {
            term: Term(self.0),
            version: self.1,
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) enum ScopeHead {
    Slot(u16),
    Channel(u16, String),
}

impl Mirror for ScopeHead {
    type Core = Scope;

    fn of(scope: &Scope) -> Self {
        match scope {
            Scope::Slot(slot) => Self::Slot(slot.0),
            Scope::Channel(slot, channel) => Self::Channel(slot.0, channel.as_str().into()),
        }
    }

    fn back(self) -> Result<Scope, WireError> {
        Ok(match self {
            Self::Slot(slot) => Scope::Slot(SlotId(slot)),
            Self::Channel(slot, channel) => Scope::Channel(SlotId(slot), name::channel(&channel)?),
        })
    }
}

/// Sums are hashes: a number of eight bytes each, which varies in no other way.
#[derive(Debug, Encode, Decode)]
pub(super) struct SumsHead(Box<[[u8; 8]; GROUPS]>);

impl Mirror for SumsHead {
    type Core = Sums;

    fn of(sums: &Sums) -> Self {
        Self(Box::new(sums.0.map(u64::to_le_bytes)))
    }

    fn back(self) -> Result<Sums, WireError> {
        Ok(Sums(Box::new(self.0.map(u64::from_le_bytes))))
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct TallyHead(u64, SumsHead);

impl Mirror for TallyHead {
    type Core = Tally;

    fn of(tally: &Tally) -> Self {
        Self(tally.count, SumsHead::of(&tally.groups))
    }

    fn back(self) -> Result<Tally, WireError> {
        Ok(Tally {
            count: self.0,
            groups: self.1.back()?,
        })
    }
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(super) struct RangeHead(u64, u64);

impl Mirror for RangeHead {
    type Core = Range;

    fn of(range: &Range) -> Self {
        Self(range.start().0, range.end().0)
    }

    fn back(self) -> Result<Range, WireError> {
        Ok(Place(self.0)..=Place(self.1))
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct HeadsHead(TallyHead, bool);

impl Mirror for HeadsHead {
    type Core = Heads;

    fn of(heads: &Heads) -> Self {
        Self(TallyHead::of(&heads.tally), heads.is_sure)
    }

    fn back(self) -> Result<Heads, WireError> {
        Ok(Heads {
            tally: self.0.back()?,
            is_sure: self.1,
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct HeadListHead(u64, Vec<(ScopeHead, StampHead)>);

impl Mirror for HeadListHead {
    type Core = HeadList;

    fn of(list: &HeadList) -> Self {
        let heads = list.heads.iter();
        let heads = heads.map(|(scope, stamp)| (ScopeHead::of(scope), StampHead::of(stamp)));
        Self(list.groups.0, heads.collect())
    }

    fn back(self) -> Result<HeadList, WireError> {
        let heads = self.1.into_iter();
        let heads = heads.map(|(scope, stamp)| Ok((scope.back()?, stamp.back()?)));
        Ok(HeadList {
            groups: digest::Set(self.0),
            heads: heads.collect::<Result<_, WireError>>()?,
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) struct EphemeralHead(u64, Vec<u8>);

impl Mirror for EphemeralHead {
    type Core = Ephemeral;

    fn of(ephemeral: &Ephemeral) -> Self {
        Self(ephemeral.number, ephemeral.state.to_vec())
    }

    fn back(self) -> Result<Ephemeral, WireError> {
        Ok(Ephemeral {
            number: self.0,
            state: Bytes::from(self.1),
        })
    }
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(super) struct CountHead(u64, u64);

impl Mirror for CountHead {
    type Core = Count;

    fn of(count: &Count) -> Self {
        Self(count.members, count.clients)
    }

    fn back(self) -> Result<Count, WireError> {
        Ok(Count {
            members: self.0,
            clients: self.1,
        })
    }
}

/// Whether a follower wants a roster.
pub(super) fn wants_roster(mode: Mode) -> bool {
    mode == Mode::Roster
}

pub(super) const fn mode(wants_roster: bool) -> Mode {
    match wants_roster {
        true => Mode::Roster,
        false => Mode::Count,
    }
}
