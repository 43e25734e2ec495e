//! Ending sessions of this node.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use starling_core::id::Subject;
use starling_core::session::answer::Farewell;
use starling_protocol::v1::ErrorCode;

use super::caller::Caller;
use super::error::ApiError;
use super::extract::body;
use super::{Peer, Site};
use crate::node::Chosen;
use crate::wire;

/// Characters of a reason: a sentence for the user, which a WebSocket's close frame has no more room for.
const REASON_CHARACTERS_MAX: usize = 100;

/// Which sessions, and what they are told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// The one that its welcome names so.
    session: Option<String>,
    /// All of one subject.
    subject: Option<String>,
    /// Whether they connect again.
    #[serde(default)]
    returns: bool,
    /// Why, for the client.
    #[serde(default)]
    reason: String,
}

/// What became of them.
#[derive(Debug, Serialize)]
pub(super) struct Disconnected {
    disconnected: usize,
}

/// `POST /v1/disconnect`.
pub(super) async fn disconnect(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Json<Disconnected>, ApiError> {
    let caller = Caller::of(&site, &peer, request.headers())?;
    caller.takes_request(&site)?;
    if !caller.grant.administers() {
        let message = "ending sessions needs the operation admin on all channels (*); ask for a token that has it";
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            ErrorCode::Forbidden.name(),
            message,
        ));
    }
    let Body {
        session,
        subject,
        returns,
        reason: why,
    } = body(&site, request).await?;
    peer.opened();
    if why.chars().count() > REASON_CHARACTERS_MAX {
        let message = format!("reason is longer than {REASON_CHARACTERS_MAX} characters; shorten it");
        return Err(ApiError::bad_request(message));
    }
    let services = site.registry.services();
    let chosen = match (session, subject) {
        (Some(session), None) => {
            let (generation, number) = wire::session_id(&session).ok_or_else(|| {
                ApiError::bad_request("session is not what a welcome names one by; send it as it came")
            })?;
            // A node that was started again has none of the sessions it had.
            (generation == services.greeting.generation).then_some(Chosen::Number(number))
        }
        (None, Some(subject)) => Some(Chosen::Subject(Subject::new(&subject))),
        _ => return Err(ApiError::bad_request("send session or subject, one of them")),
    };
    let farewell = Farewell::Dismissed { returns, why };
    let disconnected = chosen.map_or(0, |chosen| services.sessions.end(&chosen, &farewell));
    Ok(Json(Disconnected { disconnected }))
}
