//! Everything that can happen to a relay, and everything it can ask for.

use std::sync::Arc;
use std::time::Instant;

use super::message::{Answer, Asked, Told};
use crate::channel::{Message, Request};
use crate::id::{NodeId, Position};

/// One thing that happened.
#[derive(Debug)]
pub enum Input<R> {
    /// Somebody at this gateway wants something.
    Request(Request<R>),
    /// A node has said something about the channel.
    Told {
        /// Which.
        from: NodeId,
        /// What.
        told: Told,
    },
    /// Another node owns the slot by now, or nobody is known to.
    Route(Option<NodeId>),
    /// What was on its way to the owner, or from it, may be lost.
    Reset,
    /// A request could not be sent: the way to the owner is full.
    Unsent {
        /// Its number.
        number: u64,
    },
    /// Nobody here reads the channel any more.
    Unread,
    /// The time that was asked for has come.
    Wake,
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<R> {
    /// Send something to the owner.
    Send {
        /// Who that is.
        to: NodeId,
        /// What.
        asked: Asked,
    },
    /// Answer whoever asked. One who attaches joins the feed.
    Answer {
        /// Whom.
        to: R,
        /// What.
        answer: Answer,
    },
    /// Begin the feed, after this message.
    Begin(Position),
    /// Give a message to every reader here: the next of the feed.
    Push(Arc<Message>),
    /// Begin the feed again, after this message: what lies between is read back, or told of.
    Restart(Position),
    /// The history that the feed belongs to is gone. End it; its readers are told when they attach again.
    Dismiss,
    /// Send [`Input::Wake`] then, and not before. Those that were asked for earlier may come as well: they mean nothing.
    Wake {
        /// When.
        at: Instant,
    },
}
