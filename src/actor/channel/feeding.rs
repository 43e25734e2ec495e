//! From the owner's rules to the readers: the fan-out, and the pages read back.

use std::sync::Arc;
use std::time::Duration;

use starling_core::channel::{Message, Page, Range, View};
use starling_core::id::{ChannelName, Position};
use starling_core::session::answer::Farewell;
use tokio::time::Instant;

use crate::actor::reply::Reply;
use crate::fanout::{EncodedPage, Feed, Gateway, PageCache};
use crate::node::Services;
use crate::wire;

/// The channel's feed at this gateway, while somebody reads it.
pub(super) struct Feeding {
    channel: ChannelName,
    gateway: Arc<Gateway>,
    feed: Option<Arc<Feed>>,
    pages: PageCache,
    /// Messages pushed in this turn.
    moved: u32,
    /// When a reader joined or read back last.
    used: Instant,
}

impl Feeding {
    /// Takes up where an actor before this one stopped, if it left readers behind.
    pub(super) fn resume(channel: &ChannelName, view: Option<&View>, services: &Services) -> Self {
        let mut feeding = Self {
            channel: channel.clone(),
            gateway: Arc::clone(&services.gateway),
            feed: services.gateway.find(channel),
            pages: PageCache::default(),
            moved: 0,
            used: Instant::now(),
        };
        let Some(feed) = feeding.feed.clone() else {
            return feeding;
        };
        match view {
            Some(view) if *view.epoch() == feed.epoch() => {
                let missed: Vec<_> = view.history().after(feed.span().head).cloned().collect();
                match missed.first() {
                    Some(first) if first.seq != feed.span().head.next() => feed.restart(view.head_position()),
                    _ => missed.iter().for_each(|message| feeding.push(message)),
                }
                feeding.tell();
            }
            // What was fed is gone: its readers come back with their positions and are told why.
            _ => {
                feed.dismiss(&Farewell::Internal);
                feeding.feed = None;
                services.gateway.forget(channel);
            }
        }
        feeding
    }

    /// The feed for a reader that joins when the channel stands at `head`.
    pub(super) fn attend(&mut self, head: &Position) -> Arc<Feed> {
        self.used = Instant::now();
        let feed = self.feed.get_or_insert_with(|| self.gateway.feed(&self.channel, head));
        Arc::clone(feed)
    }

    /// Whether anybody may read the feed.
    pub(super) const fn is_attended(&self) -> bool {
        self.feed.is_some()
    }

    /// Adds a message for all readers.
    pub(super) fn push(&mut self, message: &Message) {
        if let Some(feed) = &self.feed {
            feed.push(message);
            self.moved += 1;
        }
    }

    /// Tells the readers, once for all that was pushed in this turn.
    pub(super) fn tell(&mut self) {
        let moved = std::mem::take(&mut self.moved);
        if moved > 0
            && let Some(feed) = &self.feed
        {
            feed.moved(moved);
        }
    }

    /// The page that somebody has read before.
    pub(super) fn known_page(&mut self, range: &Range) -> Option<EncodedPage> {
        self.used = Instant::now();
        let page = self.pages.find(range.epoch.as_ref()?, range.after)?;
        Some(page.clone())
    }

    /// Answers a read: encodes the page, once for all who will want it.
    pub(super) fn answer(&mut self, to: Reply, page: Page) {
        match page {
            Page::Messages { after, messages, .. } => {
                // Only readers of the feed read pages, so there is one.
                let channel_id = self.attend(&after).channel_id;
                let page = EncodedPage {
                    after: after.seq,
                    through: messages.last().map_or(after.seq, |last| last.seq),
                    frame: Arc::new(wire::page(channel_id, after.seq, &messages)),
                };
                if page.through > page.after {
                    self.pages.keep(after.epoch, page.clone());
                }
                to.page(page);
            }
            Page::Lost { reason, position } => to.lost(reason, position),
        }
    }

    /// Lets go of pages and feed that nobody has used for `linger`.
    pub(super) fn tidy(&mut self, linger: Duration) {
        if self.used.elapsed() < linger {
            return;
        }
        self.pages.clear();
        if self.feed.is_some() && self.gateway.retire(&self.channel) {
            self.feed = None;
        }
    }
}
