//! What a session is told, beside the messages of its channels.

use std::sync::Arc;

use thiserror::Error;

use super::request::{Piece, RequestId};
use super::{ChannelId, DocumentId};
use crate::backpressure::Policy;
use crate::channel::{self, Attachment, Reason, Refusal};
use crate::document::message;
use crate::id::{ChannelName, Position, Seq, Serial};
use crate::namespace::Namespace;
use crate::presence::ClientId;
use crate::time::WallTime;

/// One answer. The node's wire translation makes a frame of it.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The session is open.
    Welcome {
        /// The server's clock.
        time: WallTime,
        /// When the grant ends.
        expires: Option<WallTime>,
    },
    /// The session goes on with the new token.
    Refreshed {
        /// As asked.
        request: RequestId,
        /// When the new grant ends.
        expires: Option<WallTime>,
    },
    /// Is the client there?
    Ping,
    /// The server is.
    Pong {
        /// As asked.
        nonce: u64,
        /// The server's clock.
        time: WallTime,
    },
    /// The channel's messages follow.
    Attached {
        /// As asked.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
        /// Its number on this node.
        channel_id: ChannelId,
        /// The settings of its namespace.
        namespace: Arc<Namespace>,
        /// What holds for this reader when it is slow.
        policy: Policy,
        /// Where the reader stands.
        attachment: Attachment,
    },
    /// No frame of the channel follows.
    Detached {
        /// As asked.
        request: RequestId,
        /// The channel.
        channel_id: ChannelId,
    },
    /// The client is in the channel's presence.
    Entered {
        /// As asked.
        request: RequestId,
        /// As whom others see it.
        client: ClientId,
    },
    /// The client is in the channel's presence no more.
    Left {
        /// As asked.
        request: RequestId,
    },
    /// Who is in the channel follows.
    Watched {
        /// As asked.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
        /// Its number on this node.
        channel_id: ChannelId,
    },
    /// A publish or a skip is settled.
    Ack {
        /// As asked.
        request: RequestId,
        /// The serial it settles.
        serial: Serial,
        /// How.
        ack: channel::Ack,
        /// The server's clock.
        time: WallTime,
    },
    /// A request is refused.
    Refused {
        /// As asked.
        request: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// The session loses a channel that it may not read any more. [`Answer::Detached`] follows.
    Withdrawn {
        /// The channel.
        channel_id: ChannelId,
        /// Why.
        refusal: Refusal,
    },
    /// The client is in a channel's presence no more, because it may not be.
    TakenOut {
        /// The channel.
        channel: ChannelName,
        /// Why.
        refusal: Refusal,
    },
    /// A document is open; or, where nobody asked, the session may do other things there.
    DocumentOpened {
        /// As asked; 0 if nobody did.
        request: RequestId,
        /// Its number on this node.
        document_id: DocumentId,
        /// Edits are taken.
        may_write: bool,
        /// States of awareness are taken.
        may_show: bool,
    },
    /// Something that was sent to a document was not taken.
    DocumentRefused {
        /// Which document.
        document_id: DocumentId,
        /// What it was.
        piece: Piece,
        /// Why.
        why: NotTaken,
    },
    /// A document is closed by the server.
    DocumentClosed {
        /// Which document.
        document_id: DocumentId,
        /// Why.
        why: NotTaken,
    },
    /// A pull is refused; it has no number of its own.
    PullRefused {
        /// The channel.
        channel_id: ChannelId,
        /// Why.
        refusal: Refusal,
    },
    /// The reader is too slow; nothing more comes until it pulls.
    Lagged {
        /// The channel.
        channel_id: ChannelId,
        /// The last message it was sent.
        seq: Seq,
    },
    /// Messages up to `to` are not sent.
    Skipped {
        /// The channel.
        channel_id: ChannelId,
        /// The last one left out.
        to: Seq,
        /// How many.
        count: u64,
        /// Why.
        reason: SkipReason,
    },
    /// The messages between the reader's place and `position` are lost to it.
    Discontinuity {
        /// The channel.
        channel_id: ChannelId,
        /// Why.
        reason: Reason,
        /// Delivery goes on after it.
        position: Position,
    },
}

/// Why something was not taken by a document, or why a session has it open no more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotTaken {
    /// The document says so.
    #[error(transparent)]
    Document(#[from] message::Refusal),
    /// A piece that cannot be right. The text says why.
    #[error("{0}")]
    BadPiece(String),
    /// A message of awareness that cannot be right. The text says why, after "the awareness message ..".
    #[error("the awareness message {0}")]
    BadAwareness(String),
    /// The session may not read the document any more.
    #[error("this session may not read the document any more; ask for a token with the right doc-read")]
    NoReading,
    /// The session may show nobody.
    #[error("nobody is shown in the document with this token; ask for one with the right awareness")]
    NoAwareness,
    /// The session does not keep up with what it is told.
    #[error("the document tells more than this session reads; open it again, and what is missing comes in one piece")]
    Behind,
    /// The document failed at this node.
    #[error("the document failed at this node; open it again")]
    Failed,
}

/// Why messages were left out for one reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// It was slow, and its policy drops the oldest.
    Slow,
    /// A newer value of the same key follows.
    Superseded,
}

/// Why a session ends. Each has a close code on the wire that says whether to return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Farewell {
    /// The first frame was not a hello.
    HelloFirst,
    /// A second hello.
    HelloTwice,
    /// No hello within the time allowed.
    HelloLate,
    /// The client said goodbye, and does not mean to return.
    ClientLeft,
    /// The client said goodbye, and means to return: it has not heard from this node for too long, say.
    ClientReturns,
    /// A frame that could not be read, and why.
    BadFrame(String),
    /// A frame longer than the limit.
    FrameTooLarge {
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// No protocol version in common.
    UnsupportedVersion,
    /// The token is missing or was not accepted, and why.
    Unauthorized(String),
    /// The token ended, and the client brought no other.
    TokenExpired,
    /// Too many tokens from where the client is were not accepted lately.
    Throttled,
    /// Nothing was heard for one and a half heartbeats.
    Silent,
    /// The client does not read, and its policy or its silence ends it.
    Slow,
    /// The node has as many sessions as it may.
    Overloaded,
    /// The node is stopping.
    Draining,
    /// The node has more than its share of the clients, and another has fewer.
    Rebalanced,
    /// An operator or the application ended the session on purpose.
    Dismissed {
        /// Whether the client is to connect again: with a new token, say.
        returns: bool,
        /// Why, for the client; empty says nothing more than that.
        why: String,
    },
    /// A fault of the node.
    Internal,
}

impl Farewell {
    /// Whether the client ended it: nobody is there to be told why.
    #[must_use]
    pub const fn is_of_client(&self) -> bool {
        matches!(self, Self::ClientLeft | Self::ClientReturns)
    }

    /// Whether the client does not mean to return, or is not to.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::ClientLeft | Self::Dismissed { returns: false, .. })
    }
}
