//! Clients: tabs that come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::event::Event;
use super::sight::Sight;
use super::truth::Absence;
use super::world::World;
use crate::id::{ChannelName, NodeId, SlotId};
use crate::presence::entry::{Client, ConnectionId};
use crate::presence::gateway::{End, Input};
use crate::presence::message::Ephemeral;
use crate::presence::shard;

/// How long a client that fell silent may not be missed by its gateway.
const SILENCE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(15));

/// See the module.
#[derive(Debug)]
pub(super) struct Tab {
    pub(super) client: Client,
    /// It does nothing but return when its node is gone.
    is_steady: bool,
    pub(super) at: Option<(NodeId, ConnectionId)>,
    /// Where it is, or is again when it has returned, and with what state.
    pub(super) wants: BTreeMap<ChannelName, Bytes>,
    /// Since when it is away without having left, from where, and how its connection ended.
    away: Option<(Duration, NodeId, End)>,
    number: u64,
}

impl Tab {
    pub(super) fn new(client: Client, is_steady: bool, wants: BTreeMap<ChannelName, Bytes>) -> Self {
        Self {
            client,
            is_steady,
            at: None,
            wants,
            away: None,
            number: 0,
        }
    }
}

impl World {
    /// A tab does something.
    pub(super) fn tab(&mut self, tab: usize) {
        let wait = match (self.is_over(), self.tabs[tab].at.is_some()) {
            (_, false) => {
                self.connect(tab);
                Duration::from_millis(self.dice.between((200, 1_500)))
            }
            (true, true) => return,
            (false, true) if self.tabs[tab].is_steady => Duration::from_secs(1),
            (false, true) => self.act_of(tab),
        };
        self.agenda.after(wait, Event::Tab(tab));
    }

    fn act_of(&mut self, tab: usize) -> Duration {
        let millis = |world: &mut Self, from, to| Duration::from_millis(world.dice.between((from, to)));
        let soon = millis(self, 200, 3_000);
        match self.dice.below(100) {
            0..25 => self.enter(tab),
            25..42 => self.leave(tab),
            42..58 => self.update(tab),
            58..70 => self.ephemeral(tab),
            70..78 => {
                self.end(tab, Absence::Left);
                return millis(self, 300, 9_000);
            }
            78..92 => {
                self.end(tab, Absence::Lost);
                return self.back_after();
            }
            92..96 => {
                let notice = self.dice.time(SILENCE);
                self.end(tab, Absence::Silent(notice));
                return self.back_after();
            }
            _ => {
                self.end(tab, Absence::Closed);
                return match self.dice.percent(80) {
                    true => millis(self, 30, 800),
                    false => millis(self, 1_500, 4_000),
                };
            }
        }
        soon
    }

    /// When one that was lost returns: mostly within its grace.
    pub(super) fn back_after(&mut self) -> Duration {
        let range = match self.dice.percent(80) {
            true => (100, 3_000),
            false => (6_000, 12_000),
        };
        Duration::from_millis(self.dice.between(range))
    }

    fn connect(&mut self, tab: usize) {
        let up: Vec<_> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_up).collect();
        if up.is_empty() {
            return;
        }
        let node = *self.dice.pick(&up);
        self.connections += 1;
        let at = (self.nodes[node].id.clone(), ConnectionId(self.connections));
        let now = self.agenda.passed();
        if let Some((since, before, how)) = self.tabs[tab].away.take() {
            let settings = self.truth.settings;
            let is_reload = how == End::Closed;
            let grace = if is_reload {
                settings.reload_grace
            } else {
                settings.grace
            };
            let sight = match now - since {
                away if away > grace => Sight::TooLate,
                _ if is_reload => Sight::Reload,
                _ if before == at.0 => Sight::Return,
                _ => Sight::TakeOver,
            };
            self.coverage.saw(sight);
        }
        self.tabs[tab].at = Some(at);
        for channel in self.tabs[tab].wants.keys().cloned().collect::<Vec<_>>() {
            self.say_enter(tab, &channel);
        }
    }

    fn enter(&mut self, tab: usize) {
        let channel = self.dice.pick(&self.channels).clone();
        let state = self.state();
        self.tabs[tab].wants.insert(channel.clone(), state);
        self.say_enter(tab, &channel);
    }

    fn say_enter(&mut self, tab: usize, channel: &ChannelName) {
        let Some((node, connection)) = self.tabs[tab].at.clone() else {
            return;
        };
        let (client, state) = (self.tabs[tab].client.clone(), self.tabs[tab].wants[channel].clone());
        let now = self.agenda.passed();
        self.line(|| format!("{client} enters {channel} at {node}"));
        if self
            .truth
            .enter(&client, channel, (node.clone(), connection), state.clone(), now)
        {
            self.coverage.saw(Sight::Copied);
        }
        let slot = self.slot_of(channel);
        let channel = channel.clone();
        let enter = Input::Enter {
            connection,
            client,
            channel,
            slot,
            state,
        };
        self.say(&node, enter);
    }

    fn update(&mut self, tab: usize) {
        let channels: Vec<_> = self.tabs[tab].wants.keys().cloned().collect();
        if channels.is_empty() {
            return;
        }
        let channel = self.dice.pick(&channels).clone();
        let state = self.state();
        self.tabs[tab].wants.insert(channel.clone(), state.clone());
        let Some((node, connection)) = self.tabs[tab].at.clone() else {
            return;
        };
        let client = self.tabs[tab].client.clone();
        let now = self.agenda.passed();
        self.truth
            .enter(&client, &channel, (node.clone(), connection), state.clone(), now);
        let update = Input::Update {
            connection,
            channel,
            state,
        };
        self.say(&node, update);
    }

    fn leave(&mut self, tab: usize) {
        let channels: Vec<_> = self.tabs[tab].wants.keys().cloned().collect();
        if channels.is_empty() {
            return;
        }
        let channel = self.dice.pick(&channels).clone();
        self.tabs[tab].wants.remove(&channel);
        let Some((node, connection)) = self.tabs[tab].at.clone() else {
            return;
        };
        let client = self.tabs[tab].client.clone();
        self.line(|| format!("{client} leaves {channel} at {node}"));
        let same = self.tabs.iter().filter(|other| {
            other.client.member() == client.member() && other.at.is_some() && other.wants.contains_key(&channel)
        });
        if same.count() > 0 {
            self.coverage.saw(Sight::OtherTab);
        }
        self.gone(&client, &channel, (node.clone(), connection), Absence::Left);
        self.say(&node, Input::Leave { connection, channel });
    }

    /// The connection of a tab ends.
    fn end(&mut self, tab: usize, absence: Absence) {
        let Some((node, connection)) = self.tabs[tab].at.take() else {
            return;
        };
        let client = self.tabs[tab].client.clone();
        self.line(|| format!("{client} at {node}: {absence:?}"));
        for channel in self.tabs[tab].wants.keys().cloned().collect::<Vec<_>>() {
            self.gone(&client, &channel, (node.clone(), connection), absence);
        }
        let (how, after) = match absence {
            Absence::Left => (End::Left, Duration::ZERO),
            Absence::Closed => (End::Closed, Duration::ZERO),
            Absence::Silent(notice) => (End::Lost, notice),
            Absence::Lost | Absence::Crashed => (End::Lost, Duration::ZERO),
        };
        if how != End::Left {
            self.tabs[tab].away = Some((self.agenda.passed(), node.clone(), how));
        }
        let to = node;
        self.agenda.after(after, Event::Ended { to, connection, how });
    }

    /// A node has crashed that had not missed these yet: they are lost as those are that were with it.
    pub(super) fn lose_silent(&mut self, node: &NodeId) {
        let after = Absence::Crashed.ripe_after(&self.truth.settings);
        for ((channel, client), presence) in &self.truth.all {
            if let Some(number) = presence.absence_at(node) {
                let (client, channel) = (client.clone(), channel.clone());
                self.agenda.after(
                    after,
                    Event::Ripe {
                        client,
                        channel,
                        number,
                    },
                );
            }
        }
    }

    /// A node has crashed: its tabs are lost, and return.
    pub(super) fn lose_tabs(&mut self, node: &NodeId) {
        for tab in 0..self.tabs.len() {
            let Some(at) = self.tabs[tab].at.take_if(|(at, _)| at == node) else {
                continue;
            };
            let client = self.tabs[tab].client.clone();
            self.tabs[tab].away = Some((self.agenda.passed(), node.clone(), End::Lost));
            for channel in self.tabs[tab].wants.keys().cloned().collect::<Vec<_>>() {
                self.gone(&client, &channel, at.clone(), Absence::Crashed);
            }
        }
    }

    /// A client is by this connection in a channel no more.
    fn gone(&mut self, client: &Client, channel: &ChannelName, at: (NodeId, ConnectionId), absence: Absence) {
        let now = self.agenda.passed();
        let (late, unheard) = (self.late_of(channel), self.unheard_of(channel));
        if let Some(number) = self.truth.leave(client, channel, &at, absence, (&late, &unheard), now) {
            let (client, channel) = (client.clone(), channel.clone());
            let after = absence.ripe_after(&self.truth.settings);
            self.agenda.after(
                after,
                Event::Ripe {
                    client,
                    channel,
                    number,
                },
            );
        }
    }

    fn ephemeral(&mut self, tab: usize) {
        let channels: Vec<_> = self.tabs[tab].wants.keys().cloned().collect();
        let Some((node, connection)) = self.tabs[tab].at.clone().filter(|_| !channels.is_empty()) else {
            return;
        };
        let channel = self.dice.pick(&channels).clone();
        for _ in 0..self.dice.between((1, 5)) {
            self.tabs[tab].number += 1;
            let ephemeral = Ephemeral {
                number: self.tabs[tab].number,
                state: Bytes::copy_from_slice(&connection.0.to_be_bytes()),
            };
            let channel = channel.clone();
            self.say(
                &node,
                Input::Ephemeral {
                    connection,
                    channel,
                    ephemeral,
                },
            );
        }
    }

    /// A client says something to its gateway.
    pub(super) fn say(&mut self, node: &NodeId, input: Input) {
        let index = self.index_of(node);
        if self.nodes[index].id != *node || !self.nodes[index].is_up {
            return;
        }
        if let Some(answer) = self.turn(index, shard::Input::Client(input)) {
            self.check.ensure(answer.is_ok(), super::Rule::Truth, || {
                format!("{node} has refused: {answer:?}")
            });
        }
    }

    fn state(&mut self) -> Bytes {
        Bytes::copy_from_slice(&self.dice.below(1 << 40).to_be_bytes())
    }

    pub(super) fn slot_of(&self, channel: &ChannelName) -> SlotId {
        crate::id::slot_of(channel, u16::try_from(self.plan.slots).unwrap_or(1))
    }
}
