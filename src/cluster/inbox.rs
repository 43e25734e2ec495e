//! What other nodes say about slots: from the lanes to the actors.
//!
//! A lane is read in order, and what it holds goes to actors that work each at its own pace. What a slot or a relay is told
//! keeps its room in the inbox until it is worked off, so that a node that is told more than it can do is not
//! read; what a gateway asks takes room in its channel's mailbox, and is refused when there is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use starling_cluster::link::{InboxRoom, Incoming, Link};
use starling_cluster::wire::{Decoder, Received, Said};
use starling_core::document::message::{Join, ToGateway, ToOwner};
use starling_core::id::{ChannelName, NodeId, NodeName, SlotId, slot_of};
use starling_core::relay::{Answer, Asked, Told};
use tokio::sync::mpsc;

use super::peers::Peers;
use crate::actor::channel::Message;
use crate::actor::document;
use crate::actor::presence::{self, ShardId};
use crate::actor::registry::Registry;
use crate::actor::reply::{Caller, Reply};
use crate::actor::slot::{self, Route};

/// Reads one lane until it ends.
pub async fn read(mut lane: mpsc::Receiver<Incoming>, registry: Registry, peers: Arc<Peers>) {
    let mut desk = Desk {
        registry,
        peers,
        senders: BTreeMap::new(),
    };
    while let Some(incoming) = lane.recv().await {
        desk.take(incoming);
    }
}

struct Desk {
    registry: Registry,
    peers: Arc<Peers>,
    /// What has arrived of each peer and is not whole. A process that takes another's place begins anew.
    senders: BTreeMap<NodeName, (NodeId, Decoder)>,
}

impl Desk {
    fn take(&mut self, incoming: Incoming) {
        let from = incoming.from.clone();
        let now = self.registry.services().clock.now();
        let sender = self.senders.entry(from.name.clone());
        let (node, decoder) = sender.or_insert_with(|| (from.clone(), Decoder::default()));
        if *node != from {
            (*node, *decoder) = (from.clone(), Decoder::default());
        }
        let received = match decoder.decode(&incoming, now) {
            Ok(Some(received)) => received,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%from, %error, "a peer's message cannot be read; is it of another version?");
                self.registry.services().metrics.unreadable();
                return;
            }
        };
        let (slot, received) = received;
        if slot.0 >= self.registry.services().slots {
            return;
        }
        let room = incoming.into_room();
        match received {
            Received::Presence(message) => {
                let message = Box::new(message);
                let told = presence::Message::Told { from, message, room };
                // What is lost is found by comparing.
                let _ = self.registry.presence(ShardId::of(slot)).post_single(told);
            }
            Received::Replica(message) => {
                let message = Box::new(message);
                let message = slot::Message::Peer { from, message, room };
                let _ = self.registry.slot(slot).post_single(message);
            }
            Received::Told(channel, told) => {
                let is_live = matches!(told, Told::Live { .. } | Told::Behind { .. });
                // Messages that nobody reads here any more: the relay says so, in order with whoever attaches.
                let relay = match self.registry.route(slot) {
                    Route::At(_) if is_live => Some(self.registry.channel(&channel)),
                    _ => self.registry.running(&channel),
                };
                if let Some(relay) = relay {
                    let told = Box::new(told);
                    let _ = relay.post_single(Message::Told { from, told, room }); // gone: nobody waits
                }
            }
            Received::Document(document, join, said) if slot_of(&document, self.registry.services().slots) == slot => {
                self.said(from, slot, &document, join, said, room);
            }
            Received::Document(..) => {}
            Received::Asked(channel, asked) => {
                if slot_of(&channel, self.registry.services().slots) == slot {
                    self.asked(&from, slot, channel, asked);
                }
            }
        }
    }

    fn said(&self, from: NodeId, slot: SlotId, document: &ChannelName, join: Join, said: Said, room: InboxRoom) {
        let held = room.into();
        match said {
            Said::ToOwner(message) if self.registry.route(slot) == Route::Here => {
                let message = Box::new(message);
                let said = document::owner::Message::Said {
                    from,
                    join,
                    message,
                    held,
                };
                self.registry.tell_document_owner(document, said);
            }
            Said::ToOwner(ToOwner::Join { .. }) => {
                // One that is not told so joins again in a while.
                let _ = self
                    .peers
                    .say(&from, document, join, &Said::ToGateway(ToGateway::Moved));
            }
            Said::ToOwner(_) => {} // it joins again
            Said::ToGateway(message) => {
                // An owner that takes this node for a gateway which it is not any more.
                if message.is_to_a_member() && !self.registry.is_edited(document) {
                    let _ = self.peers.say(&from, document, join, &Said::ToOwner(ToOwner::Leave)); // it says more
                    return;
                }
                let message = Box::new(message);
                let told = document::gateway::Message::Told {
                    from,
                    join,
                    message,
                    held,
                };
                self.registry.tell_document_gateway(document, told);
            }
        }
    }

    fn asked(&self, from: &NodeId, slot: SlotId, channel: ChannelName, asked: Asked) {
        let Some(link) = self.peers.link(from) else {
            return; // it has ended since
        };
        let is_here = self.registry.route(slot) == Route::Here;
        match asked {
            Asked::Leave => {
                if let Some(owner) = self.registry.running(&channel).filter(|_| is_here) {
                    let left = Message::Left { gateway: from.clone() };
                    let _ = owner.post_single(left);
                }
            }
            Asked::Request(request) if is_here => {
                let request = request.map(|number| Reply::to_peer(self.caller(link, &channel, number)));
                // One that is dropped is answered, and comes again.
                let _ = self.registry.try_send(&channel, Message::from(request));
            }
            Asked::Request(request) => self.caller(link, &channel, request.number()).tell(Answer::Moved),
        }
    }

    fn caller(&self, link: Link, channel: &ChannelName, number: u64) -> Caller {
        Caller {
            peers: Arc::clone(&self.peers),
            gateway: link,
            channel: channel.clone(),
            number,
        }
    }
}
