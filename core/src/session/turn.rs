//! Everything that can happen to a session, and everything it can ask of its task.

use std::sync::Arc;

use bytes::Bytes;

use super::answer::{Answer, Farewell, NotTaken};
use super::request::{Hello, Publish, Refresh, Request, RequestId, Skip};
use super::{ChannelId, DocumentId, PageTicket, Place};
use crate::access::Grant;
use crate::channel::{self, Attachment, Reason, Refusal, Values};
use crate::document::message::EditorId;
use crate::id::{Author, ChannelName, Position, Seq, Serial};
use crate::presence::message::Ephemeral;
use crate::presence::{ClientId, Mode, gateway};

/// Everything that can happen to a session.
#[derive(Debug)]
pub enum Input {
    /// A frame of the client, already parsed.
    Received(Request),
    /// What the client says by a datagram. It may come late, or twice, or before the hello: then it means nothing.
    Datagram {
        /// Where.
        channel: ChannelName,
        /// What.
        ephemeral: Ephemeral,
    },
    /// The answer to [`Effect::Authenticate`].
    Authenticated(Result<Arc<Grant>, Farewell>),
    /// The answer to [`Effect::Reauthenticate`]: what the new token grants, or why it grants nothing.
    Reauthenticated {
        /// The request it answers.
        request: RequestId,
        /// What it grants, or why nothing.
        verdict: Result<Arc<Grant>, String>,
    },
    /// The owner confirmed an attach.
    Attached {
        /// The request it answers.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
        /// Its number on this node.
        channel_id: ChannelId,
        /// Where the reader stands.
        attachment: Attachment,
    },
    /// The owner answered a publish or a skip.
    Acknowledged {
        /// The request it answers.
        request: RequestId,
        /// The serial it settles.
        serial: Serial,
        /// The answer.
        ack: channel::Ack,
    },
    /// The owner refused an attach.
    AttachRefused {
        /// The request it answers.
        request: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// The owner refused a publish or a skip.
    PublishRefused {
        /// The request it answers.
        request: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// The page asked for by [`Next::Page`](super::subscription::Next::Page).
    Fetched {
        /// Where the channel is kept.
        place: Place,
        /// As asked.
        ticket: PageTicket,
        /// The cursor after the page and its bytes, or why there is none.
        page: Fetched,
    },
    /// The answer to [`Effect::Enter`] or [`Effect::LeavePresence`]; `None` if nobody could give one.
    PresenceAnswered {
        /// The request it answers.
        request: RequestId,
        /// Whether it is so now, and as whom others see the client.
        answer: Option<Result<ClientId, gateway::Refusal>>,
    },
    /// The answer to [`Effect::Watch`].
    Watched {
        /// The request it answers.
        request: RequestId,
        /// Where the channel is kept.
        place: Place,
        /// Its number on this node.
        channel_id: ChannelId,
    },
    /// The node watches nothing more now.
    WatchRefused {
        /// The request it answers.
        request: RequestId,
        /// Where the channel was to be kept.
        place: Place,
        /// Why.
        refusal: Refusal,
    },
    /// The answer to [`Effect::OpenDocument`]: as which editor, or why not.
    DocumentOpening {
        /// The request it answers.
        request: RequestId,
        /// The document.
        document: ChannelName,
        /// As which editor.
        editor: Result<EditorId, Refusal>,
    },
    /// A document has let an editor in.
    DocumentOpened {
        /// Which editor.
        editor: EditorId,
        /// The document's number on this node.
        document_id: DocumentId,
    },
    /// A document is closed.
    DocumentClosed {
        /// For which editor.
        editor: EditorId,
        /// Why.
        why: NotTaken,
    },
    /// What documents told the session is lost.
    DocumentsClosed(NotTaken),
    /// The instant asked for by [`Session::wake_at`](super::Session::wake_at) has come.
    Wake,
    /// The node is stopping, or an operator wants the session gone.
    Dismiss(Farewell),
    /// Nothing can be written: the client does not read. Cleared by the next write.
    Stuck,
}

/// What became of a page.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// A page of so many bytes is queued; delivery goes on after `through`.
    Page {
        /// The last message of the page.
        through: Seq,
        /// Bytes of the encoded page.
        bytes: usize,
    },
    /// There is none at this position.
    Lost {
        /// Why.
        reason: Reason,
        /// Delivery goes on after it.
        position: Position,
    },
    /// The channel was too busy. Step the reader again after a moment.
    Busy,
    /// The channel is set aside, and so the reader cannot go on.
    Refused(Refusal),
}

/// What the session's task must do.
#[derive(Debug)]
pub enum Effect {
    /// Check the token; answer with [`Input::Authenticated`].
    Authenticate(Hello),
    /// Check the new token; answer with [`Input::Reauthenticated`].
    Reauthenticate(Refresh),
    /// Queue an answer to the client.
    Send(Answer),
    /// Ask the owner for a place in the channel; answer with [`Input::Attached`] or refused.
    Attach {
        /// Comes back with the answer.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
        /// Where to start.
        from: channel::From,
    },
    /// The channel is now kept at `place`: listen to its ring.
    Join {
        /// Where.
        place: Place,
        /// Which.
        channel_id: ChannelId,
    },
    /// The reader at `place` of a keyed channel needs these values first. They are sent in parts, as
    /// credit allows ([`Session::reserve_page`](super::Session::reserve_page)), before anything else of the channel.
    Snapshot {
        /// Where.
        place: Place,
        /// The values.
        values: Values,
        /// They are as of here.
        at: Position,
    },
    /// The channel at `place` is gone from this session.
    Leave {
        /// Where.
        place: Place,
    },
    /// The reader at `place` may have something due: step it.
    Step {
        /// Where.
        place: Place,
    },
    /// Hand a publish to the owner.
    Publish {
        /// Who.
        author: Author,
        /// What.
        publish: Publish,
    },
    /// Hand a skip to the owner.
    Skip {
        /// Who.
        author: Author,
        /// What.
        skip: Skip,
    },
    /// Enter a channel's presence, or change the state there; answer with [`Input::PresenceAnswered`].
    Enter {
        /// Comes back with the answer.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
        /// What is said.
        state: Bytes,
    },
    /// Leave a channel's presence; answer with [`Input::PresenceAnswered`].
    LeavePresence {
        /// Comes back with the answer; 0 if nobody waits for it.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
    },
    /// Watch a channel, or more or less of it; answer with [`Input::Watched`] or refused.
    Watch {
        /// Comes back with the answer.
        request: RequestId,
        /// Where it is kept.
        place: Place,
        /// The channel.
        channel: ChannelName,
        /// How much of it.
        mode: Mode,
    },
    /// The channel at `place` is watched no more.
    Unwatch {
        /// Where it was kept.
        place: Place,
    },
    /// Pass something on that may be lost.
    Ephemeral {
        /// In which channel.
        channel: ChannelName,
        /// What.
        ephemeral: Ephemeral,
    },
    /// Open a document for an editor of the session; answer with [`Input::DocumentOpening`].
    OpenDocument {
        /// Comes back with the answer.
        request: RequestId,
        /// Which.
        document: ChannelName,
        /// Whether the editor may write.
        may_write: bool,
    },
    /// An editor may write, or may not, from now on.
    PermitDocument {
        /// Which.
        editor: EditorId,
        /// Whether it may.
        may_write: bool,
    },
    /// Tell a document what an editor says.
    Say {
        /// Which editor.
        editor: EditorId,
        /// What.
        said: Said,
    },
    /// An editor is none any more.
    CloseDocument {
        /// Which.
        editor: EditorId,
    },
    /// Close the connection once what is queued (a goodbye among it) is written.
    Close(Farewell),
}

/// What an editor says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// What others may lack.
    Edit {
        /// Its number, higher than those before.
        edit: u64,
        /// What it is.
        update: Bytes,
        /// It is all that was lacking by a state vector of the server.
        is_missing: bool,
    },
    /// How much it has.
    StateVector(Bytes),
    /// Who is with it.
    Awareness(Bytes),
}
