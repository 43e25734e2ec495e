//! What a client can ask of its session, as types. The node's wire translation makes them; nothing
//! here has to be checked for shape again.

use bytes::Bytes;

use super::{ChannelId, DocumentId};
use crate::backpressure::Policy;
use crate::channel::From;
use crate::id::{ChannelName, Key, PublisherId, Seq, Serial};
use crate::presence::Mode;
use crate::presence::message::Ephemeral;
use crate::time::WallTime;

/// The client's number for a request; its answer carries it. Zero is never used by a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Everything a client can send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The first frame.
    Hello(Hello),
    /// Asks for a pong.
    Ping {
        /// Comes back with it.
        nonce: u64,
    },
    /// Answers a ping: the client lives.
    Pong,
    /// Presents a new token.
    Refresh(Refresh),
    /// Joins a channel.
    Attach(Attach),
    /// Leaves a channel, or watches it no more.
    Detach {
        /// The client's number for it.
        request: RequestId,
        /// The channel.
        channel_id: ChannelId,
    },
    /// Publishes one message.
    Publish(Publish),
    /// Retires a serial.
    Skip(Skip),
    /// Asks for the messages after a seq.
    Pull {
        /// The channel.
        channel_id: ChannelId,
        /// The last message the client has.
        after: Seq,
    },
    /// Is in a channel from now on, or says something else of itself there.
    Enter {
        /// The client's number for it.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
        /// What is said.
        state: Bytes,
    },
    /// Is in a channel no more.
    LeavePresence {
        /// The client's number for it.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
    },
    /// Watches who is in a channel.
    Watch {
        /// The client's number for it.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
        /// How much of it.
        mode: Mode,
    },
    /// Says something for the moment.
    Ephemeral {
        /// The channel.
        channel: ChannelName,
        /// What.
        ephemeral: Ephemeral,
    },
    /// Opens a document.
    OpenDocument {
        /// The client's number for it.
        request: RequestId,
        /// Which.
        document: ChannelName,
    },
    /// Closes a document.
    CloseDocument {
        /// Which.
        document_id: DocumentId,
    },
    /// Says something of a document.
    DocumentPart(DocumentPart),
    /// Grants bytes of pages.
    Credit {
        /// How many.
        bytes: u32,
    },
    /// A request that could not be read and has been refused: the client is heard, no more.
    Malformed,
    /// The client ends the session.
    Goodbye {
        /// It means to return, to this node or to another.
        returns: bool,
    },
}

/// Who is calling.
#[derive(Clone, PartialEq, Eq)]
pub struct Hello {
    /// The token; empty for anonymous access.
    pub token: String,
    /// Names the publisher.
    pub publisher: PublisherId,
    /// By what a client is the same over its reloads; `None` for one of this session alone. It is a secret.
    pub client: Option<[u8; 16]>,
    /// It takes ephemeral states in datagrams.
    pub datagrams: bool,
    /// Bytes of pages the client takes before it grants more.
    pub page_credit: u32,
    /// Name and version of the client library.
    pub agent: String,
}

impl std::fmt::Debug for Hello {
    /// Leaves the token and the client out: they are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello")
            .field("agent", &self.agent)
            .field("page_credit", &self.page_credit)
            .finish_non_exhaustive()
    }
}

/// A new token for a session that is open.
#[derive(Clone, PartialEq, Eq)]
pub struct Refresh {
    /// The client's number for it.
    pub request: RequestId,
    /// The token.
    pub token: String,
}

impl std::fmt::Debug for Refresh {
    /// Leaves the token out: it is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refresh")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Joins a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
    /// The client's number for it.
    pub request: RequestId,
    /// The channel.
    pub channel: ChannelName,
    /// Where to start.
    pub from: From,
    /// What happens when the reader is too slow; `None` leaves it to the namespace.
    pub policy: Option<Policy>,
}

/// One message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The client's number for it.
    pub request: RequestId,
    /// The channel.
    pub channel: ChannelName,
    /// Where it stands among this publisher's publishes to this channel.
    pub serial: Serial,
    /// The lowest serial the client has no result for.
    pub base: Serial,
    /// The server's clock when the publish was first sent.
    pub since: WallTime,
    /// The key, on a keyed channel.
    pub key: Option<Key>,
    /// Removes the key.
    pub delete: bool,
    /// What is published.
    pub payload: Bytes,
}

/// A piece of what is said of a document, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPart {
    /// Of which document.
    pub document_id: DocumentId,
    /// What it is.
    pub piece: Piece,
    /// The bytes.
    pub data: Bytes,
    /// More of them follow.
    pub more: bool,
}

/// What is said of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// A new edit, and its number.
    Update(u64),
    /// How much the client has.
    StateVector,
    /// What the server lacked, and its number among the edits.
    Missing(u64),
    /// Who is there.
    Awareness,
}

/// A serial to retire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The client's number for it.
    pub request: RequestId,
    /// The channel.
    pub channel: ChannelName,
    /// The serial.
    pub serial: Serial,
    /// The lowest serial the client has no result for.
    pub base: Serial,
    /// The server's clock when the serial was first sent.
    pub since: WallTime,
}
