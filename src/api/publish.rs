//! Publishing one message over HTTP.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, FromRequest, Path, Request, State};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use starling_core::access::Operation;
use starling_core::channel::{Ack, Publish, Refusal};
use starling_core::id::{ChannelName, IdempotencyKey, Key};
use starling_core::slot::Origin;
use starling_protocol::v1::ErrorCode;

use super::caller::Caller;
use super::error::ApiError;
use super::{Peer, Site};
use crate::actor::channel::Message;
use crate::actor::reply::Reply;

/// By which a repetition is recognised: a request repeated with the same one within two minutes is
/// answered like the first.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The body: `{"data": "text"}` or `{"data_base64": "..."}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    data: Option<String>,
    data_base64: Option<String>,
    key: Option<String>,
    #[serde(default)]
    delete: bool,
}

/// Where the message stands.
#[derive(Debug, Serialize)]
pub(super) struct Published {
    channel: String,
    epoch: String,
    seq: u64,
    copies: u8,
    duplicate: bool,
}

/// `POST /v1/channels/{channel}/messages`.
pub(super) async fn publish(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path(channel): Path<String>,
    request: Request,
) -> Result<Json<Published>, ApiError> {
    let services = site.registry.services();
    let headers = request.headers().clone();
    let Caller { grant, party } = Caller::of(&site, &peer, &headers)?;
    // Before the body: a flood is not worth reading.
    services.quotas.publish(&party, services.clock.now().instant)?;
    let body = read(request, services.config.limits.http_header_timeout).await?;
    peer.opened();
    let channel = ChannelName::parse(&channel).map_err(|error| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::BadChannelName.name(),
            error.to_string(),
        )
    })?;
    if !grant.allows(&channel, Operation::Publish) {
        let action = "publish to";
        return Err(Refusal::Forbidden { action, channel }.into());
    }
    if services.settings.namespaces.of(&channel).is_none() {
        return Err(Refusal::UnknownNamespace(channel).into());
    }
    let origin = match headers.get(IDEMPOTENCY_KEY) {
        None => Origin::Anonymous,
        Some(key) => Origin::Idempotency {
            subject: grant.subject.clone(),
            key: key
                .to_str()
                .ok()
                .and_then(|key| IdempotencyKey::parse(key).ok())
                .ok_or_else(|| ApiError::bad_request("Idempotency-Key is not 1 to 128 visible characters"))?,
        },
    };
    let key = body.key.as_deref().map(Key::parse).transpose();
    let (reply, answer) = Reply::to_http();
    let publish = Publish {
        to: reply,
        origin,
        key: key.map_err(|error| ApiError::bad_request(error.to_string()))?,
        deleted: body.delete,
        payload: payload(body.data, body.data_base64)?,
        since: services.clock.now().wall,
    };
    if site.registry.running(&channel).is_none() {
        services.quotas.open(&party, services.clock.now().instant)?;
    }
    // Nobody waits in line over HTTP: a busy channel is told at once, and the client comes back.
    if site.registry.try_send(&channel, Message::Publish(publish)).is_err() {
        return Err(Refusal::Busy.into());
    }
    let ack = answer.await.unwrap_or(Err(Refusal::Unavailable))?;
    let Ack {
        position,
        copies,
        duplicate,
    } = ack;
    let position = position.ok_or(Refusal::SerialSkipped)?;
    Ok(Json(Published {
        channel: channel.as_str().to_owned(),
        epoch: position.epoch.as_str().to_owned(),
        seq: position.seq.0,
        copies,
        duplicate,
    }))
}

/// Reads the body. A client gets as long for it as for the head: one that sends a byte a minute would
/// hold its connection for ever.
async fn read(request: Request, time_max: Duration) -> Result<Body, ApiError> {
    let read = tokio::time::timeout(time_max, Json::from_request(request, &())).await;
    let Ok(read) = read else {
        let message = "the body did not come in time; send the whole request at once";
        return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message));
    };
    let Json(body) = read.map_err(|rejection: JsonRejection| {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::PayloadTooLarge.name(),
            _ => ErrorCode::BadRequest.name(),
        };
        ApiError::new(rejection.status(), code, rejection.body_text())
    })?;
    Ok(body)
}

fn payload(data: Option<String>, data_base64: Option<String>) -> Result<Bytes, ApiError> {
    match (data, data_base64) {
        (Some(text), None) => Ok(text.into()),
        (None, Some(base64)) => {
            let decoded = STANDARD.decode(base64);
            decoded
                .map(Bytes::from)
                .map_err(|_| ApiError::bad_request("data_base64 is not base64"))
        }
        (None, None) => Ok(Bytes::new()),
        (Some(_), Some(_)) => Err(ApiError::bad_request("send data or data_base64, not both")),
    }
}
