//! Looking at a channel: where it stands, and who reads it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use serde::Serialize;
use starling_core::access::Operation;
use starling_core::channel::{Description, Inspection, Question, Refusal};
use starling_core::id::ChannelName;

use super::caller::Caller;
use super::error::ApiError;
use super::extract::Channel;
use super::{Peer, Site};
use crate::actor::channel::Message;
use crate::actor::reply::Reply;
use crate::config::{Durability, History};

/// Where a channel stands, and what holds for it.
#[derive(Debug, Serialize)]
pub(super) struct Look {
    channel: String,
    namespace: String,
    epoch: String,
    /// The newest message.
    head: u64,
    durability: Durability,
    keyed: bool,
    /// Keys with a value, on a keyed channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<usize>,
    /// What is kept at the most.
    window: Window,
    /// What is kept.
    history: Kept,
    /// Sessions of this node that read it.
    readers: usize,
}

#[derive(Debug, Serialize)]
struct Window {
    messages: u32,
    bytes: u64,
    age_ms: u64,
}

#[derive(Debug, Serialize)]
struct Kept {
    /// The oldest message; one after the head when none is.
    first: u64,
    messages: usize,
    bytes: u64,
}

/// `GET /v1/channels/{channel}`.
pub(super) async fn look(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Channel(channel): Channel,
    headers: HeaderMap,
) -> Result<Json<Look>, ApiError> {
    peer.opened();
    let caller = Caller::of(&site, &peer, &headers)?;
    caller.takes_request(&site)?;
    caller.may(&site, &channel, Operation::Subscribe, "look at")?;
    caller.takes_channel(&site, &channel)?;
    let Description {
        head,
        first,
        messages,
        bytes,
        keys,
    } = describe(&site, &channel).await?;
    let services = site.registry.services();
    let namespace = services.config.namespace(channel.namespace());
    let namespace = namespace.ok_or_else(|| Refusal::UnknownNamespace(channel.clone()))?;
    let window: History = namespace.history;
    Ok(Json(Look {
        channel: channel.as_str().to_owned(),
        namespace: channel.namespace().to_owned(),
        epoch: head.epoch.as_str().to_owned(),
        head: head.seq.0,
        durability: namespace.durability,
        keyed: keys.is_some(),
        keys,
        window: Window {
            messages: window.messages,
            bytes: window.bytes.bytes(),
            age_ms: u64::try_from(window.age.as_millis()).unwrap_or(u64::MAX),
        },
        history: Kept {
            first: first.0,
            messages,
            bytes,
        },
        readers: services.gateway.find(&channel).map_or(0, |feed| feed.audience()),
    }))
}

/// Where a channel stands.
pub(super) async fn describe(site: &Site, channel: &ChannelName) -> Result<Description, ApiError> {
    match inspect(site, channel, Question::Description).await? {
        Inspection::Description(description) => Ok(description),
        Inspection::Values(_) => Err(Refusal::Internal.into()),
    }
}

/// Asks a channel.
pub(super) async fn inspect(site: &Site, channel: &ChannelName, question: Question) -> Result<Inspection, ApiError> {
    let (to, answer) = Reply::to_http_inspect();
    if site
        .registry
        .try_send(channel, Message::Inspect { to, question })
        .is_err()
    {
        return Err(Refusal::Busy.into());
    }
    Ok(answer.await.unwrap_or(Err(Refusal::Unavailable))?)
}
