//! Reading the messages of a channel back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use serde::Serialize;
use starling_core::access::Operation;
use starling_core::channel::{self, Page, Range, Reason, Refusal};
use starling_core::id::{ChannelName, Epoch, Position, Seq};

use super::caller::Caller;
use super::data::Data;
use super::error::ApiError;
use super::extract::{Channel, Paging};
use super::look;
use super::{Peer, Site};
use crate::actor::channel::Message;
use crate::actor::reply::Reply;

/// Bytes of the payloads and keys of one page, as for sessions. What JSON makes of them is six times that at the worst.
pub(super) const PAGE_BYTES_MAX: u32 = 240 * 1024;

/// Messages without a gap between them.
#[derive(Debug, Serialize)]
pub(super) struct History {
    channel: String,
    epoch: String,
    /// The newest message of the channel.
    head: u64,
    messages: Vec<Entry>,
    /// Where to go on reading.
    next: String,
    /// Whether there is more to read now.
    more: bool,
}

/// One message.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    seq: u64,
    time_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    #[serde(flatten)]
    data: Data,
}

impl Entry {
    pub(super) fn of(message: &channel::Message) -> Self {
        Self {
            seq: message.seq.0,
            time_ms: message.time.0,
            key: message.key.as_ref().map(ToString::to_string),
            deleted: message.deleted,
            data: Data::of(&message.payload),
        }
    }
}

/// `GET /v1/channels/{channel}/messages`: those after a position, or the newest.
pub(super) async fn history(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Channel(channel): Channel,
    paging: Paging,
    headers: HeaderMap,
) -> Result<Json<History>, ApiError> {
    peer.opened();
    let caller = Caller::of(&site, &peer, &headers)?;
    caller.takes_request(&site)?;
    caller.may(&site, &channel, Operation::History, "read the history of")?;
    let services = site.registry.services();
    if !services.settings.namespaces.channel(&channel).keeps_history() {
        return Err(Refusal::NoHistory.into());
    }
    let from = paging.after.as_deref().map(position).transpose()?;
    caller.takes_channel(&site, &channel)?;
    let (epoch, after) = match from {
        Some((epoch, seq)) => (Some(epoch), seq),
        None => {
            let head = look::describe(&site, &channel).await?.head.seq.0;
            (None, Seq(head.saturating_sub(u64::from(paging.limit()))))
        }
    };
    let range = Range {
        epoch,
        after,
        bytes_max: PAGE_BYTES_MAX,
        messages_max: paging.limit(),
    };
    match read(&site, &channel, range).await? {
        Page::Messages { after, messages, head } => {
            let last = messages.last().map_or(after.seq, |last| last.seq);
            let next = Position { seq: last, ..after };
            Ok(Json(History {
                channel: channel.as_str().to_owned(),
                epoch: head.epoch.as_str().to_owned(),
                head: head.seq.0,
                messages: messages.iter().map(|message| Entry::of(message)).collect(),
                next: text(&next),
                more: last < head.seq,
            }))
        }
        Page::Stored { .. } => unreachable!("the channel reads what is in the store before it answers"),
        // To whoever asks once there is no "while it paged".
        Page::Lost { reason, position } => Err(ApiError::lost(
            match reason {
                Reason::Truncated => Reason::WindowExceeded,
                reason => reason,
            },
            text(&position),
        )),
    }
}

async fn read(site: &Site, channel: &ChannelName, range: Range) -> Result<Page, ApiError> {
    let (to, answer) = Reply::to_http_read();
    if site.registry.try_send(channel, Message::Read { to, range }).is_err() {
        return Err(Refusal::Busy.into());
    }
    Ok(answer.await.unwrap_or(Err(Refusal::Unavailable))?)
}

/// A position as it was told: `epoch:seq`.
fn position(text: &str) -> Result<(Epoch, Seq), ApiError> {
    let parts = text.split_once(':');
    let parsed = parts.and_then(|(epoch, seq)| Some((Epoch::parse(epoch).ok()?, Seq(seq.parse().ok()?))));
    parsed.ok_or_else(|| ApiError::bad_request("after is not a position; send epoch:seq as it was received"))
}

fn text(position: &Position) -> String {
    format!("{}:{}", position.epoch, position.seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_an_epoch_and_a_number() {
        let (epoch, seq) = position("0-00ab:17").expect("a position");
        assert_eq!((epoch.as_str(), seq), ("0-00ab", Seq(17)));
        for text in [
            "",
            ":",
            "0-00ab",
            "0-00ab:",
            ":17",
            "0-00ab:-1",
            "0-00ab:1:2",
            "0-00ab:99999999999999999999",
        ] {
            assert!(position(text).is_err(), "{text}");
        }
    }
}
