//! What an editor does with a document, in whatever protocol.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use starling_core::document::gateway::Input;
use starling_core::document::message::EditorId;
use starling_core::document::sync::Sync;
use starling_core::id::ChannelName;
use tokio::time::Instant;

use super::rights::Rights;
use super::{Mailbox, Seat};
use crate::actor::document::gateway::Message;
use crate::actor::registry::Registry;

/// A document that an editor has open. It is closed when this is dropped.
pub(super) struct Opened {
    seat: Seat,
    pub(super) rights: Rights,
    /// When its token ends.
    pub(super) expires: Option<Instant>,
    registry: Registry,
    edits: u64,
}

impl Opened {
    /// Opens a document for an editor, which is told what happens in its mailbox.
    pub(super) async fn open(
        registry: &Registry,
        mailbox: &Arc<Mailbox>,
        document: ChannelName,
        rights: Rights,
        wants_echo: bool,
    ) -> Self {
        let seat = Seat::new(registry, document);
        let opening = seat.opening(mailbox, rights.may_write, wants_echo);
        registry.send_document(seat.document(), opening).await;
        Self {
            seat,
            expires: expires(registry, &rights),
            rights,
            registry: registry.clone(),
            edits: 0,
        }
    }

    /// As which editor.
    pub(super) const fn editor(&self) -> EditorId {
        self.seat.editor()
    }

    /// Takes a step of making two documents equal.
    pub(super) async fn sync(&mut self, step: Sync<'_>) {
        let editor = self.editor();
        let input = match step {
            Sync::Step1(state_vector) => Input::Step1 {
                editor,
                state_vector: Bytes::copy_from_slice(state_vector),
            },
            Sync::Step2(update) | Sync::Update(update) => {
                self.edits += 1;
                Input::Edit {
                    editor,
                    edit: self.edits,
                    update: Bytes::copy_from_slice(update),
                    is_step2: matches!(step, Sync::Step2(_)),
                }
            }
        };
        self.say(input).await;
    }

    /// Takes states of clients, if it may show any.
    pub(super) async fn awareness(&self, states: &[u8]) {
        if self.rights.may_show {
            let states = Bytes::copy_from_slice(states);
            let editor = self.editor();
            self.say(Input::Awareness { editor, states }).await;
        }
    }

    /// Answers with the states of all clients.
    pub(super) async fn query_awareness(&self) {
        self.say(Input::QueryAwareness(self.editor())).await;
    }

    /// Passes a message of the application on to the others, if it may write.
    pub(super) async fn stateless(&self, payload: &str) {
        if self.rights.may_write {
            let payload = Bytes::copy_from_slice(payload.as_bytes());
            let editor = self.editor();
            self.say(Input::Stateless { editor, payload }).await;
        }
    }

    /// Another token allows something else.
    pub(super) async fn permit(&mut self, rights: Rights) {
        let (editor, may_write) = (self.editor(), rights.may_write);
        self.expires = expires(&self.registry, &rights);
        self.rights = rights;
        self.say(Input::Permit { editor, may_write }).await;
    }

    async fn say(&self, input: Input) {
        self.registry
            .send_document(self.seat.document(), Message::Said(input))
            .await;
    }
}

/// When a token ends, by the clock that alarms are set by.
fn expires(registry: &Registry, rights: &Rights) -> Option<Instant> {
    let services = registry.services();
    let expires = rights.expires?;
    let left = expires.0.saturating_sub(services.clock.now().wall.0);
    // One that never ends, as seconds go.
    let left = Duration::from_millis(left).min(FAR_AWAY);
    Some(Instant::now() + left + services.config.auth.leeway)
}

/// Later than any connection lives: an instant has no room for every date that a token may name.
const FAR_AWAY: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);
