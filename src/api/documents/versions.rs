//! Versions of a document: what it was at some time, kept under a number and perhaps a name.
//!
//! A version is what is saved when it is made. Going back to one is told in `restore.rs`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use starling_core::id::ChannelName;

use super::read::{answer, query};
use super::stored::{self, Saved};
use super::write::Written;
use super::{Document, in_path, reader, store, writer};
use crate::api::error::ApiError;
use crate::api::extract::{body, limit};
use crate::api::{Peer, Site};
use crate::storage::documents::{self, Failure, LIST_MAX, Made, VERSIONS_NAMED_MAX};

/// Bytes of a version's name: a line in a list.
const NAME_BYTES_MAX: usize = 128;

/// The version whose number is in the path.
pub(in crate::api) struct Number(pub(super) u64);

impl FromRequestParts<Arc<Site>> for Number {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, ApiError> {
        let number = in_path(parts, "version").await?;
        let number = number
            .parse::<u64>()
            .ok()
            .filter(|number| (1..=NUMBER_MAX).contains(number));
        let number =
            number.ok_or_else(|| ApiError::bad_request("the version is no number from 1 on; send one of the list"))?;
        Ok(Self(number))
    }
}

/// Databases keep numbers with a sign.
const NUMBER_MAX: u64 = i64::MAX.cast_unsigned();

/// Which page is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Wanted {
    before: Option<u64>,
    limit: Option<u32>,
}

impl FromRequestParts<Arc<Site>> for Wanted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, ApiError> {
        let wanted: Self = query(parts).await?;
        limit(wanted.limit)?;
        Ok(wanted)
    }
}

/// Some of the versions, the latest first.
#[derive(Debug, Serialize)]
pub(in crate::api) struct Versions {
    document: String,
    versions: Vec<Version>,
    /// The version to go on before, when there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Version {
    version: u64,
    /// Absent when it was made by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Whom the token of its maker names.
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    made_ms: u64,
    /// Edits that are in it.
    edits: u64,
    bytes: u64,
}

impl Version {
    fn of(version: documents::Version) -> Self {
        let Made {
            name,
            author,
            time,
            through,
        } = version.made;
        Self {
            version: version.number,
            name,
            author: Some(author.as_str().to_owned()).filter(|author| !author.is_empty()),
            made_ms: time.0,
            edits: through,
            bytes: version.bytes,
        }
    }
}

/// `GET /v1/documents/{document}/versions`.
pub(in crate::api) async fn list(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    wanted: Wanted,
    headers: HeaderMap,
) -> Result<Json<Versions>, ApiError> {
    peer.opened();
    reader(&site, &peer, &headers, &document)?;
    let before = wanted.before.unwrap_or(NUMBER_MAX).min(NUMBER_MAX);
    let limit = limit(wanted.limit)?;
    let versions = match store(&site)?.versions(&document, before, limit).await {
        Ok(versions) => versions,
        // It was never written, and may be.
        Err(Failure::NotFound) => Vec::new(),
        Err(failure) => return Err(failure.into()),
    };
    let is_full = versions.len() == limit as usize;
    Ok(Json(Versions {
        document: document.as_str().to_owned(),
        next: versions.last().map(|last| last.number).filter(|_| is_full),
        versions: versions.into_iter().map(Version::of).collect(),
    }))
}

/// What a version is called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

/// A version that was made.
#[derive(Debug, Serialize)]
pub(in crate::api) struct Kept {
    document: String,
    version: u64,
}

/// `POST /v1/documents/{document}/versions`.
pub(in crate::api) async fn make(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    request: Request,
) -> Result<Json<Kept>, ApiError> {
    let author = writer(&site, &peer, request.headers(), &document)?;
    let Named { name } = body(&site, request).await?;
    peer.opened();
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
        let message = format!("name has {} bytes; send 1 to {NAME_BYTES_MAX}", name.len());
        return Err(ApiError::bad_request(message));
    }
    has_room(&site, &document).await?;
    let Saved {
        history,
        last,
        snapshot,
        ..
    } = stored::load(&site, &document).await?;
    let made = Made {
        name: Some(name),
        author,
        time: site.registry.services().clock.now().wall,
        through: last,
    };
    let version = store(&site)?.make_version(&document, history, made, &snapshot).await?;
    let document = document.as_str().to_owned();
    Ok(Json(Kept { document, version }))
}

/// Whether there may be one more with a name: the store decides, but only once it has all of it.
async fn has_room(site: &Site, document: &ChannelName) -> Result<(), ApiError> {
    let versions = store(site)?.versions(document, NUMBER_MAX, LIST_MAX).await?;
    let named = versions.iter().filter(|version| version.made.name.is_some()).count();
    match named < VERSIONS_NAMED_MAX {
        true => Ok(()),
        false => Err(Failure::VersionsFull {
            max: VERSIONS_NAMED_MAX,
        }
        .into()),
    }
}

/// `GET /v1/documents/{document}/versions/{version}`.
pub(in crate::api) async fn read(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    Number(number): Number,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    peer.opened();
    reader(&site, &peer, &headers, &document)?;
    let (_, snapshot) = store(&site)?.version(&document, number).await?;
    Ok(answer("application/octet-stream", snapshot.update.into()))
}

/// `DELETE /v1/documents/{document}/versions/{version}`.
pub(in crate::api) async fn delete(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    Number(number): Number,
    headers: HeaderMap,
) -> Result<Json<Written>, ApiError> {
    peer.opened();
    writer(&site, &peer, &headers, &document)?;
    let now = site.registry.services().clock.now().wall;
    store(&site)?.delete_version(&document, number, now).await?;
    Ok(Json(Written::to(&document)))
}

/// `POST /v1/documents/{document}/compact`: puts a snapshot in place of the rows, at once. The rules are those of any snapshot: it has
/// all that the one before had, and takes the place of rows that were read for it and of no others.
pub(in crate::api) async fn compact(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    headers: HeaderMap,
) -> Result<Json<Written>, ApiError> {
    peer.opened();
    writer(&site, &peer, &headers, &document)?;
    let Saved {
        history,
        last,
        tail,
        snapshot,
    } = stored::load(&site, &document).await?;
    if tail > 0 {
        let now = site.registry.services().clock.now().wall;
        let put = store(&site)?
            .put_snapshot(&document, history, last, &snapshot, now)
            .await;
        match put {
            // The owner's, that has as much.
            Ok(()) | Err(Failure::Superseded { .. }) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(Json(Written::to(&document)))
}
