//! Who is present in one channel.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::id::NodeId;
use crate::presence::entry::{Client, Entry, Key, Member, Row};
use crate::presence::message::{Copied, Count, Doubts, Present};
use crate::presence::settings::{Mode, Settings};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Channel {
    clients: BTreeMap<Client, Vec<Held>>,
    /// Clients of each member that are present.
    members: BTreeMap<Member, u64>,
    /// Clients that are present.
    present: u64,
    /// Clients that changed since the channel was told, while anybody follows it.
    pub(super) changed: BTreeSet<Client>,
    pub(super) followers: BTreeMap<NodeId, Mode>,
    /// How far its roster is told, and its count.
    pub(super) version: u64,
    pub(super) counted: u64,
    pub(super) told_doubts: Doubts,
    pub(super) told_at: Option<Instant>,
    /// What was told of its count, and whether it is settled.
    pub(super) told_count: Option<(Count, bool)>,
    /// Its roster is too long to be told.
    pub(super) is_counted: bool,
}

/// An entry, as the owner holds it.
#[derive(Debug, Clone)]
struct Held {
    gateway: NodeId,
    entry: Entry,
    /// Its gateway is dead.
    is_down: bool,
    /// It counts no more: the client has left by another since its connection was lost.
    is_replaced: bool,
}

/// What a change did to what watchers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The client is present, and was not.
    Joined,
    /// It is present and looks different.
    Updated,
    /// It is present no more.
    Left,
    /// Nothing that watchers see.
    Nothing,
}

impl Channel {
    /// An entry is like this. Later ones of a client are shown before earlier ones.
    pub(super) fn put(&mut self, gateway: &NodeId, entry: Entry, is_down: bool, is_replaced: bool) -> Seen {
        let client = entry.key.client.clone();
        self.change(&client, |held| {
            match held.iter_mut().find(|one| one.is(gateway, &entry.key)) {
                Some(one) => one.entry = entry,
                None => held.push(Held {
                    gateway: gateway.clone(),
                    entry,
                    is_down,
                    is_replaced,
                }),
            }
        })
    }

    /// An entry is gone. Whoever has left by it is not behind those that were lost: these count no more. One that did not
    /// return says nothing of the others: which was lost last is not known here, and the grace of each is its gateway's.
    pub(super) fn remove(&mut self, gateway: &NodeId, key: &Key, is_left: bool) -> Seen {
        self.change(&key.client, |held| {
            held.retain(|one| !one.is(gateway, key));
            if is_left {
                held.iter_mut().for_each(|one| one.is_replaced |= one.is_away());
            }
        })
    }

    /// The gateway of an entry is dead, or is not after all.
    pub(super) fn set_down(&mut self, gateway: &NodeId, key: &Key, is_down: bool) -> Seen {
        self.change(&key.client, |held| {
            for one in held.iter_mut().filter(|one| one.is(gateway, key)) {
                one.is_down = is_down;
                one.is_replaced &= one.is_away();
            }
        })
    }

    fn change(&mut self, client: &Client, change: impl FnOnce(&mut Vec<Held>)) -> Seen {
        let held = self.clients.entry(client.clone()).or_default();
        let before = shown(held).cloned();
        change(held);
        let after = shown(held);
        let seen = match (&before, after) {
            (None, None) => Seen::Nothing,
            (None, Some(_)) => Seen::Joined,
            (Some(_), None) => Seen::Left,
            // Whoever shows it shows nothing new when it is away; whoever does not must know.
            (Some(before), Some(after)) => {
                let is_same = before.is(&after.gateway, &after.entry.key) && before.entry.state == after.entry.state;
                match is_same && before.is_away() == after.is_away() {
                    true => Seen::Nothing,
                    false => Seen::Updated,
                }
            }
        };
        if held.is_empty() {
            self.clients.remove(client);
        }
        match seen {
            Seen::Joined => {
                self.present += 1;
                *self.members.entry(client.member()).or_default() += 1;
            }
            Seen::Left => {
                self.present -= 1;
                let member = client.member();
                let clients = self.members.get_mut(&member);
                if clients.is_some_and(|clients| {
                    *clients -= 1;
                    *clients == 0
                }) {
                    self.members.remove(&member);
                }
            }
            Seen::Updated | Seen::Nothing => {}
        }
        if seen != Seen::Nothing && !self.followers.is_empty() {
            self.changed.insert(client.clone());
        }
        seen
    }

    /// How a client looks, if it is present.
    pub(super) fn row(&self, client: &Client) -> Option<Present> {
        shown(self.clients.get(client)?).map(Held::present)
    }

    /// Everybody who is present.
    pub(super) fn rows(&self) -> impl Iterator<Item = Present> {
        self.clients.values().filter_map(|held| shown(held).map(Held::present))
    }

    /// One entry.
    pub(super) fn has(&self, gateway: &NodeId, key: &Key) -> bool {
        self.held(gateway, key).is_some()
    }

    fn held(&self, gateway: &NodeId, key: &Key) -> Option<&Held> {
        self.clients.get(&key.client)?.iter().find(|one| one.is(gateway, key))
    }

    /// Every entry, those of a client in the order in which they came.
    pub(super) fn entries(&self) -> impl Iterator<Item = Copied> {
        self.clients.values().flatten().map(|one| Copied {
            gateway: one.gateway.clone(),
            entry: one.entry.clone(),
            is_replaced: one.is_replaced,
        })
    }

    /// How many are present.
    pub(super) fn count(&self) -> Count {
        Count {
            members: self.members.len() as u64,
            clients: self.present,
        }
    }

    /// Whether its roster may be told from now on. It is told again when a tenth less are left than are too many, so that
    /// a channel at the limit does not go to and fro.
    pub(super) fn decide(&mut self, settings: &Settings) {
        let max = settings.roster_max as u64;
        let fits = match self.is_counted {
            false => self.present <= max,
            true => self.present <= max - max / 10,
        };
        self.is_counted = settings.mode == Mode::Count || !fits;
    }

    /// Somebody follows it from now on, after nobody did: it is told as it is.
    pub(super) fn begin(&mut self, told: u64, doubts: Doubts, settings: &Settings) {
        (self.version, self.counted) = (told, told);
        (self.told_doubts, self.told_count) = (doubts, None);
        self.changed.clear();
        self.is_counted = false;
        self.decide(settings);
    }

    /// Nobody follows it here any more.
    pub(super) fn end(&mut self) {
        self.followers.clear();
        self.changed.clear();
        (self.told_at, self.told_count, self.told_doubts) = (None, None, Doubts::default());
    }

    /// How far it was told to a node.
    pub(super) fn head(&self, node: &NodeId) -> Option<u64> {
        Some(match (self.followers.get(node)?, self.is_counted) {
            (Mode::Roster, false) => self.version,
            (Mode::Roster, true) | (Mode::Count, _) => self.counted,
        })
    }

    /// Whether nobody is in it and nobody follows it.
    pub(super) fn is_idle(&self) -> bool {
        self.clients.is_empty() && self.followers.is_empty()
    }
}

impl Held {
    fn is(&self, gateway: &NodeId, key: &Key) -> bool {
        self.gateway == *gateway && self.entry.key.connection == key.connection
    }

    /// Nobody may be behind it any more.
    const fn is_away(&self) -> bool {
        self.entry.is_lost || self.is_down
    }

    fn present(&self) -> Present {
        Present {
            row: Row {
                client: self.entry.key.client.clone(),
                gateway: self.gateway.clone(),
                connection: self.entry.key.connection,
                state: self.entry.state.clone(),
            },
            is_away: self.is_away(),
        }
    }
}

/// The one that watchers see: the last that lives, or else the last.
fn shown(held: &[Held]) -> Option<&Held> {
    let counted = || held.iter().rev().filter(|one| !one.is_replaced);
    counted().find(|one| !one.is_away()).or_else(|| counted().next())
}
