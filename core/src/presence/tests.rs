//! What the tests of the machines share.

use std::time::Instant;

use super::*;
use crate::id::{ChannelName, Generation, NodeId, NodeName, Subject};

#[expect(clippy::disallowed_methods, reason = "an instant has no other beginning")]
pub(super) fn start() -> Instant {
    Instant::now()
}

pub(super) fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

pub(super) fn client(subject: &str) -> Client {
    Client {
        subject: Subject::new(subject),
        id: ClientId::default(),
    }
}

pub(super) fn key(name: &str, subject: &str, connection: u64) -> Key {
    Key {
        channel: channel(name),
        client: client(subject),
        connection: ConnectionId(connection),
    }
}

pub(super) fn node(name: &str, generation: u64) -> NodeId {
    NodeId {
        name: NodeName::parse(name).unwrap(),
        generation: Generation(generation),
    }
}
