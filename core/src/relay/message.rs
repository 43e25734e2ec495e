//! What a gateway and an owner say to each other about one channel.
//!
//! A request is numbered by the gateway, and answered under its number, once. Whoever attaches makes its gateway a
//! follower: from the answer on, the owner sends it every message once, in order, whatever its readers ask beside it.
//! Between two processes nothing is lost and nothing overtakes; when that cannot be kept, both are told.

use std::sync::Arc;

use crate::channel::{Ack, Attachment, Inspection, Message, Page, Refusal, Request};
use crate::id::{Epoch, Position};

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
