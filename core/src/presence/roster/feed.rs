//! Those who follow an owner, how far they are told, and what replicas are told. Of watchers see `tell`.
//!
//! A feed is a chain: each message says how far it goes and what it goes on from. Whoever misses one sees that at the
//! next and asks for the whole; that there is no next is found by comparing heads.

use std::sync::Arc;
use std::time::Instant;

use super::channel::Channel;
use super::merge::Slot;
use super::role::forget_scope;
use super::{Due, Effect, Roster};
use crate::id::{NodeId, SlotId};
use crate::presence::digest::Set;
use crate::presence::heads;
use crate::presence::message::{Heads, Kind, Message, Scope, Stamp, ToReplica, ToWatch};
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
}

/// Cut so that each fits a message; one at least, which may be empty.
pub(super) fn pages<T>(all: impl IntoIterator<Item = T>, bytes_of: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
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

pub(super) fn send(to: &NodeId, message: Message) -> Effect {
    Effect::Send {
        to: to.clone(),
        message,
    }
}
