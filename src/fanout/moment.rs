//! Ephemeral states in the bytes of every transport.

use std::sync::OnceLock;

use bytes::Bytes;
use starling_protocol::frame;
use starling_protocol::v1::{self, server_frame};

use super::Frame;
use crate::wire;

/// Ephemeral states of one channel, encoded once and shared by every session: as one frame, and cut into datagrams when the
/// first session wants those.
#[derive(Debug)]
pub struct Moment {
    /// All of them.
    pub frame: Frame,
    /// They were told before, and are told once more to those who may have lost them on the way.
    pub is_repeat: bool,
    states: v1::Ephemerals,
    datagrams: OnceLock<Vec<Bytes>>,
}

impl Moment {
    /// These states.
    #[must_use]
    pub fn new(states: v1::Ephemerals, is_repeat: bool) -> Self {
        Self {
            frame: frame::encode_server(server_frame::Body::Ephemerals(states.clone())).into(),
            is_repeat,
            states,
            datagrams: OnceLock::new(),
        }
    }

    /// The bodies of datagrams, with all of the states between them.
    #[must_use]
    pub fn datagrams(&self) -> &[Bytes] {
        self.datagrams.get_or_init(|| wire::datagrams(&self.states))
    }
}
