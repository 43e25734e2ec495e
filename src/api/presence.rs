//! Who is in a channel, a page at a time and in the order of the clients' names.
//!
//! A request watches the channel as a session does, is shown what is there first, and watches no more: so any node
//! answers, and one where somebody watches already answers without asking the owner.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, FromRequestParts, Query, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use starling_core::access::Operation;
use starling_core::channel::Refusal;
use starling_core::id::{ChannelName, slot_of};
use starling_core::presence::message::Count;
use starling_core::presence::watch::{self, View};
use starling_core::presence::{Mode, Row};

use super::caller::Caller;
use super::data::Data;
use super::error::ApiError;
use super::extract::{Channel, limit};
use super::{Peer, Site};
use crate::actor::presence::{Glance, Happening, Message, ShardId, Watcher};
use crate::actor::registry::Registry;

/// How long an owner may take to say who is there. It takes a round trip; one that is dead has a successor by then.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// Which page is wanted, or no names at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    after: Option<String>,
    limit: Option<u32>,
    count: Option<bool>,
}

impl FromRequestParts<Arc<Site>> for Wanted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, ApiError> {
        let wanted = Query::<Self>::from_request_parts(parts, &()).await;
        let Query(wanted) = wanted.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
        limit(wanted.limit)?;
        let is_client = |text: &String| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match wanted.after.as_ref().is_none_or(is_client) {
            true => Ok(wanted),
            false => Err(ApiError::bad_request(
                "after is not a client; send next of the page before",
            )),
        }
    }
}

/// Who is in a channel.
#[derive(Debug, Serialize)]
pub(super) struct Presence {
    channel: String,
    /// People.
    members: u64,
    /// Their tabs.
    clients: u64,
    /// What is told may be old: the channel's owner is not heard, or has just become it.
    stale: bool,
    /// Who; absent where only numbers are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<Vec<Entry>>,
    /// The client to go on after, when there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A client that is there.
#[derive(Debug, Serialize)]
struct Entry {
    client: String,
    /// Whom its token names.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    /// The node it is attached to.
    node: String,
    /// What it says of itself.
    #[serde(flatten)]
    state: Data,
}

/// `GET /v1/channels/{channel}/presence`.
pub(super) async fn presence(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Channel(channel): Channel,
    wanted: Wanted,
    headers: HeaderMap,
) -> Result<Json<Presence>, ApiError> {
    peer.opened();
    let caller = Caller::of(&site, &peer, &headers)?;
    caller.takes_request(&site)?;
    caller.may(&site, &channel, Operation::Presence, "look who is in")?;
    let mode = match wanted.count {
        Some(true) => Mode::Count,
        Some(false) | None => Mode::Roster,
    };
    let Glance { view, is_stale } = glance(&site.registry, &channel, mode).await?;
    let told = |Count { members, clients }, present, next| Presence {
        channel: channel.as_str().to_owned(),
        members,
        clients,
        stale: is_stale,
        present,
        next,
    };
    Ok(Json(match view {
        View::Counted(count) => told(count, None, None),
        View::Roster(rows) => {
            let (page, next) = page(&rows, wanted.after.as_deref(), limit(wanted.limit)?);
            told(counted(&rows), Some(page), next)
        }
    }))
}

/// Looks once who is there.
async fn glance(registry: &Registry, channel: &ChannelName, mode: Mode) -> Result<Glance, ApiError> {
    let slot = slot_of(channel, registry.services().slots);
    let (watcher, shown) = Watcher::http(registry.next_glance());
    let input = watch::Input::Watch {
        watcher: watcher.clone(),
        channel: channel.clone(),
        slot,
        mode,
    };
    let watches = Watches {
        registry,
        shard: ShardId::of(slot),
        watcher: Some(watcher),
        channel,
    };
    let message = Message::Happened(Happening::Watcher(input));
    if registry.try_send_presence(watches.shard, message).is_err() {
        return Err(Refusal::Busy.into());
    }
    match tokio::time::timeout(ANSWER_TIME_MAX, shown).await {
        Ok(Ok(glance)) => Ok(glance),
        // It watches as many channels as it may.
        Ok(Err(_)) => Err(Refusal::PresenceFull.into()),
        Err(_) => Err(Refusal::Unavailable.into()),
    }
}

/// A request that watches; not any more when it is dropped, whatever became of it.
struct Watches<'a> {
    registry: &'a Registry,
    shard: ShardId,
    watcher: Option<Watcher>,
    channel: &'a ChannelName,
}

impl Drop for Watches<'_> {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            let channel = self.channel.clone();
            let unwatch = Happening::Watcher(watch::Input::Unwatch { watcher, channel });
            // There is one for each watch, which took room.
            let _ = self
                .registry
                .presence(self.shard)
                .post_single(Message::Happened(unwatch));
        }
    }
}

fn counted(rows: &[Row]) -> Count {
    let members: BTreeSet<_> = rows.iter().map(|row| row.client.member()).collect();
    Count {
        members: members.len() as u64,
        clients: rows.len() as u64,
    }
}

/// Those after a client, and the last of them if there are more.
fn page(rows: &[Row], after: Option<&str>, limit: u32) -> (Vec<Entry>, Option<String>) {
    let after = after.map(str::to_ascii_lowercase);
    let named = rows.iter().map(|row| (row.client.id.to_string(), row));
    let mut rest: Vec<_> = named
        .filter(|(name, _)| after.as_ref().is_none_or(|after| name > after))
        .collect();
    rest.sort_by(|(one, _), (other, _)| one.cmp(other));
    let more = rest.len() > limit as usize;
    rest.truncate(limit as usize);
    let next = rest.last().filter(|_| more).map(|(name, _)| name.clone());
    let entries = rest.into_iter().map(|(client, row)| Entry {
        client,
        member: Some(row.client.subject.as_str().to_owned()).filter(|member| !member.is_empty()),
        node: row.gateway.name.as_str().to_owned(),
        state: Data::of(&row.state),
    });
    (entries.collect(), next)
}
