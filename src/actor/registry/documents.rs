//! Where documents are open: their actors at this node, as gateway and as owner.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{MutexGuard, PoisonError};

use ractor::ActorId;
use starling_core::document::message::{Answer, EditorId, Question, Refusal};
use starling_core::id::{ChannelName, NodeId, SlotId, slot_of};
use starling_runtime::mailbox::{Address, Room, SendError};
use tokio::sync::oneshot;

use super::{Registry, Route, Who};
use crate::actor::document;
use crate::actor::document::gateway::{self, GatewayActor};
use crate::actor::document::owner::{self, OwnerActor};
use crate::metrics::DocumentPart;

/// Of the whole node.
#[derive(Default)]
pub(super) struct Documents {
    editors: AtomicU64,
    gateways: AtomicU32,
}

/// Of one slot.
#[derive(Default)]
pub(super) struct Open {
    gateways: HashMap<ChannelName, Address<gateway::Message>>,
    owners: HashMap<ChannelName, Address<owner::Message>>,
}

impl Registry {
    /// A number for an editor: no other of this process has it.
    pub fn next_editor(&self) -> EditorId {
        EditorId(self.0.documents.editors.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether a document has editors at this node, or had a moment ago.
    #[must_use]
    pub fn is_edited(&self, document: &ChannelName) -> bool {
        let slot = slot_of(document, self.0.services.slots);
        self.open(slot).gateways.contains_key(document)
    }

    /// Tells a document at this node something of an editor, once its mailbox has room.
    pub async fn send_document(&self, document: &ChannelName, mut message: gateway::Message) {
        loop {
            let address = self.document_gateway(document);
            message = match address.send(message, 1).await {
                Ok(()) => return,
                Err(SendError::Full(back) | SendError::Closed(back)) => {
                    tokio::task::yield_now().await;
                    back
                }
                Err(SendError::Gone(back)) => {
                    self.forget_document_gateway(document, address.id());
                    back
                }
            };
        }
    }

    /// The same, if there is room now.
    ///
    /// # Errors
    /// The message, if there is none.
    pub fn try_send_document(
        &self,
        document: &ChannelName,
        mut message: gateway::Message,
    ) -> Result<(), Box<gateway::Message>> {
        loop {
            let address = self.document_gateway(document);
            message = match address.try_send(message, 1) {
                Ok(()) => return Ok(()),
                Err(SendError::Full(back) | SendError::Closed(back)) => return Err(Box::new(back)),
                Err(SendError::Gone(back)) => {
                    self.forget_document_gateway(document, address.id());
                    back
                }
            };
        }
    }

    /// Asks a document, wherever it is.
    ///
    /// # Errors
    /// What the document or its owner says.
    pub async fn ask_document(&self, document: &ChannelName, question: Question) -> Result<Answer, Refusal> {
        let (answer, asked) = oneshot::channel();
        let mut message = gateway::Message::Ask { question, answer };
        loop {
            let address = self.document_gateway(document);
            message = match address.try_send(message, 1) {
                Ok(()) => return asked.await.unwrap_or(Err(Refusal::Moving)),
                Err(SendError::Full(_)) => return Err(Refusal::Busy),
                Err(SendError::Closed(back)) => {
                    tokio::task::yield_now().await;
                    back
                }
                Err(SendError::Gone(back)) => {
                    self.forget_document_gateway(document, address.id());
                    back
                }
            };
        }
    }

    /// Tells a document that is edited here, if it still is.
    pub fn tell_document_gateway(&self, document: &ChannelName, message: gateway::Message) {
        let slot = slot_of(document, self.0.services.slots);
        let address = self.open(slot).gateways.get(document).cloned();
        if let Some(address) = address {
            let _ = address.post_single(message); // it has ended, and with it whoever waited
        }
    }

    /// What a gateway tells the owner, which is this node. Starts its actor if none runs.
    pub fn tell_document_owner(&self, document: &ChannelName, mut message: owner::Message) {
        loop {
            let address = self.document_owner(document);
            message = match address.post_single(message) {
                Ok(()) => return,
                Err(SendError::Gone(back)) => {
                    self.forget_document_owner(document, address.id());
                    back
                }
                Err(SendError::Full(_) | SendError::Closed(_)) => return, // never said of what takes no room
            };
        }
    }

    /// Tells all documents that this node owns that a node is gone.
    pub fn tell_documents_gone(&self, node: &NodeId) {
        for slot in (0..self.0.services.slots).map(SlotId) {
            for address in self.open(slot).owners.values() {
                let _ = address.post_single(owner::Message::Gone(node.clone())); // it has ended
            }
        }
    }

    /// Tells all documents that are edited here that what was on its way to or from a node is lost.
    pub fn tell_documents_reset(&self, node: &NodeId) {
        for slot in (0..self.0.services.slots).map(SlotId) {
            for address in self.open(slot).gateways.values() {
                let _ = address.post_single(gateway::Message::Reset(node.clone())); // it has ended
            }
        }
    }

    /// Tells the documents of a slot who owns it. An owner that is not any more writes what it has, and is found by nobody.
    pub(super) fn route_documents(&self, slot: SlotId, route: &Route) {
        let mut open = self.open(slot);
        let owner = self.owner_by(route);
        for address in open.gateways.values() {
            let _ = address.post_single(gateway::Message::Route(owner.clone())); // it has ended
        }
        if *route != Route::Here {
            for (_, address) in open.owners.drain() {
                self.0.services.metrics.document_open(DocumentPart::Owner, false);
                let _ = address.post_single(owner::Message::Given); // it has ended
            }
        }
    }

    /// Forgets an actor, if it is still the one for its document.
    pub fn forget_document_gateway(&self, document: &ChannelName, actor: ActorId) {
        let slot = slot_of(document, self.0.services.slots);
        let gateways = &mut self.open(slot).gateways;
        if gateways.get(document).is_some_and(|address| address.id() == actor) {
            gateways.remove(document);
            self.0.services.metrics.document_open(DocumentPart::Gateway, false);
        }
    }

    /// Forgets an actor, if it is still the one for its document.
    pub fn forget_document_owner(&self, document: &ChannelName, actor: ActorId) {
        let slot = slot_of(document, self.0.services.slots);
        let owners = &mut self.open(slot).owners;
        if owners.get(document).is_some_and(|address| address.id() == actor) {
            owners.remove(document);
            self.0.services.metrics.document_open(DocumentPart::Owner, false);
        }
    }

    fn open(&self, slot: SlotId) -> MutexGuard<'_, Open> {
        let open = &self.entry(slot).documents;
        open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owner_by(&self, route: &Route) -> Option<NodeId> {
        match route {
            Route::Here => Some(self.me().clone()),
            Route::At(node) => Some(node.clone()),
            Route::Nowhere => None,
        }
    }

    fn document_gateway(&self, document: &ChannelName) -> Address<gateway::Message> {
        let slot = slot_of(document, self.0.services.slots);
        let mut open = self.open(slot);
        let address = open.gateways.entry(document.clone()).or_insert_with(|| {
            self.0.services.metrics.document_open(DocumentPart::Gateway, true);
            let room = Room::new(document::MAILBOX_SIZE);
            let number = self.0.documents.gateways.fetch_add(1, Ordering::Relaxed) + 1;
            let arguments = gateway::Arguments {
                document: document.clone(),
                // Under the lock: whoever changes the route tells those that are there then.
                owner: self.owner_by(&self.route(slot)),
                number,
                registry: self.clone(),
                room: room.clone(),
            };
            let who = Who::DocumentGateway(document.clone());
            Address::new(self.spawn(GatewayActor, who, arguments), room)
        });
        address.clone()
    }

    fn document_owner(&self, document: &ChannelName) -> Address<owner::Message> {
        let slot = slot_of(document, self.0.services.slots);
        let mut open = self.open(slot);
        let address = open.owners.entry(document.clone()).or_insert_with(|| {
            self.0.services.metrics.document_open(DocumentPart::Owner, true);
            let room = Room::new(document::MAILBOX_SIZE);
            let arguments = owner::Arguments {
                document: document.clone(),
                registry: self.clone(),
                room: room.clone(),
            };
            let who = Who::DocumentOwner(document.clone());
            Address::new(self.spawn(OwnerActor, who, arguments), room)
        });
        address.clone()
    }
}
