//! What a node does with what happens to a replica or a channel of it, until nothing is left to be done.

use std::collections::VecDeque;
use std::time::Instant;

use super::event::{Event, Told};
use super::node::{Asker, Work};
use super::sight::Sight;
use super::world::World;
use crate::channel::{self, Channel, Refusal};
use crate::id::{ChannelName, SlotId};
use crate::relay::Answer;
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
                Work::Asked(channel, request) => self.open(index, channel, Some(request), &mut queue),
                Work::Open(channel) => self.open(index, channel, None, &mut queue),
            }
        }
    }

    /// Has a channel do something, once it is open.
    fn open(
        &mut self,
        index: usize,
        channel: ChannelName,
        request: Option<channel::Request<Asker>>,
        queue: &mut VecDeque<Work>,
    ) {
        let node = &mut self.nodes[index];
        let input = request.map(channel::Input::from);
        if node.channels.contains_key(&channel) {
            queue.extend(input.map(|input| Work::Channel(channel, input)));
            return;
        }
        let is_new = !node.opening.contains_key(&channel);
        node.opening.entry(channel.clone()).or_default().extend(input);
        if is_new {
            queue.push_back(Work::Replica(replica::Input::Slot(slot::Input::Open { channel })));
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
                self.coverage.saw(Sight::Inherited);
            }
        }
        if is_replaced {
            self.coverage.saw(Sight::Replaced);
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
        let route = self.nodes[index].route(slot);
        if self.nodes[index].routes.insert(slot, route.clone()) != Some(route.clone()) {
            self.routed(index, slot, route, queue);
        }
    }

    pub(super) fn wake(&mut self, index: usize, slot: SlotId, at: Instant, of_slot: bool) {
        let (to, at) = (self.nodes[index].id.clone(), self.true_time(index, at));
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
                self.resume_feed(index, &channel);
                queue.extend(waiting.into_iter().map(|input| Work::Channel(channel.clone(), input)));
            }
            slot::Effect::Barred { channel, reason } => {
                for input in self.nodes[index].opening.remove(&channel).unwrap_or_default() {
                    if let Input::Request(request) = input {
                        self.refuse(index, &channel, request.into_asker(), reason.clone());
                    }
                }
            }
            slot::Effect::Closed { channel, reason } => {
                if let Some(machine) = self.nodes[index].channels.remove(&channel) {
                    for to in machine.into_waiting() {
                        self.refuse(index, &channel, to, reason.clone());
                    }
                }
                self.end_followers(index, &channel);
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
                self.coverage.saw(Sight::Doubt);
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
        input: channel::Input<Asker>,
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
        let mut messages = Vec::new();
        for effect in effects {
            match effect {
                channel::Effect::Propose(proposal) => proposals.push(proposal),
                channel::Effect::Ack { to, ack } => {
                    if let Some(position) = &ack.position {
                        self.check_copies(index, slot, name, position);
                    }
                    if ack.duplicate {
                        self.coverage.saw(Sight::Duplicate);
                    }
                    match to {
                        Asker::Client(to) => self.respond(to, Told::Ack(ack)),
                        Asker::Gateway(to, number) => {
                            self.answer(index, &to, name, number, Answer::Acknowledged(ack));
                        }
                    }
                }
                channel::Effect::Refuse { to, refusal } => {
                    if refusal == Refusal::InsufficientReplicas {
                        self.coverage.saw(Sight::Lacking);
                    }
                    self.refuse(index, name, to, refusal);
                }
                channel::Effect::Attached { to, attachment } => match to {
                    Asker::Client(to) => self.join(index, name, to, attachment),
                    Asker::Gateway(to, number) => {
                        // What it follows from is behind all that was fanned out in this turn.
                        self.tell_followers(index, name, &mut messages);
                        self.follow(index, to.clone(), name);
                        self.answer(index, &to, name, number, Answer::Attached(attachment));
                    }
                },
                channel::Effect::Page { to, page } => match to {
                    Asker::Client(to) => self.respond(to, Told::Page(page)),
                    Asker::Gateway(to, number) => self.answer(index, &to, name, number, Answer::Page(page)),
                },
                channel::Effect::FanOut(message) => {
                    if let Some(epoch) = &epoch {
                        self.truth.shown(name, epoch, &message);
                        self.push(index, name, epoch, &message);
                        messages.push(message);
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
        self.tell_followers(index, name, &mut messages);
        if !proposals.is_empty() {
            let channel = name.clone();
            let propose = slot::Input::Propose { channel, proposals };
            queue.push_back(Work::Replica(replica::Input::Slot(propose)));
        }
    }
    fn refuse(&mut self, index: usize, channel: &ChannelName, to: Asker, refusal: Refusal) {
        match to {
            Asker::Client(to) => self.respond(to, Told::Refused(refusal)),
            Asker::Gateway(to, number) => self.answer(index, &to, channel, number, Answer::Refused(refusal)),
        }
    }
}
