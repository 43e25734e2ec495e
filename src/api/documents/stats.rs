//! How large a document is: in the memory of its owner, and in the store.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use serde::Serialize;
use starling_core::document::engine::Size;
use starling_core::document::message::{Answer, Question};

use super::{Document, ask, reader, store, strange};
use crate::api::error::ApiError;
use crate::api::{Peer, Site};
use crate::storage::documents;

/// See the module.
#[derive(Debug, Serialize)]
pub(in crate::api) struct Stats {
    document: String,
    memory: Memory,
    /// Absent as long as nothing of it is saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<Stored>,
}

/// In memory.
#[derive(Debug, Serialize)]
struct Memory {
    /// Clients that have written in it.
    clients: usize,
    /// Of the updates it was made of since it was brought into memory.
    bytes: u64,
    /// Blocks and deletions that wait for others.
    pending: usize,
    /// Of edits that are not in the store yet.
    unsaved_bytes: u64,
}

/// In the store.
#[derive(Debug, Serialize)]
struct Stored {
    /// When it was begun.
    made_ms: u64,
    /// Edits that were saved.
    edits: u64,
    /// Up to the edit of this number, if there is one.
    snapshot: Snapshot,
    /// The edits after it.
    rows: Counted,
    versions: Counted,
    /// What was replaced, and is kept for a day.
    trash: Counted,
}

#[derive(Debug, Serialize)]
struct Snapshot {
    through: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Counted {
    count: u64,
    bytes: u64,
}

impl Stored {
    fn of(stats: &documents::Stats) -> Self {
        let counted = |(count, bytes)| Counted { count, bytes };
        let (through, bytes) = stats.snapshot;
        Self {
            made_ms: stats.made.0,
            edits: stats.last,
            snapshot: Snapshot { through, bytes },
            rows: counted(stats.tail),
            versions: counted(stats.versions),
            trash: counted(stats.trash),
        }
    }
}

/// `GET /v1/documents/{document}/stats`.
pub(in crate::api) async fn stats(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    headers: HeaderMap,
) -> Result<Json<Stats>, ApiError> {
    peer.opened();
    reader(&site, &peer, &headers, &document)?;
    let documents = store(&site)?;
    let Answer::Stats { size, unsaved_bytes } = ask(&site, &document, Question::Stats).await? else {
        return Err(strange());
    };
    let stored = documents.stats(&document).await?;
    let Size {
        clients,
        applied_bytes,
        pending,
        ..
    } = size;
    Ok(Json(Stats {
        document: document.as_str().to_owned(),
        memory: Memory {
            clients,
            bytes: applied_bytes,
            pending,
            unsaved_bytes,
        },
        stored: stored.as_ref().map(Stored::of),
    }))
}
