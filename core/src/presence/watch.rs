//! Channels as they are watched at a gateway.
//!
//! ```text
//!   watchers ──Watch──▶ watch ──Follow──▶ owner: roster
//!      ▲                 │  ▲                  │
//!      │                 │  └─ Roster, Delta, Count, Heads
//!      └─ Begin, Changed, Counted, Doubted: the same for all watchers of a channel
//! ```
//!
//! However many watchers a gateway has, the owner tells it of a channel once. A gap in what it tells is a reason to ask
//! for the whole; so is another owner. The difference between what is shown and the whole is told as changes, so watchers
//! see no more than has changed, and what the owner itself is not sure of does not change at all ([`screen`]).
//! Watching needs no entry, and an entry no watching.
//!
//! * [`turn`]: inputs and effects; `screen`: what is shown of one channel; `follow`: the feed of its owner;
//! * `ephemeral`: cursors, the newest of each client.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::message::{Count, Doubts, Message, Scope, Stamp, ToOwner};
use super::settings::Mode;
use super::timers::Timers;
use crate::fault::Faults;
use crate::id::{ChannelName, NodeId, SlotId, Term};

mod ephemeral;
mod follow;
mod screen;
pub mod turn;

pub use turn::{Effect, Event, Input, Refusal, View};

use ephemeral::Ephemerals;
use follow::{Heard, Loading};
use screen::Screen;

/// Channels that may be watched at one gateway's shard at once: their rosters are held in its memory.
pub const CHANNELS_MAX: usize = 50_000;

/// See the module. `W` is whom to tell.
#[derive(Debug)]
pub struct Watch<W> {
    faults: Faults,
    channels: BTreeMap<ChannelName, Watched<W>>,
    owners: BTreeMap<SlotId, (NodeId, Term)>,
    heard: BTreeMap<NodeId, Heard>,
    timers: Timers<Due>,
}

/// One channel.
#[derive(Debug)]
struct Watched<W> {
    slot: SlotId,
    watchers: BTreeMap<W, Mode>,
    /// Watchers that are shown nothing yet, for nothing is known.
    waiting: BTreeSet<W>,
    /// As what the gateway follows it.
    mode: Mode,
    /// How far it follows; `None` while it asks.
    stamp: Option<Stamp>,
    /// How far the roster ever was: one of before, that comes late, is not shown.
    reached: Stamp,
    loading: Option<Loading>,
    /// What is shown may be old: the owner is another, or does not answer.
    is_lost: bool,
    doubts: Doubts,
    /// What roster watchers are shown, once it is known.
    screen: Option<Screen>,
    /// What the owner said of its count, if it tells no roster.
    count: Option<Count>,
    /// It tells none to those who want one.
    is_withheld: bool,
    ephemerals: Ephemerals,
    /// The number of the last change that was told.
    number: u64,
    told: Told,
}

/// What watchers were told beside who is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Told {
    is_stale: bool,
    uncertain: BTreeSet<NodeId>,
    count: Option<Count>,
}

/// When to do what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// When to ask the owner of a channel again.
    Ask(ChannelName),
    /// When an owner has been silent for too long.
    Silence(NodeId),
    /// When to pass on the newest ephemeral states.
    Pass(ChannelName),
    /// When an ephemeral state that was passed on has stayed the newest for long enough to be told once more.
    Rest(ChannelName),
}

impl<W: Ord + Clone> Watch<W> {
    /// A gateway where nobody watches anything.
    #[must_use]
    pub const fn new(faults: Faults) -> Self {
        Self {
            faults,
            channels: BTreeMap::new(),
            owners: BTreeMap::new(),
            heard: BTreeMap::new(),
            timers: Timers::new(),
        }
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input<W>, now: Instant, out: &mut Vec<Effect<W>>) {
        match input {
            Input::Watch {
                watcher,
                channel,
                slot,
                mode,
            } => self.watch(watcher, channel, slot, mode, now, out),
            Input::Again { watcher, channel } => self.again(&watcher, &channel, out),
            Input::Unwatch { watcher, channel } => self.unwatch(&watcher, &channel, now, out),
            Input::Route { slot, owner } => self.route(slot, owner, now, out),
            Input::Told { from, told } => self.told(&from, told, now, out),
            Input::Reset(node) => self.reset(&node, now, out),
            Input::Wake => self.timers.woken(now),
        }
        while let Some(due) = self.timers.due(now) {
            match due {
                Due::Ask(channel) => self.ask_again(&channel, now, out),
                Due::Silence(owner) => self.silent(&owner, now, out),
                Due::Pass(channel) => self.pass(&channel, now, out),
                Due::Rest(channel) => self.rest(&channel, now, out),
            }
        }
        out.extend(self.timers.wanted().map(|at| Effect::Wake { at }));
    }

    /// Whether anybody watches a channel here.
    #[must_use]
    pub fn is_watched(&self, channel: &ChannelName) -> bool {
        self.channels.contains_key(channel)
    }

    /// How many channels are watched here.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels.len()
    }

    fn watch(
        &mut self,
        watcher: W,
        name: ChannelName,
        slot: SlotId,
        mode: Mode,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) {
        let is_new = !self.channels.contains_key(&name);
        if is_new && self.channels.len() >= CHANNELS_MAX {
            out.push(Effect::Refused {
                watcher,
                channel: name,
                refusal: Refusal::TooManyWatched,
            });
            return;
        }
        let channel = self
            .channels
            .entry(name.clone())
            .or_insert_with(|| Watched::new(slot, mode));
        channel.watchers.insert(watcher.clone(), mode);
        channel.waiting.insert(watcher);
        if is_new || channel.wanted() > channel.mode {
            channel.mode = channel.wanted();
            self.ask(&name, now, out);
        }
        self.begin(&name, out);
    }

    /// A watcher has lost what it was told: it begins anew.
    fn again(&mut self, watcher: &W, name: &ChannelName, out: &mut Vec<Effect<W>>) {
        if let Some(channel) = self.channels.get_mut(name)
            && channel.watchers.contains_key(watcher)
        {
            channel.waiting.insert(watcher.clone());
            self.begin(name, out);
        }
    }

    fn unwatch(&mut self, watcher: &W, name: &ChannelName, now: Instant, out: &mut Vec<Effect<W>>) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        if channel.watchers.remove(watcher).is_none() {
            return;
        }
        channel.waiting.remove(watcher);
        if channel.watchers.is_empty() {
            let slot = channel.slot;
            self.channels.remove(name);
            self.timers.clear(&Due::Ask(name.clone()));
            self.timers.clear(&Due::Pass(name.clone()));
            self.timers.clear(&Due::Rest(name.clone()));
            if let Some((to, _)) = self.owners.get(&slot).cloned() {
                let unfollow = ToOwner::Unfollow(Scope::Channel(slot, name.clone()));
                let message = Message::Owner(unfollow);
                out.push(Effect::Send { to, message });
            }
        } else if channel.wanted() < channel.mode {
            // What is shown of the roster would grow old.
            channel.mode = channel.wanted();
            channel.is_withheld = false;
            (channel.screen, channel.count) = (None, channel.known_count());
            self.ask(name, now, out);
        }
    }

    /// Shows a channel to those who were shown nothing yet, if anything is known.
    fn begin(&mut self, name: &ChannelName, out: &mut Vec<Effect<W>>) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let count = channel.known_count();
        for watcher in std::mem::take(&mut channel.waiting) {
            let mode = channel.watchers.get(&watcher).copied().unwrap_or_default();
            let view = match (mode, &mut channel.screen, count) {
                (Mode::Roster, Some(screen), _) => View::Roster(screen.rows()),
                (Mode::Roster, None, Some(count)) if channel.is_withheld => View::Counted(count),
                (Mode::Count, _, Some(count)) => View::Counted(count),
                _ => {
                    channel.waiting.insert(watcher);
                    continue;
                }
            };
            out.push(Effect::Begin {
                watcher,
                channel: name.clone(),
                view,
                number: channel.number,
                is_stale: channel.told.is_stale,
                uncertain: channel.told.uncertain.clone(),
            });
        }
    }

    /// Tells what else has changed: how many there are, and how sure that is.
    fn finish(&mut self, name: &ChannelName, out: &mut Vec<Effect<W>>) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let owner = self.owners.get(&channel.slot);
        let is_sure = owner
            .and_then(|(owner, _)| self.heard.get(owner))
            .is_some_and(|heard| heard.is_sure);
        let now = Told {
            is_stale: channel.is_lost || !is_sure || !channel.doubts.unsettled.is_empty(),
            uncertain: channel.doubts.uncertain.clone(),
            count: channel.known_count(),
        };
        let before = std::mem::replace(&mut channel.told, now);
        let now = &channel.told;
        if now.count != before.count
            && let Some(count) = now.count
        {
            out.push(Effect::Counted {
                channel: name.clone(),
                count,
            });
        }
        if (now.is_stale, &now.uncertain) != (before.is_stale, &before.uncertain) {
            out.push(Effect::Doubted {
                channel: name.clone(),
                is_stale: now.is_stale,
                uncertain: now.uncertain.clone(),
            });
        }
        self.begin(name, out);
    }
}

impl<W: Ord> Watched<W> {
    fn new(slot: SlotId, mode: Mode) -> Self {
        Self {
            slot,
            watchers: BTreeMap::new(),
            waiting: BTreeSet::new(),
            mode,
            stamp: None,
            reached: Stamp::default(),
            loading: None,
            is_lost: true,
            doubts: Doubts::default(),
            screen: None,
            count: None,
            is_withheld: false,
            ephemerals: Ephemerals::default(),
            number: 0,
            told: Told {
                is_stale: true,
                ..Told::default()
            },
        }
    }

    /// The most that any of its watchers wants.
    fn wanted(&self) -> Mode {
        self.watchers.values().copied().max().unwrap_or(Mode::Count)
    }

    fn known_count(&self) -> Option<Count> {
        self.screen.as_ref().map(Screen::count).or(self.count)
    }
}

#[cfg(test)]
mod tests;
