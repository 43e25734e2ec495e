//! Writing in a document: an update, or texts that are inserted as one edit. Both are answered once they are in the store.

use std::sync::Arc;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use serde::{Deserialize, Serialize};
use starling_core::document::engine;
use starling_core::document::message::{Answer, INSERTS_MAX, Question};
use starling_core::document::scan::Limits;
use starling_core::id::ChannelName;

use super::{Document, check_part, strange, writer};
use crate::api::error::ApiError;
use crate::api::extract::{body, bytes};
use crate::api::{Peer, Site};

/// What was written is saved.
#[derive(Debug, Serialize)]
pub(in crate::api) struct Written {
    document: String,
}

impl Written {
    pub(super) fn to(document: &ChannelName) -> Self {
        let document = document.as_str().to_owned();
        Self { document }
    }
}

/// As much as an update may have.
pub(in crate::api) fn update_max() -> DefaultBodyLimit {
    DefaultBodyLimit::max(Limits::CLIENT.bytes)
}

/// `POST /v1/documents/{document}/update`. An update that was sent before changes nothing: whoever had no answer sends it again.
pub(in crate::api) async fn apply(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    request: Request,
) -> Result<Json<Written>, ApiError> {
    writer(&site, &peer, request.headers(), &document)?;
    let update = bytes(&site, request).await?;
    peer.opened();
    write(&site, &document, Question::Apply(update)).await
}

/// Texts for a part.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    part: String,
    inserts: Vec<Insert>,
}

/// A text, and where it goes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Insert {
    index: Option<u32>,
    text: String,
}

/// `POST /v1/documents/{document}/text`.
pub(in crate::api) async fn insert(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    request: Request,
) -> Result<Json<Written>, ApiError> {
    writer(&site, &peer, request.headers(), &document)?;
    let Texts { part, inserts } = body(&site, request).await?;
    peer.opened();
    check_part(&part)?;
    if !(1..=INSERTS_MAX).contains(&inserts.len()) {
        let count = inserts.len();
        let message = format!("inserts has {count} entries; send 1 to {INSERTS_MAX} in one request");
        return Err(ApiError::bad_request(message));
    }
    let insert = |Insert { index, text }| engine::Insert { index, text };
    let inserts = inserts.into_iter().map(insert).collect();
    write(&site, &document, Question::Insert { part, inserts }).await
}

/// Has the owner write, and waits until it is saved.
pub(super) async fn write(site: &Site, document: &ChannelName, question: Question) -> Result<Json<Written>, ApiError> {
    let saved = site.registry.ask_document(document, question).await;
    if let Err(refusal) = &saved {
        site.registry.services().metrics.edit_refused(refusal.code());
    }
    match saved? {
        Answer::Saved => Ok(Json(Written::to(document))),
        _ => Err(strange()),
    }
}
