//! The values of a keyed channel, a page at a time and in the order of their keys.
//!
//! Each page is what holds at its position. Values that change while somebody pages are told by the messages after the
//! position of the first page.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use starling_core::access::Operation;
use starling_core::channel::{Inspection, Question, Refusal, Selection};
use starling_core::id::Key;
use starling_protocol::v1::ErrorCode;

use super::caller::Caller;
use super::error::ApiError;
use super::extract::{Channel, Paging};
use super::history::{Entry, PAGE_BYTES_MAX};
use super::look;
use super::{Peer, Site};

/// Some of the values.
#[derive(Debug, Serialize)]
pub(super) struct Values {
    channel: String,
    epoch: String,
    /// They hold after this message.
    seq: u64,
    values: Vec<Entry>,
    /// The key to go on after, when there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/channels/{channel}/state`.
pub(super) async fn state(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Channel(channel): Channel,
    paging: Paging,
    headers: HeaderMap,
) -> Result<Json<Values>, ApiError> {
    peer.opened();
    let caller = Caller::of(&site, &peer, &headers)?;
    caller.takes_request(&site)?;
    caller.may(&site, &channel, Operation::Subscribe, "read the values of")?;
    if !site.registry.services().settings.namespaces.channel(&channel).keyed {
        let message = "the channel keeps no value per key, so it has no state; read its messages instead";
        let code = ErrorCode::KeyMismatch.name();
        return Err(ApiError::new(StatusCode::BAD_REQUEST, code, message));
    }
    let after = paging.after.as_deref().map(Key::parse).transpose();
    let selection = Selection {
        after: after.map_err(|error| ApiError::bad_request(error.to_string()))?,
        bytes_max: PAGE_BYTES_MAX.into(),
        values_max: paging.limit() as usize,
    };
    caller.takes_channel(&site, &channel)?;
    let Inspection::Values(selected) = look::inspect(&site, &channel, Question::Values(selection)).await? else {
        return Err(Refusal::Internal.into());
    };
    let last = selected.values.last().and_then(|message| message.key.as_ref());
    Ok(Json(Values {
        channel: channel.as_str().to_owned(),
        epoch: selected.at.epoch.as_str().to_owned(),
        seq: selected.at.seq.0,
        next: last.filter(|_| selected.more).map(ToString::to_string),
        values: selected.values.iter().map(|message| Entry::of(message)).collect(),
    }))
}
