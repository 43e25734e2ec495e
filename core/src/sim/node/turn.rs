//! One turn of a channel's actor: message → input, run the rules, carry out the effects.

use std::sync::Arc;

use super::channel::{Message, Standing};
use super::mailbox::{Asker, PageAnswer, Permit, ReplyId};
use super::{Node, slot};
use crate::channel::{Effect, Input, Page, PageRoom, Range, Refusal, Request};
use crate::id::{ChannelName, Epoch};
use crate::sim::fact::Fact;
use crate::sim::scene::{ActorId, Scene};
use crate::sim::sight::Sight;

/// Pages kept for readers that are behind by the same amount.
const PAGES_MAX: usize = 4;

impl Node {
    /// A channel takes the next message.
    pub(in crate::sim) fn channel_turn(&mut self, channel: &ChannelName, id: ActorId, scene: &mut Scene) {
        let Some(actor) = self.channels.get_mut(channel).filter(|actor| actor.id == id) else {
            return;
        };
        actor.turning = false;
        let Some((message, permit)) = actor.mailbox.pop_front() else {
            return;
        };
        actor.turn_later(channel, scene);
        let input = match message {
            Message::Publish(publish) => Request::Publish(publish).into(),
            Message::Skip(skip) => Request::Skip(skip).into(),
            Message::Attach { to, from } => Request::Attach { to, from }.into(),
            Message::Read { to, range } => match self.known_page(channel, &range, scene) {
                Some(page) => {
                    self.fetched(to, page, scene);
                    return self.release(channel, permit, scene);
                }
                None => Request::Read { to, range }.into(),
            },
            Message::Committed { through, copies } => Input::Committed { through, copies },
            Message::Refused { reason, opening } => Input::Refused { reason, opening },
            Message::Standing(standing) => Input::Standing(standing),
            Message::Confirmed { through } => Input::Confirmed { through },
            Message::Closed { reason } => {
                self.close_channel(channel, &reason, scene);
                return self.room_again(channel, scene);
            }
            Message::Due => Input::Due {
                attended: self.channels.get(channel).is_some_and(|actor| actor.feed.is_some()),
            },
        };
        self.run(channel, input, permit, scene);
    }

    fn run(&mut self, channel: &ChannelName, input: Input<ReplyId>, permit: Option<Permit>, scene: &mut Scene) {
        let now = scene.now();
        let Some(actor) = self.channels.get_mut(channel) else {
            return;
        };
        // A publish is a use once it is committed, which its entry tells.
        if matches!(
            input,
            Input::Request(Request::Attach { .. } | Request::Read { .. }) | Input::Due { attended: true }
        ) {
            scene.tell(Fact::Used {
                channel: channel.clone(),
            });
        }
        if !matches!(input, Input::Due { .. }) {
            actor.used = now.instant;
        }
        let rules = match &mut actor.standing {
            Standing::Open(rules) => rules,
            Standing::Closed(refusal) => {
                let refusal = refusal.clone();
                self.refuse_input(input, &refusal, scene);
                return self.release(channel, permit, scene);
            }
            Standing::Starting => unreachable!("an actor that starts takes no messages"),
        };
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

    fn perform(&mut self, channel: &ChannelName, epoch: Option<&Epoch>, effect: Effect<ReplyId>, scene: &mut Scene) {
        match effect {
            Effect::Propose(_) => {} // gathered by the caller
            Effect::Ack { to, ack } => self.acknowledge(to, ack, scene),
            Effect::Refuse { to, refusal } => self.refuse(to, refusal, scene),
            Effect::Attached { to, attachment } => {
                if let Some((_, Asker::Attach { from, .. })) = self.asked.get(&to) {
                    scene.tell(Fact::Placed {
                        channel: channel.clone(),
                        from: from.clone(),
                        attachment: attachment.clone(),
                    });
                }
                let feed = self.attend(channel, &attachment.head, scene);
                if let Some(actor) = self.channels.get_mut(channel) {
                    (actor.feed, actor.read) = (Some(feed), scene.now().instant);
                }
                self.confirm(to, feed, attachment, scene);
            }
            Effect::Page { to, page } => self.answer_page(channel, to, page, scene),
            Effect::Inspected { .. } => {} // asked over HTTP, which no client of the simulation speaks
            Effect::FanOut(message) => {
                if let Some(epoch) = epoch {
                    scene.tell(Fact::FannedOut {
                        channel: channel.clone(),
                        epoch: epoch.clone(),
                        message: Arc::clone(&message),
                    });
                }
                if let Some(feed) = self.channels.get(channel).and_then(|actor| actor.feed) {
                    self.push(feed, &message);
                }
            }
            Effect::Doubt { through } => {
                let channel = channel.clone();
                let doubt = slot::Message::Doubt {
                    channel: channel.clone(),
                    through,
                };
                self.post_slot(&channel, doubt, None, scene);
            }
            Effect::Used { at } => {
                let used = slot::Message::Used {
                    channel: channel.clone(),
                    at,
                };
                self.post_slot(channel, used, None, scene);
            }
        }
    }

    /// The page that somebody has read before.
    fn known_page(&mut self, channel: &ChannelName, range: &Range, scene: &mut Scene) -> Option<PageAnswer> {
        let actor = self.channels.get_mut(channel)?;
        actor.read = scene.now().instant;
        let epoch = range.epoch.as_ref()?;
        let (_, after, messages) = actor
            .pages
            .iter()
            .find(|(of, after, _)| *after == range.after && of == epoch)?;
        scene.saw(Sight::PageKnown);
        Some(PageAnswer::Page {
            after: *after,
            messages: messages.clone(),
        })
    }

    fn answer_page(&mut self, channel: &ChannelName, to: ReplyId, page: Page, scene: &mut Scene) {
        let page = match page {
            Page::Stored {
                after,
                through,
                bytes_max,
                messages_max,
            } => {
                scene.saw(Sight::PageStored);
                let actor = self.channels.get(channel);
                let head = actor.and_then(|actor| match &actor.standing {
                    Standing::Open(rules) => rules.view().map(crate::channel::View::head_position),
                    Standing::Starting | Standing::Closed(_) => None,
                });
                let room = PageRoom::new(bytes_max, messages_max);
                match (self.stored_page(channel, &after, through, room), head) {
                    (Some(messages), Some(head)) => Page::Messages { after, messages, head },
                    // What it lacks has been dropped since: the reader asks again.
                    _ => return self.refuse(to, Refusal::Busy, scene),
                }
            }
            page => page,
        };
        if let Some((_, Asker::Read { range, .. })) = self.asked.get(&to) {
            scene.tell(Fact::Paged {
                channel: channel.clone(),
                range: range.clone(),
                page: page.clone(),
            });
        }
        let answer = match page {
            Page::Messages { after, messages, .. } => {
                if let Some(actor) = self.channels.get_mut(channel).filter(|_| !messages.is_empty()) {
                    if actor.pages.len() == PAGES_MAX {
                        actor.pages.pop_front();
                    }
                    actor.pages.push_back((after.epoch, after.seq, messages.clone()));
                }
                PageAnswer::Page {
                    after: after.seq,
                    messages,
                }
            }
            Page::Lost { reason, position } => PageAnswer::Lost { reason, position },
            Page::Stored { .. } => PageAnswer::Busy, // answered above
        };
        self.fetched(to, answer, scene);
    }
}
