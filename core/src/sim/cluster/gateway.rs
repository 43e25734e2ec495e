//! A node's part as a gateway: its readers' feeds, and the relays of the channels that others own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{Asked, Client, Event, Reply, Request, Response, Told};
use super::lane::Carried;
use super::node::{Asker, Route, Work};
use super::sight::Sight;
use super::truth::Rule;
use super::world::World;
use crate::channel::{self, Message, Refusal};
use crate::id::{ChannelName, Epoch, NodeId, Position, SlotId, slot_of};
use crate::relay::{self, Answer, Effect, Input, Relay};

/// How long a feed is kept that nobody reads.
const LINGER: Duration = Duration::from_millis(600);

/// A channel as this gateway's readers were given it.
#[derive(Debug)]
pub(super) struct Feed {
    /// The newest message.
    pub(super) last: Position,
    pub(super) readers: BTreeMap<usize, Reply>,
    unread_since: Option<Instant>,
}

impl Feed {
    const fn new(last: Position) -> Self {
        Self {
            last,
            readers: BTreeMap::new(),
            unread_since: None,
        }
    }
}

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
        self.sights.see(Sight::GaveWay);
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
            self.sights.see(Sight::TookUp);
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
            self.sights.see(Sight::Notified);
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
        let Some(relay) = self.nodes[index].relays.get_mut(channel) else {
            return;
        };
        let mut effects = Vec::new();
        relay.handle(input, now, &mut effects);
        let is_own = |effect: &Effect<Reply>| !matches!(effect, Effect::Answer { .. } | Effect::Dismiss);
        if is_attached && effects.iter().all(is_own) {
            self.sights.see(Sight::FollowedOn);
        }
        if is_page && effects.iter().any(|effect| matches!(effect, Effect::Push(_))) {
            self.sights.see(Sight::ReadBack);
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

    /// Somebody reads the feed from now on.
    pub(super) fn join(&mut self, index: usize, channel: &ChannelName, to: Reply, attachment: channel::Attachment) {
        let Client::Reader(reader) = to.client else {
            return self.truth.ensure(false, Rule::Once, || {
                format!("{to:?} publishes, and is told that it is attached")
            });
        };
        let head = attachment.head.clone();
        let feeds = &mut self.nodes[index].feeds;
        let feed = feeds.entry(channel.clone()).or_insert_with(|| Feed::new(head.clone()));
        let is_right = feed.last.epoch == head.epoch && feed.last.seq >= head.seq;
        let fed = feed.last.clone();
        // One that has gone elsewhere meanwhile hears nothing of it.
        if self.readers[reader].waits_for(&to) {
            feed.readers.insert(reader, to);
        }
        self.truth.ensure(is_right, Rule::Order, || {
            format!("a reader joins the feed of {channel} at {fed}, and was told of {head}")
        });
        self.respond(to, Told::Attached(attachment));
    }

    /// Gives a message to the readers here: the next one.
    pub(super) fn push(&mut self, index: usize, channel: &ChannelName, epoch: &Epoch, message: &Arc<Message>) {
        let id = self.nodes[index].id.clone();
        let is_own = !self.nodes[index].relays.contains_key(channel);
        let Some(feed) = self.nodes[index].feeds.get_mut(channel) else {
            return;
        };
        let last = feed.last.clone();
        if last.epoch == *epoch && message.seq <= last.seq && is_own {
            // A new owner that was alone showed less at first than its gateway had from the owner before it.
            return self.sights.see(Sight::ShownBefore);
        }
        feed.last = Position {
            epoch: epoch.clone(),
            seq: message.seq,
            term: message.term,
        };
        let readers: Vec<_> = feed.readers.values().copied().collect();
        let is_next = last.epoch == *epoch && message.seq == last.seq.next();
        self.truth.ensure(is_next, Rule::Order, || {
            format!(
                "{id} shows its readers {epoch}:{} of {channel} after {last}",
                message.seq
            )
        });
        self.truth.shown(channel, epoch, message);
        for to in readers {
            self.respond(to, Told::Live(epoch.clone(), Arc::clone(message)));
        }
    }

    /// The feed goes on after `head`: its readers read back what lies between.
    pub(super) fn restart(&mut self, index: usize, channel: &ChannelName, head: Position) {
        if let Some(feed) = self.nodes[index].feeds.get_mut(channel) {
            feed.last = head.clone();
            for to in feed.readers.values().copied().collect::<Vec<_>>() {
                self.respond(to, Told::Restarted(head.clone()));
            }
        }
    }

    /// The history of the feed is gone.
    pub(super) fn dismiss(&mut self, index: usize, channel: &ChannelName) {
        let feed = self.nodes[index].feeds.remove(channel);
        for to in feed.into_iter().flat_map(|feed| feed.readers.into_values()) {
            self.respond(to, Told::Dismissed);
        }
    }

    /// The channel is opened here: it goes on where the feed stands.
    pub(super) fn resume_feed(&mut self, index: usize, channel: &ChannelName) {
        let node = &self.nodes[index];
        let Some(fed) = node.feeds.get(channel).map(|feed| feed.last.clone()) else {
            return;
        };
        let view = node.channels.get(channel).and_then(|machine| machine.view());
        let Some(view) = view.filter(|view| *view.epoch() == fed.epoch) else {
            return self.dismiss(index, channel);
        };
        let head = view.head_position();
        let missed: Vec<_> = view.history().after(fed.seq).cloned().collect();
        if missed.len() as u64 != head.seq.0.saturating_sub(fed.seq.0) {
            return self.restart(index, channel, head);
        }
        for message in missed {
            self.push(index, channel, &fed.epoch, &message);
        }
    }

    /// A reader has gone.
    pub(super) fn leave(&mut self, reader: usize) {
        let (channel, gateway) = (self.readers[reader].channel.clone(), self.readers[reader].gateway);
        if let Some(feed) = self.nodes[gateway].feeds.get_mut(&channel) {
            feed.readers.remove(&reader);
        }
    }

    /// Lets go of feeds that nobody reads, and sees to it that somebody goes on with the others.
    pub(super) fn tend_feeds(&mut self, index: usize) {
        let now = self.agenda.now().instant;
        let feeds: Vec<_> = self.nodes[index].feeds.keys().cloned().collect();
        for channel in feeds {
            let slot = slot_of(&channel, self.plan.slots);
            let node = &mut self.nodes[index];
            let feed = node.feeds.get_mut(&channel).expect("it was there");
            let since = *feed.unread_since.get_or_insert(now);
            if !feed.readers.is_empty() {
                feed.unread_since = None;
                if node.owns(slot) {
                    self.work(index, slot, Work::Open(channel));
                }
            } else if now >= since + LINGER {
                node.feeds.remove(&channel);
                self.relay_turn(index, &channel, Input::Unread);
            }
        }
    }

    /// When something that a node's clock is to show happens in truth.
    pub(super) fn true_time(&self, index: usize, at: Instant) -> Instant {
        let start = self.agenda.now().instant - self.agenda.passed();
        start + self.nodes[index].clock.passed_at(at - start)
    }
}
