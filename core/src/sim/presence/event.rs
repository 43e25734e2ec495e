//! Everything that can happen in a run, and to whom.

use std::time::Duration;

use super::check::Rule;
use super::node::BEAT;
use super::place::Record;
use super::world::World;
use crate::id::{ChannelName, NodeId};
use crate::presence::entry::{Client, ConnectionId};
use crate::presence::gateway::{self, End};
use crate::presence::message::Message;
use crate::presence::shard::Input;

/// Events of one run; far more than any needs. One that gets here goes round in circles.
const EVENTS_MAX: u64 = 3_000_000;

/// Something that happens.
#[derive(Debug)]
pub(super) enum Event {
    Beat,
    Act(usize),
    Start {
        node: usize,
    },
    Deliver {
        from: NodeId,
        to: NodeId,
        message: Message,
    },
    Unsent {
        from: NodeId,
        to: NodeId,
    },
    Wake {
        to: NodeId,
    },
    Placed {
        to: NodeId,
        slot: u16,
        record: Record,
    },
    Ended {
        to: NodeId,
        connection: ConnectionId,
        how: End,
    },
    Ripe {
        client: Client,
        channel: ChannelName,
        number: u64,
    },
    Tab(usize),
    Roam,
}

impl World {
    /// Has things happen until then, or until a promise is broken.
    pub(super) fn until(&mut self, end: Duration) {
        while self.check.violation.is_none() {
            let Some(event) = self.agenda.next(end) else {
                return;
            };
            let handled = self.agenda.handled();
            self.check
                .ensure(handled < EVENTS_MAX, Rule::Truth, || "the run has no end".into());
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Beat => {
                self.place();
                for index in (0..self.nodes.len())
                    .filter(|index| self.nodes[*index].is_up)
                    .collect::<Vec<_>>()
                {
                    self.beat(index);
                }
                self.remember_cuts();
                self.sweep();
                self.agenda.after(BEAT, Event::Beat);
            }
            Event::Act(number) if !self.is_healed => self.act(self.plan.actions[number].1),
            Event::Act(_) => {}
            Event::Start { node } => self.come_back(node),
            Event::Deliver { from, to, message } => {
                self.turn_of(&to, Input::Received { from, message });
            }
            Event::Unsent { from, to } => self.turn_of(&from, Input::Unsent(to)),
            Event::Wake { to } => self.turn_of(&to, Input::Wake),
            Event::Placed { to, slot, record } => {
                if let Some(index) = self.running(&to) {
                    self.placed(index, slot, record);
                }
            }
            Event::Ended { to, connection, how } => {
                let late = Duration::ZERO; // no node stands still here
                self.say(&to, gateway::Input::Ended { connection, how, late });
            }
            Event::Ripe {
                client,
                channel,
                number,
            } => {
                let now = self.agenda.passed();
                let presence = self.truth.all.get(&(channel.clone(), client.clone()));
                // A node that has just started may not know whom to tell before the grace of a reload is over.
                let unheard = self.unheard_of(&channel);
                let is_late = presence.is_some_and(|presence| presence.last().all(|at| unheard.contains(at)));
                self.truth.ripe(&client, &channel, number, is_late, now);
            }
            Event::Tab(tab) => self.tab(tab),
            Event::Roam if self.is_healed => {}
            Event::Roam => {
                self.roam();
                let wait = Duration::from_millis(self.dice.between((500, 4_000)));
                self.agenda.after(wait, Event::Roam);
            }
        }
    }

    fn turn_of(&mut self, node: &NodeId, input: Input<u64>) {
        if let Some(index) = self.running(node) {
            self.turn(index, input);
        }
    }

    fn running(&self, node: &NodeId) -> Option<usize> {
        let index = self.index_of(node);
        (self.nodes[index].id == *node && self.nodes[index].is_up).then_some(index)
    }
}
