//! A node's part as a gateway: what its clients ask, and the relays of the channels that others own.

use std::collections::VecDeque;
use std::time::Instant;

use super::event::{Asked, Event, Reply, Request, Response, Told};
use super::feed::Feed;
use super::lane::Carried;
use super::node::{Asker, Route, Work};
use super::sight::Sight;
use super::world::World;
use crate::channel::{self, Refusal};
use crate::id::{ChannelName, NodeId, SlotId, slot_of};
use crate::relay::{self, Answer, Effect, Input, Relay};

impl World {
    /// A client asks its gateway for something.
    pub(super) fn request(&mut self, index: usize, request: Request) {
        let Request { reply, channel, what } = request;
        let slot = slot_of(&channel, self.plan.slots);
        let request = match what {
            Asked::Publish {
                serial,
                base,
                since,
                skip,
            } => self.publisher_request(reply, serial, base, since, skip),
            Asked::Attach(from) => channel::Request::Attach { to: reply, from },
            Asked::Read(range) => channel::Request::Read { to: reply, range },
        };
        if self.nodes[index].owns(slot) {
            let asked = Work::Asked(channel, request.map(Asker::Client));
            return self.work(index, slot, asked);
        }
        self.relay(index, &channel);
        self.relay_turn(index, &channel, Input::Request(request));
    }

    /// Tells a client of this gateway something.
    pub(super) fn respond(&mut self, to: Reply, what: Told) {
        let Reply { client, number, .. } = to;
        let at = self.agenda.now().instant + self.network.delay();
        let at = self.in_order(client, at);
        let response = Response { client, number, what };
        self.agenda.at(at, Event::Response { response });
    }

    /// The slot is worked on elsewhere from now on, or here.
    pub(super) fn routed(&mut self, index: usize, slot: SlotId, route: Route, queue: &mut VecDeque<Work>) {
        let of_slot = |channel: &&ChannelName| slot_of(channel, self.plan.slots) == slot;
        let relays: Vec<_> = self.nodes[index].relays.keys().filter(of_slot).cloned().collect();
        let feeds: Vec<_> = self.nodes[index].feeds.keys().filter(of_slot).cloned().collect();
        let followed: Vec<_> = self.nodes[index].followers.keys().filter(of_slot).cloned().collect();
        match route {
            Route::Here => {
                for channel in relays {
                    self.give_way(index, channel, queue);
                }
                queue.extend(feeds.into_iter().map(Work::Open));
            }
            Route::At(_) | Route::Nowhere => {
                for channel in relays {
                    self.relay_turn(index, &channel, Input::Route(route.owner()));
                }
                for channel in followed {
                    self.end_followers(index, &channel);
                }
                for channel in feeds {
                    self.relay(index, &channel);
                }
            }
        }
    }

    /// This node owns the channel: what was not answered is asked of it here.
    fn give_way(&mut self, index: usize, channel: ChannelName, queue: &mut VecDeque<Work>) {
        let Some(relay) = self.nodes[index].relays.remove(&channel) else {
            return;
        };
        self.coverage.saw(Sight::GaveWay);
        let (requests, joining) = relay.into_requests();
        for request in requests {
            queue.push_back(Work::Asked(channel.clone(), request.map(Asker::Client)));
        }
        for to in joining {
            self.respond(to, Told::Refused(Refusal::Moving));
        }
    }

    /// The relay of a channel; begins one that goes on with the feed that is there.
    fn relay(&mut self, index: usize, channel: &ChannelName) {
        let faults = self.config.slot.faults;
        let slot = slot_of(channel, self.plan.slots);
        let node = &mut self.nodes[index];
        if node.relays.contains_key(channel) {
            return;
        }
        let fed = node.feeds.get(channel).map(|feed| feed.last.clone());
        if fed.is_some() {
            self.coverage.saw(Sight::TookUp);
        }
        let owner = node.routes.get(&slot).and_then(Route::owner);
        node.relays_begun += 1;
        let relay = Relay::new(node.relays_begun, None, fed).with_faults(faults);
        node.relays.insert(channel.clone(), relay);
        self.relay_turn(index, channel, Input::Route(owner));
    }

    /// The way to a node is another.
    pub(super) fn relays_reset(&mut self, index: usize, to: &NodeId) {
        let node = &self.nodes[index];
        let at = |slot| {
            node.routes
                .get(&slot)
                .and_then(Route::owner)
                .is_some_and(|owner| owner == *to)
        };
        let relays = node
            .relays
            .keys()
            .filter(|channel| at(slot_of(channel, self.plan.slots)));
        for channel in relays.cloned().collect::<Vec<_>>() {
            self.relay_turn(index, &channel, Input::Reset);
        }
    }

    /// A node says something about a channel that it owns, as it believes.
    pub(super) fn told_by(&mut self, index: usize, from: &NodeId, channel: ChannelName, told: relay::Told) {
        let slot = slot_of(&channel, self.plan.slots);
        let is_live = matches!(told, relay::Told::Live { .. } | relay::Told::Behind { .. });
        if matches!(told, relay::Told::Behind { .. }) {
            self.coverage.saw(Sight::Notified);
        }
        let is_elsewhere = matches!(self.nodes[index].routes.get(&slot), Some(Route::At(_)));
        if is_live && is_elsewhere {
            // Nobody reads it here any more: the relay says so.
            self.relay(index, &channel);
        }
        let from = from.clone();
        self.relay_turn(index, &channel, Input::Told { from, told });
    }

    pub(super) fn relay_turn(&mut self, index: usize, channel: &ChannelName, input: Input<Reply>) {
        let now = self.now_at(index).instant;
        let is_page = matches!(
            &input,
            Input::Told {
                told: relay::Told::Answer {
                    answer: Answer::Page(_),
                    ..
                },
                ..
            }
        );
        let is_attached = matches!(
            &input,
            Input::Told {
                told: relay::Told::Answer {
                    answer: Answer::Attached(_),
                    ..
                },
                ..
            }
        );
        if !self.nodes[index].relays.contains_key(channel) {
            return;
        }
        let id = self.nodes[index].id.clone();
        self.line(|| format!("{id} relay {channel}: {input:?}"));
        let Some(relay) = self.nodes[index].relays.get_mut(channel) else {
            return;
        };
        let mut effects = Vec::new();
        relay.handle(input, now, &mut effects);
        let is_own = |effect: &Effect<Reply>| !matches!(effect, Effect::Answer { .. } | Effect::Dismiss);
        if is_attached && effects.iter().all(is_own) {
            self.coverage.saw(Sight::FollowedOn);
        }
        if is_page && effects.iter().any(|effect| matches!(effect, Effect::Push(_))) {
            self.coverage.saw(Sight::ReadBack);
        }
        let mut unsent = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { to, asked } => {
                    let number = match &asked {
                        relay::Asked::Request(request) => Some(request.number()),
                        relay::Asked::Leave => None,
                    };
                    if !self.carry(index, &to, channel, Carried::Asked(asked), false) {
                        unsent.extend(number);
                    }
                }
                Effect::Answer { to, answer } => self.answered_by_relay(index, channel, to, answer),
                Effect::Begin(head) => {
                    self.nodes[index].feeds.insert(channel.clone(), Feed::new(head));
                }
                Effect::Push(message) => {
                    let feed = self.nodes[index].feeds.get(channel);
                    if let Some(epoch) = feed.map(|feed| feed.last.epoch.clone()) {
                        self.push(index, channel, &epoch, &message);
                    }
                }
                Effect::Restart(head) => self.restart(index, channel, head),
                Effect::Dismiss => self.dismiss(index, channel),
                Effect::Wake { at } => {
                    let (to, channel) = (self.nodes[index].id.clone(), channel.clone());
                    let at = self.true_time(index, at);
                    self.agenda.at(at, Event::RelayWake { to, channel });
                }
            }
        }
        for number in unsent {
            self.relay_turn(index, channel, Input::Unsent { number });
        }
    }

    fn answered_by_relay(&mut self, index: usize, channel: &ChannelName, to: Reply, answer: Answer) {
        let told = match answer {
            Answer::Acknowledged(ack) => Told::Ack(ack),
            Answer::Refused(refusal) => Told::Refused(refusal),
            Answer::Moved => Told::Refused(Refusal::Moving),
            Answer::Page(page) => Told::Page(page),
            Answer::Attached(attachment) => return self.join(index, channel, to, attachment),
            Answer::Inspected(_) => unreachable!("nobody looks"),
        };
        self.respond(to, told);
    }

    /// When something that a node's clock is to show happens in truth.
    pub(super) fn true_time(&self, index: usize, at: Instant) -> Instant {
        let start = self.agenda.now().instant - self.agenda.passed();
        start + self.nodes[index].clock.passed_at(at - start)
    }
}
