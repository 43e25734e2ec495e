//! Publishing one message over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Request, State};

use super::caller::Caller;
use super::draft::{Draft, Published};
use super::error::ApiError;
use super::extract::{Channel, body};
use super::{Peer, Site};

/// `POST /v1/channels/{channel}/messages`.
pub(super) async fn publish(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Channel(channel): Channel,
    request: Request,
) -> Result<Json<Published>, ApiError> {
    let services = site.registry.services();
    let headers = request.headers().clone();
    let caller = Caller::of(&site, &peer, &headers)?;
    // Before the body: a flood is not worth reading.
    services.quotas.publish(&caller.party, services.clock.now().instant)?;
    let body = body(&site, request).await?;
    peer.opened();
    let draft = Draft::new(body, &headers, &caller.grant.subject)?;
    let sent = draft.send(&site, &caller, channel)?;
    sent.published().await.map(Json)
}
