//! One slot: the entries of all gateways in its channels, and what gateways do to them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::channel::{Channel, Seen};
use super::copy::Copying;
use super::{Due, Roster, TICK, TICK_LARGE};
use crate::id::{ChannelName, NodeId, SlotId, Term};
use crate::presence::digest::Ledger;
use crate::presence::entry::{Change, Entry, Key};
use crate::presence::message::{Stamp, Step};

/// See the module.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) holding: Holding,
    pub(super) channels: BTreeMap<ChannelName, Channel>,
    /// The entries of each gateway, for comparing.
    pub(super) by_gateway: BTreeMap<NodeId, Ledger<()>>,
    /// Gateways that are dead.
    pub(super) down: BTreeSet<NodeId>,
    /// The highest counter that was seen of each gateway. What is absent and has no higher one was removed.
    pub(super) seen: BTreeMap<NodeId, u64>,
}

/// As what the slot is held.
#[derive(Debug)]
pub(super) enum Holding {
    Owner(Owning),
    Replica(Copying),
}

/// What only an owner keeps.
#[derive(Debug)]
pub(super) struct Owning {
    pub(super) term: Term,
    /// How far the log for replicas is.
    pub(super) version: u64,
    /// How far any channel was told, so that none is told as far twice.
    pub(super) told: u64,
    pub(super) replicas: BTreeSet<NodeId>,
    pub(super) unsettled: BTreeSet<NodeId>,
    /// It held no copy or had no majority, and a grace has not passed since: it does not know who was there.
    pub(super) is_blind: bool,
    /// Steps of this turn.
    pub(super) steps: Vec<Step>,
}

impl Owning {
    pub(super) const fn stamp(&self) -> Stamp {
        Stamp {
            term: self.term,
            version: self.version,
        }
    }
}

impl Slot {
    /// A slot of which nothing is known, but for who is dead.
    pub(super) const fn new(holding: Holding, down: BTreeSet<NodeId>) -> Self {
        Self {
            holding,
            channels: BTreeMap::new(),
            by_gateway: BTreeMap::new(),
            down,
            seen: BTreeMap::new(),
        }
    }

    pub(super) const fn owning(&self) -> Option<&Owning> {
        match &self.holding {
            Holding::Owner(owning) => Some(owning),
            Holding::Replica(_) => None,
        }
    }

    pub(super) const fn owning_mut(&mut self) -> Option<&mut Owning> {
        match &mut self.holding {
            Holding::Owner(owning) => Some(owning),
            Holding::Replica(_) => None,
        }
    }

    /// Whether anything is known of who is there, be it that nobody is.
    pub(super) fn is_known(&self) -> bool {
        let is_told = match &self.holding {
            Holding::Owner(owning) => !owning.is_blind,
            Holding::Replica(copying) => copying.is_following(),
        };
        is_told || !self.seen.is_empty()
    }

    /// What a gateway did, unless it is known or has been undone since. What it did to watchers, and whether it was news.
    pub(super) fn merge(&mut self, gateway: &NodeId, change: &Change, checks_dots: bool) -> Option<Seen> {
        let key = change.key();
        let held = self.by_gateway.get(gateway).and_then(|entries| entries.get(key));
        let seen = self.seen.get(gateway).copied().unwrap_or(0);
        let is_news = match (held, change) {
            (Some((counter, ())), change) => *counter < change.counter(),
            (None, Change::Put(entry)) => seen < entry.counter || !checks_dots,
            (None, Change::Drop { .. }) => false,
        };
        self.see(gateway, change.counter());
        if !is_news {
            return None;
        }
        Some(match change {
            Change::Put(entry) => self.put(gateway, entry.clone(), false),
            Change::Drop { key, is_left, .. } => self.remove(gateway, key, *is_left),
        })
    }

    /// Counters up to this one were seen.
    pub(super) fn see(&mut self, gateway: &NodeId, counter: u64) {
        let seen = self.seen.entry(gateway.clone()).or_default();
        *seen = (*seen).max(counter);
    }

    pub(super) fn put(&mut self, gateway: &NodeId, entry: Entry, is_replaced: bool) -> Seen {
        let entries = self.by_gateway.entry(gateway.clone()).or_default();
        entries.put(entry.key.clone(), entry.counter, ());
        let channel = self.channels.entry(entry.key.channel.clone()).or_default();
        let is_down = self.down.contains(gateway);
        channel.put(gateway, entry, is_down, is_replaced)
    }

    pub(super) fn remove(&mut self, gateway: &NodeId, key: &Key, is_left: bool) -> Seen {
        if let Some(entries) = self.by_gateway.get_mut(gateway) {
            entries.remove(key);
            if entries.is_empty() {
                self.by_gateway.remove(gateway);
            }
        }
        let Some(channel) = self.channels.get_mut(&key.channel) else {
            return Seen::Nothing;
        };
        let seen = channel.remove(gateway, key, is_left);
        if channel.is_idle() {
            self.channels.remove(&key.channel);
        }
        seen
    }

    /// A gateway is dead, or is not after all. Which channels that changed.
    pub(super) fn set_down(&mut self, gateway: &NodeId, is_down: bool) -> BTreeSet<ChannelName> {
        match is_down {
            true => self.down.insert(gateway.clone()),
            false => self.down.remove(gateway),
        };
        let mut changed = BTreeSet::new();
        for key in self.by_gateway.get(gateway).into_iter().flat_map(Ledger::keys) {
            let channel = self.channels.get_mut(&key.channel);
            if channel.is_some_and(|channel| channel.set_down(gateway, key, is_down) != Seen::Nothing) {
                changed.insert(key.channel.clone());
            }
        }
        changed
    }

    /// Removes what a gateway entered in channels that `of` names. Which channels that changed.
    pub(super) fn purge(&mut self, gateway: &NodeId, of: impl Fn(&ChannelName) -> bool) -> BTreeSet<ChannelName> {
        let entries = self.by_gateway.get(gateway);
        let keys = entries
            .into_iter()
            .flat_map(Ledger::keys)
            .filter(|key| of(&key.channel));
        let mut changed = BTreeSet::new();
        for key in keys.cloned().collect::<Vec<_>>() {
            if self.remove(gateway, &key, false) != Seen::Nothing {
                changed.insert(key.channel);
            }
        }
        changed
    }
}

impl Roster {
    /// A gateway has changed an entry of its own.
    pub(super) fn change(&mut self, slot: SlotId, gateway: &NodeId, change: Change, now: Instant) {
        self.take(slot, gateway, change, !self.faults.presence_no_dots(), now);
    }

    /// Merges a change into a slot that this node owns, and has it told.
    pub(super) fn take(&mut self, id: SlotId, gateway: &NodeId, change: Change, checks_dots: bool, now: Instant) {
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.owning().is_some()) else {
            return;
        };
        let Some(seen) = slot.merge(gateway, &change, checks_dots) else {
            return;
        };
        let is_hidden = self.faults.presence_leave_not_replicated() && matches!(change, Change::Drop { .. });
        let channel = change.key().channel.clone();
        if let Some(owning) = slot.owning_mut().filter(|_| !is_hidden) {
            owning.steps.push(Step::Change {
                gateway: gateway.clone(),
                change,
            });
            self.logged.insert(id);
        }
        if seen != Seen::Nothing {
            self.tell_soon(id, channel, now);
        }
    }

    /// Has a channel told at its next tick.
    pub(super) fn tell_soon(&mut self, slot: SlotId, name: ChannelName, now: Instant) {
        let channel = self.slots.get_mut(&slot).and_then(|slot| slot.channels.get_mut(&name));
        let Some(channel) = channel else {
            return;
        };
        if channel.followers.is_empty() {
            return;
        }
        let at = channel.told_at.map_or(now, |told| told + tick(channel.count().clients));
        self.timers.set_by(Due::Tell(slot, name), at.max(now));
    }
}

fn tick(clients: u64) -> Duration {
    match clients <= super::SMALL_MAX as u64 {
        true => TICK,
        false => TICK_LARGE,
    }
}
