//! From a slot to the other nodes that hold it, and to the slot table.

use std::sync::Arc;

use starling_core::id::SlotId;
use starling_core::replica::Effect;
use starling_core::time::Now;
use starling_runtime::mailbox::Address;
use starling_runtime::wheel::Alarm;
use tokio::time::Instant;

use super::Message;
use crate::actor::registry::Registry;
use crate::cluster::peers::Wish;

/// Carries out what replication asks for. A node without peers is asked for nothing.
pub(super) fn perform(effect: Effect, slot: SlotId, now: Now, me: &Address<Message>, registry: &Registry) {
    let Some(peers) = registry.peers() else {
        return;
    };
    match effect {
        Effect::Send { to, message } => peers.send(slot, &to, &message, now),
        Effect::Ask {
            number,
            version,
            change,
        } => peers.wish(Wish {
            slot,
            number,
            version,
            change,
        }),
        // Of milliseconds: a copy that owes an ack is sent entries again after a hundred.
        Effect::Wake { at } => registry
            .services()
            .windows
            .set(Instant::from_std(at), Arc::new(Beat(me.clone()))),
        Effect::Slot(_) => {}
    }
}

struct Beat(Address<Message>);

impl Alarm for Beat {
    fn ring(&self) {
        let _ = self.0.post_single(Message::Beat); // a slot that has stopped beats when it starts again
    }
}
