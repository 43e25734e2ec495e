//! A slot at a replica: the owner's state, and then its log, step by step.
//!
//! ```text
//!   asking ──Copy, all parts──▶ following ──Log: next──▶ following
//!      ▲                            │ Log: gap; heads differ; the owner is silent, another, or reset
//!      └────────────────────────────┘
//! ```
//!
//! What a replica holds while it asks is kept until all of the copy has come: it may become the owner meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::merge::{Holding, Slot};
use super::{Due, Effect, Roster, SILENCE_MAX};
use crate::id::{NodeId, SlotId, Term};
use crate::presence::RETRY_AFTER;
use crate::presence::heads;
use crate::presence::message::{Copied, HeadList, Heads, Kind, Message, Scope, Stamp, Step, ToOwner, ToReplica};
use crate::presence::settings::Mode;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Copying {
    pub(super) owner: Option<(NodeId, Term)>,
    /// How far it follows; `None` while it asks.
    stamp: Option<Stamp>,
    /// How far it ever was under this owner: a copy of before, that comes late, is not taken.
    reached: Stamp,
    /// Parts of a copy that is not whole.
    loading: Option<Loading>,
}

#[derive(Debug)]
struct Loading {
    stamp: Stamp,
    parts: u32,
    entries: Vec<Copied>,
}

impl Copying {
    pub(super) fn of(owner: Option<(NodeId, Term)>) -> Self {
        Self {
            owner,
            ..Self::default()
        }
    }

    pub(super) const fn is_following(&self) -> bool {
        self.stamp.is_some()
    }

    fn is_of(&self, node: &NodeId) -> bool {
        self.owner.as_ref().is_some_and(|(owner, _)| owner == node)
    }

    /// Whether it comes from an owner that was, or from this one when it was before.
    fn is_past(&self, stamp: Stamp) -> bool {
        self.owner.as_ref().is_some_and(|(_, term)| stamp.term < *term)
    }
}

impl Roster {
    /// Asks the owner for all of a slot, and again until it has come.
    pub(super) fn ask(&mut self, id: SlotId, now: Instant, out: &mut Vec<Effect>) {
        let Some(Holding::Replica(copying)) = self.slots.get_mut(&id).map(|slot| &mut slot.holding) else {
            return;
        };
        (copying.stamp, copying.loading) = (None, None);
        if let Some((to, _)) = copying.owner.clone() {
            let (scope, mode) = (Scope::Slot(id), Mode::Roster);
            let message = Message::Owner(ToOwner::Follow { scope, mode });
            out.push(Effect::Send { to, message });
            self.timers.set(Due::Ask(id), now + RETRY_AFTER);
        }
    }

    /// Asks again if the copy has not come, or its owner is silent.
    pub(super) fn look(&mut self, id: SlotId, now: Instant, out: &mut Vec<Effect>) {
        let Some(Holding::Replica(copying)) = self.slots.get(&id).map(|slot| &slot.holding) else {
            return;
        };
        let heard = copying.owner.as_ref().and_then(|(owner, _)| self.heard.get(owner));
        match (copying.stamp, heard) {
            (Some(_), Some(heard)) if now < *heard + SILENCE_MAX => {
                self.timers.set(Due::Ask(id), *heard + SILENCE_MAX);
            }
            _ => self.ask(id, now, out),
        }
    }

    /// What was on its way between this node and another may be lost.
    pub(super) fn reset(&mut self, node: &NodeId, now: Instant, out: &mut Vec<Effect>) {
        for id in self
            .copies_of(node)
            .into_keys()
            .map(|scope| scope.slot())
            .collect::<Vec<_>>()
        {
            self.ask(id, now, out);
        }
    }

    /// An owner has said something.
    pub(super) fn told(&mut self, from: &NodeId, told: ToReplica, now: Instant, out: &mut Vec<Effect>) {
        match told {
            ToReplica::Copy {
                slot,
                stamp,
                part,
                is_last,
                entries,
                seen,
            } => {
                self.hears_of(entries.iter().map(|one| &one.gateway), now);
                if let Some(slot) = self.copy_of(slot, from)
                    && slot.load(stamp, part, is_last, entries, seen)
                {
                    self.heard.insert(from.clone(), now);
                }
            }
            ToReplica::Log {
                slot: id,
                stamp,
                after,
                steps,
            } => {
                let gateways = steps.iter().map(|step| match step {
                    Step::Change { gateway, .. } | Step::Purge { gateway, .. } => gateway,
                });
                self.hears_of(gateways, now);
                let namespaces = Arc::clone(&self.namespaces);
                let Some(slot) = self.copy_of(id, from) else {
                    return;
                };
                let grace_of = |channel: &_| namespaces.of(channel).grace;
                if !slot.follow(stamp, after, &steps, grace_of) {
                    self.ask(id, now, out);
                }
            }
            ToReplica::Heads(heads) => self.compare_heads(from, &heads, now, out),
            ToReplica::HeadList(list) => self.compare_list(from, &list, now, out),
        }
    }

    fn copy_of(&mut self, id: SlotId, owner: &NodeId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(&id)?;
        match &slot.holding {
            Holding::Replica(copying) if copying.is_of(owner) => Some(slot),
            _ => None,
        }
    }

    fn copies_of(&self, owner: &NodeId) -> BTreeMap<Scope, Option<Stamp>> {
        let of_owner = |(id, slot): (&SlotId, &Slot)| match &slot.holding {
            Holding::Replica(copying) if copying.is_of(owner) => Some((Scope::Slot(*id), copying.stamp)),
            _ => None,
        };
        self.slots.iter().filter_map(of_owner).collect()
    }

    fn compare_heads(&mut self, from: &NodeId, heads: &Heads, now: Instant, out: &mut Vec<Effect>) {
        self.heard.insert(from.clone(), now);
        let mine = self.copies_of(from);
        let tally = heads::tally(mine.iter().filter_map(|(scope, stamp)| Some((scope, (*stamp)?))));
        let groups = tally.groups.differing(&heads.tally.groups);
        if !groups.is_empty() {
            let of = Kind::Slots;
            let message = Message::Owner(ToOwner::AskHeads { of, groups });
            out.push(Effect::Send {
                to: from.clone(),
                message,
            });
        }
    }

    fn compare_list(&mut self, from: &NodeId, list: &HeadList, now: Instant, out: &mut Vec<Effect>) {
        let difference = heads::compare(list, &self.copies_of(from));
        for scope in difference.follow {
            self.ask(scope.slot(), now, out);
        }
        out.extend(difference.unfollow.into_iter().map(|scope| Effect::Send {
            to: from.clone(),
            message: Message::Owner(ToOwner::Unfollow(scope)),
        }));
    }
}

impl Slot {
    /// A part of the owner's state. Whether it is whole by now.
    fn load(&mut self, stamp: Stamp, part: u32, is_last: bool, entries: Vec<Copied>, seen: Vec<(NodeId, u64)>) -> bool {
        let Holding::Replica(copying) = &mut self.holding else {
            return false;
        };
        if copying.is_past(stamp) || stamp < copying.reached {
            return false;
        }
        if part == 0 {
            copying.loading = Some(Loading {
                stamp,
                parts: 0,
                entries: Vec::new(),
            });
        }
        let is_next = |loading: &&mut Loading| loading.stamp == stamp && loading.parts == part;
        let Some(loading) = copying.loading.as_mut().filter(is_next) else {
            return false; // a part is missing: it is asked again
        };
        loading.parts += 1;
        loading.entries.extend(entries);
        if !is_last {
            return false;
        }
        let entries = copying
            .loading
            .take()
            .map(|loading| loading.entries)
            .unwrap_or_default();
        (copying.stamp, copying.reached) = (Some(stamp), stamp);
        self.channels.clear();
        self.by_gateway.clear();
        for one in entries {
            self.put(&one.gateway, one.entry, one.is_replaced);
        }
        for (gateway, counter) in seen {
            self.see(&gateway, counter);
        }
        true
    }

    /// What the owner has done. Whether nothing before it is missing.
    fn follow(
        &mut self,
        stamp: Stamp,
        after: u64,
        steps: &[Step],
        grace_of: impl Fn(&crate::id::ChannelName) -> std::time::Duration,
    ) -> bool {
        let Holding::Replica(copying) = &mut self.holding else {
            return true;
        };
        match &mut copying.stamp {
            None => return true, // it is asked for already
            Some(mine) if stamp <= *mine => return true,
            Some(mine) if mine.term == stamp.term && mine.version == after => {
                (*mine, copying.reached) = (stamp, stamp);
            }
            Some(_) => return false,
        }
        for step in steps {
            match step {
                // The owner has decided; its replicas do the same, whatever they have seen.
                Step::Change { gateway, change } => {
                    self.merge(gateway, change, false);
                }
                Step::Purge { gateway, after } => {
                    self.purge(gateway, |channel| grace_of(channel) <= *after);
                }
            }
        }
        true
    }
}
