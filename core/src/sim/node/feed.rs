//! A channel's newest messages at the node, and who reads them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Node;
use super::mailbox::Delivery;
use crate::channel::{Message, View};
use crate::id::{ChannelName, Epoch, Position};
use crate::ring::{Ring, Slot};
use crate::session::answer::Farewell;
use crate::session::{ChannelId, Place};
use crate::sim::link::LinkId;
use crate::sim::scene::Scene;
use xxhash_rust::xxh3::xxh3_64;

/// See the module.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) channel: ChannelName,
    epoch: Epoch,
    pub(super) ring: Ring<Arc<Message>>,
    pub(super) readers: BTreeSet<(LinkId, u8)>,
    /// Answers on their way to sessions that will read it.
    pub(super) arriving: usize,
    /// What was fed is gone: whoever reads it, or is about to, has to come back.
    is_over: bool,
}

impl Feed {
    fn push(&mut self, message: &Arc<Message>) {
        let slot = Slot {
            frame: Arc::clone(message),
            bytes: message.payload.len() + 16,
            key: message.key.as_ref().map(|key| xxh3_64(key.as_str().as_bytes())),
        };
        self.ring.push(message.seq, slot);
    }
}

impl Node {
    /// The feed for a reader that joins when the channel stands at `head`.
    pub(super) fn attend(&mut self, channel: &ChannelName, head: &Position, scene: &Scene) -> ChannelId {
        if let Some(id) = self.named.get(channel) {
            return *id;
        }
        self.channel_ids += 1;
        let id = ChannelId(self.channel_ids);
        let feed = Feed {
            channel: channel.clone(),
            epoch: head.epoch.clone(),
            ring: Ring::new(scene.setup.ring, head.seq),
            readers: BTreeSet::new(),
            arriving: 0,
            is_over: false,
        };
        self.feeds.insert(id, feed);
        self.named.insert(channel.clone(), id);
        id
    }

    /// Adds a message for all readers; they are told by [`Self::wake_readers`].
    pub(super) fn push(&mut self, feed: ChannelId, message: &Arc<Message>) {
        if let Some(feed) = self.feeds.get_mut(&feed) {
            feed.push(message);
        }
    }

    /// Tells every reader that the feed has moved.
    pub(super) fn wake_readers(&mut self, feed: ChannelId, scene: &mut Scene) {
        let readers = self
            .feeds
            .get(&feed)
            .map(|feed| feed.readers.clone())
            .unwrap_or_default();
        for (link, place) in readers {
            if let Some(session) = self.sessions.get_mut(&link) {
                session.moved |= 1 << place;
                self.wake_session(link, scene);
            }
        }
    }

    /// Takes up where an actor before this one stopped, if it left readers behind.
    pub(super) fn resume_feed(
        &mut self,
        channel: &ChannelName,
        view: Option<&View>,
        scene: &mut Scene,
    ) -> Option<ChannelId> {
        let id = *self.named.get(channel)?;
        let feed = self.feeds.get_mut(&id)?;
        match view {
            Some(view) if *view.epoch() == feed.epoch => {
                let head = feed.ring.span().head;
                let missed: Vec<_> = view.history().after(head).cloned().collect();
                // What is not kept any more cannot be fed: the ring starts over, and readers are behind.
                match missed.first() {
                    Some(first) if first.seq == head.next() => missed.iter().for_each(|message| feed.push(message)),
                    None if view.head() == head => {}
                    _ => feed.ring.restart(view.head()),
                }
                self.wake_readers(id, scene);
                Some(id)
            }
            // What was fed is gone: its readers come back with their positions and are told why.
            _ => {
                let readers = feed.readers.clone();
                feed.is_over = true;
                self.named.remove(channel);
                for (link, _) in readers {
                    self.deliver_to(link, Delivery::Dismiss(Farewell::Internal), scene);
                }
                None
            }
        }
    }

    /// Drops the channel's feed unless somebody reads it, or is about to. Whether it is gone.
    pub(super) fn retire_feed(&mut self, id: ChannelId) -> bool {
        let Some(feed) = self.feeds.get(&id) else {
            return true;
        };
        if !feed.readers.is_empty() || feed.arriving > 0 {
            return false;
        }
        self.named.remove(&feed.channel);
        self.feeds.remove(&id);
        true
    }

    pub(super) fn join_feed(&mut self, feed: ChannelId, link: LinkId, place: Place, scene: &mut Scene) {
        let Some(feed) = self.feeds.get_mut(&feed) else {
            return;
        };
        feed.readers.insert((link, place.0));
        if feed.is_over {
            // Its attach was answered by the actor that failed.
            self.deliver_to(link, Delivery::Dismiss(Farewell::Internal), scene);
        }
    }

    pub(super) fn leave_feed(&mut self, feed: ChannelId, link: LinkId, place: Place) {
        if let Some(feed) = self.feeds.get_mut(&feed) {
            feed.readers.remove(&(link, place.0));
        }
    }
}
