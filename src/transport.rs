//! How clients reach the node: one [`Connection`] each, whatever carries it.
//!
//! A connection moves whole frames both ways and knows nothing of what they say. The session task
//! ([`crate::session`]) is written against the trait, so both transports give the same guarantees:
//!
//! * [`websocket`]: one frame per binary message, on a TCP connection that axum upgraded;
//! * [`webtransport`]: length-delimited frames on the one bidirectional stream the client opens;
//! * [`accept`]: who may come in, and the first steps of every connection;
//! * [`tcp`]: the socket under WebSocket, which can be left alone for a while;
//! * [`tls`]: certificates, made or loaded, and their hashes for browsers.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use starling_core::session::answer::Farewell;
use tokio::time::Instant;

use crate::fanout::Frame;

pub mod accept;
mod queue;
pub mod tcp;
pub mod tls;
pub mod websocket;
pub mod webtransport;

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket over TCP.
    WebSocket,
    /// WebTransport over QUIC.
    WebTransport,
}

impl Transport {
    /// Both, for tables.
    pub const ALL: [Self; 2] = [Self::WebSocket, Self::WebTransport];

    /// The name in metrics, logs and discovery.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::WebTransport => "webtransport",
        }
    }
}

/// One client's connection.
///
/// All methods are called from one task. `poll_*` methods register its waker like any future.
pub trait Connection: Send + Unpin + 'static {
    /// What carries it.
    const TRANSPORT: Transport;

    /// The next frame's body.
    ///
    /// # Errors
    /// [`Ended`] says why there is none, now or ever.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Ended>>;

    /// Queues a frame. Shares its bytes.
    fn queue(&mut self, frame: &Frame);

    /// Bytes queued and not yet handed to the transport.
    fn queued_bytes(&self) -> usize;

    /// Whether the system has all that was queued. What is queued no more may still be with the transport.
    fn is_written(&self) -> bool;

    /// Writes what is queued. Ready once [everything is written](Self::is_written).
    ///
    /// # Errors
    /// The connection is lost.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The next datagram, where the transport has any. What it says may be anything, and what was not read in time is dropped.
    fn poll_datagram(&mut self, _cx: &mut Context<'_>) -> Poll<Bytes> {
        Poll::Pending
    }

    /// How many datagrams were dropped unread since this was asked last.
    fn datagrams_dropped(&mut self) -> u64 {
        0
    }

    /// The longest datagram that is taken from the client, in bytes; 0 where there are none.
    fn datagram_bytes_max(&self) -> usize {
        0
    }

    /// The client takes datagrams: they may be sent to it.
    fn permit_datagrams(&mut self) {}

    /// Whether datagrams may be sent to the client, and reach it.
    fn sends_datagrams(&self) -> bool {
        false
    }

    /// Sends a datagram, which may get lost. Whether the transport has taken it.
    fn send_datagram(&mut self, _body: &[u8]) -> bool {
        false
    }

    /// Whether nobody is to be woken by what arrives from now on: [`Self::poll_receive`] is asked again without. A
    /// transport may wake all the same; it saves no more than the cost.
    fn doze(&mut self, _dozing: bool) {}

    /// The longest frame taken from now on, in bytes.
    fn limit_frames(&mut self, bytes_max: usize);

    /// Ends the connection, telling the transport's own close code where it has one. What was written before may be
    /// read until `deadline`, or until the client closes.
    fn close(self, code: u16, reason: &str, deadline: Instant) -> impl Future<Output = ()> + Send;
}

/// Why no frame comes from a connection.
#[derive(Debug)]
pub enum Ended {
    /// It broke, or nothing was heard for too long.
    Gone,
    /// The client closed it in order, as a browser does for a page that goes.
    Closed,
    /// The client broke the rules of the transport.
    Fault(Farewell),
}
