//! What stands in a path, a query or a body, as types. Whatever is wrong with it is told as JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use starling_core::id::ChannelName;
use starling_protocol::v1::ErrorCode;

use super::error::ApiError;
use super::{Site, text};

/// Messages or values of one page. More are a thousand lines of somebody's log; who wants them reads page by page.
const LIMIT_MAX: u32 = 1_000;

/// As many as a screen or two hold.
const LIMIT_DEFAULT: u32 = 100;

/// The channel named in the path.
pub(super) struct Channel(pub(super) ChannelName);

impl FromRequestParts<Arc<Site>> for Channel {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, ApiError> {
        let Path(name) = Path::<String>::from_request_parts(parts, &())
            .await
            .map_err(|rejection| ApiError::bad_channel_name(rejection.body_text()))?;
        channel_name(&name).map(Self)
    }
}

/// A channel's name.
pub(super) fn channel_name(text: &str) -> Result<ChannelName, ApiError> {
    ChannelName::parse(text).map_err(|error| ApiError::bad_channel_name(error.to_string()))
}

/// Which page of something is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// What follows this: a position, or a key.
    pub(super) after: Option<String>,
    limit: Option<u32>,
}

impl Paging {
    /// So many at most.
    pub(super) fn limit(&self) -> u32 {
        self.limit.unwrap_or(LIMIT_DEFAULT)
    }
}

/// How many one page may hold, if as many may be asked for.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    match (1..=LIMIT_MAX).contains(&limit) {
        true => Ok(limit),
        false => {
            let message = format!("limit is not 1 to {LIMIT_MAX}; ask for less and go on with next");
            Err(ApiError::bad_request(message))
        }
    }
}

impl FromRequestParts<Arc<Site>> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, ApiError> {
        let Query(paging) = Query::<Self>::from_request_parts(parts, &())
            .await
            .map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
        limit(paging.limit)?;
        Ok(paging)
    }
}

/// The body. A client gets as long for it as for the head: one that sends a byte a minute would hold its connection
/// for ever.
pub(super) async fn body<T: DeserializeOwned>(site: &Site, request: Request) -> Result<T, ApiError> {
    let read = in_time(site, Json::from_request(request, &())).await?;
    let Json(body) = read.map_err(|rejection: JsonRejection| unreadable(rejection.status(), rejection.body_text()))?;
    Ok(body)
}

/// The body, if it is bytes and says so.
pub(super) async fn bytes(site: &Site, request: Request) -> Result<Bytes, ApiError> {
    const BYTES: &str = "application/octet-stream";
    let kind = text(request.headers(), &header::CONTENT_TYPE).and_then(|kind| kind.split(';').next());
    if !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(BYTES)) {
        let message = format!("the body is not declared as bytes; send it with Content-Type: {BYTES}");
        return Err(unreadable(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let read = in_time(site, Bytes::from_request(request, &())).await?;
    read.map_err(|rejection| unreadable(rejection.status(), rejection.body_text()))
}

async fn in_time<T>(site: &Site, read: impl Future<Output = T>) -> Result<T, ApiError> {
    let time_max = site.registry.services().config.limits.http_header_timeout;
    tokio::time::timeout(time_max, read).await.map_err(|_| {
        let message = "the body did not come in time; send the whole request at once";
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message)
    })
}

fn unreadable(status: StatusCode, why: String) -> ApiError {
    let why = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than this takes; send less at once".to_owned(),
        _ => why,
    };
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::PayloadTooLarge.name(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        _ => ErrorCode::BadRequest.name(),
    };
    ApiError::new(status, code, why)
}
