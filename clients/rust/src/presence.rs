//! Who is in a channel, as an application is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use starling_protocol::{limits, v1};

use crate::PresenceError;

/// Names a client to those who watch: the same over its reconnects, and nothing that its secret could be guessed from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId([u8; limits::CLIENT_BYTES]);

impl ClientId {
    /// The client that these bytes name: as [`as_bytes`](Self::as_bytes) gave them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; limits::CLIENT_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes of the name, for an application that keeps it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; limits::CLIENT_BYTES] {
        &self.0
    }

    /// `None` if it has not the length of one.
    pub(crate) fn from_wire(client: &[u8]) -> Option<Self> {
        client.try_into().ok().map(Self)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({self})")
    }
}

/// A client that is in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Which client.
    pub client: ClientId,
    /// Whom its token names: clients with the same are one member, such as the tabs of one person. `None` for a client that is
    /// nobody, and a member by itself.
    pub member: Option<String>,
    /// The node that it is attached to.
    pub node: String,
    /// What it says of itself.
    pub state: Bytes,
}

impl Present {
    /// `None` if its client is none.
    pub(crate) fn from_wire(present: v1::Present) -> Option<Self> {
        Some(Self {
            client: ClientId::from_wire(&present.client)?,
            member: (!present.member.is_empty()).then_some(present.member),
            node: present.node,
            state: present.state,
        })
    }
}

/// How many are in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Members.
    pub members: u64,
    /// Their clients.
    pub clients: u64,
}

/// How far to believe what was told of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certainty {
    /// What was told may be old: this client is not connected, or the channel's owner is not heard or has just become it.
    pub stale: bool,
    /// Nodes that may be dead, and their clients with them.
    pub uncertain: Vec<String>,
}

/// What happened in a channel that is watched, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceEvent {
    /// Everybody who is there: what was known before is replaced by it. It comes once at first; after a reconnect the difference
    /// is told instead.
    Roster(Vec<Arc<Present>>),
    /// A client is there, and was not.
    Joined {
        /// Who.
        present: Arc<Present>,
        /// It is the first of its member.
        first: bool,
    },
    /// A client says something else of itself, or is attached to another node.
    Updated(Arc<Present>),
    /// A client is there no more.
    Left {
        /// Who, as it was last.
        present: Arc<Present>,
        /// It was the last of its member.
        last: bool,
    },
    /// How many are there: in place of who, because only that was asked for, or because more may not be told.
    Occupancy(Occupancy),
    /// What was told is less sure than before, or surer.
    Certainty(Certainty),
    /// A client said something that is worth nothing when the next has come. Some may be missing.
    Ephemeral {
        /// Who.
        present: Arc<Present>,
        /// What.
        state: Bytes,
    },
    /// The watch has failed for good: the last event.
    Failed(PresenceError),
}

/// What a watch asks for. `WatchOptions::default()` is told who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// How many there are is enough: nobody is named.
    pub count: bool,
    /// Events queued for the application before what comes is merged; 0 counts as 1.
    ///
    /// What is merged is told once there is room: of each client how it differs from what was told of it last. A slow application
    /// misses those who came and went meanwhile, and is never wrong once it has caught up.
    pub queue_events: usize,
    /// Bytes queued for the application, bounded like `queue_events`; 0 counts as 1.
    pub queue_bytes: usize,
    /// How long `watch` waits until the channel is watched.
    pub timeout: Duration,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            count: false,
            queue_events: 1024,
            queue_bytes: 1024 * 1024,
            timeout: Duration::from_secs(30),
        }
    }
}

impl WatchOptions {
    /// Is told how many are there, and nobody's name.
    #[must_use]
    pub fn count() -> Self {
        Self {
            count: true,
            ..Self::default()
        }
    }
}

/// What is wrong with a channel's name, if anything.
pub(crate) fn check_channel(channel: &str) -> Result<(), PresenceError> {
    let bytes = channel.len();
    match (1..=limits::CHANNEL_BYTES_MAX).contains(&bytes) {
        true => Ok(()),
        false => Err(PresenceError::BadChannelName { bytes }),
    }
}

/// What is wrong with a state, if anything.
pub(crate) fn check_state(state: &[u8], max: usize) -> Result<(), PresenceError> {
    let bytes = state.len();
    match bytes <= max {
        true => Ok(()),
        false => Err(PresenceError::StateTooLarge { bytes, max }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_named_by_its_bytes() {
        let id = ClientId::from_wire(&[0xab; 16]).expect("16 bytes");
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(id.as_bytes(), &[0xab; 16]);
        assert_eq!(ClientId::from_wire(&[0; 15]), None);
    }

    #[test]
    fn a_client_without_a_name_is_nobody() {
        let wire = v1::Present {
            client: Bytes::from_static(&[1; 16]),
            node: "a".into(),
            ..v1::Present::default()
        };
        let nobody = Present::from_wire(wire.clone()).expect("a client");
        assert_eq!(nobody.member, None);
        let anna = v1::Present {
            member: "anna".into(),
            ..wire
        };
        let anna = Present::from_wire(anna).expect("a client");
        assert_eq!(anna.member.as_deref(), Some("anna"));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        assert_eq!(check_channel("demo:lobby"), Ok(()));
        for channel in ["", &"c".repeat(limits::CHANNEL_BYTES_MAX + 1)] {
            let refused = check_channel(channel);
            assert!(
                matches!(refused, Err(PresenceError::BadChannelName { .. })),
                "{refused:?}"
            );
        }
        assert_eq!(check_state(&[0; 9], 9), Ok(()));
        let refused = check_state(&[0; 10], 9);
        assert_eq!(refused, Err(PresenceError::StateTooLarge { bytes: 10, max: 9 }));
    }
}
