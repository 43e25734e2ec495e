//! What a slot's log is made of.

use std::sync::Arc;

use crate::channel::Message;
use crate::id::{Author, ChannelName, Epoch, IdempotencyKey, Index, Seq, Serial, Subject, Term};

/// One entry of a slot's log. Shared behind an `Arc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The term it was first appended under; later owners never rewrite it.
    pub term: Term,
    /// Its place in the log.
    pub index: Index,
    /// The channel it concerns.
    pub channel: ChannelName,
    /// What it does to the channel.
    pub change: Change,
}

/// Everything that can happen to the replicated state of a channel.
///
/// The owner decides and the entry carries the decision, bounds and expiries included: a copy
/// applies entries and never looks at its own clock or settings. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The channel begins, or begins again after it was forgotten.
    Create {
        /// Names this history.
        epoch: Epoch,
        /// Messages carry keys.
        keyed: bool,
    },
    /// A message is appended.
    Publish {
        /// The message; its seq is one after the head.
        message: Arc<Message>,
        /// By which a repetition is recognised.
        origin: Origin,
        /// The first seq still kept after this entry.
        floor: Seq,
    },
    /// A serial is retired: nothing will be published under it.
    Skip {
        /// Whose.
        author: Author,
        /// Which.
        serial: Serial,
    },
    /// History below `floor` is dropped.
    Truncate {
        /// The first seq still kept.
        floor: Seq,
    },
    /// Keys that were removed up to `through` are no longer remembered.
    ExpireKeys {
        /// The seq of the latest removal that is forgotten.
        through: Seq,
    },
    /// Publishers that were silent for long are no longer known.
    ExpirePublishers {
        /// Which.
        authors: Arc<[Author]>,
    },
    /// The channel is forgotten; the name may begin again with a new epoch.
    ForgetHead,
}

/// By what a repeated publish is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A publisher that numbers its messages (rules R10 and R11).
    Publisher {
        /// Who.
        author: Author,
        /// The message's number.
        serial: Serial,
        /// The lowest serial the publisher has no result for.
        base: Serial,
    },
    /// A request with an idempotency key.
    Idempotency {
        /// Whose key it is.
        subject: Subject,
        /// The key.
        key: IdempotencyKey,
    },
    /// Nothing: a repetition is published again.
    Anonymous,
}

impl Entry {
    /// Bytes it takes beside its payload on the way to another node, at most.
    #[must_use]
    pub fn header_bytes(&self) -> usize {
        const NUMBERS: usize = 64;
        let author = |author: &Author| author.subject.as_str().len() + 20;
        let change = match &self.change {
            Change::Publish { message, origin, .. } => {
                let key = message.key.as_ref().map_or(0, |key| key.as_str().len());
                let origin = match origin {
                    Origin::Publisher { author: whose, .. } => author(whose),
                    Origin::Idempotency { subject, key } => subject.as_str().len() + key.as_str().len(),
                    Origin::Anonymous => 0,
                };
                NUMBERS + key + origin
            }
            Change::Create { epoch, .. } => epoch.as_str().len(),
            Change::Skip { author: whose, .. } => author(whose),
            Change::ExpirePublishers { authors } => authors.iter().map(author).sum(),
            Change::Truncate { .. } | Change::ExpireKeys { .. } | Change::ForgetHead => 0,
        };
        NUMBERS + self.channel.as_str().len() + change
    }

    /// What the entry is counted for in the bounded tail: its message and a round figure for the
    /// rest.
    #[must_use]
    pub fn weight(&self) -> u64 {
        const FRAME: u64 = 128;
        FRAME
            + match &self.change {
                Change::Publish { message, .. } => message.weight(),
                Change::ExpirePublishers { authors } => authors.len() as u64 * FRAME,
                Change::Create { .. }
                | Change::Skip { .. }
                | Change::Truncate { .. }
                | Change::ExpireKeys { .. }
                | Change::ForgetHead => 0,
            }
    }
}
