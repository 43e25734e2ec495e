//! The slot in the store (rule R14): whoever owns it in the slot table records that there, before anything is written.

use std::sync::Arc;
use std::time::Duration;

use starling_core::id::{SlotId, Term};
use starling_core::slot::StoreFailure;

use super::{Message, Route};
use crate::actor::registry::Registry;

/// When a store that could not be asked is asked again: about as long as a database takes to come back is made of many of
/// these, and persisted channels wait for the first that succeeds.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Which claim a slot has asked for.
#[derive(Debug, Default)]
pub(super) struct Claiming(Option<Term>);

impl Claiming {
    /// The node owns the slot under `owned`, or not at all. Claims it in the store, or lets it go there.
    pub(super) fn follow(&mut self, owned: Option<Term>, slot: SlotId, registry: &Registry) {
        if self.0 == owned {
            return;
        }
        self.0 = owned;
        let Some(storage) = &registry.services().storage else {
            return;
        };
        match owned {
            None => storage.claims.release(slot),
            Some(term) => {
                tokio::spawn(claim(registry.clone(), slot, term));
            }
        }
    }

    /// The store has refused what was claimed: it is claimed again, if the slot is still this node's.
    pub(super) const fn lost(&mut self) {
        self.0 = None;
    }
}

/// Asks until the store says yes or no, or the slot is another node's.
async fn claim(registry: Registry, slot: SlotId, term: Term) {
    let (Some(storage), Some(peers)) = (&registry.services().storage, registry.peers()) else {
        return;
    };
    let me = peers.me();
    let owner: Arc<str> = me.name.as_str().into();
    loop {
        match storage.claim(slot, term, &owner, me.generation.0).await {
            Ok(lease) => {
                let _ = registry.slot(slot).post_single(Message::Claimed { term, lease });
                return;
            }
            // Another owner is in the store already: the table is about to say so.
            Err(StoreFailure::Fenced) => {
                return tracing::warn!(slot = slot.0, %term, "the store knows a later owner of this slot");
            }
            Err(error) => tracing::debug!(slot = slot.0, %error, "a slot is not claimed in the store yet"),
        }
        tokio::time::sleep(RETRY_AFTER).await;
        if registry.route(slot) != Route::Here {
            return;
        }
    }
}
