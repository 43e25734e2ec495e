//! How this node's actors reach those of other nodes.
//!
//! A turn never waits, so what a lane has no room for is dropped here, and whoever it was for gets it another way: a copy
//! is sent entries again, a gateway asks again, a follower is told that it is behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use starling_cluster::link::{Link, Links, SendError};
use starling_cluster::wire::{self, Said};
use starling_core::document::message::Join;
use starling_core::id::{ChannelName, NodeId, SlotId, slot_of};
use starling_core::relay::{Asked, Told};
use starling_core::replica;
use starling_core::table::Change;
use starling_core::time::Now;
use tokio::sync::{Semaphore, mpsc};

/// A change of the slot table that a slot asks for.
#[derive(Debug)]
pub struct Wish {
    /// Which slot.
    pub slot: SlotId,
    /// Names the wish in the answer.
    pub number: u64,
    /// The version of the slot's record that it was decided on.
    pub version: u64,
    /// What for.
    pub change: Change,
}

/// What the lane of one gateway took of something that was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Frames of the link.
    pub frames: u64,
    /// Messages in them.
    pub messages: u64,
}

/// See the module.
pub struct Peers {
    me: NodeId,
    slots: u16,
    links: Arc<Links>,
    wishes: mpsc::Sender<Wish>,
    /// Large documents on their way to other nodes.
    large: Arc<Semaphore>,
    /// The number of the last of them.
    cut: AtomicU64,
}

/// Documents larger than a frame that are on their way to other nodes at once: each waits for its lane, in memory. One more is
/// not sent, and asked for again.
const LARGE_MAX: usize = 64;

impl Peers {
    /// The peers that `links` lead to. `wishes` takes one for each of the `slots`.
    #[must_use]
    pub fn new(me: NodeId, slots: u16, links: Arc<Links>, wishes: mpsc::Sender<Wish>) -> Self {
        Self {
            me,
            slots,
            links,
            wishes,
            large: Arc::new(Semaphore::new(LARGE_MAX)),
            cut: AtomicU64::new(0),
        }
    }

    /// This node.
    #[must_use]
    pub const fn me(&self) -> &NodeId {
        &self.me
    }

    /// The way to a process, if it is linked.
    #[must_use]
    pub fn link(&self, node: &NodeId) -> Option<Link> {
        self.links.of(&node.name).filter(|link| link.node() == node)
    }

    /// Sends something to another node that holds the slot, if there is room.
    pub fn send(&self, slot: SlotId, to: &NodeId, message: &replica::Message, now: Now) {
        let (Some(link), Ok(frames)) = (self.link(to), wire::encode(slot, message, now)) else {
            return;
        };
        let _ = frames.iter().try_for_each(|frame| link.try_send(frame)); // it is sent again
    }

    /// Asks the owner of a channel.
    ///
    /// # Errors
    /// When there is no way to it now, or no room.
    pub fn ask(&self, owner: &NodeId, channel: &ChannelName, asked: &Asked) -> Result<(), SendError> {
        let link = self.link(owner).ok_or(SendError::Gone)?;
        let frame = wire::encode_asked(slot_of(channel, self.slots), channel, asked);
        link.try_send(&frame.map_err(|_| SendError::TooLong)?)
    }

    /// Tells gateways something about a channel: encoded once for all of them. Says what became of each, by the name it
    /// came with.
    pub fn tell<'a, T>(
        &self,
        channel: &ChannelName,
        told: &Told,
        gateways: impl Iterator<Item = (&'a Link, T)>,
        mut outcome: impl FnMut(T, Taken, Result<(), SendError>),
    ) {
        match wire::encode_told(slot_of(channel, self.slots), channel, told) {
            Ok(frames) => gateways.for_each(|(link, name)| {
                let mut taken = Taken::default();
                let sent = frames.iter().try_for_each(|frame| {
                    link.try_send(frame)?;
                    taken.frames += 1;
                    // Each message has its payload in the frame, an empty one too.
                    taken.messages += frame.payloads.len() as u64;
                    Ok(())
                });
                outcome(name, taken, sent);
            }),
            Err(error) => tracing::error!(%channel, %error, "an owner's message is longer than a frame; report this"),
        }
    }

    /// Tells one gateway as soon as there is room: what it would miss for good otherwise. `done` is called when it is told, or
    /// gone. Whoever calls sees to it that few wait.
    pub fn tell_later(&self, channel: &ChannelName, told: &Told, gateway: Link, done: impl FnOnce() + Send + 'static) {
        let Ok(frames) = wire::encode_told(slot_of(channel, self.slots), channel, told) else {
            return;
        };
        tokio::spawn(async move {
            for frame in &frames {
                if gateway.send(frame).await.is_err() {
                    break; // it is gone, and attaches anew when it is back
                }
            }
            done();
        });
    }

    /// Says something about a document, as its gateway or its owner. What is larger than a frame goes when the lane has room
    /// for it; what is said after it may come before it.
    ///
    /// # Errors
    /// When there is no way to the node now, or no room.
    pub fn say(&self, to: &NodeId, document: &ChannelName, join: Join, said: &Said) -> Result<(), SendError> {
        let link = self.link(to).ok_or(SendError::Gone)?;
        let number = || self.cut.fetch_add(1, Ordering::Relaxed);
        let frames = wire::encode_document(slot_of(document, self.slots), document, join, said, number);
        let frames = frames.map_err(|_| SendError::TooLong)?;
        if let [frame] = &*frames {
            return link.try_send(frame);
        }
        let room = Arc::clone(&self.large)
            .try_acquire_owned()
            .map_err(|_| SendError::LinkFull)?;
        tokio::spawn(async move {
            for frame in &frames {
                if link.send(frame).await.is_err() {
                    break; // the link tells of its end, and the gateway joins again
                }
            }
            drop(room);
        });
        Ok(())
    }

    /// Asks the slot table for a change. A wish that is not taken is made again.
    pub fn wish(&self, wish: Wish) {
        let _ = self.wishes.try_send(wish);
    }
}
