//! What the actors and sessions of the node receive, and whom they answer.

use std::sync::Arc;

use crate::channel::{self, Ack, Attachment, From, Message, Range, Reason, Refusal};
use crate::id::{Position, Seq, Serial};
use crate::session::answer::Farewell;
use crate::session::request::RequestId;
use crate::session::{ChannelId, PageTicket, Place};
use crate::sim::fact::{Asked, Fact};
use crate::sim::link::LinkId;
use crate::sim::scene::{ActorId, Scene};

use super::Node;

/// The way back to whoever asked; used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReplyId(pub(super) u64);

/// Room taken in the mailbox of a channel's actor.
#[derive(Debug)]
pub(super) struct Permit(pub(super) ActorId);

/// Whoever asked.
#[derive(Debug)]
pub(super) enum Asker {
    Attach {
        link: LinkId,
        request: RequestId,
        from: From,
    },
    Publish {
        link: LinkId,
        request: RequestId,
        asked: Asked,
    },
    Read {
        link: LinkId,
        place: Place,
        ticket: PageTicket,
        range: Range,
    },
}

/// An answer for a session.
#[derive(Debug)]
pub(super) enum Delivery {
    Attached {
        request: RequestId,
        feed: ChannelId,
        attachment: Attachment,
    },
    Acknowledged {
        request: RequestId,
        serial: Serial,
        ack: Ack,
    },
    AttachRefused {
        request: RequestId,
        refusal: Refusal,
    },
    PublishRefused {
        request: RequestId,
        refusal: Refusal,
    },
    Fetched {
        place: Place,
        ticket: PageTicket,
        page: PageAnswer,
    },
    Dismiss(Farewell),
}

/// What became of a page.
#[derive(Debug)]
pub(super) enum PageAnswer {
    Page { after: Seq, messages: Vec<Arc<Message>> },
    Lost { reason: Reason, position: Position },
    Busy,
}

impl Node {
    pub(super) fn acknowledge(&mut self, reply: ReplyId, ack: Ack, scene: &mut Scene) {
        if let Some((_, Asker::Publish { link, request, asked })) = self.asked.remove(&reply) {
            let serial = asked.serial;
            scene.tell(Fact::Acked {
                asked,
                ack: ack.clone(),
            });
            self.deliver_to(link, Delivery::Acknowledged { request, serial, ack }, scene);
        }
    }

    pub(super) fn confirm(&mut self, reply: ReplyId, feed: ChannelId, attachment: Attachment, scene: &mut Scene) {
        if let Some((_, Asker::Attach { link, request, .. })) = self.asked.remove(&reply) {
            if let Some(feed) = self.feeds.get_mut(&feed).filter(|_| self.sessions.contains_key(&link)) {
                feed.arriving += 1;
            }
            let delivery = Delivery::Attached {
                request,
                feed,
                attachment,
            };
            self.deliver_to(link, delivery, scene);
        }
    }

    pub(super) fn fetched(&mut self, reply: ReplyId, page: PageAnswer, scene: &mut Scene) {
        if let Some((
            _,
            Asker::Read {
                link, place, ticket, ..
            },
        )) = self.asked.remove(&reply)
        {
            self.deliver_to(link, Delivery::Fetched { place, ticket, page }, scene);
        }
    }

    /// It is not to be.
    pub(super) fn refuse(&mut self, reply: ReplyId, refusal: Refusal, scene: &mut Scene) {
        match self.asked.remove(&reply) {
            Some((_, Asker::Attach { link, request, .. })) => {
                self.deliver_to(link, Delivery::AttachRefused { request, refusal }, scene);
            }
            Some((_, Asker::Publish { link, request, asked })) => {
                scene.tell(Fact::Refused {
                    asked,
                    refusal: refusal.clone(),
                });
                self.deliver_to(link, Delivery::PublishRefused { request, refusal }, scene);
            }
            Some((
                _,
                Asker::Read {
                    link, place, ticket, ..
                },
            )) => {
                let page = PageAnswer::Busy;
                self.deliver_to(link, Delivery::Fetched { place, ticket, page }, scene);
            }
            None => {}
        }
    }

    /// Refuses whatever a message asks.
    pub(super) fn refuse_input(&mut self, input: channel::Input<ReplyId>, refusal: &Refusal, scene: &mut Scene) {
        match input {
            channel::Input::Request(request) => self.refuse(request.into_asker(), refusal.clone(), scene),
            channel::Input::Committed { .. }
            | channel::Input::Refused { .. }
            | channel::Input::Standing(_)
            | channel::Input::Confirmed { .. }
            | channel::Input::Due { .. } => {}
        }
    }

    /// Brings a session an answer; one that is gone needs none.
    pub(super) fn deliver_to(&mut self, link: LinkId, delivery: Delivery, scene: &mut Scene) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.inbox.push(delivery);
            self.wake_session(link, scene);
        }
    }
}
