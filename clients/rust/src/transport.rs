//! A connection that carries frames, whatever it is made of.
//!
//! - `dial.rs`: from a node's HTTP base to an open connection: discovery, then one transport or a race of both;
//! - `losers.rs`: where WebTransport lost the race, so that it gets no head start again;
//! - `sockets.rs`: the UDP socket with which a client goes from node to node;
//! - `websocket.rs`: a frame is a binary message;
//! - `webtransport.rs`: frames with their lengths on one stream, opened by the client, and datagrams beside it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, Stream};
use starling_protocol::frame::{DecodeError, Encoded};
use thiserror::Error;
use tokio::time::Instant;

use crate::Transport;

pub(crate) mod dial;
mod losers;
mod sockets;
mod websocket;
mod webtransport;

/// Frame bodies that the server sends.
pub(crate) type Incoming = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Frames that the client sends. Closing it says goodbye in the transport's own way, after what was sent.
pub(crate) type Outgoing = Pin<Box<dyn Sink<Encoded, Error = TransportError> + Send>>;

/// Datagrams, beside the frames of a connection that has them.
pub(crate) trait Datagrams: Send {
    /// The next body that comes.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Bytes>;

    /// Sends a body, which may get lost. Whether the transport has taken it.
    fn send(&mut self, body: &[u8]) -> bool;
}

/// An open connection.
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
    pub(crate) datagrams: Option<Box<dyn Datagrams>>,
    pub(crate) activity: Arc<Activity>,
}

/// Why a connection ended.
#[derive(Debug, Error)]
pub(crate) enum TransportError {
    #[error("the server closed the connection{}", if .reason.is_empty() { String::new() } else { format!(": {reason}") })]
    Closed { code: Option<u16>, reason: String },
    #[error("the connection broke: {0}")]
    Broken(String),
    /// What came is not the protocol.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    #[error("a text message; frames are binary")]
    Text,
    #[error("the server takes no frames")]
    Stuck,
}

impl TransportError {
    /// Whether the server broke the rules, so that it is to be told before the connection ends.
    pub(crate) fn is_violation(&self) -> bool {
        matches!(self, Self::Decode(_) | Self::Text)
    }

    /// The code the connection was closed with.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Closed { code, .. } => *code,
            Self::Broken(_) | Self::Decode(_) | Self::Text | Self::Stuck => None,
        }
    }
}

/// When bytes last came in: of whole frames or not, so that a page on a slow line is not silence.
#[derive(Debug)]
pub(crate) struct Activity {
    origin: Instant,
    millis: AtomicU64,
}

impl Activity {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            origin: Instant::now(),
            millis: AtomicU64::new(0),
        })
    }

    fn heard(&self) {
        let millis = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }

    pub(crate) fn last(&self) -> Instant {
        self.origin + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
