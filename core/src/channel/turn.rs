//! Everything that can happen to a channel at its owner, and everything it can ask for.

use std::sync::Arc;
use std::time::Instant;

use super::attach::Attachment;
use super::inspect::Inspection;
use super::message::Message;
use super::read::Page;
use super::refusal::Refusal;
use super::request::Request;
use super::state::State;
use crate::id::{Lineage, Position, Term};
use crate::slot::entry::Change;

/// One thing that happened. `R` is whatever the shell needs to answer: the channel gives it back
/// with the answer, once, and looks at nothing in it.
#[derive(Debug)]
pub enum Input<R> {
    /// Somebody wants something.
    Request(Request<R>),
    /// The slot has committed proposals.
    Committed {
        /// Up to this one.
        through: Ticket,
        /// How many nodes hold them.
        copies: u8,
    },
    /// The slot did not take a proposal. What is not in its log by now will not be.
    Refused {
        /// Why.
        reason: Refusal,
        /// What to begin again with.
        opening: Box<Opening>,
    },
    /// Whether acknowledgements may be given from now on.
    Standing(Result<(), Refusal>),
    /// This node was still the owner of the slot after doubts were raised.
    Confirmed {
        /// Up to this doubt.
        through: Ticket,
    },
    /// Something may be due by time.
    Due {
        /// Whether any reader is attached; only the shell knows who left.
        attended: bool,
    },
}

impl<R> From<Request<R>> for Input<R> {
    fn from(request: Request<R>) -> Self {
        Self::Request(request)
    }
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<R> {
    /// Hand a change to the slot. All those of one turn belong in one batch.
    Propose(Proposal),
    /// Answer a publish or a skip.
    Ack {
        /// Whom.
        to: R,
        /// With what.
        ack: Ack,
    },
    /// Answer anything with a refusal.
    Refuse {
        /// Whom.
        to: R,
        /// Why.
        refusal: Refusal,
    },
    /// Answer an attach.
    Attached {
        /// Whom.
        to: R,
        /// Where it stands.
        attachment: Attachment,
    },
    /// Answer a read.
    Page {
        /// Whom.
        to: R,
        /// The page.
        page: Page,
    },
    /// Answer a look.
    Inspected {
        /// Whom.
        to: R,
        /// What there is.
        inspection: Inspection,
    },
    /// Give a message to every reader attached so far.
    FanOut(Arc<Message>),
    /// Ask the slot whether this node is still its owner; answer with [`Input::Confirmed`].
    Doubt {
        /// Numbers the doubt.
        through: Ticket,
    },
    /// Tell the slot when the channel was last used in a way that left no entry.
    Used {
        /// When.
        at: Instant,
    },
}

/// The answer to a publish or a skip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Where the message stands; `None` if the serial is retired and nothing was published under it.
    pub position: Option<Position>,
    /// Nodes that hold it.
    pub copies: u8,
    /// The serial or key was known: this repeats an earlier answer.
    pub duplicate: bool,
}

/// Names a proposal. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// The opening it was made under. The slot takes proposals of the latest opening only, so none
    /// that was built on a refused one can slip in.
    pub round: u64,
    /// Its number in the round.
    pub number: u64,
}

/// A change that a channel wants in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Names it in the answer.
    pub ticket: Ticket,
    /// The change.
    pub change: Change,
}

/// What the slot gives a channel to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The term the node owns the slot under.
    pub term: Term,
    /// What epochs are made from.
    pub lineage: Lineage,
    /// The channel's proposals are made under this round.
    pub round: u64,
    /// Random bits for the epochs the channel makes.
    pub seed: u64,
    /// Nodes that hold what is committed.
    pub copies: u8,
    /// Whether acknowledgements may be given, and why not.
    pub standing: Result<(), Refusal>,
    /// The slot has other copies: a position that does not fit has to be asked about.
    pub confirms: bool,
    /// What is committed; `None` if the channel does not exist.
    pub state: Option<State>,
    /// What is in the log and not committed, in order.
    pub tail: Vec<Proposal>,
}

/// What a channel leaves behind when its actor ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// The round it ends.
    pub round: u64,
    /// When the channel was last used; `None` if it does not exist.
    pub used: Option<Instant>,
    /// The state of an ephemeral channel, which nobody else has; `None` for a logged one.
    pub state: Option<Box<State>>,
}
