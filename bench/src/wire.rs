//! Just enough of both wires for the load and the null servers.
//!
//! A frame of the protocol is one binary message on a WebSocket ([`websocket`]), and a length and a body on a
//! WebTransport stream. [`http`] opens a WebSocket, asks a server where it can be reached ([`discovery`]) and a node of a
//! cluster how it stands ([`admin`]). Both ends are ours and on one machine, so what is left out is left out for both.

pub(crate) mod admin;
pub(crate) mod discovery;
pub(crate) mod http;
pub(crate) mod websocket;

use std::fmt;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use starling_protocol::frame::{Decoder, Encoded};

use crate::error::LinkError;

/// Longest frame either end takes, in bytes. Frames here are a Welcome, an Attached, or a message with its payload;
/// the longest payload that can be asked for is 64 KiB. What is longer ends the connection.
const FRAME_BYTES_MAX: usize = 128 * 1024;

/// What carries the sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// WebSocket over TCP, without TLS.
    #[serde(rename = "ws")]
    WebSocket,
    /// WebTransport over QUIC.
    #[serde(rename = "wt")]
    WebTransport,
}

impl Transport {
    /// A frame of a server, ready for the wire.
    pub(crate) fn server_frame(self, frame: &Encoded) -> Bytes {
        match self {
            Self::WebSocket => websocket::message(&frame.message(), websocket::Side::Server),
            Self::WebTransport => frame.stream(),
        }
    }

    /// A frame of a client, ready for the wire.
    pub(crate) fn client_frame(self, frame: &Encoded) -> Bytes {
        match self {
            Self::WebSocket => websocket::message(&frame.message(), websocket::Side::Client),
            Self::WebTransport => frame.stream(),
        }
    }

    /// Takes the next whole frame out of what has been received; `None` if more has to come.
    pub(crate) fn next_frame(self, received: &mut BytesMut) -> Result<Option<Frame>, LinkError> {
        match self {
            Self::WebSocket => websocket::next(received),
            Self::WebTransport => {
                let before = received.len();
                let body = Decoder::new(FRAME_BYTES_MAX).decode(received)?;
                Ok(body.map(|body| Frame {
                    body,
                    wire_bytes: before - received.len(),
                }))
            }
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "ws",
            Self::WebTransport => "wt",
        })
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "ws" | "websocket" => Ok(Self::WebSocket),
            "wt" | "webtransport" => Ok(Self::WebTransport),
            other => Err(format!("unknown transport {other:?}: say ws or wt")),
        }
    }
}

/// A frame as it came off the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The protobuf body.
    pub(crate) body: Bytes,
    /// Bytes the frame took on the wire, framing included.
    pub(crate) wire_bytes: usize,
}
