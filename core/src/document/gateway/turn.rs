//! Everything that can happen to a document at a gateway, and everything it can ask for.

use std::time::Instant;

use bytes::Bytes;

use crate::document::message::{Answer, Closed, EditorId, Join, Question, Refusal, ToGateway, ToOwner};
use crate::id::NodeId;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// An editor opens the document.
    Open {
        /// Which.
        editor: EditorId,
        /// Whether it may write.
        may_write: bool,
        /// Whether it is given its own edits back when they are saved.
        wants_echo: bool,
    },
    /// The rights of an editor have changed.
    Permit {
        /// Which.
        editor: EditorId,
        /// Whether it may write from now on.
        may_write: bool,
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
        /// Its number, higher than those before.
        edit: u64,
        /// What it is.
        update: Bytes,
        /// It is all that was lacking by a [`Event::Step1`]: each is answered by one.
        is_step2: bool,
    },
    /// An editor says who is with it.
    Awareness {
        /// Which.
        editor: EditorId,
        /// An awareness message.
        states: Bytes,
    },
    /// An editor has a message of its application for the others. Nobody keeps it: while the owner is out of reach it is lost.
    Stateless {
        /// Which.
        editor: EditorId,
        /// The message.
        payload: Bytes,
    },
    /// An editor wants to know of everybody.
    QueryAwareness(EditorId),
    /// An editor is gone.
    Close(EditorId),
    /// A program asks something.
    Ask {
        /// Names it in the answer.
        number: u64,
        /// What.
        question: Question,
    },
    /// Who owns the document, as far as it is known.
    Route(Option<NodeId>),
    /// A node has said something, about this join.
    Told {
        /// Which.
        from: NodeId,
        /// The join.
        join: Join,
        /// What.
        message: ToGateway,
    },
    /// What was on its way to or from a node is lost.
    Reset(NodeId),
    /// Something could not be sent to the owner: there was no way, or no room.
    Unsent,
    /// The time that was asked for has come.
    Wake,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell the owner, which may be this node.
    Send {
        /// Which node.
        to: NodeId,
        /// Under this join.
        join: Join,
        /// What.
        message: ToOwner,
    },
    /// Tell one editor.
    Tell {
        /// Which.
        to: EditorId,
        /// What.
        event: Event,
    },
    /// Tell all editors but one.
    TellAll {
        /// The one, if any.
        but: Option<EditorId>,
        /// What.
        event: Event,
    },
    /// Answer a program.
    Answer {
        /// Which question.
        number: u64,
        /// The answer.
        answer: Result<Answer, Refusal>,
    },
    /// Send [`Input::Wake`] then.
    Wake {
        /// When.
        at: Instant,
    },
}

/// What an editor is told. Bytes are shared by all who are told the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The document has let the editor in.
    Opened,
    /// The document has this much; the editor sends what it has beyond it, as one [`Input::Edit`].
    Step1(Bytes),
    /// What the editor lacked when it asked.
    Step2(Bytes),
    /// An update.
    Update(Bytes),
    /// States of clients.
    Awareness(Bytes),
    /// A message of the application.
    Stateless(Bytes),
    /// Edits of the editor are in the store.
    Saved {
        /// All up to this one were saved or refused.
        up_to: u64,
        /// How many are saved by it.
        edits: u64,
        /// Those that the editor wanted back, as it sent them.
        echo: Vec<Bytes>,
    },
    /// An edit of the editor is not kept.
    Refused {
        /// Its number; 0 for a state vector that was no such thing.
        edit: u64,
        /// Why.
        refusal: Refusal,
    },
    /// An awareness message of the editor was not taken.
    AwarenessRefused {
        /// Why.
        reason: String,
    },
    /// The document is closed for all.
    Closed(Closed),
}
