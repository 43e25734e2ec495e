//! How a client is doing.

use std::fmt;

use crate::CloseReason;

/// Whether a client is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It has not been connected yet.
    Connecting,
    /// It is connected.
    Connected {
        /// How.
        transport: Transport,
        /// Name of the node it is attached to.
        node: String,
        /// Name of its session in the server's logs.
        session: String,
    },
    /// The connection was lost or could not be made, and the client tries again by itself.
    Reconnecting {
        /// Failures in a row, this one included. A session that lasts a minute ends the row.
        attempt: u32,
        /// Why the last one ended, for a person.
        error: String,
    },
    /// It stopped for good.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// What carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A stream of a WebTransport session, over QUIC.
    WebTransport,
    /// A WebSocket, over TCP.
    WebSocket,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebTransport => "webtransport",
            Self::WebSocket => "websocket",
        })
    }
}

/// Which transports a client may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transports {
    /// The first to connect, with a head start for WebTransport.
    #[default]
    Auto,
    /// WebTransport only.
    WebTransport,
    /// WebSocket only.
    WebSocket,
}

/// Counts since the client was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions opened.
    pub sessions: u64,
    /// Connections that were lost or could not be made.
    pub failures: u64,
    /// Connections given up because they went silent.
    pub silences: u64,
    /// Frames from the server that broke the rules; each ended a connection.
    pub violations: u64,
    /// Messages handed to subscriptions, in states of keyed channels too.
    pub messages: u64,
    /// Messages that came again and were left out.
    pub duplicates: u64,
    /// Times that a seq was missing and the client pulled it.
    pub gaps: u64,
    /// Times that a subscription's queue was full and what came was left with the server.
    pub overflows: u64,
    /// Times that a watch's queue was full and what came was merged.
    pub merged: u64,
    /// Pulls sent.
    pub pulls: u64,
    /// Messages that the server left out for a slow reader, as it said.
    pub skipped: u64,
    /// Times that a reader lost messages, as it was told.
    pub discontinuities: u64,
    /// Publishes sent for the first time.
    pub published: u64,
    /// Publishes sent again with the same serial.
    pub resent: u64,
    /// Publishes acknowledged.
    pub acknowledged: u64,
    /// Publishes that failed, timed out, or whose outcome is unknown.
    pub failed: u64,
}
