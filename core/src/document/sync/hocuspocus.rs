//! The protocol of Hocuspocus: many documents over one connection, so that each frame begins with the name of one.
//!
//! Providers since 4.0 may add a session to the name, so that one connection has a document twice. A ping and a pong
//! are a single byte without a name; a name of nine or ten bytes cannot be mistaken for them, because a message follows it.
//! Providers before 2.0 name their document in the URL, and their frames are the messages alone.
//!
//! What a client and what a server may say differ, and the same bytes mean different things in the two directions: an empty
//! token is a server's question, and `CLOSE` has a reason only from a server. So there are two types.

use std::sync::Arc;

use bytes::Bytes;

use super::{FrameError, Sync, sync};
use crate::document::lib0::{Reader, put_buffer, put_text, put_uint};

/// Bytes of an address: the longest name of a document, and a session beside it.
pub const ADDRESS_BYTES_MAX: usize = 512;

/// A frame from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Answer with a pong.
    Ping,
    /// The answer to our ping.
    Pong,
    /// A message about one document.
    Message {
        /// Which.
        address: Address<'a>,
        /// What.
        message: FromClient<'a>,
    },
}

/// A document, and the session of it when a connection has it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// The name of the document.
    pub document: &'a str,
    /// Which session of it.
    pub session: Option<&'a str>,
}

/// What a client says about a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromClient<'a> {
    /// A step of making two documents equal.
    Sync(Sync<'a>),
    /// The same as an answer: it does not ask for a step in return.
    SyncReply(Sync<'a>),
    /// States of clients.
    Awareness(&'a [u8]),
    /// Asks for the states of all clients.
    QueryAwareness,
    /// Who it is. Until it was answered nothing else is.
    Token {
        /// What proves it.
        token: &'a str,
        /// The version of the provider; since 4.0.
        version: Option<&'a str>,
    },
    /// A message of the application, about the document and not in it.
    Stateless(&'a str),
    /// It has done with the document.
    Close,
}

/// What the server says about a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromServer<'a> {
    /// A step of making two documents equal.
    Sync(Sync<'a>),
    /// States of clients.
    Awareness(&'a [u8]),
    /// Send the token again.
    TokenPlease,
    /// The token was not accepted, and why. The connection stays.
    PermissionDenied(&'a str),
    /// The token was accepted.
    Authenticated {
        /// Edits are refused.
        is_read_only: bool,
    },
    /// A message of the application.
    Stateless(&'a str),
    /// The document is closed, and why. The connection stays.
    Close(&'a str),
    /// An edit is kept; or it was refused. One for each `Step2` and `Update`.
    SyncStatus {
        /// It is kept.
        is_applied: bool,
    },
}

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;
const SYNC_REPLY: u64 = 4;
const STATELESS: u64 = 5;
const CLOSE: u64 = 7;
const SYNC_STATUS: u64 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The ping of a server, and its pong.
pub const PING_FRAME: [u8; 1] = [PING];
/// See [`PING_FRAME`].
pub const PONG_FRAME: [u8; 1] = [PONG];

/// Reads a frame from a client.
///
/// # Errors
/// When it is no frame of this protocol, or one that only servers send.
pub fn read(frame: &[u8]) -> Result<Frame<'_>, FrameError> {
    match frame {
        [] => return Err(FrameError::Empty),
        [PING] => return Ok(Frame::Ping),
        [PONG] => return Ok(Frame::Pong),
        _ => {}
    }
    let mut reader = Reader::new(frame);
    let address = reader.text()?;
    if address.len() > ADDRESS_BYTES_MAX {
        return Err(FrameError::Address);
    }
    let message = message(&mut reader)?;
    if !reader.is_empty() {
        return Err(FrameError::Trailing { at: reader.at() });
    }
    Ok(Frame::Message {
        address: Address::parse(address),
        message,
    })
}

fn message<'a>(reader: &mut Reader<'a>) -> Result<FromClient<'a>, FrameError> {
    let at = reader.at();
    Ok(match reader.uint(u64::from(u32::MAX))? {
        SYNC => FromClient::Sync(sync(reader)?),
        AWARENESS => FromClient::Awareness(reader.buffer()?),
        AUTH => match reader.uint(u64::from(u32::MAX))? {
            0 => FromClient::Token {
                token: reader.text()?,
                version: if reader.is_empty() { None } else { Some(reader.text()?) },
            },
            kind => return Err(FrameError::Kind { at, kind }),
        },
        QUERY_AWARENESS => FromClient::QueryAwareness,
        SYNC_REPLY => FromClient::SyncReply(sync(reader)?),
        STATELESS => FromClient::Stateless(reader.text()?),
        CLOSE => FromClient::Close,
        kind => return Err(FrameError::Kind { at, kind }),
    })
}

impl<'a> Address<'a> {
    /// Takes a name apart from its session.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        match text.split_once('\0') {
            Some((document, session)) => Self {
                document,
                session: Some(session),
            },
            None => Self {
                document: text,
                session: None,
            },
        }
    }

    /// The whole, as one text.
    #[must_use]
    pub fn key(self) -> Arc<str> {
        match self.session {
            None => self.document.into(),
            Some(session) => [self.document, session].join("\0").into(),
        }
    }

    /// A message without an address, as a frame that has this one.
    #[must_use]
    pub fn around(self, message: &[u8]) -> Bytes {
        let mut out = Vec::new();
        self.put(&mut out);
        out.extend_from_slice(message);
        out.into()
    }

    fn put(self, out: &mut Vec<u8>) {
        match self.session {
            None => put_text(out, self.document),
            Some(session) => put_text(out, &[self.document, session].join("\0")),
        }
    }
}

impl FromServer<'_> {
    /// A frame of this message, for those who have the document under this address.
    #[must_use]
    pub fn frame(self, address: Address<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        address.put(&mut out);
        self.put(&mut out);
        out
    }

    /// The message alone, for a connection that has one document.
    #[must_use]
    pub fn unaddressed(self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    fn put(self, out: &mut Vec<u8>) {
        match self {
            FromServer::Sync(step) => {
                put_uint(out, SYNC);
                step.put(out);
            }
            FromServer::Awareness(states) => {
                put_uint(out, AWARENESS);
                put_buffer(out, states);
            }
            FromServer::TokenPlease => {
                put_uint(out, AUTH);
                put_uint(out, 0);
            }
            FromServer::PermissionDenied(reason) => {
                put_uint(out, AUTH);
                put_uint(out, 1);
                put_text(out, reason);
            }
            FromServer::Authenticated { is_read_only } => {
                put_uint(out, AUTH);
                put_uint(out, 2);
                put_text(out, if is_read_only { "readonly" } else { "read-write" });
            }
            FromServer::Stateless(payload) => {
                put_uint(out, STATELESS);
                put_text(out, payload);
            }
            FromServer::Close(reason) => {
                put_uint(out, CLOSE);
                put_text(out, reason);
            }
            FromServer::SyncStatus { is_applied } => {
                put_uint(out, SYNC_STATUS);
                put_uint(out, is_applied.into());
            }
        }
    }
}
