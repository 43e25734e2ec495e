//! Nodes talking: one QUIC connection for each pair, certificates checked at both ends, messages in order and once.
//!
//! ```text
//! Link ─message─▶ lane (kept until taken) ═stream═▶ inbox of the lane ─▶ consumer
//!                   ▲                                │
//!                   └───────── beat: taken ◀─────────┘
//! ```
//!
//! A message travels in a lane: one for control, and eight that the slots share by their number. A lane has a bound in
//! bytes, and an answer when it is full. Frames are numbered and kept until the peer has taken them; a new connection
//! begins with the first that it has not, so between two processes each message arrives once and in order, however often the
//! connection breaks. When either process ends, what was on its way is given up, and [`Event::Reset`] says so.
//!
//! | file | holds |
//! | --- | --- |
//! | `links.rs`, `accept.rs` | all links and what happened to them; who is let in |
//! | `transport.rs`, `congestion.rs`, `socket.rs` | QUIC's settings; how much is on its way; the socket under it, and what strangers send to it |
//! | `peer.rs`, `redial.rs`, `probe.rs` | the task of one peer; when it dials, what a client port says |
//! | `session.rs` | one connection |
//! | `shared.rs`, `lane.rs` | what outlives connections: the handle, the lanes to the peer |
//! | `inbox.rs` | where messages arrive |
//! | `liveness.rs` | whether a peer lives; no IO |
//! | `dial.rs`, `hello.rs`, `tls.rs` | the handshake, what is compared in it, certificates |
//! | `frame.rs`, `codec.rs` | a message on the wire; headers in bincode |

mod accept;
pub(crate) mod codec;
mod congestion;
mod dial;
mod frame;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod hello;
mod inbox;
mod lane;
mod links;
mod liveness;
mod peer;
mod probe;
mod redial;
mod session;
mod shared;
mod socket;
mod tls;
mod transport;

use std::net::SocketAddr;

use thiserror::Error;

pub use codec::{CodecError, HEADER_BYTES_MAX};
pub use frame::{FRAME_BYTES_MAX, InboxRoom, Incoming, LANES, Lane, Outgoing, PAYLOADS_MAX, SLOT_LANES};
pub use hello::{Agreement, Refusal};
pub use inbox::Inboxes;
pub use lane::SendError;
pub use links::{EVENTS_MAX, Event, Links};
pub use liveness::{Cause, Heartbeats, PeerState};
pub use shared::Link;
pub use tls::{Credentials, CredentialsError};

/// Why links are not taken.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The socket could not be used.
    #[error("the socket of links cannot be used: {0}")]
    Socket(#[from] std::io::Error),
}

/// How links behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When a peer is suspected, and when it counts as dead.
    pub heartbeats: Heartbeats,
    /// Bytes that wait for one peer, in equal parts for each lane. Less than [`LANES`] of the longest frames refuses those.
    pub queue_bytes: usize,
    /// Handshakes at once that are not through. Beyond half of them a node has to prove its address first.
    pub handshakes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeats: Heartbeats::default(),
            queue_bytes: 32 * 1024 * 1024,
            // A whole cluster may dial a node that starts; more is no cluster of ours.
            handshakes_max: 256,
        }
    }
}

/// Where a process is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it takes links.
    pub address: SocketAddr,
    /// Its client port, over TCP.
    pub probe: Option<SocketAddr>,
}
