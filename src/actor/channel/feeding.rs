//! From the owner's rules to the readers: the fan-out, and the pages read back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use starling_core::channel::{Message, Page, Range, Reason, Refusal, View};
use starling_core::id::{ChannelName, Epoch, Position, Seq, Term};
use starling_core::session::answer::Farewell;
use starling_core::slot::StoreFailure;
use starling_runtime::mailbox::{Address, Permit};
use tokio::time::Instant;

use crate::actor::registry::Registry;
use crate::actor::reply::Reply;
use crate::fanout::{EncodedPage, Feed, Gateway, PageCache};
use crate::node::Services;
use crate::storage::{PageFailure, Wanted};
use crate::wire;

/// The channel's feed at this gateway, while somebody reads it.
pub(in crate::actor) struct Feeding {
    channel: ChannelName,
    gateway: Arc<Gateway>,
    feed: Option<Arc<Feed>>,
    pages: PageCache,
    /// Pages that the store was asked for, and who waits for them, in the room of their questions.
    fetching: BTreeMap<(Epoch, Seq), Vec<(Reply, Permit)>>,
    /// Messages pushed in this turn.
    moved: u32,
    /// When a reader joined or read back last.
    used: Instant,
}

impl Feeding {
    /// Takes up where an actor before this one stopped, if it left readers behind.
    pub(super) fn resume(channel: &ChannelName, view: Option<&View>, services: &Services) -> Self {
        let mut feeding = Self::adopt(channel, services);
        let Some(feed) = feeding.feed.clone() else {
            return feeding;
        };
        match view {
            Some(view) if *view.epoch() == feed.epoch() => {
                let fed = feed.span().head;
                let missed: Vec<_> = view.history().after(fed).cloned().collect();
                // What is not in memory is read in pages.
                if missed.len() as u64 == view.head().0.saturating_sub(fed.0) {
                    missed.iter().for_each(|message| feeding.push(message));
                } else {
                    feed.restart(view.head_position());
                }
                // Also when nothing was missed: somebody may wait for a page.
                feeding.moved = feeding.moved.max(1);
                feeding.tell();
            }
            // What was fed is gone: its readers come back with their positions and are told why.
            _ => feeding.dismiss(),
        }
        feeding
    }

    /// The channel cannot be opened now. Its readers wait with it, unless it is set aside: then they are sent away, and
    /// told why when they come back.
    pub(super) fn wait(channel: &ChannelName, refusal: &Refusal, services: &Services) -> Self {
        let mut feeding = Self::adopt(channel, services);
        if *refusal == Refusal::Quarantined {
            feeding.dismiss();
        }
        feeding
    }

    /// The feed for a reader that joins when the channel stands at `head`.
    pub(in crate::actor) fn attend(&mut self, head: &Position) -> Arc<Feed> {
        self.used = Instant::now();
        let feed = self.feed.get_or_insert_with(|| self.gateway.feed(&self.channel, head));
        Arc::clone(feed)
    }

    /// Whether anybody may read the feed.
    pub(in crate::actor) const fn is_attended(&self) -> bool {
        self.feed.is_some()
    }

    /// Adds a message for all readers.
    pub(in crate::actor) fn push(&mut self, message: &Message) {
        if let Some(feed) = &self.feed {
            feed.push(message);
            self.moved += 1;
        }
    }

    /// Tells the readers, once for all that was pushed in this turn.
    pub(in crate::actor) fn tell(&mut self) {
        let moved = std::mem::take(&mut self.moved);
        if moved > 0
            && let Some(feed) = &self.feed
        {
            feed.moved(moved);
        }
    }

    /// The page that somebody has read before.
    pub(in crate::actor) fn known_page(&mut self, range: &Range) -> Option<EncodedPage> {
        self.used = Instant::now();
        let page = self.pages.find(range.epoch.as_ref()?, range.after)?;
        Some(page.clone())
    }

    /// Waits with whoever asked the store for the same page, if somebody has.
    pub(in crate::actor) fn join_fetch(&mut self, range: &Range, to: Reply, permit: Permit) -> Option<(Reply, Permit)> {
        let place = range.epoch.clone().map(|epoch| (epoch, range.after));
        match place.and_then(|place| self.fetching.get_mut(&place)) {
            Some(waiting) => {
                waiting.push((to, permit));
                None
            }
            None => Some((to, permit)),
        }
    }

    /// Asks the store for a page. It is encoded where it arrives, not in a turn of this actor.
    pub(super) fn fetch(
        &mut self,
        to: Reply,
        permit: Permit,
        wanted: Wanted,
        me: &Address<super::Message>,
        registry: &Registry,
    ) {
        let Some(storage) = &registry.services().storage else {
            return to.refuse(Refusal::Unavailable);
        };
        let place = (wanted.epoch.clone(), wanted.after);
        self.fetching.entry(place).or_default().push((to, permit));
        let channel_id = self
            .attend(&Position {
                epoch: wanted.epoch.clone(),
                seq: wanted.after,
                term: Term(0),
            })
            .channel_id;
        let (page, me) = (storage.store.page(wanted.clone()), me.clone());
        tokio::spawn(async move {
            let page = page.await.map(|messages| EncodedPage {
                after: wanted.after,
                through: messages.last().map_or(wanted.after, |last| last.seq),
                frame: Arc::new(wire::page(channel_id, wanted.after, &messages)),
            });
            let wanted = Box::new(wanted);
            let _ = me.post_single(super::Message::Fetched { wanted, page }); // gone, and its readers ask again
        });
    }

    /// Reads messages of the store for somebody who wants them as they are: over HTTP, and in no page that others share.
    /// `head` is the newest message of the channel.
    pub(super) fn read(
        to: Reply,
        permit: Permit,
        wanted: Wanted,
        head: Position,
        me: &Address<super::Message>,
        registry: &Registry,
    ) {
        let Some(storage) = &registry.services().storage else {
            return to.refuse(Refusal::Unavailable);
        };
        let (page, me) = (storage.store.page(wanted.clone()), me.clone());
        tokio::spawn(async move {
            let _room = permit;
            match page.await {
                Ok(messages) => {
                    let after = Position {
                        epoch: wanted.epoch,
                        seq: wanted.after,
                        term: Term(0), // nobody continues a session from it
                    };
                    to.read(Page::Messages { after, messages, head });
                }
                Err(PageFailure::Truncated) => to.read(Page::Lost {
                    reason: Reason::Truncated,
                    position: head,
                }),
                Err(PageFailure::Busy) => to.refuse(Refusal::Busy),
                Err(PageFailure::Store(StoreFailure::Corrupt)) => {
                    to.refuse(Refusal::Quarantined);
                    let page = Err(PageFailure::Store(StoreFailure::Corrupt));
                    let wanted = Box::new(wanted);
                    let _ = me.post_single(super::Message::Fetched { wanted, page }); // gone: the next reader finds it
                }
                Err(PageFailure::Store(_)) => to.refuse(Refusal::Unavailable),
            }
        });
    }

    /// Answers all who wait for a page of the store. `head` is where delivery goes on when it is lost.
    pub(super) fn fetched(&mut self, wanted: &Wanted, page: Result<EncodedPage, PageFailure>, head: Option<Position>) {
        let place = (wanted.epoch.clone(), wanted.after);
        let waiting = self.fetching.remove(&place).unwrap_or_default();
        if let Ok(page) = &page {
            self.pages.keep(wanted.epoch.clone(), page.clone());
        }
        for (to, _room) in waiting {
            match (&page, &head) {
                (Ok(page), _) => to.page(page.clone()),
                (Err(PageFailure::Truncated), Some(head)) => to.lost(Reason::Truncated, head.clone()),
                (Err(PageFailure::Store(StoreFailure::Corrupt)), _) => to.refuse(Refusal::Quarantined),
                (Err(PageFailure::Truncated | PageFailure::Busy), _) => to.refuse(Refusal::Busy),
                (Err(PageFailure::Store(_)), _) => to.refuse(Refusal::Unavailable),
            }
        }
    }

    /// Answers a read: encodes the page, once for all who will want it.
    pub(in crate::actor) fn answer(&mut self, to: Reply, page: Page) {
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
            // Taken out of the turn before: it is fetched.
            Page::Stored { .. } => to.refuse(Refusal::Busy),
        }
    }

    /// Leaves the feed to another actor.
    pub(in crate::actor) fn let_go(&mut self) {
        self.feed = None;
        for (to, _room) in std::mem::take(&mut self.fetching).into_values().flatten() {
            to.refuse(Refusal::Moving);
        }
    }

    /// Begins the feed after `head`, for the first reader.
    pub(in crate::actor) fn begin(&mut self, head: &Position) {
        let _ = self.attend(head);
    }

    /// Begins the feed again after `head`: what lies between is read in pages.
    pub(in crate::actor) fn restart(&mut self, head: Position) {
        if let Some(feed) = &self.feed {
            feed.restart(head);
            self.moved = self.moved.max(1);
        }
    }

    /// Ends the feed: its history is gone. Its readers come back with their positions and are told why.
    pub(in crate::actor) fn dismiss(&mut self) {
        if let Some(feed) = self.feed.take() {
            feed.dismiss(&Farewell::Internal);
            self.gateway.forget(&self.channel);
        }
    }

    /// The feed, if there is one.
    pub(in crate::actor) const fn feed(&self) -> Option<&Arc<Feed>> {
        self.feed.as_ref()
    }

    /// The feed that another actor has left, or none.
    pub(in crate::actor) fn adopt(channel: &ChannelName, services: &Services) -> Self {
        Self {
            channel: channel.clone(),
            gateway: Arc::clone(&services.gateway),
            feed: services.gateway.find(channel),
            pages: PageCache::default(),
            fetching: BTreeMap::new(),
            moved: 0,
            used: Instant::now(),
        }
    }

    /// Waits for a page that is asked for in the name of all who want it.
    pub(in crate::actor) fn wait_for(&mut self, place: (Epoch, Seq), to: Reply, permit: Permit) {
        self.fetching.entry(place).or_default().push((to, permit));
    }

    /// Answers all who wait for a page. It is encoded once for all of them.
    pub(in crate::actor) fn paged(&mut self, place: &(Epoch, Seq), page: Result<Page, Refusal>) {
        let waiting = self.fetching.remove(place).unwrap_or_default();
        let mut waiting = waiting.into_iter();
        match page {
            Ok(page) => {
                if let Some((first, _room)) = waiting.next() {
                    self.answer(first, page.clone());
                }
                for (to, _room) in waiting {
                    match self.pages.find(&place.0, place.1) {
                        Some(page) => to.page(page.clone()),
                        None => self.answer(to, page.clone()),
                    }
                }
            }
            Err(refusal) => waiting.for_each(|(to, _room)| to.refuse(refusal.clone())),
        }
    }

    /// Lets go of pages and feed that nobody has used for `linger`.
    pub(in crate::actor) fn tidy(&mut self, linger: Duration) {
        if self.used.elapsed() < linger {
            return;
        }
        self.pages.clear();
        if self.feed.is_some() && self.gateway.retire(&self.channel) {
            self.feed = None;
        }
    }
}
