//! A document as the store has it, in memory for a moment beside its owner: for a version of it, or a snapshot that takes the
//! place of its rows.

use std::sync::Arc;

use starling_core::document::guard::{self, GuardError, Loaded, Snapshot, Stored};
use starling_core::document::message::{Closed, Refusal};
use starling_core::document::scan::Limits;
use starling_core::document::yjs::YjsDocument;
use starling_core::id::ChannelName;
use tokio::sync::OwnedSemaphorePermit;

use super::{store, strange};
use crate::api::Site;
use crate::api::error::ApiError;
use crate::storage::documents::{Failure, Found, History};

/// All of a document that is saved.
pub(super) struct Saved {
    /// Which document it is.
    pub(super) history: History,
    /// The last row that is in it.
    pub(super) last: u64,
    /// How many rows are in no snapshot.
    pub(super) tail: usize,
    /// All of it.
    pub(super) snapshot: Snapshot,
}

/// Brings a document into memory and takes it whole.
pub(super) async fn load(site: &Site, document: &ChannelName) -> Result<Saved, ApiError> {
    let turn = Turn::new(site).await?;
    let found = store(site)?.load(document).await?.ok_or(Failure::NotFound)?;
    let (saved, _turn) = turn.off_the_loop(move || whole(found)).await?;
    saved
}

/// One of a few at once: documents are large.
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Turn {
    pub(super) async fn new(site: &Site) -> Result<Self, ApiError> {
        let jobs = Arc::clone(&site.registry.services().document_jobs);
        match jobs.acquire_owned().await {
            Ok(_permit) => Ok(Self { _permit }),
            Err(_) => Err(Refusal::Moving.into()), // the node stops
        }
    }

    /// Does what takes as long as a document is large, on a thread that may be blocked. The turn lasts until it is done, also if
    /// whoever asked is gone by then.
    pub(super) async fn off_the_loop<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(T, Self), ApiError> {
        let done = tokio::task::spawn_blocking(move || (work(), self)).await;
        done.map_err(|_| strange()) // its panic is in the log
    }
}

fn whole(found: Found) -> Result<Saved, ApiError> {
    let stored = Stored {
        updates: found.rows.iter().map(|row| row.update.to_vec()).collect(),
        snapshot: found.snapshot.map(|(_, snapshot)| snapshot),
    };
    let before = stored.snapshot.as_ref().map(|snapshot| snapshot.state_vector.clone());
    let (Loaded::Found(mut guard) | Loaded::NotFound(mut guard)) =
        guard::load::<YjsDocument>(Some(&stored), 0, Limits::CLIENT)
    else {
        return Err(Refusal::Closed(Closed::Quarantined).into());
    };
    let snapshot = guard::draft(&mut guard).and_then(|snapshot| {
        guard::check::<YjsDocument>(&snapshot, before.as_deref())?;
        Ok(snapshot)
    });
    Ok(Saved {
        history: found.history,
        last: found.last,
        tail: stored.updates.len(),
        snapshot: snapshot.map_err(|error: GuardError| {
            tracing::error!(%error, "a document that was loaded could not be written anew; report this");
            strange()
        })?,
    })
}
