//! What an editor is told, encoded once for all who are told the same in the same words.

use std::sync::OnceLock;

use bytes::Bytes;
use starling_core::document::gateway::Event;
use starling_core::document::sync::hocuspocus::{Address, FromServer};
use starling_core::document::sync::{Message, Sync};

use crate::transport::websocket::codec;

/// See the module. Frames are those of a WebSocket, with their headers.
#[derive(Debug)]
pub struct Told {
    event: Event,
    yjs: OnceLock<Bytes>,
    /// For editors that have the document under its plain name.
    hocuspocus: OnceLock<Bytes>,
}

impl Told {
    /// Of something that happened.
    #[must_use]
    pub const fn new(event: Event) -> Self {
        Self {
            event,
            yjs: OnceLock::new(),
            hocuspocus: OnceLock::new(),
        }
    }

    /// What happened.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// What it counts for in a queue.
    #[must_use]
    pub fn bytes(&self) -> usize {
        EVENT_BYTES
            + match &self.event {
                Event::Step1(bytes)
                | Event::Step2(bytes)
                | Event::Update(bytes)
                | Event::Awareness(bytes)
                | Event::Stateless(bytes) => bytes.len(),
                Event::Saved { echo, .. } => echo.iter().map(Bytes::len).sum(),
                Event::Refused { .. } | Event::AwarenessRefused { .. } | Event::Closed(_) => 0,
            }
    }

    /// As y-websocket is told; `None` for what it has no words for.
    pub(super) fn yjs(&self) -> Option<Bytes> {
        let message = match &self.event {
            Event::Step1(state_vector) => Message::Sync(Sync::Step1(state_vector)),
            Event::Step2(update) => Message::Sync(Sync::Step2(update)),
            Event::Update(update) => Message::Sync(Sync::Update(update)),
            Event::Awareness(states) => Message::Awareness(states),
            Event::Stateless(_)
            | Event::Saved { .. }
            | Event::Refused { .. }
            | Event::AwarenessRefused { .. }
            | Event::Closed(_) => return None,
        };
        Some(self.yjs.get_or_init(|| codec::binary(&message.frame())).clone())
    }

    /// As Hocuspocus is told; `None` for what is said in other words.
    pub(super) fn hocuspocus(&self, address: Address<'_>) -> Option<Bytes> {
        let message = match &self.event {
            Event::Step1(state_vector) => FromServer::Sync(Sync::Step1(state_vector)),
            Event::Step2(update) => FromServer::Sync(Sync::Step2(update)),
            Event::Update(update) => FromServer::Sync(Sync::Update(update)),
            Event::Awareness(states) => FromServer::Awareness(states),
            Event::Stateless(payload) => FromServer::Stateless(std::str::from_utf8(payload).ok()?),
            Event::Saved { .. } | Event::Refused { .. } | Event::AwarenessRefused { .. } | Event::Closed(_) => {
                return None;
            }
        };
        let encode = || codec::binary(&message.frame(address));
        Some(match address.session {
            None => self.hocuspocus.get_or_init(encode).clone(),
            Some(_) => encode(),
        })
    }
}

/// What an event counts for beside its bytes.
const EVENT_BYTES: usize = 64;
