//! The actor of a channel: it starts on demand, with what the slot holds, and retires when idle.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::mailbox::{PageAnswer, Permit, ReplyId};
use super::{Node, slot};
use crate::channel::{self, Channel, Effect, From, Input, Opening, Page, Publish, Range, Refusal, Skip, Ticket};
use crate::id::{ChannelName, Epoch, Seq};
use crate::session::ChannelId;
use crate::sim::check::Rule;
use crate::sim::fact::Fact;
use crate::sim::scene::{ActorId, Event, Scene};
use crate::sim::sight::Sight;

/// Pages kept for readers that are behind by the same amount.
const PAGES_MAX: usize = 4;

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
    Due,
}

/// See the module.
#[derive(Debug)]
pub(super) struct ChannelActor {
    pub(super) id: ActorId,
    standing: Standing,
    mailbox: VecDeque<(Message, Option<Permit>)>,
    /// Room that is taken: a message keeps it until what it proposed is committed.
    pub(super) taken: usize,
    /// A turn is entered in the agenda.
    turning: bool,
    feed: Option<ChannelId>,
    pages: VecDeque<(Epoch, Seq, Vec<Arc<channel::Message>>)>,
    /// When a reader joined or read back last, and when anything was asked.
    read: Instant,
    used: Instant,
}

#[derive(Debug)]
enum Standing {
    /// The slot has not answered yet.
    Starting,
    Open(Box<Channel<ReplyId>>),
    /// It is set aside: all who ask are refused.
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

    fn turn_later(&mut self, channel: &ChannelName, scene: &mut Scene) {
        let starting = matches!(self.standing, Standing::Starting);
        if !self.turning && !starting && !self.mailbox.is_empty() {
            self.turning = true;
            let turn = scene.turn();
            scene.agenda.after(turn, Event::Channel(channel.clone(), self.id));
        }
    }

    fn look_later(&self, channel: &ChannelName, scene: &mut Scene) {
        let wait = scene.setup.linger.min(scene.setup.channel_idle);
        scene.agenda.after(wait, Event::Look(channel.clone(), self.id));
    }
}

impl Node {
    /// Sends to a channel if its mailbox has room; starts its actor if none runs.
    pub(super) fn try_send(&mut self, channel: &ChannelName, message: Message, scene: &mut Scene) -> Result<(), Message> {
        let mailbox = scene.setup.mailbox;
        let actor = self.channel(channel, scene);
        if actor.taken >= mailbox {
            return Err(message);
        }
        actor.taken += 1;
        let permit = Some(Permit(actor.id));
        let (taken, length) = (actor.taken, actor.mailbox.len());
        actor.enqueue(channel, message, permit, scene);
        // Beside what took room there is one Due, and nothing else.
        scene.ensure(taken <= mailbox && length <= mailbox + 1, Rule::Bounds, || {
            format!("the mailbox of {channel} holds {length}, {taken} with room, of {mailbox}")
        });
        Ok(())
    }

    /// The actor that answers for a channel, to be named in its replies.
    pub(super) fn actor_of(&mut self, channel: &ChannelName, scene: &mut Scene) -> ActorId {
        self.channel(channel, scene).id
    }

    /// Sends what comes in room that is there already, or needs none.
    pub(super) fn post_channel(&mut self, channel: &ChannelName, message: Message, permit: Option<Permit>, scene: &mut Scene) {
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
        opening: Option<Opening>,
        scene: &mut Scene,
    ) {
        if self.channels.get(channel).is_none_or(|actor| Some(actor.id) != opener) {
            return; // stopped while it started
        }
        let standing = match opening {
            None => Standing::Closed(Refusal::Quarantined),
            Some(opening) => {
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
        let view = match &standing {
            Standing::Open(rules) => rules.view(),
            Standing::Starting | Standing::Closed(_) => None,
        };
        let feed = self.resume_feed(channel, view, scene);
        if let Some(actor) = self.channels.get_mut(channel) {
            (actor.standing, actor.feed) = (standing, feed);
            actor.look_later(channel, scene);
            actor.turn_later(channel, scene);
        }
    }

    /// A channel takes the next message.
    pub(super) fn channel_turn(&mut self, channel: &ChannelName, id: ActorId, scene: &mut Scene) {
        let Some(actor) = self.channels.get_mut(channel).filter(|actor| actor.id == id) else {
            return;
        };
        actor.turning = false;
        let Some((message, permit)) = actor.mailbox.pop_front() else {
            return;
        };
        actor.turn_later(channel, scene);
        let now = scene.now();
        let input = match message {
            Message::Publish(publish) => Input::Publish(publish),
            Message::Skip(skip) => Input::Skip(skip),
            Message::Attach { to, from } => Input::Attach { to, from },
            Message::Read { to, range } => {
                actor.read = now.instant;
                let known = actor.pages.iter().find(|(epoch, after, _)| Some(epoch) == range.epoch.as_ref() && *after == range.after);
                if let Some((_, after, messages)) = known {
                    let page = PageAnswer::Page { after: *after, messages: messages.clone() };
                    scene.saw(Sight::PageKnown);
                    self.fetched(to, page, scene);
                    return self.release(channel, permit, scene);
                }
                Input::Read { to, range }
            }
            Message::Committed { through, copies } => Input::Committed { through, copies },
            Message::Refused { reason, opening } => Input::Refused { reason, opening },
            Message::Due => Input::Due { attended: actor.feed.is_some() },
        };
        match &input {
            Input::Due { attended: false } => {}
            Input::Due { attended: true } | Input::Publish(_) | Input::Skip(_) | Input::Attach { .. } | Input::Read { .. } => {
                scene.tell(Fact::Used { channel: channel.clone() });
            }
            Input::Committed { .. } | Input::Refused { .. } => {}
        }
        if !matches!(input, Input::Due { .. }) {
            actor.used = now.instant;
        }
        let rules = match &mut actor.standing {
            Standing::Open(rules) => rules,
            Standing::Starting | Standing::Closed(_) => {
                self.refuse_input(input, &Refusal::Quarantined, scene);
                return self.release(channel, permit, scene);
            }
        };
        // What a read or an attach asks for, by whom it will be answered.
        let asked = match &input {
            Input::Attach { to, from } => Some((*to, Question::Attach(from.clone()))),
            Input::Read { to, range } => Some((*to, Question::Read(range.clone()))),
            _ => None,
        };
        actor.questions.extend(asked);
        let mut effects = Vec::new();
        rules.handle(input, now, &mut effects);
        let epoch = rules.view().map(|view| view.epoch().clone());
        let mut proposals = Vec::new();
        for effect in effects {
            match effect {
                Effect::Propose(proposal) => proposals.push(proposal),
                effect => self.perform(channel, epoch.as_ref(), effect, scene),
            }
        }
        if let Some(feed) = self.channels.get(channel).and_then(|actor| actor.feed) {
            self.wake_readers(feed, scene);
        }
        if proposals.is_empty() {
            return self.release(channel, permit, scene);
        }
        let propose = slot::Message::Propose {
            channel: channel.clone(),
            proposals,
        };
        // In the room of the message that caused it: it stays taken until the commit is back.
        self.post_slot(channel, propose, permit, scene);
    }
}
