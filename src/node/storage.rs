//! Where a node keeps persisted channels, and which slots it has claimed there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use starling_core::id::{SlotId, Term};
use starling_core::slot::{Lease, StoreFailure};

use super::{Clock, NodeError, name_of};
use crate::config::{Config, Durability};
use crate::metrics::Metrics;
use crate::storage::documents::Documents;
use crate::storage::postgres::Postgres;
use crate::storage::sqlite::Sqlite;
use crate::storage::{Claim, Fence, Limits, OpenError, Owned, Store};

/// See the module.
pub struct Storage {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The documents in it.
    pub documents: Documents,
    /// What was claimed of it.
    pub claims: Claims,
}

/// What a node has claimed of a store: at most one claim for each slot.
#[derive(Debug)]
pub struct Claims(Box<[Mutex<Option<Claim>>]>);

impl Claims {
    /// None yet, of so many slots.
    #[must_use]
    pub fn none(slots: u16) -> Self {
        Self((0..slots).map(|_| Mutex::default()).collect())
    }

    /// What makes the node the one that writes a slot, if it is.
    #[must_use]
    pub fn lease(&self, slot: SlotId) -> Option<Lease> {
        self.of(slot)?.as_ref().map(|claim| claim.lease)
    }

    /// What the batches of a slot carry.
    #[must_use]
    pub fn fence(&self, slot: SlotId) -> Option<Fence> {
        self.of(slot)?.as_ref().map(|claim| claim.fence.clone())
    }

    /// Keeps a claim in place of an earlier one. Of two that were asked for the answers may come in any order.
    pub fn hold(&self, claim: Claim) {
        if let Some(mut held) = self.of(claim.fence.slot)
            && held.as_ref().is_none_or(|known| known.fence.term < claim.fence.term)
        {
            *held = Some(claim);
        }
    }

    /// Lets a slot go: another node writes it.
    pub fn release(&self, slot: SlotId) {
        if let Some(mut held) = self.of(slot) {
            *held = None;
        }
    }

    fn of(&self, slot: SlotId) -> Option<MutexGuard<'_, Option<Claim>>> {
        let held = self.0.get(usize::from(slot.0))?;
        Some(held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FromIterator<Claim> for Claims {
    /// A claim of every slot, in their order.
    fn from_iter<I: IntoIterator<Item = Claim>>(claims: I) -> Self {
        Self(claims.into_iter().map(|claim| Mutex::new(Some(claim))).collect())
    }
}

impl Storage {
    /// Opens the store, if any namespace is persisted or documents are served. A node that stands alone takes all of its slots over; in a cluster
    /// they are claimed one by one, as the slot table gives them to the node, and a database that is away is waited for.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(super) async fn open(config: &Config, metrics: &Arc<Metrics>) -> Result<Option<Self>, NodeError> {
        let persisted = config
            .namespaces
            .iter()
            .filter(|one| one.durability == Durability::Persisted);
        let persisted: Vec<_> = persisted.map(|one| one.name.as_str()).collect();
        if persisted.is_empty() && !config.documents.enabled {
            return Ok(None);
        }
        let (slots, limits, metrics) = (config.slots.count, Limits::default(), Arc::clone(metrics));
        let (store, documents): (Arc<dyn Store>, _) = match (config.storage.url.is_empty(), config.cluster.enabled) {
            (true, true) => {
                if persisted.is_empty() {
                    tracing::info!(
                        "the nodes share no store, so documents are refused; set storage.url, the same for all nodes"
                    );
                    return Ok(None);
                }
                let namespaces = persisted.join(", ");
                tracing::warn!(
                    namespaces,
                    "the nodes share no store, so channels of these namespaces and documents are refused; set storage.url, the same for all nodes"
                );
                return Ok(None);
            }
            (false, true) => {
                let store = Postgres::wait(&config.storage, slots, limits, metrics).map_err(OpenError::from)?;
                let claims = Claims::none(slots);
                let store = Arc::new(store);
                return Ok(Some(Self {
                    documents: store.documents(),
                    store,
                    claims,
                }));
            }
            (true, false) => {
                let store = Arc::new(Sqlite::open(&config.node.data_dir, slots, limits, metrics)?);
                let documents = store.documents();
                (store, documents)
            }
            (false, false) => {
                let opened = Postgres::open(&config.storage, slots, limits, metrics).await;
                let store = Arc::new(opened.map_err(OpenError::from)?);
                let documents = store.documents();
                (store, documents)
            }
        };
        let (owner, generation) = (name_of(config).into(), Clock.now().wall.0);
        let claims = store.claim(&owner, generation).await;
        let claims = claims.map_err(|source| NodeError::Claim {
            place: match config.storage.url.is_empty() {
                true => config.node.data_dir.display().to_string(),
                false => config.storage.url.to_string(),
            },
            source,
        })?;
        let claims = claims.into_iter().collect();
        Ok(Some(Self {
            store,
            documents,
            claims,
        }))
    }

    /// Claims a slot that this node, in its present generation, owns in the slot table under `term`. What comes back is for
    /// [`starling_core::slot::Slot::lease`], if the node still owns the slot under that term by then; if not, or if its lease
    /// has to be given up, [`Claims::release`] it.
    ///
    /// # Errors
    /// [`StoreFailure::Fenced`] when the store has a later owner, of which this node will hear; otherwise the store cannot
    /// be used now and is to be asked again in a while.
    pub async fn claim(
        &self,
        slot: SlotId,
        term: Term,
        owner: &Arc<str>,
        generation: u64,
    ) -> Result<Lease, StoreFailure> {
        let owner = Arc::clone(owner);
        let owned = Owned {
            slot,
            term,
            owner,
            generation,
        };
        let claim = self.store.claim_slot(owned).await?;
        let lease = claim.lease;
        self.claims.hold(claim);
        Ok(lease)
    }
}

#[cfg(test)]
mod tests {
    use starling_core::id::Lineage;

    use super::*;

    fn claim(slot: u16, term: u64) -> Claim {
        let (slot, term) = (SlotId(slot), Term(term));
        let lineage = Lineage {
            resets: 0,
            incarnation: 1,
        };
        Claim {
            fence: Fence {
                slot,
                term,
                owner: "a".into(),
                generation: 1,
            },
            lease: Lease {
                term,
                lineage,
                channels: 0,
            },
        }
    }

    #[test]
    fn the_latest_claim_of_a_slot_is_held_until_it_is_released() {
        let claims = Claims::none(2);
        let term = |slot| claims.fence(SlotId(slot)).map(|fence| fence.term.0);
        claims.hold(claim(1, 5));
        claims.hold(claim(1, 4));
        assert_eq!((term(0), term(1)), (None, Some(5)));
        claims.hold(claim(1, 6));
        claims.hold(claim(2, 1)); // no slot of ours
        assert_eq!((term(1), term(2)), (Some(6), None));
        claims.release(SlotId(1));
        assert_eq!((claims.lease(SlotId(1)), term(1)), (None, None));
    }
}
