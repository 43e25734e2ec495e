//! A connection's place at a document.

use std::sync::Arc;

use starling_core::document::gateway::Input;
use starling_core::document::message::EditorId;
use starling_core::id::ChannelName;

use super::Mailbox;
use crate::actor::document::gateway::Message;
use crate::actor::registry::Registry;

/// As an editor of a document. It is given up when this is dropped, and the document told so: whatever is still on its way to the
/// document has to be sent before.
pub struct Seat {
    document: ChannelName,
    editor: EditorId,
    registry: Registry,
}

impl Seat {
    /// One at a document, which knows of it once it is told ([`opening`](Self::opening)).
    #[must_use]
    pub fn new(registry: &Registry, document: ChannelName) -> Self {
        registry.services().metrics.document_edited(true);
        Self {
            document,
            editor: registry.next_editor(),
            registry: registry.clone(),
        }
    }

    /// At which document.
    #[must_use]
    pub const fn document(&self) -> &ChannelName {
        &self.document
    }

    /// As which editor.
    #[must_use]
    pub const fn editor(&self) -> EditorId {
        self.editor
    }

    /// What tells the document of it: what happens is told to the mailbox.
    #[must_use]
    pub fn opening(&self, mailbox: &Arc<Mailbox>, may_write: bool, wants_echo: bool) -> Message {
        Message::Open {
            editor: self.editor,
            mailbox: Arc::clone(mailbox),
            may_write,
            wants_echo,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.services().metrics.document_edited(false);
        let close = Message::Said(Input::Close(self.editor));
        self.registry.tell_document_gateway(&self.document, close);
    }
}
