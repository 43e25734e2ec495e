//! What somebody may want of a channel, wherever it is: its owner decides on it, and a gateway passes it on.

use bytes::Bytes;

use super::attach::From;
use super::inspect::Question;
use super::read::Range;
use crate::id::{Author, Key, Serial};
use crate::slot::entry::Origin;
use crate::time::WallTime;

/// What somebody wants of a channel. `R` is whatever the shell needs to answer: the rules give it back
/// with the answer, once, and look at nothing in it.
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

/// One message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish<R> {
    /// Whom to answer.
    pub to: R,
    /// By what a repetition is recognised.
    pub origin: Origin,
    /// Which value it sets, on a keyed channel.
    pub key: Option<Key>,
    /// Removes the value; the payload is empty.
    pub deleted: bool,
    /// What is published.
    pub payload: Bytes,
    /// The server time as of the first attempt.
    pub since: WallTime,
}

/// One serial to give up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip<R> {
    /// Whom to answer.
    pub to: R,
    /// Whose serial.
    pub author: Author,
    /// Which.
    pub serial: Serial,
    /// The lowest serial the author has no result for.
    pub base: Serial,
    /// The server time as of the first attempt.
    pub since: WallTime,
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
