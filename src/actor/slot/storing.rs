//! From a slot to the store, and back.

use starling_core::id::{ChannelName, SlotId, Term};
use starling_core::slot::{self, StoreFailure};
use starling_core::time::{Now, WallTime};

use super::Message;
use crate::actor::registry::Registry;
use crate::node::Storage;
use crate::storage::{Batch, Fence, Mark};

/// Asks the store what it holds of a channel.
pub(super) fn load(registry: &Registry, channel: ChannelName, term: Term) {
    let services = registry.services();
    let memory = services.settings.namespaces.channel(&channel).memory;
    let loading = services
        .storage
        .as_ref()
        .map(|storage| storage.store.load(&channel, memory));
    let registry = registry.clone();
    tokio::spawn(async move {
        let found = match loading {
            Some(loading) => loading.await,
            None => Err(StoreFailure::Unavailable),
        };
        // To the actor that runs by now: after a failure it is another one.
        let slot = registry.slot_of(&channel);
        let _ = slot.post_single(Message::Loaded { channel, term, found });
    });
}

/// Gives a batch to the store.
pub(super) fn store(registry: &Registry, slot: SlotId, batch: slot::Batch) {
    let Some((storage, fence, now)) = claimed(registry, slot) else {
        return; // a slot without a claim has no lease, and takes no proposals
    };
    let (channel, through) = (batch.channel.clone(), batch.through);
    let stored = Batch {
        fence,
        due: batch.due.map(|due| wall_of(due, now)),
        time: now.wall,
        batch,
    };
    let back = registry.clone();
    let done = move |outcome| {
        let slot = back.slot_of(&channel);
        let _ = slot.post_single(Message::Stored {
            channel,
            through,
            outcome,
        });
    };
    storage.store.commit(stored, Box::new(done));
}

/// Has the store note what is in no entry.
pub(super) fn mark(
    registry: &Registry,
    slot: SlotId,
    channel: ChannelName,
    used: std::time::Instant,
    due: Option<std::time::Instant>,
) {
    if let Some((storage, fence, now)) = claimed(registry, slot) {
        storage.store.mark(Mark {
            fence,
            channel,
            used: wall_of(used, now),
            due: due.map(|due| wall_of(due, now)),
        });
    }
}

/// Another node has claimed the slot in the store.
pub(super) fn unleased(registry: &Registry, slot: SlotId) {
    if let Some(storage) = &registry.services().storage {
        storage.claims.release(slot);
    }
    if registry.services().config.cluster.enabled {
        // As after a pause in which another node took the slot over.
        tracing::warn!(
            slot = slot.0,
            "another node writes this slot to the store; its persisted channels are refused here"
        );
    } else {
        tracing::error!(
            slot = slot.0,
            "another node has taken the store over; its persisted channels are refused here until this node is started again"
        );
    }
}

fn claimed(registry: &Registry, slot: SlotId) -> Option<(&Storage, Fence, Now)> {
    let services = registry.services();
    let storage = services.storage.as_ref()?;
    Some((storage, storage.claims.fence(slot)?, services.clock.now()))
}

/// The wall time of an instant.
fn wall_of(at: std::time::Instant, now: Now) -> WallTime {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let ahead = millis(at.saturating_duration_since(now.instant));
    let ago = millis(now.instant.saturating_duration_since(at));
    WallTime(now.wall.0.saturating_add(ahead).saturating_sub(ago))
}
