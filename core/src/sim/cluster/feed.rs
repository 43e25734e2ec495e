//! What the readers of a gateway are given, whoever owns the channel: each message once, in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{Client, Reply, Told};
use super::node::Work;
use super::sight::Sight;
use super::truth::Rule;
use super::world::World;
use crate::channel::{Attachment, Message};
use crate::id::{ChannelName, Epoch, Position, slot_of};
use crate::relay::Input;

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
    pub(super) const fn new(last: Position) -> Self {
        Self {
            last,
            readers: BTreeMap::new(),
            unread_since: None,
        }
    }
}

impl World {
    /// Somebody reads the feed from now on.
    pub(super) fn join(&mut self, index: usize, channel: &ChannelName, to: Reply, attachment: Attachment) {
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
            return self.coverage.saw(Sight::ShownBefore);
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
}
