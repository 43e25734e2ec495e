//! What an editor is told, encoded once for all who are told the same in the same words.

use std::sync::OnceLock;

use bytes::Bytes;
use starling_core::document::engine::Cold as _;
use starling_core::document::gateway::Event;
use starling_core::document::sync::hocuspocus::{Address, FromServer};
use starling_core::document::sync::{Message, Sync};
use starling_core::document::yjs::YjsBytes;
use starling_core::session::DocumentId;

use crate::fanout::Frame;
use crate::transport::websocket::codec;
use crate::wire;

/// See the module. Those of y-websocket and Hocuspocus are frames of a WebSocket, with their headers.
#[derive(Debug)]
pub struct Told {
    document_id: DocumentId,
    event: Event,
    yjs: OnceLock<Bytes>,
    /// For editors that have the document under its plain name.
    hocuspocus: OnceLock<Bytes>,
    /// For sessions.
    frames: OnceLock<Vec<Frame>>,
}

/// Those of its edits that an editor is told again, for it to know that they are saved: all that hold anything.
pub(super) fn said_again(echo: &[Bytes]) -> impl Iterator<Item = &Bytes> {
    echo.iter().filter(|update| **update != YjsBytes::EMPTY)
}

impl Told {
    /// Of something that happened to a document.
    #[must_use]
    pub const fn new(document_id: DocumentId, event: Event) -> Self {
        Self {
            document_id,
            event,
            yjs: OnceLock::new(),
            hocuspocus: OnceLock::new(),
            frames: OnceLock::new(),
        }
    }

    /// To which document.
    #[must_use]
    pub const fn document_id(&self) -> DocumentId {
        self.document_id
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
                Event::Opened | Event::Refused { .. } | Event::AwarenessRefused { .. } | Event::Closed(_) => 0,
            }
    }

    /// As a session is told; none for what each is told by itself.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        self.frames
            .get_or_init(|| wire::document::told(self.document_id, &self.event))
    }

    /// As y-websocket is told; `None` for what it has no words for.
    pub(super) fn yjs(&self) -> Option<Bytes> {
        let message = match &self.event {
            Event::Step1(state_vector) => Message::Sync(Sync::Step1(state_vector)),
            Event::Step2(update) => Message::Sync(Sync::Step2(update)),
            Event::Update(update) => Message::Sync(Sync::Update(update)),
            Event::Awareness(states) => Message::Awareness(states),
            Event::Opened
            | Event::Stateless(_)
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
            Event::Opened
            | Event::Saved { .. }
            | Event::Refused { .. }
            | Event::AwarenessRefused { .. }
            | Event::Closed(_) => return None,
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
