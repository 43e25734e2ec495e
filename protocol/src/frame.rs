//! Bytes to frames and back.
//!
//! ```text
//!                    Decoder::decode            decode_client, decode_server
//! stream bytes ──────────────────────▶ body ──────────────────────────────────▶ v1 frame, checked
//! WebSocket message ─────────────────▶ body
//!
//!            encode_client, encode_server      Encoded::stream   ──▶ length and body, for a stream
//! v1 frame ────────────────────────────────▶ ──┤
//!                                              Encoded::message  ──▶ body, for a WebSocket message
//! ```
//!
//! A *body* is one serialized `ClientFrame` or `ServerFrame`. On a stream each is preceded by its length, an unsigned
//! LEB128 number; a WebSocket message is a body by itself.
//!
//! Everything that can be judged without knowing the session is judged here: whoever holds a frame from
//! [`decode_client`] or [`decode_server`] need not ask again whether a serial is above 0 or a publisher 16 bytes long.
//! [`DecodeError`] lists every way a frame can be refused, and [`DecodeError::answer`] what that means for the session.

use bytes::{Bytes, BytesMut};
use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost::{Message, length_delimiter_len};

pub use self::decoder::Decoder;
pub use self::error::{Answer, DecodeError, Fault};
use crate::v1::{ClientFrame, ServerFrame, client_frame, server_frame};

mod check;
mod decoder;
mod error;
mod kind;

/// Field numbers of a frame up to this one are bodies; higher ones are left for what may travel beside a body one day.
/// 31 is twice what is in use; half of them cost one byte more on the wire than numbers up to 15.
const BODY_NUMBER_MAX: u32 = 31;

/// One frame, encoded once for both transports and for every receiver.
///
/// Cloning it, and taking either form, copies no bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    framed: Bytes,
    prefix_bytes: usize,
}

impl Encoded {
    /// The length and the body: what a stream carries.
    #[must_use]
    pub fn stream(&self) -> Bytes {
        self.framed.clone()
    }

    /// The body: what a WebSocket message carries.
    #[must_use]
    pub fn message(&self) -> Bytes {
        self.framed.slice(self.prefix_bytes..)
    }

    /// Bytes of the body: what limits and page credit count, on every transport.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        self.framed.len() - self.prefix_bytes
    }
}

/// Encodes what a client sends, with one allocation.
#[must_use]
pub fn encode_client(body: impl Into<client_frame::Body>) -> Encoded {
    encode(&ClientFrame {
        body: Some(body.into()),
    })
}

/// Encodes what a server sends, with one allocation.
#[must_use]
pub fn encode_server(body: impl Into<server_frame::Body>) -> Encoded {
    encode(&ServerFrame {
        body: Some(body.into()),
    })
}

/// Reads and checks what a client sent.
///
/// Payloads are slices of `body`: one that is kept long keeps the whole buffer it was read into.
///
/// # Errors
///
/// See [`DecodeError`]; [`DecodeError::answer`] tells what the session does about it.
pub fn decode_client(body: Bytes) -> Result<client_frame::Body, DecodeError> {
    let number = body_number(&body)?;
    let frame = ClientFrame::decode(body)?
        .body
        .ok_or(DecodeError::UnknownBody { number })?;
    check::client(&frame)?;
    Ok(frame)
}

/// Reads and checks what a server sent.
///
/// # Errors
///
/// See [`DecodeError`]. A client that meets one ends the session and returns: what it missed is replayed.
pub fn decode_server(body: Bytes) -> Result<server_frame::Body, DecodeError> {
    let number = body_number(&body)?;
    let frame = ServerFrame::decode(body)?
        .body
        .ok_or(DecodeError::UnknownBody { number })?;
    check::server(&frame)?;
    Ok(frame)
}

fn encode(frame: &impl Message) -> Encoded {
    let body_bytes = frame.encoded_len();
    let prefix_bytes = length_delimiter_len(body_bytes);
    let mut framed = BytesMut::with_capacity(prefix_bytes + body_bytes);
    frame
        .encode_length_delimited(&mut framed)
        .expect("a buffer with room for the length and the body takes both");
    Encoded {
        framed: framed.freeze(),
        prefix_bytes,
    }
}

/// The field number of the one body in a frame.
///
/// Looked up before decoding because protobuf lets a repeated field of a oneof replace or merge with the one before
/// it, and implementations differ: two bodies could be one publish to us and another to a proxy that inspects frames.
/// The functions of `prost::encoding` are those that generated code calls.
fn body_number(body: &[u8]) -> Result<u32, DecodeError> {
    if body.is_empty() {
        return Err(DecodeError::EmptyFrame);
    }
    let mut found = None;
    let mut rest = body;
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest)?;
        skip_field(wire_type, number, &mut rest, DecodeContext::default())?;
        if number <= BODY_NUMBER_MAX && found.replace(number).is_some() {
            return Err(DecodeError::SecondBody);
        }
    }
    found.ok_or(DecodeError::NoBody)
}

#[cfg(test)]
mod tests;
