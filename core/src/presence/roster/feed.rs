//! What an owner tells those who follow: replicas at once, watchers once a tick.
//!
//! A feed is a chain: each message says how far it goes and what it goes on from. Whoever misses one sees that at the
//! next and asks for the whole; that there is no next is found by comparing heads.

use std::sync::Arc;
use std::time::Instant;

use super::channel::Channel;
use super::merge::Slot;
use super::role::forget_scope;
use super::{Due, Effect, Roster, Standing};
use crate::id::{ChannelName, NodeId, SlotId};
use crate::presence::digest::Set;
use crate::presence::entry::{Client, Key};
use crate::presence::heads;
use crate::presence::message::{Delta, Doubts, Ephemeral, Heads, Kind, Message, Scope, Stamp, ToReplica, ToWatch};
use crate::presence::settings::Mode;
use crate::presence::{COMPARE_EVERY, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};

impl Roster {
    /// A node wants all of something, and what becomes of it.
    pub(super) fn follow(&mut self, from: NodeId, scope: Scope, mode: Mode, now: Instant, out: &mut Vec<Effect>) {
        let id = scope.slot();
        // What this one is shown at once the others must have been told, or its first delta would repeat it.
        if let Scope::Channel(_, name) = &scope {
            self.tell(id, name, now, out);
        }
        let Some(doubts) = self.slots.get(&id).map(|slot| self.doubts(slot)) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.owning().is_some()) else {
            return; // it asks again, whoever is the owner by then
        };
        self.following.entry(from.clone()).or_default().insert(scope.clone());
        match &scope {
            Scope::Slot(_) => {
                if let Some(owning) = slot.owning_mut() {
                    owning.replicas.insert(from.clone());
                }
                self.send_copy(id, &from, out);
            }
            Scope::Channel(_, name) => {
                let settings = self.namespaces.of(name);
                let told = slot.owning().map_or(0, |owning| owning.told);
                let channel = slot.channels.entry(name.clone()).or_default();
                if channel.followers.is_empty() {
                    channel.begin(told, doubts, &settings);
                    if self.faults.presence_old_is_news() {
                        channel.changed = channel.rows().map(|one| one.row.client).collect();
                    }
                }
                channel.followers.insert(from.clone(), mode);
                self.send_whole(id, name, &from, out);
            }
        }
    }

    pub(super) fn unfollow(&mut self, from: &NodeId, scope: &Scope) {
        forget_scope(&mut self.following, from, scope);
        let Some(slot) = self.slots.get_mut(&scope.slot()) else {
            return;
        };
        match scope {
            Scope::Slot(_) => {
                if let Some(owning) = slot.owning_mut() {
                    owning.replicas.remove(from);
                }
            }
            Scope::Channel(_, name) => {
                if let Some(channel) = slot.channels.get_mut(name) {
                    channel.followers.remove(from);
                    if channel.is_idle() {
                        slot.channels.remove(name);
                    }
                }
            }
        }
    }

    /// A node is dead: it follows nothing.
    pub(super) fn unfollow_all(&mut self, node: &NodeId) {
        for scope in self.following.get(node).cloned().unwrap_or_default() {
            self.unfollow(node, &scope);
        }
    }

    /// Sends what this turn has changed to the replicas.
    pub(super) fn log(&mut self, out: &mut Vec<Effect>) {
        for id in std::mem::take(&mut self.logged) {
            let Some(owning) = self.slots.get_mut(&id).and_then(Slot::owning_mut) else {
                continue;
            };
            let after = owning.version;
            owning.version += 1;
            let steps: Arc<[_]> = std::mem::take(&mut owning.steps).into();
            let stamp = owning.stamp();
            out.extend(owning.replicas.iter().map(|replica| {
                let log = ToReplica::Log {
                    slot: id,
                    stamp,
                    after,
                    steps: Arc::clone(&steps),
                };
                send(replica, Message::Replica(log))
            }));
        }
    }

    /// Sends everything in a slot to a replica.
    fn send_copy(&mut self, id: SlotId, to: &NodeId, out: &mut Vec<Effect>) {
        // The copy includes what this turn has changed.
        self.log(out);
        let Some((slot, owning)) = self.slots.get(&id).and_then(|slot| Some((slot, slot.owning()?))) else {
            return;
        };
        let entries = slot.channels.values().flat_map(Channel::entries);
        let pages = pages(entries, |one| one.entry.state.len());
        let last = pages.len() - 1;
        for (part, entries) in pages.into_iter().enumerate() {
            let is_last = part == last;
            let seen = slot.seen.iter().filter(|_| is_last);
            let copy = ToReplica::Copy {
                slot: id,
                stamp: owning.stamp(),
                part: u32::try_from(part).unwrap_or(u32::MAX),
                is_last,
                entries,
                seen: seen.map(|(node, counter)| (node.clone(), *counter)).collect(),
            };
            out.push(send(to, Message::Replica(copy)));
        }
    }

    /// Sends a channel as it is to one that watches.
    fn send_whole(&self, id: SlotId, name: &ChannelName, to: &NodeId, out: &mut Vec<Effect>) {
        let Some((slot, owning)) = self.slots.get(&id).and_then(|slot| Some((slot, slot.owning()?))) else {
            return;
        };
        let Some(channel) = slot.channels.get(name) else {
            return;
        };
        let stamp = |version| Stamp {
            term: owning.term,
            version,
        };
        let doubts = self.doubts(slot);
        match channel.followers.get(to) {
            Some(Mode::Roster) if !channel.is_counted => {
                let pages = pages(channel.rows(), |one| one.row.state.len());
                let last = pages.len() - 1;
                out.extend(pages.into_iter().enumerate().map(|(part, rows)| {
                    let roster = ToWatch::Roster {
                        channel: name.clone(),
                        stamp: stamp(channel.version),
                        part: u32::try_from(part).unwrap_or(u32::MAX),
                        is_last: part == last,
                        rows,
                        doubts: doubts.clone(),
                    };
                    send(to, Message::Watch(roster))
                }));
            }
            Some(_) => out.push(send(
                to,
                Message::Watch(ToWatch::Count {
                    channel: name.clone(),
                    stamp: stamp(channel.counted),
                    count: channel.count(),
                    is_settled: doubts.unsettled.is_empty(),
                }),
            )),
            None => {}
        }
    }

    /// A tick: tells a channel to all who follow it.
    pub(super) fn tell(&mut self, id: SlotId, name: &ChannelName, now: Instant, out: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get(&id) else {
            return;
        };
        let doubts = self.doubts(slot);
        let settings = self.namespaces.of(name);
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let super::merge::Holding::Owner(owning) = &mut slot.holding else {
            return;
        };
        let Some(channel) = slot
            .channels
            .get_mut(name)
            .filter(|channel| !channel.followers.is_empty())
        else {
            return;
        };
        let was_counted = channel.is_counted;
        channel.decide(&settings);
        let changed = std::mem::take(&mut channel.changed);
        let count = (channel.count(), doubts.unsettled.is_empty());
        let of_count = (channel.told_count != Some(count)).then_some(());
        let of_roster = (!changed.is_empty() || doubts != channel.told_doubts).then_some(());
        if of_count.or(of_roster).is_none() && was_counted == channel.is_counted {
            return;
        }
        channel.told_at = Some(now);
        let mut rosters = Vec::new();
        if !channel.is_counted && !was_counted {
            rosters = deltas(name, owning, channel, changed.into_iter().collect(), &doubts);
        } else {
            owning.told += 1;
            channel.version = owning.told;
        }
        channel.told_doubts = doubts;
        let counted = of_count
            .or_else(|| (channel.is_counted != was_counted).then_some(()))
            .map(|()| {
                owning.told += 1;
                channel.counted = owning.told;
                channel.told_count = Some(count);
                ToWatch::Count {
                    channel: name.clone(),
                    stamp: Stamp {
                        term: owning.term,
                        version: channel.counted,
                    },
                    count: count.0,
                    is_settled: count.1,
                }
            });
        let mut anew = Vec::new();
        for (node, mode) in &channel.followers {
            match (mode, channel.is_counted) {
                (Mode::Roster, false) if was_counted => anew.push(node.clone()),
                (Mode::Roster, false) => {
                    out.extend(
                        rosters
                            .iter()
                            .map(|delta| send(node, Message::Watch(ToWatch::Delta(Arc::clone(delta))))),
                    );
                }
                (Mode::Roster, true) | (Mode::Count, _) => {
                    out.extend(counted.iter().map(|count| send(node, Message::Watch(count.clone()))));
                }
            }
        }
        for node in anew {
            self.send_whole(id, name, &node, out);
        }
    }

    /// Of whom a slot's owner is not sure.
    fn doubts(&self, slot: &Slot) -> Doubts {
        let peers = slot.by_gateway.keys().filter(|node| {
            let peer = self.peers.get(*node);
            peer.is_some_and(|peer| peer.standing != Standing::Up)
        });
        let unsettled = slot.owning().map(|owning| owning.unsettled.clone()).unwrap_or_default();
        let is_blind = slot.owning().is_some_and(|owning| owning.is_blind);
        let is_dead = |node: &NodeId| self.peers.get(node).is_some_and(|peer| peer.standing == Standing::Down);
        Doubts {
            is_holding: is_blind || !unsettled.iter().all(is_dead),
            unsettled,
            uncertain: peers.cloned().collect(),
        }
    }

    /// Has everybody who watches in a slot told of whom its owner is not sure.
    pub(super) fn doubts_changed(&mut self, id: SlotId, now: Instant) {
        let Some(slot) = self.slots.get(&id).filter(|slot| slot.owning().is_some()) else {
            return;
        };
        let followed = slot
            .channels
            .iter()
            .filter(|(_, channel)| !channel.followers.is_empty());
        for name in followed.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.tell_soon(id, name, now);
        }
    }

    /// Says to each follower how far everything is that it follows.
    pub(super) fn heads(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.log(out);
        for node in self.following.keys() {
            for of in [Kind::Slots, Kind::Channels] {
                let heads = self.heads_of(node, of);
                if heads.is_empty() {
                    continue;
                }
                let heads = Heads {
                    tally: heads::tally(heads.iter().map(|(scope, stamp)| (scope, *stamp))),
                    is_sure: self.has_quorum,
                };
                out.push(send(
                    node,
                    match of {
                        Kind::Slots => Message::Replica(ToReplica::Heads(heads)),
                        Kind::Channels => Message::Watch(ToWatch::Heads(heads)),
                    },
                ));
            }
        }
        self.timers.set(Due::Heads, now + COMPARE_EVERY);
    }

    /// The same one by one, for a node that has found that it is behind.
    pub(super) fn head_list(&mut self, from: NodeId, of: Kind, groups: Set, out: &mut Vec<Effect>) {
        self.log(out);
        for list in heads::lists(groups, &self.heads_of(&from, of)) {
            let message = match of {
                Kind::Slots => Message::Replica(ToReplica::HeadList(list)),
                Kind::Channels => Message::Watch(ToWatch::HeadList(list)),
            };
            out.push(send(&from, message));
        }
    }

    fn heads_of(&self, node: &NodeId, of: Kind) -> Vec<(Scope, Stamp)> {
        let scopes = self.following.get(node).into_iter().flatten();
        let head = |scope: &Scope| {
            let slot = self.slots.get(&scope.slot())?;
            let owning = slot.owning()?;
            let version = match scope {
                Scope::Slot(_) => owning.version,
                Scope::Channel(_, name) => slot.channels.get(name)?.head(node)?,
            };
            let term = owning.term;
            Some((scope.clone(), Stamp { term, version }))
        };
        let is_of = |scope: &&Scope| matches!(scope, Scope::Slot(_)) == (of == Kind::Slots);
        scopes.filter(is_of).filter_map(head).collect()
    }

    /// Passes ephemeral state on to whoever watches, and keeps none of it.
    pub(super) fn ephemeral(&self, from: &NodeId, id: SlotId, key: Key, ephemeral: &Ephemeral, out: &mut Vec<Effect>) {
        let slot = self.slots.get(&id).filter(|slot| slot.owning().is_some());
        let Some(channel) = slot.and_then(|slot| slot.channels.get(&key.channel)) else {
            return;
        };
        if channel.is_counted || !channel.has(from, &key) {
            return;
        }
        let followers = channel.followers.iter().filter(|(_, mode)| **mode == Mode::Roster);
        out.extend(followers.map(|(node, _)| {
            let ephemeral = ToWatch::Ephemeral {
                channel: key.channel.clone(),
                client: key.client.clone(),
                of: (from.clone(), key.connection),
                ephemeral: ephemeral.clone(),
            };
            send(node, Message::Watch(ephemeral))
        }));
    }
}

/// What has changed, in messages that a lane can bear. The last says of whom the owner is not sure by now; before it,
/// whoever reads them knows less, and must not be surer.
fn deltas(
    name: &ChannelName,
    owning: &mut super::merge::Owning,
    channel: &mut Channel,
    changed: Vec<Client>,
    doubts: &Doubts,
) -> Vec<Arc<Delta>> {
    let changes = changed.into_iter().map(|client| {
        let row = channel.row(&client);
        (client, row)
    });
    let pages = pages(changes, |(_, row)| row.as_ref().map_or(0, |one| one.row.state.len()));
    let last = pages.len() - 1;
    let mut deltas = Vec::with_capacity(pages.len());
    for (part, changes) in pages.into_iter().enumerate() {
        let after = channel.version;
        owning.told += 1;
        channel.version = owning.told;
        let doubts = match part == last {
            true => doubts.clone(),
            false => Doubts {
                is_holding: doubts.is_holding || channel.told_doubts.is_holding,
                ..channel.told_doubts.clone()
            },
        };
        deltas.push(Arc::new(Delta {
            channel: name.clone(),
            stamp: Stamp {
                term: owning.term,
                version: channel.version,
            },
            after,
            changes,
            doubts,
        }));
    }
    deltas
}

/// Cut so that each fits a message; one at least, which may be empty.
fn pages<T>(all: impl IntoIterator<Item = T>, bytes_of: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut pages = vec![Vec::new()];
    let mut bytes = 0;
    for one in all {
        bytes += bytes_of(&one);
        let page = pages.last().map_or(0, Vec::len);
        if page >= PAGE_ENTRIES_MAX || (bytes > PAGE_BYTES_MAX && page > 0) {
            bytes = bytes_of(&one);
            pages.push(Vec::new());
        }
        if let Some(page) = pages.last_mut() {
            page.push(one);
        }
    }
    pages
}

fn send(to: &NodeId, message: Message) -> Effect {
    Effect::Send {
        to: to.clone(),
        message,
    }
}
