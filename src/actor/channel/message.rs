//! What a channel receives.

use starling_core::channel::{From, Opening, Publish, Question, Range, Refusal, Skip, Ticket};

use crate::actor::reply::Reply;
use crate::fanout::EncodedPage;
use crate::storage::{PageFailure, Wanted};

/// Everything that reaches the actor of a channel.
#[derive(Debug)]
pub enum Message {
    /// Somebody publishes: once, or several times on end.
    Publish(Vec<Publish<Reply>>),
    /// Somebody gives a serial up.
    Skip(Skip<Reply>),
    /// A reader joins.
    Attach {
        /// Whom to answer.
        to: Reply,
        /// Where it wants to start.
        from: From,
    },
    /// A reader reads back.
    Read {
        /// Whom to answer.
        to: Reply,
        /// What it wants.
        range: Range,
    },
    /// Somebody looks who does not follow the channel.
    Inspect {
        /// Whom to answer.
        to: Reply,
        /// What it wants to know.
        question: Question,
    },
    /// The slot has committed proposals.
    Committed {
        /// Up to this one.
        through: Ticket,
        /// How many nodes hold them.
        copies: u8,
    },
    /// The slot did not take a proposal.
    Refused {
        /// Why.
        reason: Refusal,
        /// What to begin again with.
        opening: Box<Opening>,
    },
    /// Whether acknowledgements may be given from now on, and why not.
    Standing(Result<(), Refusal>),
    /// This node was still the owner of the slot after doubts were raised.
    Confirmed {
        /// Up to this doubt.
        through: Ticket,
    },
    /// The slot has given the channel up: nobody knows what the store holds of it.
    Closed {
        /// Why.
        reason: Refusal,
    },
    /// The store has answered a page.
    Fetched {
        /// Which.
        wanted: Box<Wanted>,
        /// What became of it: encoded, if it is there.
        page: Result<EncodedPage, PageFailure>,
    },
    /// The slot says that something is due by time.
    Due,
    /// Time to see whether anybody still needs this actor.
    Look,
}

impl Message {
    /// How many requests it stands for in the mailbox.
    #[must_use]
    pub fn requests(&self) -> u32 {
        match self {
            Self::Publish(publishes) => publishes.len() as u32,
            _ => 1,
        }
    }
}
