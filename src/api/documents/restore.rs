//! Going back to a version: an edit like any other, made here of the document as it is now and as it was, and applied by the owner.
//!
//! What editors write meanwhile stays, on top of it. What others go back to meanwhile does not: of two such edits that were made of
//! the same document both would insert what was deleted, so the owner takes one, and the other is made anew.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use starling_core::document::engine::{Cold as _, EngineError};
use starling_core::document::message::{Answer, Question, Refusal};
use starling_core::document::scan::Limits;
use starling_core::document::yjs::YjsBytes;
use starling_core::id::ChannelName;
use starling_protocol::v1::ErrorCode;

use super::stored::Turn;
use super::versions::Number;
use super::write::{Written, write};
use super::{Document, ask, store, strange, writer};
use crate::api::error::ApiError;
use crate::api::{Peer, Site};

/// How often a restore is made anew because others have restored meanwhile.
const RESTORES_MAX: usize = 4;

/// `POST /v1/documents/{document}/versions/{version}/restore`.
pub(in crate::api) async fn restore(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    Number(number): Number,
    headers: HeaderMap,
) -> Result<Json<Written>, ApiError> {
    peer.opened();
    writer(&site, &peer, &headers, &document)?;
    let mut turn = Turn::new(&site).await?;
    let (_, then) = store(&site)?.version(&document, number).await?;
    let then = Arc::new(then.update);
    for _ in 0..RESTORES_MAX {
        let Answer::Whole { update: now, restores } = ask(&site, &document, Question::Whole).await? else {
            return Err(strange());
        };
        let then = Arc::clone(&then);
        let dice = rand::random();
        let (edit, kept) = turn
            .off_the_loop(move || YjsBytes::restore(&now, &then, dice, &Limits::STORED))
            .await?;
        turn = kept;
        let update = Bytes::from(edit.map_err(|error| unrestorable(&document, number, &error))?);
        fits(&update)?;
        match write(&site, &document, Question::Restore { update, restores }).await {
            // Somebody else has gone back meanwhile, or the document has another owner.
            Err(error) if error.is_busy() => {}
            written => return written,
        }
    }
    Err(Refusal::Busy.into())
}

fn unrestorable(document: &ChannelName, number: u64, error: &EngineError) -> ApiError {
    tracing::warn!(%document, number, %error, "a version of a document cannot be restored");
    let message = "no edit makes the document what this version is; read the version as an update, and begin a new document with it";
    ApiError::new(StatusCode::CONFLICT, "unrestorable", message)
}

/// Whether an edit has no more bytes than any may.
fn fits(update: &Bytes) -> Result<(), ApiError> {
    let (bytes, max) = (update.len(), Limits::CLIENT.bytes);
    if bytes <= max {
        return Ok(());
    }
    let message = format!(
        "what it takes to go back has {bytes} bytes, and an edit may have {max}; read the version as an update instead"
    );
    let code = ErrorCode::PayloadTooLarge.name();
    Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, code, message))
}
