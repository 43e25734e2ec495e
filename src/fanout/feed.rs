//! One channel at this gateway, and all of them.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use dashmap::DashMap;
use starling_core::channel::Message;
use starling_core::id::{ChannelName, Epoch, Position};
use starling_core::pulse::{Pulse, Tell, Windows};
use starling_core::ring::{self, Ring, Span};
use starling_core::session::answer::Farewell;
use starling_core::session::{ChannelId, Place};
use starling_runtime::wheel::{Alarm, Wheel};
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use super::Frame;
use super::readers::{Listener, Readers};
use crate::node::Dismiss;
use crate::session::Mailbox;
use crate::wire;

/// One channel at this gateway: its newest messages, encoded, and who reads them.
pub struct Feed {
    /// Stands for the channel in every frame of this gateway.
    pub channel_id: ChannelId,
    /// Its name.
    pub channel: ChannelName,
    fed: RwLock<Fed>,
    readers: Mutex<Readers>,
    pulse: Mutex<Pulse>,
    wheel: Wheel,
}

#[derive(Debug)]
struct Fed {
    /// The history that the ring's seqs count in.
    epoch: Epoch,
    ring: Ring<Arc<Frame>>,
}

impl Feed {
    /// Adds a reader: its mailbox is marked with `place` whenever the feed moves.
    pub fn join(&self, mailbox: Arc<Mailbox>, place: Place) -> Listener {
        self.readers().join(mailbox, place)
    }

    /// Removes a reader.
    pub fn leave(&self, listener: Listener) {
        self.readers().leave(listener);
    }

    /// The history that its seqs count in.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.fed().epoch.clone()
    }

    /// What the ring holds.
    #[must_use]
    pub fn span(&self) -> Span {
        self.fed().ring.span()
    }

    /// Reads the ring.
    pub fn read<T>(&self, look: impl FnOnce(&Ring<Arc<Frame>>) -> T) -> T {
        look(&self.fed().ring)
    }

    /// Adds a message of the channel, unless the readers have it. Encodes it, once for all. Readers are told by
    /// [`Self::moved`].
    pub fn push(&self, message: &Message) {
        let frame = wire::publication(self.channel_id, message);
        let slot = ring::Slot {
            bytes: frame.body_bytes(),
            key: message.key.as_ref().map(|key| xxh3_64(key.as_str().as_bytes())),
            frame: Arc::new(frame),
        };
        self.fed_mut().ring.push(message.seq, slot);
    }

    /// Starts over at `head`, without messages: what came before is read in pages.
    pub fn restart(&self, head: Position) {
        let mut fed = self.fed_mut();
        fed.ring.restart(head.seq);
        fed.epoch = head.epoch;
    }

    /// How many read it.
    #[must_use]
    pub fn audience(&self) -> usize {
        self.readers().len()
    }

    /// Ends the session of every reader.
    pub fn dismiss(&self, farewell: &Farewell) {
        for mailbox in self.readers().mailboxes() {
            mailbox.dismiss(farewell);
        }
    }

    /// Tells the readers that the feed has moved by so many messages: now, or when its window ends.
    pub fn moved(self: &Arc<Self>, messages: u32) {
        let tell = self.pulse().moved(messages, Instant::now().into_std());
        self.tell(tell);
    }

    fn tell(self: &Arc<Self>, tell: Tell) {
        match tell {
            Tell::Now => self.readers().mark(),
            Tell::At(at) => self
                .wheel
                .set(Instant::from_std(at), Arc::new(PulseAlarm(Arc::clone(self)))),
            Tell::Nothing => {}
        }
    }

    fn fed(&self) -> RwLockReadGuard<'_, Fed> {
        self.fed.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn fed_mut(&self) -> RwLockWriteGuard<'_, Fed> {
        self.fed.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rings at the end of a feed's window.
struct PulseAlarm(Arc<Feed>);

impl Alarm for PulseAlarm {
    fn ring(&self) {
        let tell = self.0.pulse().rung(Instant::now().into_std());
        self.0.tell(tell);
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("channel_id", &self.channel_id)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

/// The feeds of this node. A channel has one here while somebody reads it.
pub struct Gateway {
    bounds: ring::Bounds,
    windows: Windows,
    wheel: Wheel,
    feeds: DashMap<ChannelName, Arc<Feed>>,
    next_id: AtomicU32,
}

impl Gateway {
    /// No feeds; each will keep its newest messages within `bounds`, and tell its readers of them once a window, which
    /// ends on a tick of `wheel`.
    #[must_use]
    pub fn new(bounds: ring::Bounds, windows: Windows, wheel: Wheel) -> Self {
        Self {
            bounds,
            windows,
            wheel,
            feeds: DashMap::new(),
            next_id: AtomicU32::new(1),
        }
    }

    /// A number for a channel of which there is no feed, or another: no other channel of this gateway has it.
    pub fn number(&self) -> ChannelId {
        ChannelId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// The channel's feed, if it has one here.
    #[must_use]
    pub fn find(&self, channel: &ChannelName) -> Option<Arc<Feed>> {
        self.feeds.get(channel).map(|feed| Arc::clone(&feed))
    }

    /// The channel's feed; a new one starts after `head`.
    pub fn feed(&self, channel: &ChannelName, head: &Position) -> Arc<Feed> {
        let feed = self.feeds.entry(channel.clone()).or_insert_with(|| {
            Arc::new(Feed {
                channel_id: self.number(),
                channel: channel.clone(),
                fed: RwLock::new(Fed {
                    epoch: head.epoch.clone(),
                    ring: Ring::new(self.bounds, head.seq),
                }),
                readers: Mutex::default(),
                pulse: Mutex::new(Pulse::new(self.windows)),
                wheel: self.wheel.clone(),
            })
        });
        Arc::clone(&feed)
    }

    /// Drops the channel's feed unless somebody reads it, or is about to. Whether it is gone. The
    /// owner that asks holds the feed too; a reader holds it from the moment its attach is answered.
    pub fn retire(&self, channel: &ChannelName) -> bool {
        let unread = |_: &ChannelName, feed: &Arc<Feed>| Arc::strong_count(feed) <= 2;
        self.feeds.remove_if(channel, unread).is_some()
    }

    /// Drops the channel's feed whoever reads it: its history is gone.
    pub fn forget(&self, channel: &ChannelName) {
        self.feeds.remove(channel);
    }

    /// Feeds at this moment.
    #[must_use]
    pub fn len(&self) -> usize {
        self.feeds.len()
    }

    /// Whether no channel has a reader here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }
}
