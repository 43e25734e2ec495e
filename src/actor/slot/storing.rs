//! From a slot to the store, and back.

use starling_core::id::{ChannelName, SlotId};
use starling_core::slot::{self, StoreFailure};
use starling_core::time::{Now, WallTime};

use super::Message;
use crate::actor::registry::Registry;
use crate::node::Storage;
use crate::storage::{Batch, Mark};

/// Asks the store what it holds of a channel.
pub(super) fn load(registry: &Registry, channel: ChannelName) {
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
        let _ = slot.post_single(Message::Loaded { channel, found });
    });
}

/// Gives a batch to the store.
pub(super) fn store(registry: &Registry, slot: SlotId, batch: slot::Batch) {
    let Some((storage, now)) = claimed(registry) else {
        return; // a slot without a claim takes no proposals
    };
    let (channel, through) = (batch.channel.clone(), batch.through);
    let stored = Batch {
        fence: storage.claims[usize::from(slot.0)].fence.clone(),
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
    if let Some((storage, now)) = claimed(registry) {
        storage.store.mark(Mark {
            fence: storage.claims[usize::from(slot.0)].fence.clone(),
            channel,
            used: wall_of(used, now),
            due: due.map(|due| wall_of(due, now)),
        });
    }
}

fn claimed(registry: &Registry) -> Option<(&Storage, Now)> {
    let services = registry.services();
    Some((services.storage.as_ref()?, services.clock.now()))
}

/// The wall time of an instant.
fn wall_of(at: std::time::Instant, now: Now) -> WallTime {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let ahead = millis(at.saturating_duration_since(now.instant));
    let ago = millis(now.instant.saturating_duration_since(at));
    WallTime(now.wall.0.saturating_add(ahead).saturating_sub(ago))
}
