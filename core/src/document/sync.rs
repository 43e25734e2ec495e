//! What clients of a document say, in the two protocols that editors already speak.
//!
//! * here: y-protocols, as y-websocket carries them: messages back to back in a frame, of one document;
//! * [`hocuspocus`]: the same and more, each frame addressed to a document.
//!
//! Messages borrow from the frame they were read of, and nothing is allocated while reading. What is inside an update, a
//! state vector or an awareness message is for [`scan`](super::scan).

use thiserror::Error;

use super::lib0::{ReadError, Reader, put_buffer, put_text, put_uint};

pub mod hocuspocus;

/// Messages in one frame. Clients send one, or a handful when they connect; each is answered by itself.
pub const MESSAGES_MAX: usize = 64;

/// A message of y-protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A step of making two documents equal.
    Sync(Sync<'a>),
    /// States of clients, as [`scan::awareness`](super::scan::awareness) reads them.
    Awareness(&'a [u8]),
    /// The document may not be read, and why. From the server only.
    PermissionDenied(&'a str),
    /// Asks for the states of all clients.
    QueryAwareness,
}

/// A step of making two documents equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync<'a> {
    /// How much the sender has, as a state vector. It is answered with what it lacks.
    Step1(&'a [u8]),
    /// What the receiver lacked, as an update.
    Step2(&'a [u8]),
    /// An edit, as an update.
    Update(&'a [u8]),
}

/// Why a frame was not understood. Reads after "the frame ..".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no such message, or only servers send it.
    #[error("has a message of type {kind} at byte {at}, which this endpoint does not take")]
    Kind {
        /// Where.
        at: usize,
        /// Which.
        kind: u64,
    },
    /// It has more messages than [`MESSAGES_MAX`].
    #[error("has more than {MESSAGES_MAX} messages; send fewer in one frame")]
    TooMany,
    /// Nothing is in it.
    #[error("is empty")]
    Empty,
    /// The name of the document is too long.
    #[error(
        "is addressed with more than {} bytes; use a shorter name",
        hocuspocus::ADDRESS_BYTES_MAX
    )]
    Address,
    /// Something follows the message.
    #[error("has something after its message, at byte {at}")]
    Trailing {
        /// Where.
        at: usize,
    },
}

/// The messages of a frame, one after the other. It ends at the first that cannot be read: what follows has no beginning.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    reader: Reader<'a>,
    count: usize,
}

/// The messages of a frame from y-websocket.
#[must_use]
pub const fn messages(frame: &[u8]) -> Messages<'_> {
    Messages {
        reader: Reader::new(frame),
        count: 0,
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() && self.count > 0 {
            return None;
        }
        self.count += 1;
        let message = match self.count {
            _ if self.reader.is_empty() => Err(FrameError::Empty),
            ..=MESSAGES_MAX => message(&mut self.reader),
            _ => Err(FrameError::TooMany),
        };
        if message.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(message)
    }
}

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;

fn message<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>, FrameError> {
    let at = reader.at();
    Ok(match reader.uint(u64::from(u32::MAX))? {
        SYNC => Message::Sync(sync(reader)?),
        AWARENESS => Message::Awareness(reader.buffer()?),
        AUTH => match reader.uint(u64::from(u32::MAX))? {
            0 => Message::PermissionDenied(reader.text()?),
            kind => return Err(FrameError::Kind { at, kind }),
        },
        QUERY_AWARENESS => Message::QueryAwareness,
        kind => return Err(FrameError::Kind { at, kind }),
    })
}

fn sync<'a>(reader: &mut Reader<'a>) -> Result<Sync<'a>, FrameError> {
    let at = reader.at();
    Ok(match reader.uint(u64::from(u32::MAX))? {
        0 => Sync::Step1(reader.buffer()?),
        1 => Sync::Step2(reader.buffer()?),
        2 => Sync::Update(reader.buffer()?),
        kind => return Err(FrameError::Kind { at, kind }),
    })
}

impl Message<'_> {
    /// Appends the message to a frame.
    pub fn put(self, out: &mut Vec<u8>) {
        match self {
            Message::Sync(step) => {
                put_uint(out, SYNC);
                step.put(out);
            }
            Message::Awareness(states) => {
                put_uint(out, AWARENESS);
                put_buffer(out, states);
            }
            Message::PermissionDenied(reason) => {
                put_uint(out, AUTH);
                put_uint(out, 0);
                put_text(out, reason);
            }
            Message::QueryAwareness => put_uint(out, QUERY_AWARENESS),
        }
    }

    /// A frame of this message alone.
    #[must_use]
    pub fn frame(self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }
}

impl Sync<'_> {
    fn put(self, out: &mut Vec<u8>) {
        let (kind, bytes) = match self {
            Sync::Step1(state_vector) => (0, state_vector),
            Sync::Step2(update) => (1, update),
            Sync::Update(update) => (2, update),
        };
        put_uint(out, kind);
        put_buffer(out, bytes);
    }
}

#[cfg(test)]
mod tests;
