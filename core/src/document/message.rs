//! What a node with editors of a document, their gateway, and its owner say to each other.
//!
//! All of it goes in order, or is lost together with all that follows. So a gateway *joins*, under a number that is
//! higher each time, and whatever is said under an earlier one is void: after a change of owner, a lost link, a lane that was full.

use bytes::Bytes;
use thiserror::Error;

use super::engine::{Insert, Shape, Size};
use super::log;

/// A connection's use of a document, or one of several: numbered by its gateway, and never anew while that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EditorId(pub u64);

/// Texts of one question. A program that writes what another streams sends some ten a second; more go into the next edit.
pub const INSERTS_MAX: usize = 1_000;

/// How often a gateway has joined the owner of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Join(pub u64);

/// From a gateway to the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToOwner {
    /// The gateway has editors; it is answered with [`ToGateway::Joined`].
    Join {
        /// What all its editors have that were synced before; `None` if there is none.
        since: Option<Bytes>,
        /// Those of its editors that are still there.
        editors: Vec<EditorId>,
    },
    /// An editor has this much, and wants the rest.
    Step1 {
        /// Which.
        editor: EditorId,
        /// How much.
        state_vector: Bytes,
    },
    /// An editor sends what others may lack.
    Edit {
        /// Which.
        editor: EditorId,
        /// Its number among the edits of the editor, counting up.
        edit: u64,
        /// What it is.
        update: Bytes,
        /// Whether the editor may write. If not, only what has nothing new is settled.
        may_write: bool,
    },
    /// An editor says who is with it.
    Awareness {
        /// Which.
        editor: EditorId,
        /// An awareness message.
        states: Bytes,
    },
    /// An editor wants to know of everybody.
    QueryAwareness {
        /// Which.
        editor: EditorId,
    },
    /// An editor has a message of its application for the others.
    Stateless {
        /// Which.
        editor: EditorId,
        /// The message, which nobody here reads.
        payload: Bytes,
    },
    /// Clients whose awareness was shown before this owner was, and that it has not told of: with their clocks.
    Missing {
        /// Which.
        clients: Vec<(u64, u64)>,
    },
    /// An editor is gone.
    Left {
        /// Which.
        editor: EditorId,
    },
    /// The gateway has no editors any more.
    Leave,
    /// Something is asked by a program, not by an editor.
    Ask {
        /// Names it in the answer.
        number: u64,
        /// What.
        question: Question,
    },
}

/// What a program asks of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Everything that somebody with this state vector lacks.
    Diff(Bytes),
    /// The names of its parts.
    Parts,
    /// One of its parts.
    Read {
        /// Which.
        part: String,
        /// As what.
        shape: Shape,
    },
    /// All of it, to make an edit of that goes back to a version.
    Whole,
    /// To take an update in.
    Apply(Bytes),
    /// To take in what goes back to a version, unless another did so since it was made: both would insert what was deleted.
    Restore {
        /// The edit.
        update: Bytes,
        /// What [`Answer::Whole`] said with what it was made of.
        restores: u64,
    },
    /// To put texts into a text part, as one edit: each where the ones before it have left its place.
    Insert {
        /// Which.
        part: String,
        /// What and where, at most [`INSERTS_MAX`].
        inserts: Vec<Insert>,
    },
    /// How large it is in memory.
    Stats,
}

/// From the owner to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToGateway {
    /// The gateway has joined, and is told everything from now on.
    Joined {
        /// How much the owner has.
        state_vector: Bytes,
        /// What came since the state vector that the gateway named.
        missing: Option<Bytes>,
        /// The states of all clients.
        awareness: Bytes,
    },
    /// What an editor lacked.
    Step2 {
        /// Which.
        editor: EditorId,
        /// An update.
        update: Bytes,
    },
    /// An update, for all editors but the one that it is from.
    Update {
        /// What it is.
        update: Bytes,
        /// Whose it is, if it is an editor of this gateway.
        but: Option<EditorId>,
    },
    /// All that was told so far makes this much.
    Mark {
        /// How much.
        state_vector: Bytes,
    },
    /// An editor has sent something that builds on what the owner lacks: it is asked for all that it has.
    Step1 {
        /// Which.
        editor: EditorId,
        /// How much the owner has.
        state_vector: Bytes,
    },
    /// Edits are in the store.
    Saved {
        /// Whose.
        editor: EditorId,
        /// The number of the last.
        up_to: u64,
    },
    /// An edit is not kept.
    Refused {
        /// Whose.
        editor: EditorId,
        /// Its number.
        edit: u64,
        /// Why.
        refusal: Refusal,
    },
    /// States of clients.
    Awareness {
        /// An awareness message.
        states: Bytes,
        /// For whom; for all without.
        to: Option<EditorId>,
    },
    /// An awareness message of an editor was not taken.
    AwarenessRefused {
        /// Whose.
        editor: EditorId,
        /// Why: reads after "the awareness message ..".
        reason: String,
    },
    /// A message of the application, for all editors but the one that it is from.
    Stateless {
        /// The message.
        payload: Bytes,
        /// Whose it is, if it is an editor of this gateway.
        but: Option<EditorId>,
    },
    /// The gateway was not told something: it joins again.
    Behind,
    /// This node does not own the document, or not yet.
    Moved,
    /// The document cannot be opened, and perhaps later.
    Closed(Closed),
    /// What a program asked.
    Answered {
        /// Which question.
        number: u64,
        /// The answer.
        answer: Result<Answer, Refusal>,
    },
}

impl ToGateway {
    /// Whether only a gateway is told so that has joined.
    #[must_use]
    pub const fn is_to_a_member(&self) -> bool {
        matches!(
            self,
            Self::Joined { .. }
                | Self::Update { .. }
                | Self::Mark { .. }
                | Self::Awareness { .. }
                | Self::Stateless { .. }
        )
    }
}

/// What a program is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An update.
    Update(Bytes),
    /// All of it.
    Whole {
        /// As an update.
        update: Bytes,
        /// Another number after each restore, and of each owner.
        restores: u64,
    },
    /// Names of parts.
    Parts(Vec<String>),
    /// A part; `None` when there is none of this name.
    Part(Option<String>),
    /// What was written is in the store.
    Saved,
    /// How large it is.
    Stats {
        /// The document in memory.
        size: Size,
        /// Bytes of edits that are not in the store yet.
        unsaved_bytes: u64,
    },
}

/// Why a document cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Closed {
    /// It cannot be read, and is set aside.
    #[error("the document cannot be read and is set aside; ask whoever operates the node")]
    Quarantined,
    /// The nodes have no database in which both would find it.
    #[error(
        "documents need a database that the nodes share, and there is none; set storage.url, the same for all nodes"
    )]
    StoreNotShared,
}

/// Why something that was sent to a document was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The store's side of it.
    #[error(transparent)]
    Log(#[from] log::Refusal),
    /// It is nothing that a client of this CRDT writes, or beyond a limit. It says what.
    #[error("{0}")]
    BadUpdate(String),
    /// Whoever sent it may only read.
    #[error("the document may only be read with this token; ask for the right to write it")]
    ReadOnly,
    /// The owner changes, and the document could not be asked in time. Nothing was written.
    #[error("the document is moving between nodes; ask again shortly")]
    Moving,
    /// The owner was lost while it had texts to insert.
    #[error(
        "the document has moved between nodes, and whether the text was written is not known; read it before you write it again"
    )]
    Unknown,
    /// Too much waits for the document. Nothing was written.
    #[error("too much waits for the document; ask again shortly")]
    Busy,
    /// It cannot be opened.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl Refusal {
    /// The code that clients are told.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Log(refusal) => refusal.code(),
            Self::BadUpdate(_) => "bad_update",
            Self::ReadOnly => "not_permitted",
            Self::Moving => "moving",
            Self::Unknown => "outcome_unknown",
            Self::Busy => "busy",
            Self::Closed(closed) => closed.code(),
        }
    }
}

impl Closed {
    /// The code that clients are told.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::StoreNotShared => "store_not_shared",
        }
    }
}
