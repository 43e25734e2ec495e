//! What a channel receives.

use std::convert;

use starling_cluster::link::InboxRoom;
use starling_core::channel::{From, Opening, Publish, Question, Range, Refusal, Request, Skip, Ticket};
use starling_core::id::NodeId;
use starling_core::relay::Told;

use crate::actor::reply::Reply;
use crate::actor::slot::Route;
use crate::fanout::EncodedPage;
use crate::storage::{PageFailure, Wanted};

/// Everything that reaches the actor of a channel, at its owner or elsewhere.
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
    /// The slot's channels are worked on elsewhere from now on, or here.
    Route(Route),
    /// The owner, another node, has said something.
    Told {
        /// Who that is.
        from: NodeId,
        /// What.
        told: Box<Told>,
        /// Its room among what other nodes have said.
        room: InboxRoom,
    },
    /// What was on its way to the owner, or from it, may be lost.
    Reset,
    /// Nobody reads the channel at a gateway any more.
    Left {
        /// Which.
        gateway: NodeId,
    },
    /// A gateway that was behind has the notice of that.
    Notified {
        /// Which.
        gateway: NodeId,
    },
    /// The slot says that something is due by time.
    Due,
    /// The time that the relay asked for has come.
    Wake,
    /// Time to see whether anybody still needs this actor.
    Look,
}

impl convert::From<Request<Reply>> for Message {
    fn from(request: Request<Reply>) -> Self {
        match request {
            Request::Publish(publish) => Self::Publish(vec![publish]),
            Request::Skip(skip) => Self::Skip(skip),
            Request::Attach { to, from } => Self::Attach { to, from },
            Request::Read { to, range } => Self::Read { to, range },
            Request::Inspect { to, question } => Self::Inspect { to, question },
        }
    }
}

impl Message {
    /// Whether somebody waits for an answer.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(
            self,
            Self::Publish(_) | Self::Skip(_) | Self::Attach { .. } | Self::Read { .. } | Self::Inspect { .. }
        )
    }

    /// How many requests it stands for in the mailbox.
    #[must_use]
    pub fn requests(&self) -> u32 {
        match self {
            Self::Publish(publishes) => publishes.len() as u32,
            _ => 1,
        }
    }
}
