//! What this node's own clients have entered.
//!
//! ```text
//!   Enter, Update, Leave, Ended ──▶ entries, each with the counter of its last change
//!                                     │ at once            │ every 5 s, and whenever something may be lost
//!                                     ▼                    ▼
//!                                  Changes ──▶ owner ◀── Digest ─ Differ ─ Cells ─ List ─ Listing
//! ```
//!
//! This machine is the truth of its entries. It tells their owners what becomes of them, once, and forgets about it;
//! whether that has arrived is found by comparing. A connection that says goodbye leaves at once; one that is lost
//! leaves after the namespace's grace, for its client may be on its way back; and one that its client closed after the
//! shorter grace of a reload. A grace counts from when the client was to be missed: a node that stood still for longer, and
//! was taken for dead meanwhile, does not show those again who have left.
//!
//! * [`turn`]: inputs and effects; `repair`: comparing with owners.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::digest::Ledger;
use super::entry::{Change, Client, ConnectionId, Entry, Key};
use super::message::{Ephemeral, Message, ToOwner};
use super::settings::Namespaces;
use super::timers::Timers;
use super::{COMPARE_SOON, RETRY_AFTER};
use crate::fault::Faults;
use crate::id::{ChannelName, NodeId, SlotId, Term};

mod repair;
pub mod turn;

pub use turn::{Effect, End, Input, Limits, Refusal};

/// See the module.
#[derive(Debug)]
pub struct Gateway {
    namespaces: Arc<Namespaces>,
    limits: Limits,
    faults: Faults,
    /// The counter of the last change. It begins anew with each start of the node, which is another gateway.
    counter: u64,
    slots: BTreeMap<SlotId, Slot>,
    by_owner: BTreeMap<NodeId, BTreeSet<SlotId>>,
    /// What each connection has entered, while it lives.
    connections: BTreeMap<ConnectionId, BTreeMap<ChannelName, (SlotId, Client)>>,
    /// Entries in all, also of connections that were lost.
    entries: usize,
    timers: Timers<Due>,
    /// What this turn has changed.
    changes: BTreeMap<SlotId, Vec<Change>>,
}

/// What is entered in a slot.
#[derive(Debug, Default)]
struct Slot {
    owner: Option<(NodeId, Term)>,
    entries: Ledger<Own>,
}

impl Slot {
    fn owner(&self) -> Option<NodeId> {
        self.owner.as_ref().map(|(node, _)| node.clone())
    }
}

#[derive(Debug, Clone)]
struct Own {
    is_lost: bool,
    state: Bytes,
}

/// When to do what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// When to compare with an owner.
    Compare(NodeId),
    /// When a client that was lost has left.
    Leave(SlotId, Key),
}

impl Gateway {
    /// A gateway that nobody has entered anything at.
    #[must_use]
    pub const fn new(namespaces: Arc<Namespaces>, limits: Limits, faults: Faults) -> Self {
        Self {
            namespaces,
            limits,
            faults,
            counter: 0,
            slots: BTreeMap::new(),
            by_owner: BTreeMap::new(),
            connections: BTreeMap::new(),
            entries: 0,
            timers: Timers::new(),
            changes: BTreeMap::new(),
        }
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input, now: Instant, out: &mut Vec<Effect>) {
        match input {
            Input::Enter {
                connection,
                client,
                channel,
                slot,
                state,
            } => {
                let entered = self.enter(connection, client, channel, slot, state);
                out.push(Effect::Answer(entered));
            }
            Input::Update {
                connection,
                channel,
                state,
            } => out.push(Effect::Answer(self.update(connection, &channel, state))),
            Input::Leave { connection, channel } => out.push(Effect::Answer(self.leave(connection, &channel))),
            Input::Ended { connection, how, late } => self.ended(connection, how, late, now),
            Input::Ephemeral {
                connection,
                channel,
                ephemeral,
            } => self.ephemeral(connection, channel, ephemeral, out),
            Input::Route { slot, owner } => self.route(slot, owner, now),
            Input::Told { from, told } => self.told(from, told, now, out),
            Input::Reset(node) => self.compare_by(node, now + COMPARE_SOON),
            Input::Unsent(node) => self.compare_by(node, now + RETRY_AFTER),
            Input::Wake => self.timers.woken(now),
        }
        while let Some(due) = self.timers.due(now) {
            match due {
                Due::Compare(owner) => self.compare(owner, now, out),
                Due::Leave(slot, key) => self.drop_entry(slot, key, false),
            }
        }
        self.tell(out);
        out.extend(self.timers.wanted().map(|at| Effect::Wake { at }));
    }

    /// How many entries there are.
    #[must_use]
    pub const fn entries(&self) -> usize {
        self.entries
    }

    fn enter(
        &mut self,
        connection: ConnectionId,
        client: Client,
        channel: ChannelName,
        slot: SlotId,
        state: Bytes,
    ) -> Result<(), Refusal> {
        self.check(&channel, &state)?;
        let entered = self.connections.get(&connection);
        if entered.is_some_and(|entered| entered.contains_key(&channel)) {
            return self.update(connection, &channel, state);
        }
        if entered.is_some_and(|entered| entered.len() >= self.limits.entries_per_connection_max) {
            return Err(Refusal::TooManyEntries);
        }
        if self.entries >= self.limits.entries_max {
            return Err(Refusal::Overloaded);
        }
        let of_connection = self.connections.entry(connection).or_default();
        of_connection.insert(channel.clone(), (slot, client.clone()));
        self.entries += 1;
        let key = Key {
            channel,
            client,
            connection,
        };
        self.put(slot, key, Own { is_lost: false, state });
        Ok(())
    }

    fn update(&mut self, connection: ConnectionId, channel: &ChannelName, state: Bytes) -> Result<(), Refusal> {
        self.check(channel, &state)?;
        let (slot, key) = self.entry_of(connection, channel).ok_or(Refusal::NotEntered)?;
        self.put(slot, key, Own { is_lost: false, state });
        Ok(())
    }

    fn leave(&mut self, connection: ConnectionId, channel: &ChannelName) -> Result<(), Refusal> {
        let (slot, key) = self.entry_of(connection, channel).ok_or(Refusal::NotEntered)?;
        if let Some(entered) = self.connections.get_mut(&connection) {
            entered.remove(channel);
            if entered.is_empty() {
                self.connections.remove(&connection);
            }
        }
        self.drop_entry(slot, key, true);
        Ok(())
    }

    fn ended(&mut self, connection: ConnectionId, how: End, late: Duration, now: Instant) {
        for (channel, (slot, client)) in self.connections.remove(&connection).unwrap_or_default() {
            let settings = self.namespaces.of(&channel);
            let grace = match how {
                End::Left => Duration::ZERO,
                End::Closed => settings.reload_grace.min(settings.grace),
                End::Lost => settings.grace,
            };
            let key = Key {
                channel,
                client,
                connection,
            };
            let grace = grace.saturating_sub(late);
            if grace.is_zero() || self.faults.presence_no_grace() {
                self.drop_entry(slot, key, how == End::Left);
                continue;
            }
            let own = self.slots.get(&slot).and_then(|slot| slot.entries.get(&key));
            if let Some((_, own)) = own {
                let state = own.state.clone();
                self.timers.set(Due::Leave(slot, key.clone()), now + grace);
                self.put(slot, key, Own { is_lost: true, state });
            }
        }
    }

    fn check(&self, channel: &ChannelName, state: &Bytes) -> Result<(), Refusal> {
        match state.len() <= self.namespaces.of(channel).state_bytes_max {
            true => Ok(()),
            false => Err(Refusal::StateTooLarge),
        }
    }

    fn entry_of(&self, connection: ConnectionId, channel: &ChannelName) -> Option<(SlotId, Key)> {
        let (slot, client) = self.connections.get(&connection)?.get(channel)?.clone();
        let channel = channel.clone();
        let key = Key {
            channel,
            client,
            connection,
        };
        Some((slot, key))
    }

    fn ephemeral(&self, connection: ConnectionId, channel: ChannelName, ephemeral: Ephemeral, out: &mut Vec<Effect>) {
        // Whatever does not fit is dropped: the next is on its way.
        let Some((slot, key)) = self.entry_of(connection, &channel) else {
            return;
        };
        let owner = self.slots.get(&slot).and_then(Slot::owner);
        if let Some(to) = owner.filter(|_| ephemeral.state.len() <= self.limits.ephemeral_bytes_max) {
            let message = Message::Owner(ToOwner::Ephemeral { slot, key, ephemeral });
            out.push(Effect::Send { to, message });
        }
    }

    fn put(&mut self, slot: SlotId, key: Key, own: Own) {
        self.counter += 1;
        let change = Change::Put(own.entry(key.clone(), self.counter));
        self.changes.entry(slot).or_default().push(change);
        self.slots.entry(slot).or_default().entries.put(key, self.counter, own);
    }

    fn drop_entry(&mut self, slot: SlotId, key: Key, is_left: bool) {
        let there = self.slots.get_mut(&slot);
        if there.and_then(|there| there.entries.remove(&key)).is_some() {
            self.entries -= 1;
            self.counter += 1;
            let counter = self.counter;
            self.changes
                .entry(slot)
                .or_default()
                .push(Change::Drop { key, counter, is_left });
        }
    }

    /// Tells the owners what this turn has changed. Without one it is told by the digest to the next.
    fn tell(&mut self, out: &mut Vec<Effect>) {
        for (slot, changes) in std::mem::take(&mut self.changes) {
            if let Some(to) = self.slots.get(&slot).and_then(Slot::owner) {
                let message = Message::Owner(ToOwner::Changes { slot, changes });
                out.push(Effect::Send { to, message });
            }
        }
    }

    fn route(&mut self, slot: SlotId, owner: Option<(NodeId, Term)>, now: Instant) {
        let there = self.slots.entry(slot).or_default();
        if there.owner == owner {
            return;
        }
        if let Some((before, _)) = std::mem::replace(&mut there.owner, owner.clone())
            && let Some(slots) = self.by_owner.get_mut(&before)
        {
            slots.remove(&slot);
            if slots.is_empty() {
                self.by_owner.remove(&before);
                self.timers.clear(&Due::Compare(before));
            }
        }
        if let Some((owner, _)) = owner {
            self.by_owner.entry(owner.clone()).or_default().insert(slot);
            self.compare_by(owner, now + COMPARE_SOON);
        }
    }
}

impl Own {
    fn entry(&self, key: Key, counter: u64) -> Entry {
        Entry {
            key,
            counter,
            is_lost: self.is_lost,
            state: self.state.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
