//! A frame in the bytes of every transport.

use std::sync::OnceLock;

use bytes::Bytes;
use starling_protocol::frame::Encoded;

use crate::transport::websocket::codec;

/// A server frame, encoded once and shared by every session: what a stream carries, and what a
/// WebSocket carries, its header included. The second is made when the first WebSocket wants it.
#[derive(Debug)]
pub struct Frame {
    encoded: Encoded,
    websocket: OnceLock<Bytes>,
}

impl Frame {
    /// For a stream: the length, then the body.
    #[must_use]
    pub fn stream(&self) -> Bytes {
        self.encoded.stream()
    }

    /// For a WebSocket: a binary message with the body.
    #[must_use]
    pub fn websocket(&self) -> Bytes {
        self.websocket
            .get_or_init(|| codec::binary(&self.encoded.message()))
            .clone()
    }

    /// Bytes of the body: what limits and credit count, on every transport.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        self.encoded.body_bytes()
    }
}

impl From<Encoded> for Frame {
    fn from(encoded: Encoded) -> Self {
        Self {
            encoded,
            websocket: OnceLock::new(),
        }
    }
}
