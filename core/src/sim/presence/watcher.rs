//! Those who watch, and what they are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::check::Rule;
use super::sight::Sight;
use super::world::World;
use crate::id::{ChannelName, NodeId};
use crate::presence::entry::{Client, Row};
use crate::presence::message::Count;
use crate::presence::roster::Standing;
use crate::presence::settings::Mode;
use crate::presence::shard::Input;
use crate::presence::watch::{self, Effect, Event, View};

/// How old a move may be that a watcher is told of, where its node was not cut off.
const WINDOW: Duration = Duration::from_secs(25);

/// How old a move may be that is missing from what a watcher is shown first.
const BEGUN_WINDOW: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) node: NodeId,
    pub(super) channel: ChannelName,
    pub(super) mode: Mode,
    /// Since when it watches.
    pub(super) since: Duration,
    pub(super) shown: Option<Shown>,
    pub(super) is_stale: bool,
    number: u64,
    /// Of which moves of each client it was told.
    used: BTreeMap<Client, usize>,
    /// The last ephemeral state of each connection.
    ephemeral: BTreeMap<Vec<u8>, u64>,
}

/// What a watcher is shown.
#[derive(Debug)]
pub(super) enum Shown {
    Roster(BTreeMap<Client, Row>),
    Count(Count),
}

impl Watcher {
    /// Whether it is shown a client.
    pub(super) fn shows(&self, client: &Client) -> bool {
        matches!(&self.shown, Some(Shown::Roster(rows)) if rows.contains_key(client))
    }
}

impl World {
    /// Somebody begins to watch at a node.
    pub(super) fn watch(&mut self, index: usize, channel: ChannelName, mode: Mode) {
        self.connections += 1;
        let number = self.connections;
        let watcher = Watcher {
            node: self.nodes[index].id.clone(),
            channel: channel.clone(),
            mode,
            since: self.agenda.passed(),
            shown: None,
            is_stale: true,
            number: 0,
            used: BTreeMap::new(),
            ephemeral: BTreeMap::new(),
        };
        self.watchers.insert(number, watcher);
        let slot = self.slot_of(&channel);
        let watch = watch::Input::Watch {
            watcher: number,
            channel,
            slot,
            mode,
        };
        self.turn(index, Input::Watcher(watch));
    }

    /// Everybody who watches at a node from its start.
    pub(super) fn watch_all(&mut self, index: usize) {
        for channel in self.channels.clone() {
            self.watch(index, channel.clone(), Mode::Roster);
            if self.dice.percent(50) {
                self.watch(index, channel, Mode::Count);
            }
        }
    }

    /// Somebody begins to watch, or watches no more.
    pub(super) fn roam(&mut self) {
        let up: Vec<_> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_up).collect();
        let watching: Vec<_> = self.watchers.keys().copied().collect();
        if !up.is_empty() && self.dice.percent(55) {
            let (node, channel) = (*self.dice.pick(&up), self.dice.pick(&self.channels).clone());
            let mode = *self.dice.pick(&[Mode::Roster, Mode::Count]);
            self.watch(node, channel, mode);
        } else if watching.len() > self.channels.len() * self.nodes.len() {
            let watcher = *self.dice.pick(&watching);
            if let Some(gone) = self.watchers.remove(&watcher) {
                let channel = gone.channel;
                let index = self.index_of(&gone.node);
                self.turn(index, Input::Watcher(watch::Input::Unwatch { watcher, channel }));
            }
        }
    }

    /// A node tells its watchers something.
    pub(super) fn show(&mut self, index: usize, told: Effect<u64>) {
        let id = self.nodes[index].id.clone();
        self.line(|| format!("{id} tells {told:?}"));
        match told {
            Effect::Begin {
                watcher,
                view,
                number,
                is_stale,
                ..
            } => self.begin(watcher, view, number, is_stale),
            Effect::Changed {
                channel,
                number,
                events,
            } => {
                self.check.told += events.len() as u64;
                for watcher in self.watchers_of(&id, &channel, Mode::Roster) {
                    self.changed(watcher, number, &events);
                }
            }
            Effect::Counted { channel, count } => {
                for mode in [Mode::Roster, Mode::Count] {
                    for watcher in self.watchers_of(&id, &channel, mode) {
                        if let Some(watcher) = self.watchers.get_mut(&watcher)
                            && let Some(Shown::Count(shown)) = &mut watcher.shown
                        {
                            *shown = count;
                        }
                    }
                }
            }
            Effect::Doubted {
                channel,
                is_stale,
                uncertain,
            } => {
                if is_stale {
                    self.coverage.saw(Sight::Stale);
                }
                if !uncertain.is_empty() {
                    self.coverage.saw(Sight::Uncertain);
                }
                let all = self
                    .watchers
                    .values_mut()
                    .filter(|watcher| watcher.node == id && watcher.channel == channel);
                all.for_each(|watcher| watcher.is_stale = is_stale);
            }
            Effect::Passed { channel, states } => {
                self.coverage.saw(Sight::Ephemeral);
                let is_rough = self.rough_at.is_some();
                for number in self.watchers_of(&id, &channel, Mode::Roster) {
                    let Some(watcher) = self.watchers.get_mut(&number) else {
                        continue;
                    };
                    for (client, state) in &states {
                        let last = watcher.ephemeral.entry(state.state.to_vec()).or_default();
                        let is_next = state.number > *last;
                        *last = state.number;
                        // A client that left and came back is numbered by who sent it, and what was overtaken comes late.
                        self.check.ensure(is_next || is_rough, Rule::Order, || {
                            format!("{id} passes on an older state of {client}")
                        });
                    }
                }
            }
            Effect::Rested { channel, states } => {
                self.coverage.saw(Sight::Rested);
                let is_rough = self.rough_at.is_some();
                for number in self.watchers_of(&id, &channel, Mode::Roster) {
                    let Some(watcher) = self.watchers.get(&number) else {
                        continue;
                    };
                    for (client, state) in &states {
                        let last = watcher.ephemeral.get(&state.state[..]).copied();
                        // Who began to watch in between was told nothing yet.
                        self.check.ensure(
                            last.is_none_or(|last| last == state.number) || is_rough,
                            Rule::Order,
                            || format!("{id} tells a state of {client} once more that was not the last"),
                        );
                    }
                }
            }
            Effect::Refused { watcher, refusal, .. } => {
                self.check
                    .ensure(false, Rule::Order, || format!("{watcher} is refused: {refusal}"));
            }
            Effect::Send { .. } | Effect::Wake { .. } => unreachable!("the shard does this itself"),
        }
    }

    /// Nodes that the owner of a channel takes for dead, though they live: it cannot reach them, and to its channels they are.
    fn beyond_owner_of(&self, channel: &ChannelName) -> BTreeSet<NodeId> {
        let owner = &self.places[usize::from(self.slot_of(channel).0)].owner;
        let peers = owner.iter().flat_map(|owner| &self.nodes[self.index_of(owner)].peers);
        let told = peers.filter_map(|peer| peer.told.as_ref());
        let down = told.filter(|(_, standing)| *standing == Standing::Down);
        // Of one that has started anew since it was last heard from, the new start is as much beyond reach.
        let nodes = down.map(|(node, _)| &self.nodes[self.index_of(node)]);
        nodes.filter(|node| node.is_up).map(|node| node.id.clone()).collect()
    }

    fn watchers_of(&self, node: &NodeId, channel: &ChannelName, mode: Mode) -> Vec<u64> {
        let is_of = |watcher: &Watcher| watcher.node == *node && watcher.channel == *channel && watcher.mode == mode;
        let all = self.watchers.iter().filter(|(_, watcher)| is_of(watcher));
        all.map(|(number, _)| *number).collect()
    }

    fn begin(&mut self, watcher: u64, view: View, number: u64, is_stale: bool) {
        let Some(watcher) = self.watchers.get_mut(&watcher) else {
            return;
        };
        if watcher.mode == Mode::Roster && matches!(view, View::Counted(_)) {
            self.coverage.saw(Sight::Withheld);
        }
        (watcher.number, watcher.is_stale) = (number, is_stale);
        let rows = match view {
            View::Counted(count) => {
                watcher.shown = Some(Shown::Count(count));
                return;
            }
            View::Roster(rows) => rows,
        };
        let rows: BTreeMap<_, _> = rows.iter().map(|row| (row.client.clone(), row.clone())).collect();
        watcher.used.clear();
        let cut = self.cut_at.get(&watcher.node.name).map(|at| at.saturating_sub(WINDOW));
        let now = self.agenda.passed();
        let window = cut.unwrap_or_else(|| now.saturating_sub(BEGUN_WINDOW));
        for ((channel, client), presence) in &self.truth.all {
            if *channel == watcher.channel {
                let used = presence.used_by(window, rows.contains_key(client), now);
                watcher.used.insert(client.clone(), used);
            }
        }
        watcher.shown = Some(Shown::Roster(rows));
    }

    fn changed(&mut self, watcher: u64, number: u64, events: &[Event]) {
        let now = self.agenda.passed();
        let Some(channel) = self.watchers.get(&watcher).map(|watcher| watcher.channel.clone()) else {
            return;
        };
        let beyond = self.beyond_owner_of(&channel);
        let late = self.late_of(&channel);
        let Some(watcher) = self.watchers.get_mut(&watcher) else {
            return;
        };
        let Some(Shown::Roster(rows)) = &mut watcher.shown else {
            return; // what it is shown first includes this
        };
        let node = &watcher.node;
        let channel = &watcher.channel;
        let is_next = number == watcher.number + 1;
        watcher.number = number;
        self.check.ensure(is_next, Rule::Order, || {
            format!("{node} tells change {number} of {channel} out of order")
        });
        let cut = self.cut_at.get(&node.name).copied();
        let window = cut.unwrap_or(now).saturating_sub(WINDOW);
        for event in events {
            let (client, has_come) = match event {
                Event::Joined { row, .. } => {
                    let before = rows.insert(row.client.clone(), row.clone());
                    let client = &row.client;
                    self.check.ensure(before.is_none(), Rule::Order, || {
                        format!("{client} joins {channel} twice")
                    });
                    (client, true)
                }
                Event::Updated(row) => {
                    let before = rows.insert(row.client.clone(), row.clone());
                    let client = &row.client;
                    self.check.ensure(before.is_some(), Rule::Order, || {
                        format!("{client} is updated and not in {channel}")
                    });
                    continue;
                }
                Event::Left { client, .. } => {
                    let before = rows.remove(client);
                    self.check.ensure(before.is_some(), Rule::Order, || {
                        format!("{client} leaves {channel} twice")
                    });
                    (client, false)
                }
            };
            let used = watcher.used.entry(client.clone()).or_default();
            let presence = self.truth.all.get(&(channel.clone(), client.clone()));
            let is_real = presence.is_some_and(|presence| {
                let is_overtaken = has_come && presence.is_overtaken(|at| late.contains(at), now);
                let is_beyond = !has_come && presence.is_beyond(&beyond, &late);
                presence.justify(used, has_come, window, now) || is_beyond || is_overtaken
            });
            self.check.ensure(is_real, Rule::Flap, || {
                let what = if has_come { "join" } else { "leave" };
                format!("{node} tells that {client} {what}s {channel} at {now:.1?}, and it does not")
            });
        }
    }
}
