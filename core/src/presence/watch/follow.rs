//! The feed of a channel's owner.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::screen::Screen;
use super::turn::{Effect, Event};
use super::{Due, Watch, Watched};
use crate::id::{ChannelName, NodeId, SlotId, Term};
use crate::presence::RETRY_AFTER;
use crate::presence::heads;
use crate::presence::message::{
    Count, Delta, Doubts, HeadList, Heads, Kind, Message, Present, Scope, Stamp, ToOwner, ToWatch,
};
use crate::presence::roster::SILENCE_MAX;
use crate::presence::settings::Mode;

/// What is known of an owner.
#[derive(Debug)]
pub(super) struct Heard {
    at: Instant,
    /// It hears from a majority.
    pub(super) is_sure: bool,
}

/// Parts of a roster that is not whole.
#[derive(Debug)]
pub(super) struct Loading {
    stamp: Stamp,
    parts: u32,
    rows: Vec<Present>,
}

impl<W: Ord + Clone> Watch<W> {
    /// Asks the owner of a channel for all of it.
    pub(super) fn ask(&mut self, name: &ChannelName, now: Instant, out: &mut Vec<Effect<W>>) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        (channel.stamp, channel.loading) = (None, None);
        if let Some((to, _)) = self.owners.get(&channel.slot).cloned() {
            let scope = Scope::Channel(channel.slot, name.clone());
            let mode = channel.mode;
            let message = Message::Owner(ToOwner::Follow { scope, mode });
            out.push(Effect::Send { to, message });
            self.timers.set(Due::Ask(name.clone()), now + RETRY_AFTER);
        }
    }

    /// The owner has not answered.
    pub(super) fn ask_again(&mut self, name: &ChannelName, now: Instant, out: &mut Vec<Effect<W>>) {
        if let Some(channel) = self.channels.get_mut(name).filter(|channel| channel.stamp.is_none()) {
            channel.is_lost = true;
            self.ask(name, now, out);
            self.finish(name, out);
        }
    }

    /// Another node owns a slot. What is shown stays, and may be old.
    pub(super) fn route(
        &mut self,
        slot: SlotId,
        owner: Option<(NodeId, Term)>,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) {
        let before = match owner.clone() {
            Some(owner) => self.owners.insert(slot, owner),
            None => self.owners.remove(&slot),
        };
        if before == owner {
            return;
        }
        let of_slot = self.channels.iter().filter(|(_, channel)| channel.slot == slot);
        for name in of_slot.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.lose(&name, now, out);
        }
    }

    /// What was on its way from a node may be lost.
    pub(super) fn reset(&mut self, node: &NodeId, now: Instant, out: &mut Vec<Effect<W>>) {
        for scope in self.follows_of(node).into_keys() {
            if let Scope::Channel(_, name) = scope {
                self.lose(&name, now, out);
            }
        }
    }

    /// An owner has not said for too long how far it is.
    pub(super) fn silent(&mut self, owner: &NodeId, now: Instant, out: &mut Vec<Effect<W>>) {
        if self.heard.get(owner).is_some_and(|heard| now < heard.at + SILENCE_MAX) {
            return;
        }
        self.heard.remove(owner);
        self.reset(owner, now, out);
    }

    fn lose(&mut self, name: &ChannelName, now: Instant, out: &mut Vec<Effect<W>>) {
        if let Some(channel) = self.channels.get_mut(name) {
            channel.is_lost = true;
            self.ask(name, now, out);
            self.finish(name, out);
        }
    }

    /// An owner has said something.
    pub(super) fn told(&mut self, from: &NodeId, told: ToWatch, now: Instant, out: &mut Vec<Effect<W>>) {
        match told {
            ToWatch::Roster {
                channel: name,
                stamp,
                part,
                is_last,
                rows,
                doubts,
            } => {
                let Some(channel) = self.watched_of(&name, from, stamp) else {
                    return;
                };
                if let Some(rows) = channel.load(stamp, part, is_last, rows) {
                    let events = channel.show(rows, doubts);
                    self.hear(from, None, now, out);
                    self.change(&name, events, out);
                }
            }
            ToWatch::Delta(delta) => self.delta(from, &delta, now, out),
            ToWatch::Count {
                channel: name,
                stamp,
                count,
                is_settled,
            } => {
                let Some(channel) = self.watched_of(&name, from, stamp) else {
                    return;
                };
                if channel.stamp.is_some_and(|mine| stamp < mine) {
                    return;
                }
                channel.counted(stamp, count, is_settled);
                self.hear(from, None, now, out);
                self.finish(&name, out);
            }
            ToWatch::Heads(heads) => self.compare_heads(from, &heads, now, out),
            ToWatch::HeadList(list) => self.compare_list(from, &list, now, out),
            ToWatch::Ephemeral {
                channel,
                client,
                of,
                ephemeral,
            } => self.ephemeral(&channel, client, of, ephemeral, now),
        }
    }

    fn delta(&mut self, from: &NodeId, delta: &Arc<Delta>, now: Instant, out: &mut Vec<Effect<W>>) {
        let is_checked = !self.faults.presence_no_chain();
        let name = &delta.channel;
        let Some(channel) = self.watched_of(name, from, delta.stamp) else {
            return;
        };
        let Some(mine) = channel.stamp else {
            return; // the whole is on its way
        };
        if delta.stamp <= mine && is_checked {
            return;
        }
        if (delta.stamp.term != mine.term || delta.after != mine.version) && is_checked {
            return self.ask(name, now, out);
        }
        (channel.stamp, channel.reached) = (Some(delta.stamp), delta.stamp);
        let events = channel.follow(delta);
        self.change(name, events, out);
    }

    /// Tells watchers what has changed.
    fn change(&mut self, name: &ChannelName, events: Vec<Event>, out: &mut Vec<Effect<W>>) {
        if let Some(channel) = self.channels.get_mut(name).filter(|_| !events.is_empty()) {
            channel.ephemerals.forget(&events);
            channel.number += 1;
            out.push(Effect::Changed {
                channel: name.clone(),
                number: channel.number,
                events: events.into(),
            });
        }
        self.finish(name, out);
    }

    /// A channel that is watched here and belongs to that owner. What others say of it comes from an owner that was; and
    /// of one that nobody watches, the next comparison ends it.
    fn watched_of(&mut self, name: &ChannelName, owner: &NodeId, stamp: Stamp) -> Option<&mut Watched<W>> {
        let channel = self.channels.get_mut(name)?;
        let (node, term) = self.owners.get(&channel.slot)?;
        (node == owner && *term <= stamp.term).then_some(channel)
    }

    fn is_owner(&self, node: &NodeId, slot: SlotId) -> bool {
        self.owners.get(&slot).is_some_and(|(owner, _)| owner == node)
    }

    fn follows_of(&self, owner: &NodeId) -> BTreeMap<Scope, Option<Stamp>> {
        let of_owner = self
            .channels
            .iter()
            .filter(|(_, channel)| self.is_owner(owner, channel.slot));
        let scope =
            |(name, channel): (&ChannelName, &Watched<W>)| (Scope::Channel(channel.slot, name.clone()), channel.stamp);
        of_owner.map(scope).collect()
    }

    /// An owner has been heard from.
    fn hear(&mut self, owner: &NodeId, is_sure: Option<bool>, now: Instant, out: &mut Vec<Effect<W>>) {
        let before = self.heard.get(owner).map(|heard| heard.is_sure);
        let is_sure = is_sure.or(before).unwrap_or(true);
        self.heard.insert(owner.clone(), Heard { at: now, is_sure });
        self.timers.set(Due::Silence(owner.clone()), now + SILENCE_MAX);
        if before != Some(is_sure) {
            for scope in self.follows_of(owner).into_keys() {
                if let Scope::Channel(_, name) = scope {
                    self.finish(&name, out);
                }
            }
        }
    }

    fn compare_heads(&mut self, from: &NodeId, heads: &Heads, now: Instant, out: &mut Vec<Effect<W>>) {
        self.hear(from, Some(heads.is_sure), now, out);
        let mine = self.follows_of(from);
        let tally = heads::tally(mine.iter().filter_map(|(scope, stamp)| Some((scope, (*stamp)?))));
        let groups = tally.groups.differing(&heads.tally.groups);
        if !groups.is_empty() {
            let of = Kind::Channels;
            let message = Message::Owner(ToOwner::AskHeads { of, groups });
            out.push(Effect::Send {
                to: from.clone(),
                message,
            });
        }
    }

    fn compare_list(&mut self, from: &NodeId, list: &HeadList, now: Instant, out: &mut Vec<Effect<W>>) {
        let difference = heads::compare(list, &self.follows_of(from));
        for scope in difference.follow {
            if let Scope::Channel(_, name) = scope {
                self.ask(&name, now, out);
            }
        }
        out.extend(difference.unfollow.into_iter().map(|scope| Effect::Send {
            to: from.clone(),
            message: Message::Owner(ToOwner::Unfollow(scope)),
        }));
    }
}

impl<W: Ord + Clone> Watched<W> {
    /// A part of the roster. All of it, when it is whole by now.
    fn load(&mut self, stamp: Stamp, part: u32, is_last: bool, rows: Vec<Present>) -> Option<Vec<Present>> {
        if stamp < self.reached {
            return None;
        }
        if part == 0 {
            self.loading = Some(Loading {
                stamp,
                parts: 0,
                rows: Vec::new(),
            });
        }
        let loading = self.loading.as_mut();
        let loading = loading.filter(|loading| loading.stamp == stamp && loading.parts == part)?;
        loading.parts += 1;
        loading.rows.extend(rows);
        if !is_last {
            return None;
        }
        (self.stamp, self.reached) = (Some(stamp), stamp);
        self.loading.take().map(|loading| loading.rows)
    }

    /// The whole roster. What it changes for those who are shown one.
    fn show(&mut self, rows: Vec<Present>, doubts: Doubts) -> Vec<Event> {
        (self.is_lost, self.is_withheld, self.count) = (false, false, None);
        self.doubts = doubts;
        match &mut self.screen {
            Some(screen) => screen.replace(rows, &self.doubts),
            None => {
                self.screen = Some(Screen::of(rows));
                self.restart();
                Vec::new()
            }
        }
    }

    /// What a tick has changed.
    fn follow(&mut self, delta: &Delta) -> Vec<Event> {
        let Some(screen) = &mut self.screen else {
            return Vec::new();
        };
        let mut events = screen.apply(&delta.changes, &delta.doubts);
        if self.doubts != delta.doubts {
            self.doubts = delta.doubts.clone();
            events.extend(screen.decide(&self.doubts));
        }
        events
    }

    /// How many there are, and no more.
    fn counted(&mut self, stamp: Stamp, count: Count, is_settled: bool) {
        self.stamp = Some(stamp);
        self.loading = None;
        // An owner that has not compared may count too few: what is known stays until it has.
        if !is_settled && self.known_count().is_some() {
            return;
        }
        self.is_lost = false;
        self.doubts = Doubts::default();
        self.count = Some(count);
        let was_withheld = std::mem::replace(&mut self.is_withheld, self.mode == Mode::Roster);
        let had_roster = self.screen.take().is_some();
        if self.is_withheld && (had_roster || !was_withheld) {
            self.restart();
        }
    }

    /// Roster watchers are shown something else from now on: all who are there, or how many.
    fn restart(&mut self) {
        let roster = self.watchers.iter().filter(|(_, mode)| **mode == Mode::Roster);
        self.waiting.extend(roster.map(|(watcher, _)| watcher.clone()));
    }
}
