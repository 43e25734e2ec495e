//! Reading a document: what it is made of, one of its parts, or all of it as an update.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use starling_core::document::engine::Shape;
use starling_core::document::message::{Answer, Question};
use starling_core::document::scan::{self, Limits};

use super::{Document, Part, ask, reader, strange};
use crate::api::error::ApiError;
use crate::api::{Peer, Site};

/// What a document is made of.
#[derive(Debug, Serialize)]
pub(in crate::api) struct Contents {
    document: String,
    /// Names of its parts; a document that was never written has none.
    parts: Vec<String>,
}

/// `GET /v1/documents/{document}`.
pub(in crate::api) async fn parts(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    headers: HeaderMap,
) -> Result<Json<Contents>, ApiError> {
    peer.opened();
    reader(&site, &peer, &headers, &document)?;
    let Answer::Parts(parts) = ask(&site, &document, Question::Parts).await? else {
        return Err(strange());
    };
    let document = document.as_str().to_owned();
    Ok(Json(Contents { document, parts }))
}

/// As what a part is wanted: a document does not say of itself what its parts are.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum As {
    #[default]
    Text,
    Xml,
    Array,
    Map,
}

/// How a part is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Wanted {
    #[serde(default, rename = "as")]
    shape: As,
}

impl FromRequestParts<Arc<Site>> for Wanted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, ApiError> {
        query(parts).await
    }
}

/// `GET /v1/documents/{document}/parts/{part}`.
pub(in crate::api) async fn part(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    Part(part): Part,
    Wanted { shape }: Wanted,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    peer.opened();
    reader(&site, &peer, &headers, &document)?;
    let (shape, kind) = match shape {
        As::Text => (Shape::Text, "text/plain; charset=utf-8"),
        As::Xml => (Shape::Xml, "text/plain; charset=utf-8"),
        As::Array => (Shape::Array, "application/json"),
        As::Map => (Shape::Map, "application/json"),
    };
    match ask(&site, &document, Question::Read { part, shape }).await? {
        Answer::Part(Some(part)) => Ok(answer(kind, part.into())),
        Answer::Part(None) => {
            let message = "the document has no part of this name, or none that is that; GET the document for the names of those it has";
            Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", message))
        }
        _ => Err(strange()),
    }
}

/// From where on an update is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    since: Option<String>,
}

/// The state vector of somebody who asks; that of nobody without one.
pub(in crate::api) struct StateVector(Bytes);

impl FromRequestParts<Arc<Site>> for StateVector {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, ApiError> {
        let Since { since } = query(parts).await?;
        let Some(since) = since else {
            return Ok(Self(Bytes::from_static(&[0])));
        };
        // In a URL mostly in the alphabet for URLs.
        let base64 = since.replace('-', "+").replace('_', "/");
        let decoded = STANDARD_NO_PAD.decode(base64.trim_end_matches('='));
        let decoded =
            decoded.map_err(|_| ApiError::bad_request("since is not base64; send a state vector in base64"))?;
        scan::state_vector(&decoded, &Limits::CLIENT)
            .map_err(|flaw| ApiError::bad_request(format!("since is not a state vector: it {flaw}")))?;
        Ok(Self(decoded.into()))
    }
}

/// `GET /v1/documents/{document}/update`.
pub(in crate::api) async fn update(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Document(document): Document,
    StateVector(since): StateVector,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    peer.opened();
    reader(&site, &peer, &headers, &document)?;
    match ask(&site, &document, Question::Diff(since)).await? {
        Answer::Update(update) => Ok(answer("application/octet-stream", update)),
        _ => Err(strange()),
    }
}

/// What is asked for behind the path.
pub(super) async fn query<T: serde::de::DeserializeOwned>(parts: &mut Parts) -> Result<T, ApiError> {
    let wanted = Query::<T>::from_request_parts(parts, &()).await;
    let Query(wanted) = wanted.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    Ok(wanted)
}

/// What somebody has written, to be taken for nothing but what it is said to be.
pub(super) fn answer(kind: &'static str, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
