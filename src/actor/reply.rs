//! Whom an owner answers: a session, a request over HTTP, or a gateway on another node.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use starling_cluster::link::Link;
use starling_core::channel::{Ack, Attachment, Inspection, Page, Reason, Refusal};
use starling_core::id::{ChannelName, Position, Serial};
use starling_core::presence::gateway;
use starling_core::relay::{Answer, Told};
use starling_core::session::request::RequestId;
use starling_core::session::{ChannelId, PageTicket, Place};
use tokio::sync::oneshot;

use crate::cluster::peers::Peers;
use crate::fanout::{EncodedPage, Feed};
use crate::session::{Delivery, Mailbox, PageAnswer};

/// The way back to whoever asked. It is used once; if it is dropped unused, because an actor died
/// with it, the asker is told that the outcome is not known yet. No question goes unanswered.
#[derive(Debug)]
pub struct Reply(Option<Asker>);

#[derive(Debug)]
enum Asker {
    Attach {
        mailbox: Arc<Mailbox>,
        request: RequestId,
    },
    Publish {
        mailbox: Arc<Mailbox>,
        request: RequestId,
        serial: Serial,
        asked: Instant,
    },
    Read {
        mailbox: Arc<Mailbox>,
        place: Place,
        ticket: PageTicket,
    },
    Presence {
        mailbox: Arc<Mailbox>,
        request: RequestId,
    },
    Watch {
        mailbox: Arc<Mailbox>,
        request: RequestId,
        place: Place,
    },
    Http(oneshot::Sender<Result<Ack, Refusal>>),
    HttpRead(oneshot::Sender<Result<Page, Refusal>>),
    HttpInspect(oneshot::Sender<Result<Inspection, Refusal>>),
    Peer(Box<Caller>),
}

/// A request of another node, for one of its clients.
pub struct Caller {
    /// The way back.
    pub peers: Arc<Peers>,
    /// Which node.
    pub gateway: Link,
    /// Which channel it asks about.
    pub channel: ChannelName,
    /// Its number of the request.
    pub number: u64,
}

impl Caller {
    /// Answers it. An answer that the lane has no room for is dropped: the gateway gives the request up, or asks again.
    pub fn tell(&self, answer: Answer) {
        let told = Told::Answer {
            number: self.number,
            answer,
        };
        let gateway = std::iter::once((&self.gateway, ()));
        self.peers.tell(&self.channel, &told, gateway, |(), _, _| {});
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.number, self.gateway.node())
    }
}

impl Reply {
    /// To a session that attaches.
    #[must_use]
    pub const fn to_attach(mailbox: Arc<Mailbox>, request: RequestId) -> Self {
        Self(Some(Asker::Attach { mailbox, request }))
    }

    /// To a session that publishes or skips `serial`.
    #[must_use]
    pub fn to_publish(mailbox: Arc<Mailbox>, request: RequestId, serial: Serial) -> Self {
        Self(Some(Asker::Publish {
            mailbox,
            request,
            serial,
            asked: Instant::now(),
        }))
    }

    /// To a session that reads back.
    #[must_use]
    pub const fn to_read(mailbox: Arc<Mailbox>, place: Place, ticket: PageTicket) -> Self {
        Self(Some(Asker::Read { mailbox, place, ticket }))
    }

    /// To a session that enters a channel's presence, or leaves it.
    #[must_use]
    pub const fn to_presence(mailbox: Arc<Mailbox>, request: RequestId) -> Self {
        Self(Some(Asker::Presence { mailbox, request }))
    }

    /// To a session that watches.
    #[must_use]
    pub const fn to_watch(mailbox: Arc<Mailbox>, request: RequestId, place: Place) -> Self {
        Self(Some(Asker::Watch {
            mailbox,
            request,
            place,
        }))
    }

    /// To a publish over HTTP.
    #[must_use]
    pub fn to_http() -> (Self, oneshot::Receiver<Result<Ack, Refusal>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(Asker::Http(sender))), receiver)
    }

    /// To a request over HTTP that reads messages: it is told by the receiver.
    #[must_use]
    pub fn to_http_read() -> (Self, oneshot::Receiver<Result<Page, Refusal>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(Asker::HttpRead(sender))), receiver)
    }

    /// To a request over HTTP that looks at a channel: it is told by the receiver.
    #[must_use]
    pub fn to_http_inspect() -> (Self, oneshot::Receiver<Result<Inspection, Refusal>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(Asker::HttpInspect(sender))), receiver)
    }

    /// To a gateway, on another node.
    #[must_use]
    pub fn to_peer(caller: Caller) -> Self {
        Self(Some(Asker::Peer(Box::new(caller))))
    }

    /// Whether a page is wanted as messages, and not encoded as for sessions.
    #[must_use]
    pub const fn wants_messages(&self) -> bool {
        matches!(self.0, Some(Asker::HttpRead(_) | Asker::Peer(_)))
    }

    /// Whether it is of somebody who watches.
    #[must_use]
    pub const fn watches(&self) -> bool {
        matches!(self.0, Some(Asker::Watch { .. }))
    }

    /// The gateway that asks, if it is another node.
    #[must_use]
    pub fn gateway(&self) -> Option<&Link> {
        match &self.0 {
            Some(Asker::Peer(caller)) => Some(&caller.gateway),
            _ => None,
        }
    }

    /// A publish or a skip is settled.
    pub fn acknowledge(mut self, ack: Ack) {
        match self.0.take() {
            Some(Asker::Publish {
                mailbox,
                request,
                serial,
                asked,
            }) => mailbox.deliver(Delivery::Acknowledged {
                request,
                serial,
                asked,
                ack,
            }),
            Some(Asker::Http(sender)) => {
                let _ = sender.send(Ok(ack)); // whoever asked may have gone
            }
            Some(Asker::Peer(caller)) => caller.tell(Answer::Acknowledged(ack)),
            asker => self.0 = asker,
        }
    }

    /// An attach is confirmed.
    pub fn attached(mut self, feed: Arc<Feed>, attachment: Attachment) {
        match self.0.take() {
            Some(Asker::Attach { mailbox, request }) => mailbox.deliver(Delivery::Attached {
                request,
                feed,
                attachment,
            }),
            asker => self.0 = asker,
        }
    }

    /// An attach of a gateway is confirmed: it has a feed of its own.
    pub fn follows(mut self, attachment: Attachment) {
        match self.0.take() {
            Some(Asker::Peer(caller)) => caller.tell(Answer::Attached(attachment)),
            asker => self.0 = asker,
        }
    }

    /// A session has entered or left, or may not.
    pub fn entered(mut self, answer: Result<(), gateway::Refusal>) {
        match self.0.take() {
            Some(Asker::Presence { mailbox, request }) => mailbox.deliver(Delivery::PresenceAnswered {
                request,
                answer: Some(answer),
            }),
            asker => self.0 = asker,
        }
    }

    /// A session watches, under this number.
    pub fn watched(mut self, channel_id: ChannelId) {
        match self.0.take() {
            Some(Asker::Watch {
                mailbox,
                request,
                place,
            }) => mailbox.deliver(Delivery::Watched {
                request,
                place,
                channel_id,
            }),
            asker => self.0 = asker,
        }
    }

    /// A page is there.
    pub fn page(self, page: EncodedPage) {
        self.fetched(PageAnswer::Page(page));
    }

    /// The messages are there, or lost: for whoever [wants messages](Self::wants_messages).
    pub fn read(mut self, page: Page) {
        match self.0.take() {
            Some(Asker::HttpRead(sender)) => {
                let _ = sender.send(Ok(page)); // whoever asked may have gone
            }
            Some(Asker::Peer(caller)) => caller.tell(Answer::Page(page)),
            asker => self.0 = asker,
        }
    }

    /// The channel was looked at.
    pub fn inspected(mut self, inspection: Inspection) {
        match self.0.take() {
            Some(Asker::HttpInspect(sender)) => {
                let _ = sender.send(Ok(inspection)); // whoever asked may have gone
            }
            Some(Asker::Peer(caller)) => caller.tell(Answer::Inspected(inspection)),
            asker => self.0 = asker,
        }
    }

    /// The messages asked for are lost.
    pub fn lost(self, reason: Reason, position: Position) {
        self.fetched(PageAnswer::Lost { reason, position });
    }

    /// It is not to be.
    pub fn refuse(mut self, refusal: Refusal) {
        match self.0.take() {
            Some(Asker::Attach { mailbox, request }) => {
                mailbox.deliver(Delivery::AttachRefused { request, refusal });
            }
            Some(Asker::Publish { mailbox, request, .. }) => {
                mailbox.deliver(Delivery::PublishRefused { request, refusal });
            }
            Some(Asker::Read { mailbox, place, ticket }) => {
                let page = match refusal {
                    // Asking again would not help.
                    Refusal::Quarantined => PageAnswer::Refused(refusal),
                    _ => PageAnswer::Busy,
                };
                mailbox.deliver(Delivery::Fetched { place, ticket, page });
            }
            Some(Asker::Presence { mailbox, request }) => {
                mailbox.deliver(Delivery::PresenceAnswered { request, answer: None });
            }
            Some(Asker::Watch {
                mailbox,
                request,
                place,
            }) => mailbox.deliver(Delivery::WatchRefused {
                request,
                place,
                refusal,
            }),
            Some(Asker::Http(sender)) => {
                let _ = sender.send(Err(refusal)); // whoever asked may have gone
            }
            Some(Asker::HttpRead(sender)) => {
                let _ = sender.send(Err(refusal)); // the same
            }
            Some(Asker::HttpInspect(sender)) => {
                let _ = sender.send(Err(refusal)); // the same
            }
            Some(Asker::Peer(caller)) => caller.tell(Answer::Refused(refusal)),
            None => {}
        }
    }

    fn fetched(mut self, page: PageAnswer) {
        match self.0.take() {
            Some(Asker::Read { mailbox, place, ticket }) => {
                mailbox.deliver(Delivery::Fetched { place, ticket, page });
            }
            asker => self.0 = asker,
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(asker) = self.0.take() {
            Self(Some(asker)).refuse(Refusal::Unavailable);
        }
    }
}
