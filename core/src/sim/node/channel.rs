//! The actor of a channel: it starts on demand, with what the slot holds, and retires when idle.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::mailbox::{Permit, ReplyId};
use super::{Node, slot};
use crate::channel::{self, Channel, From, Opening, Publish, Range, Refusal, Skip, Ticket};
use crate::id::{ChannelName, Epoch, Seq};
use crate::session::ChannelId;
use crate::sim::check::Rule;
use crate::sim::fact::Fact;
use crate::sim::scene::{ActorId, Event, Scene};
use crate::sim::sight::Sight;

/// Failures at the same head after which a channel is set aside.
const FAILURES_MAX: u32 = 2;

/// Everything that reaches the actor of a channel.
#[derive(Debug)]
pub(super) enum Message {
    Publish(Publish<ReplyId>),
    Skip(Skip<ReplyId>),
    Attach { to: ReplyId, from: From },
    Read { to: ReplyId, range: Range },
    Committed { through: Ticket, copies: u8 },
    Refused { reason: Refusal, opening: Box<Opening> },
    Closed { reason: Refusal },
    Standing(Result<(), Refusal>),
    Confirmed { through: Ticket },
    Due,
}

impl Message {
    /// Whom it asks to be answered.
    pub(super) const fn reply(&self) -> Option<ReplyId> {
        match self {
            Self::Publish(Publish { to, .. })
            | Self::Skip(Skip { to, .. })
            | Self::Attach { to, .. }
            | Self::Read { to, .. } => Some(*to),
            Self::Committed { .. }
            | Self::Refused { .. }
            | Self::Closed { .. }
            | Self::Standing(_)
            | Self::Confirmed { .. }
            | Self::Due => None,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct ChannelActor {
    pub(super) id: ActorId,
    pub(super) standing: Standing,
    pub(super) mailbox: VecDeque<(Message, Option<Permit>)>,
    /// Room that is taken: a message keeps it until what it proposed is committed.
    pub(super) taken: usize,
    /// A turn is entered in the agenda.
    pub(super) turning: bool,
    pub(super) feed: Option<ChannelId>,
    pub(super) pages: VecDeque<(Epoch, Seq, Vec<Arc<channel::Message>>)>,
    /// When a reader joined or read back last, and when anything was asked.
    pub(super) read: Instant,
    pub(super) used: Instant,
}

#[derive(Debug)]
pub(super) enum Standing {
    /// The slot has not answered yet.
    Starting,
    Open(Box<Channel<ReplyId>>),
    /// It is set aside, or its store failed: all who ask are refused.
    Closed(Refusal),
}

impl ChannelActor {
    /// Messages not worked off.
    pub(super) fn unfinished(&self) -> usize {
        self.mailbox.len() + self.taken
    }

    fn enqueue(&mut self, channel: &ChannelName, message: Message, permit: Option<Permit>, scene: &mut Scene) {
        self.mailbox.push_back((message, permit));
        self.turn_later(channel, scene);
    }

    pub(super) fn turn_later(&mut self, channel: &ChannelName, scene: &mut Scene) {
        let starting = matches!(self.standing, Standing::Starting);
        if !self.turning && !starting && !self.mailbox.is_empty() {
            self.turning = true;
            let turn = scene.turn();
            scene.agenda.after(turn, Event::Channel(channel.clone(), self.id));
        }
    }

    pub(super) fn look_later(&self, channel: &ChannelName, scene: &mut Scene) {
        let wait = scene.setup.linger.min(scene.setup.channel_idle);
        // One that is closed is opened anew once whoever was refused may come back.
        let wait = match &self.standing {
            Standing::Closed(refusal) => refusal.retry_after().map_or(wait, |after| wait.min(after)),
            Standing::Starting | Standing::Open(_) => wait,
        };
        scene.agenda.after(wait, Event::Look(channel.clone(), self.id));
    }
}

impl Node {
    /// Sends to a channel if its mailbox has room; starts its actor if none runs.
    #[expect(
        clippy::result_large_err,
        reason = "whoever is refused gets the message back to wait with"
    )]
    pub(super) fn try_send(
        &mut self,
        channel: &ChannelName,
        message: Message,
        scene: &mut Scene,
    ) -> Result<(), Message> {
        let mailbox = scene.setup.mailbox;
        let actor = self.channel(channel, scene);
        if actor.taken >= mailbox {
            return Err(message);
        }
        actor.taken += 1;
        let permit = Some(Permit(actor.id));
        let (id, taken, length) = (actor.id, actor.taken, actor.mailbox.len());
        let reply = message.reply();
        actor.enqueue(channel, message, permit, scene);
        if let Some((holder, _)) = reply.and_then(|reply| self.asked.get_mut(&reply)) {
            *holder = Some(id);
        }
        // Beside what took room there is one Due, one Closed, and of a stored channel the answers to what an
        // actor before this one had proposed, in its room.
        let most = mailbox * 2 + 2;
        scene.ensure(taken <= mailbox && length <= most, Rule::Bounds, || {
            format!("the mailbox of {channel} holds {length}, {taken} with room, of {mailbox}")
        });
        Ok(())
    }

    /// Sends what comes in room that is there already, or needs none.
    pub(super) fn post_channel(
        &mut self,
        channel: &ChannelName,
        message: Message,
        permit: Option<Permit>,
        scene: &mut Scene,
    ) {
        self.channel(channel, scene).enqueue(channel, message, permit, scene);
    }

    fn channel(&mut self, channel: &ChannelName, scene: &mut Scene) -> &mut ChannelActor {
        if !self.channels.contains_key(channel) {
            self.start_channel(channel, scene);
        }
        self.channels.get_mut(channel).expect("it has been started")
    }

    fn start_channel(&mut self, channel: &ChannelName, scene: &mut Scene) {
        let now = scene.now().instant;
        let actor = ChannelActor {
            id: self.next_actor(),
            standing: Standing::Starting,
            mailbox: VecDeque::new(),
            taken: 0,
            turning: false,
            feed: None,
            pages: VecDeque::new(),
            read: now,
            used: now,
        };
        let open = slot::Message::Open {
            channel: channel.clone(),
            actor: actor.id,
        };
        self.channels.insert(channel.clone(), actor);
        self.post_slot(channel, open, None, scene);
    }

    /// The slot answers an actor that starts.
    pub(super) fn opened(
        &mut self,
        channel: &ChannelName,
        opener: Option<ActorId>,
        opening: Result<Opening, Refusal>,
        scene: &mut Scene,
    ) {
        if self.channels.get(channel).is_none_or(|actor| Some(actor.id) != opener) {
            return; // stopped while it started
        }
        let standing = match opening {
            Err(refusal) => Standing::Closed(refusal),
            Ok(opening) => {
                let view = opening.state.as_ref().map(channel::State::view);
                scene.tell(Fact::Opened {
                    channel: channel.clone(),
                    found: view.map(|view| (view.head_position(), view.history().floor())),
                });
                let config = Self::config(channel, scene);
                let now = scene.now().instant;
                Standing::Open(Box::new(Channel::new(channel.clone(), config, opening, now)))
            }
        };
        let feed = match &standing {
            Standing::Open(rules) => self.resume_feed(channel, rules.view(), scene),
            // Its readers wait with it.
            Standing::Closed(Refusal::Unavailable) => self.named.get(channel).copied(),
            Standing::Starting | Standing::Closed(_) => self.resume_feed(channel, None, scene),
        };
        if let Some(actor) = self.channels.get_mut(channel) {
            (actor.standing, actor.feed) = (standing, feed);
            actor.look_later(channel, scene);
            actor.turn_later(channel, scene);
        }
    }

    /// The actor of a channel fails: what it knew is gone, and who waited is told so.
    pub(in crate::sim) fn crash_channel(&mut self, channel: &ChannelName, scene: &mut Scene) {
        if !self.channels.contains_key(channel) {
            return;
        }
        scene.saw(Sight::ChannelCrashed);
        scene.tell(Fact::Lost {
            channel: channel.clone(),
        });
        let slot = self.slots.get(&Self::slot_id(channel, scene));
        let head = slot.and_then(|slot| slot.head(channel));
        let failures = self.failures.entry(channel.clone()).or_insert((head, 0));
        if failures.0 != head {
            *failures = (head, 0);
        }
        failures.1 += 1;
        if failures.1 >= FAILURES_MAX {
            let quarantine = slot::Message::Quarantine {
                channel: channel.clone(),
            };
            self.post_slot(channel, quarantine, None, scene);
        }
        self.channel_failed(channel, scene);
    }

    /// Starts a channel again whose actor has failed, if it left readers behind.
    pub(super) fn channel_failed(&mut self, channel: &ChannelName, scene: &mut Scene) {
        let Some(actor) = self.channels.remove(channel) else {
            return;
        };
        self.orphan(actor.id, scene);
        if self.named.contains_key(channel) {
            self.start_channel(channel, scene);
        }
        // Whoever waited for room waits for the room of the next one.
        self.room_again(channel, scene);
    }

    /// Lets go of the feed when nobody reads it, and of the actor when nobody uses it.
    pub(in crate::sim) fn look(&mut self, channel: &ChannelName, id: ActorId, scene: &mut Scene) {
        let now = scene.now().instant;
        let Some(actor) = self.channels.get_mut(channel).filter(|actor| actor.id == id) else {
            return;
        };
        if now.duration_since(actor.read) >= scene.setup.linger {
            actor.pages.clear();
            if let Some(feed) = actor.feed
                && self.retire_feed(feed)
                && let Some(actor) = self.channels.get_mut(channel)
            {
                actor.feed = None;
            }
        }
        let Some(actor) = self.channels.get_mut(channel) else {
            return;
        };
        let unused = now.duration_since(actor.used) >= scene.setup.channel_idle && actor.feed.is_none();
        let idle = match &actor.standing {
            Standing::Open(rules) => unused && rules.is_idle(),
            Standing::Closed(_) => true,
            Standing::Starting => false,
        };
        if !idle || actor.unfinished() > 0 {
            return actor.look_later(channel, scene);
        }
        let standing = self.channels.remove(channel).map(|actor| actor.standing);
        if let Some(Standing::Open(rules)) = standing {
            scene.saw(Sight::Retired);
            let park = slot::Message::Park {
                channel: channel.clone(),
                retired: rules.retire(),
            };
            // Before the name is free: whoever opens the channel next finds what it left.
            self.post_slot(channel, park, None, scene);
        }
        if self.named.contains_key(channel) {
            // Its readers would wait for somebody else to open it.
            self.start_channel(channel, scene);
        }
    }

    /// Nobody knows what the store holds of the channel: it is opened anew.
    pub(super) fn close_channel(&mut self, channel: &ChannelName, reason: &Refusal, scene: &mut Scene) {
        let Some(actor) = self.channels.get_mut(channel) else {
            return;
        };
        let standing = std::mem::replace(&mut actor.standing, Standing::Closed(reason.clone()));
        actor.look_later(channel, scene);
        if let Standing::Open(rules) = standing {
            for to in rules.into_waiting() {
                self.refuse(to, reason.clone(), scene);
            }
        }
    }
}
