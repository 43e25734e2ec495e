//! A message that is to be published, to one channel or to many.

use axum::http::HeaderMap;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use starling_core::access::Operation;
use starling_core::channel::{Ack, Publish, Refusal};
use starling_core::id::{ChannelName, IdempotencyKey, Key, Subject};
use starling_core::slot::Origin;
use tokio::sync::oneshot;

use super::Site;
use super::caller::Caller;
use super::data;
use super::error::ApiError;
use crate::actor::channel::Message;
use crate::actor::reply::Reply;

/// By which a repetition is recognised: a request repeated with the same one within two minutes is
/// answered like the first.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What the body says of a message: `{"data": "text"}` or `{"data_base64": "..."}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    pub(super) data: Option<String>,
    pub(super) data_base64: Option<String>,
    pub(super) key: Option<String>,
    #[serde(default)]
    pub(super) delete: bool,
}

/// A message without its channel.
pub(super) struct Draft {
    origin: Origin,
    key: Option<Key>,
    deleted: bool,
    payload: Bytes,
}

/// Where a message stands.
#[derive(Debug, Serialize)]
pub(super) struct Published {
    channel: String,
    epoch: String,
    seq: u64,
    copies: u8,
    duplicate: bool,
}

/// A message on its way.
pub(super) struct Sent {
    channel: ChannelName,
    answer: oneshot::Receiver<Result<Ack, Refusal>>,
}

impl Draft {
    pub(super) fn new(body: Body, headers: &HeaderMap, subject: &Subject) -> Result<Self, ApiError> {
        let origin = match headers.get(IDEMPOTENCY_KEY) {
            None => Origin::Anonymous,
            Some(key) => Origin::Idempotency {
                subject: subject.clone(),
                key: key
                    .to_str()
                    .ok()
                    .and_then(|key| IdempotencyKey::parse(key).ok())
                    .ok_or_else(|| ApiError::bad_request("Idempotency-Key is not 1 to 128 visible characters"))?,
            },
        };
        let key = body.key.as_deref().map(Key::parse).transpose();
        Ok(Self {
            origin,
            key: key.map_err(|error| ApiError::bad_request(error.to_string()))?,
            deleted: body.delete,
            payload: data::payload(body.data, body.data_base64)?,
        })
    }

    /// Puts it on its way to a channel. Channels know an idempotency key each for itself, so one message to many takes
    /// the same everywhere, and what failed may be repeated alone or with the rest.
    pub(super) fn send(&self, site: &Site, caller: &Caller, channel: ChannelName) -> Result<Sent, ApiError> {
        caller.may(site, &channel, Operation::Publish, "publish to")?;
        caller.takes_channel(site, &channel)?;
        let (reply, answer) = Reply::to_http();
        let publish = Publish {
            to: reply,
            origin: self.origin.clone(),
            key: self.key.clone(),
            deleted: self.deleted,
            payload: self.payload.clone(),
            since: site.registry.services().clock.now().wall,
        };
        // Nobody waits in line over HTTP: a busy channel is told at once, and the client comes back.
        let message = Message::Publish(vec![publish]);
        if site.registry.try_send(&channel, message).is_err() {
            return Err(Refusal::Busy.into());
        }
        Ok(Sent { channel, answer })
    }
}

impl Sent {
    /// Waits for its commit.
    pub(super) async fn published(self) -> Result<Published, ApiError> {
        let Ack {
            position,
            copies,
            duplicate,
        } = self.answer.await.unwrap_or(Err(Refusal::Unavailable))?;
        let position = position.ok_or(Refusal::SerialSkipped)?;
        Ok(Published {
            channel: self.channel.as_str().to_owned(),
            epoch: position.epoch.as_str().to_owned(),
            seq: position.seq.0,
            copies,
            duplicate,
        })
    }
}
