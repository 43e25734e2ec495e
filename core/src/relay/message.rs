//! What a gateway and an owner say to each other about one channel.
//!
//! A request is numbered by the gateway, and answered under its number, once. Whoever attaches makes its gateway a
//! follower: from the answer on, the owner sends it every message once, in order, whatever its readers ask beside it.
//! Between two processes nothing is lost and nothing overtakes; when that cannot be kept, both are told.

use std::sync::Arc;

use crate::channel::{self, Ack, Attachment, From, Inspection, Message, Page, Publish, Question, Range, Refusal, Skip};
use crate::id::{Epoch, Position};
use crate::slot::Origin;

/// What somebody wants of a channel. `R` is whom to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<R> {
    /// To publish.
    Publish(Publish<R>),
    /// To give a serial up.
    Skip(Skip<R>),
    /// To join.
    Attach {
        /// Whom to answer.
        to: R,
        /// Where it wants to start.
        from: From,
    },
    /// To read back.
    Read {
        /// Whom to answer.
        to: R,
        /// What it wants.
        range: Range,
    },
    /// To look, without following.
    Inspect {
        /// Whom to answer.
        to: R,
        /// What it wants to know.
        question: Question,
    },
}

/// From a gateway to the owner of a channel's slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A request, by its number.
    Request(Request<u64>),
    /// Nobody here reads the channel any more: send no messages.
    Leave,
}

/// From the owner to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The answer to a request.
    Answer {
        /// Which.
        number: u64,
        /// What.
        answer: Answer,
    },
    /// Messages for everybody who reads the channel there.
    Live {
        /// The history that they belong to.
        epoch: Epoch,
        /// In order, without a gap between them.
        messages: Vec<Arc<Message>>,
    },
    /// The channel has moved on to here, and the messages could not be sent: read them back.
    Behind {
        /// The newest message.
        head: Position,
    },
    /// The gateway is a follower no longer: attach again.
    Ended,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was published, or retired.
    Acknowledged(Ack),
    /// It is not to be.
    Refused(Refusal),
    /// It is attached, and its gateway follows the channel.
    Attached(Attachment),
    /// The page it wanted.
    Page(Page),
    /// What it wanted to know.
    Inspected(Inspection),
    /// Another node owns the slot, or nobody does.
    Moved,
}

impl<R> Request<R> {
    /// The same request, to be answered under a number.
    #[must_use]
    pub fn numbered(&self, number: u64) -> Request<u64> {
        match self {
            Self::Publish(publish) => Request::Publish(Publish {
                to: number,
                origin: publish.origin.clone(),
                key: publish.key.clone(),
                deleted: publish.deleted,
                payload: publish.payload.clone(),
                since: publish.since,
            }),
            Self::Skip(skip) => Request::Skip(Skip {
                to: number,
                author: skip.author.clone(),
                serial: skip.serial,
                base: skip.base,
                since: skip.since,
            }),
            Self::Attach { from, .. } => Request::Attach {
                to: number,
                from: from.clone(),
            },
            Self::Read { range, .. } => Request::Read {
                to: number,
                range: range.clone(),
            },
            Self::Inspect { question, .. } => Request::Inspect {
                to: number,
                question: question.clone(),
            },
        }
    }

    /// Whom to answer.
    #[must_use]
    pub fn into_asker(self) -> R {
        match self {
            Self::Publish(Publish { to, .. })
            | Self::Skip(Skip { to, .. })
            | Self::Attach { to, .. }
            | Self::Read { to, .. }
            | Self::Inspect { to, .. } => to,
        }
    }

    /// The same request, with another asker.
    #[must_use]
    pub fn map<S>(self, map: impl FnOnce(R) -> S) -> Request<S> {
        match self {
            Self::Publish(Publish {
                to,
                origin,
                key,
                deleted,
                payload,
                since,
            }) => Request::Publish(Publish {
                to: map(to),
                origin,
                key,
                deleted,
                payload,
                since,
            }),
            Self::Skip(Skip {
                to,
                author,
                serial,
                base,
                since,
            }) => Request::Skip(Skip {
                to: map(to),
                author,
                serial,
                base,
                since,
            }),
            Self::Attach { to, from } => Request::Attach { to: map(to), from },
            Self::Read { to, range } => Request::Read { to: map(to), range },
            Self::Inspect { to, question } => Request::Inspect { to: map(to), question },
        }
    }

    /// Whether it does no harm to ask twice. A publish that nothing is recognised by would be published twice.
    #[must_use]
    pub const fn may_repeat(&self) -> bool {
        !matches!(
            self,
            Self::Publish(Publish {
                origin: Origin::Anonymous,
                ..
            })
        )
    }
}

impl Request<u64> {
    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        match self {
            Self::Publish(Publish { to, .. })
            | Self::Skip(Skip { to, .. })
            | Self::Attach { to, .. }
            | Self::Read { to, .. }
            | Self::Inspect { to, .. } => *to,
        }
    }
}

impl<R> std::convert::From<Request<R>> for channel::Input<R> {
    fn from(request: Request<R>) -> Self {
        match request {
            Request::Publish(publish) => Self::Publish(publish),
            Request::Skip(skip) => Self::Skip(skip),
            Request::Attach { to, from } => Self::Attach { to, from },
            Request::Read { to, range } => Self::Read { to, range },
            Request::Inspect { to, question } => Self::Inspect { to, question },
        }
    }
}
