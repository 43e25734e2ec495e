//! Documents for programs: read as text, as JSON or as an update, and written by updates or by inserting text.
//!
//! A program is no editor: it has no awareness, and waits for one answer. A document is asked at its owner whichever node the
//! request comes to, and what is written is answered once it is in the store.
//!
//! * [`read`], [`mod@write`], [`stats`], [`versions`], [`restore`]: the requests; `stored`: a document in memory beside its owner;
//! * here: names, who may ask, and what a document's refusals are over HTTP.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use starling_core::access::Operation;
use starling_core::channel;
use starling_core::document::log;
use starling_core::document::message::{Answer, Closed, Question, Refusal};
use starling_core::id::{ChannelName, Subject};

use super::caller::Caller;
use super::error::ApiError;
use super::{Peer, Site};
use crate::editor::name;
use crate::storage::documents::{Documents, Failure};

pub(super) mod read;
pub(super) mod restore;
pub(super) mod stats;
mod stored;
#[cfg(test)]
mod tests;
pub(super) mod versions;
pub(super) mod write;

/// Bytes of the name of a part. Editors call it "default", "prosemirror" or the like; it stands in a header between nodes.
const PART_BYTES_MAX: usize = 255;

/// The document named in the path. A name without a namespace is in the one for those, as with editors.
pub(super) struct Document(ChannelName);

impl FromRequestParts<Arc<Site>> for Document {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, ApiError> {
        let text = in_path(parts, "document").await?;
        let namespace = &site.registry.services().config.documents.namespace;
        let document = name::document(&text, namespace);
        let document = document.map_err(|error| ApiError::bad_channel_name(error.to_string()))?;
        Ok(Self(document))
    }
}

/// The part of a document that is named in the path.
pub(super) struct Part(String);

impl FromRequestParts<Arc<Site>> for Part {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, ApiError> {
        let part = in_path(parts, "part").await?;
        check_part(&part)?;
        Ok(Self(part))
    }
}

fn check_part(part: &str) -> Result<(), ApiError> {
    match part.len() {
        0..=PART_BYTES_MAX => Ok(()),
        bytes => {
            let message = format!("the name of the part has {bytes} bytes and may have {PART_BYTES_MAX}; shorten it");
            Err(ApiError::bad_request(message))
        }
    }
}

/// One of several names in a path.
async fn in_path(parts: &mut Parts, wanted: &str) -> Result<String, ApiError> {
    let all = RawPathParams::from_request_parts(parts, &()).await;
    let all = all.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let found = all.iter().find(|(name, _)| *name == wanted);
    Ok(found.map(|(_, text)| text.to_owned()).unwrap_or_default())
}

/// Lets somebody read a document.
fn reader(site: &Site, peer: &Peer, headers: &HeaderMap, document: &ChannelName) -> Result<(), ApiError> {
    let caller = Caller::of(site, peer, headers)?;
    caller.takes_request(site)?;
    enter(site, &caller, document, Operation::DocRead, "read the document")
}

/// Lets somebody write in a document, and says who that is.
fn writer(site: &Site, peer: &Peer, headers: &HeaderMap, document: &ChannelName) -> Result<Subject, ApiError> {
    let caller = Caller::of(site, peer, headers)?;
    let services = site.registry.services();
    services.quotas.publish(&caller.party, services.clock.now().instant)?;
    enter(site, &caller, document, Operation::DocWrite, "write in the document")?;
    Ok(caller.grant.subject.clone())
}

fn enter(
    site: &Site,
    caller: &Caller,
    document: &ChannelName,
    operation: Operation,
    action: &'static str,
) -> Result<(), ApiError> {
    if !site.registry.services().config.documents.enabled {
        let message = "this node serves no documents; ask another, or its operator, who can set documents.enabled";
        return Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, "documents_off", message));
    }
    caller.may_document(site, document, operation, action)?;
    caller.takes_document(site, document)?;
    Ok(())
}

/// Asks a document, wherever it is.
async fn ask(site: &Site, document: &ChannelName, question: Question) -> Result<Answer, ApiError> {
    Ok(site.registry.ask_document(document, question).await?)
}

/// Where documents are kept.
fn store(site: &Site) -> Result<&Documents, ApiError> {
    let storage = site.registry.services().storage.as_ref();
    let storage = storage.ok_or(Refusal::Closed(Closed::StoreNotShared))?;
    Ok(&storage.documents)
}

/// The document has answered something else than it was asked.
fn strange() -> ApiError {
    channel::Refusal::Internal.into()
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (status, after) = match &refusal {
            Refusal::BadUpdate(_) => (StatusCode::BAD_REQUEST, None),
            Refusal::ReadOnly => (StatusCode::FORBIDDEN, None),
            Refusal::Unknown => (StatusCode::CONFLICT, None),
            Refusal::Closed(Closed::StoreNotShared) => (StatusCode::NOT_IMPLEMENTED, None),
            Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, Some(Duration::from_millis(100))),
            Refusal::Moving => (StatusCode::SERVICE_UNAVAILABLE, Some(Duration::from_millis(500))),
            Refusal::Log(log::Refusal::UnsavedFull) => (StatusCode::SERVICE_UNAVAILABLE, Some(Duration::from_secs(1))),
            Refusal::Log(log::Refusal::Quarantined) | Refusal::Closed(Closed::Quarantined) => {
                (StatusCode::SERVICE_UNAVAILABLE, Some(Duration::from_secs(60)))
            }
        };
        let error = Self::new(status, refusal.code(), refusal.to_string());
        match after {
            Some(after) => error.after(after),
            None => error,
        }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let (status, code, after) = match failure {
            Failure::NotFound => (StatusCode::NOT_FOUND, "not_found", None),
            Failure::VersionsFull { .. } => (StatusCode::CONFLICT, "versions_full", None),
            Failure::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", None),
            Failure::Unreadable(_) => (StatusCode::SERVICE_UNAVAILABLE, "quarantined", Some(60_000)),
            Failure::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", Some(100)),
            // It was deleted or set back under this request: the next one finds what is there.
            Failure::Unavailable
            | Failure::Gone
            | Failure::Forgotten { .. }
            | Failure::Taken
            | Failure::Superseded { .. }
            | Failure::Exists => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", Some(500)),
        };
        let error = Self::new(status, code, failure.to_string());
        match after {
            Some(millis) => error.after(Duration::from_millis(millis)),
            None => error,
        }
    }
}
