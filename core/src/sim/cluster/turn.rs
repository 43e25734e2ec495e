//! What a node does with what happens to a replica or a channel of it, until nothing is left to be done.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::event::{Client, Event, Reply, Told};
use super::node::Work;
use super::sight::Sight;
use super::world::World;
use crate::channel::{self, Channel, Refusal};
use crate::id::{ChannelName, SlotId};
use crate::replica;
use crate::slot;

impl World {
    /// Something happens to a replica.
    pub(super) fn turn(&mut self, index: usize, slot: SlotId, input: replica::Input) {
        self.work(index, slot, Work::Replica(input));
    }

    pub(super) fn work(&mut self, index: usize, slot: SlotId, work: Work) {
        let mut queue = VecDeque::from([work]);
        while let Some(work) = queue.pop_front() {
            if self.truth.violation.is_some() {
                return;
            }
            match work {
                Work::Replica(input) => self.replica_turn(index, slot, input, &mut queue),
                Work::Channel(channel, input) => self.channel_turn(index, slot, &channel, input, &mut queue),
            }
        }
    }

    pub(super) fn replica_turn(
        &mut self,
        index: usize,
        slot: SlotId,
        input: replica::Input,
        queue: &mut VecDeque<Work>,
    ) {
        let now = self.now_at(index).instant;
        let id = self.nodes[index].id.clone();
        let Some(replica) = self.nodes[index].replicas.get_mut(&slot) else {
            return;
        };
        let before = (
            replica.slot().committed(),
            replica.slot().lineage(),
            replica.owned_under(),
        );
        let last = replica.slot().place(replica.slot().appended());
        if let replica::Input::Received { from, message } = &input {
            let line = format!("{id} slot {slot} <- {from}: {message:?}");
            self.sights_of(message.clone());
            self.line(|| line);
        }
        let mut effects = Vec::new();
        let replica = self.nodes[index].replicas.get_mut(&slot).expect("it was there");
        replica.handle(input, now, &mut effects);
        let after = (
            replica.slot().lineage(),
            replica.owned_under(),
            replica.slot().appended(),
        );
        let is_replaced = last.is_some_and(|last| {
            let there = replica.slot().place(last.index);
            there.is_some_and(|there| there != last)
        });
        let is_safe = after.2 == replica.slot().committed();
        if before.2 != after.1 {
            let (term, appended, committed) = (after.1, after.2, replica.slot().committed());
            self.line(|| format!("{id} slot {slot}: owner under {term:?}, appended {appended}, committed {committed}"));
            if term.is_some() && !is_safe {
                self.sights.see(Sight::Inherited);
            }
        }
        if is_replaced {
            self.sights.see(Sight::Replaced);
        }
        self.check_commits(index, slot, before.0, before.1);
        for effect in effects {
            match effect {
                replica::Effect::Send { to, message } => {
                    let there = self.index_of(&to);
                    for delay in self.network.carry(index, there) {
                        let (to, from, message) = (to.clone(), id.clone(), message.clone());
                        self.agenda.after(
                            delay,
                            Event::Peer {
                                to,
                                from,
                                slot,
                                message,
                            },
                        );
                    }
                }
                replica::Effect::Ask {
                    number,
                    version,
                    change,
                } => self.ask(index, slot, number, version, change),
                replica::Effect::Wake { at } => self.wake(index, slot, at, false),
                replica::Effect::Slot(effect) => self.slot_effect(index, slot, effect, queue),
            }
        }
    }

    pub(super) fn wake(&mut self, index: usize, slot: SlotId, at: Instant, of_slot: bool) {
        let node = &self.nodes[index];
        let start = self.agenda.now().instant - self.agenda.passed();
        let (to, at) = (node.id.clone(), start + node.clock.passed_at(at - start));
        self.agenda.at(at, Event::Wake { to, slot, of_slot });
    }

    pub(super) fn slot_effect(&mut self, index: usize, slot: SlotId, effect: slot::Effect, queue: &mut VecDeque<Work>) {
        use channel::Input;
        match effect {
            slot::Effect::Opened { channel, opening } => {
                let now = self.now_at(index).instant;
                let machine = Channel::new(channel.clone(), self.channel_config.clone(), *opening, now);
                let node = &mut self.nodes[index];
                node.channels.insert(channel.clone(), machine);
                let waiting = node.opening.remove(&channel).unwrap_or_default();
                queue.extend(waiting.into_iter().map(|input| Work::Channel(channel.clone(), input)));
            }
            slot::Effect::Barred { channel, reason } => {
                for input in self.nodes[index].opening.remove(&channel).unwrap_or_default() {
                    if let Input::Request(request) = input {
                        self.respond(index, request.into_asker(), Told::Refused(reason.clone()));
                    }
                }
            }
            slot::Effect::Closed { channel, reason } => {
                self.nodes[index].readers.remove(&channel);
                if let Some(machine) = self.nodes[index].channels.remove(&channel) {
                    for to in machine.into_waiting() {
                        self.respond(index, to, Told::Refused(reason.clone()));
                    }
                }
            }
            slot::Effect::Committed {
                channel,
                through,
                copies,
            } => {
                queue.push_back(Work::Channel(channel, Input::Committed { through, copies }));
            }
            slot::Effect::Refused {
                channel,
                reason,
                opening,
            } => {
                queue.push_back(Work::Channel(channel, Input::Refused { reason, opening }));
            }
            slot::Effect::Standing { channel, standing } => {
                queue.push_back(Work::Channel(channel, Input::Standing(standing)));
            }
            slot::Effect::Confirmed { channel, through } => {
                self.sights.see(Sight::Doubt);
                queue.push_back(Work::Channel(channel, Input::Confirmed { through }));
            }
            slot::Effect::Due { channel } => {
                queue.push_back(Work::Channel(channel, Input::Due { attended: true }));
            }
            slot::Effect::Wake { at, .. } => self.wake(index, slot, at, true),
            slot::Effect::Dropped { .. } => {}
            slot::Effect::Load { .. } | slot::Effect::Store(_) | slot::Effect::Mark { .. } | slot::Effect::Unleased => {
                unreachable!("no channel here is stored")
            }
        }
    }

    pub(super) fn channel_turn(
        &mut self,
        index: usize,
        slot: SlotId,
        name: &ChannelName,
        input: channel::Input<Reply>,
        queue: &mut VecDeque<Work>,
    ) {
        let now = self.now_at(index);
        let Some(machine) = self.nodes[index].channels.get_mut(name) else {
            return;
        };
        let mut effects = Vec::new();
        machine.handle(input, now, &mut effects);
        let epoch = machine.view().map(|view| view.epoch().clone());
        let mut proposals = Vec::new();
        for effect in effects {
            match effect {
                channel::Effect::Propose(proposal) => proposals.push(proposal),
                channel::Effect::Ack { to, ack } => {
                    if let Some(position) = &ack.position {
                        self.check_copies(index, slot, name, position);
                    }
                    if ack.duplicate {
                        self.sights.see(Sight::Duplicate);
                    }
                    self.respond(index, to, Told::Ack(ack));
                }
                channel::Effect::Refuse { to, refusal } => {
                    if refusal == Refusal::InsufficientReplicas {
                        self.sights.see(Sight::Lacking);
                    }
                    self.respond(index, to, Told::Refused(refusal));
                }
                channel::Effect::Attached { to, attachment } => {
                    if let Client::Reader(reader) = to.client {
                        let readers = self.nodes[index].readers.entry(name.clone()).or_default();
                        readers.insert(reader, to);
                    }
                    self.respond(index, to, Told::Attached(attachment));
                }
                channel::Effect::Page { to, page } => self.respond(index, to, Told::Page(page)),
                channel::Effect::FanOut(message) => {
                    let Some(epoch) = epoch.clone() else {
                        continue;
                    };
                    self.truth.shown(name, &epoch, &message);
                    let readers = self.nodes[index].readers.get(name).cloned().unwrap_or_default();
                    for to in readers.into_values() {
                        self.respond(index, to, Told::Live(epoch.clone(), Arc::clone(&message)));
                    }
                }
                channel::Effect::Doubt { through } => {
                    let channel = name.clone();
                    let doubt = slot::Input::Doubt { channel, through };
                    queue.push_back(Work::Replica(replica::Input::Slot(doubt)));
                }
                channel::Effect::Used { at } => {
                    let channel = name.clone();
                    queue.push_back(Work::Replica(replica::Input::Slot(slot::Input::Used { channel, at })));
                }
                channel::Effect::Inspected { .. } => {}
            }
        }
        if !proposals.is_empty() {
            let channel = name.clone();
            let propose = slot::Input::Propose { channel, proposals };
            queue.push_back(Work::Replica(replica::Input::Slot(propose)));
        }
    }
}
