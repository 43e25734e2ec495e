//! Publishing one message to many channels.
//!
//! Each channel is as good as a request of its own: it has its own order, its own commit, its own answer. So there is no
//! "all or nothing", and the answer says of each channel what became of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::draft::{self, Draft, Published, Sent};
use super::error::{ApiError, Detail};
use super::extract::{body, channel_name};
use super::{Peer, Site};

/// Channels of one request: they are worked on at the same time, and a tenth of a second's worth of the default rate
/// is no burst that others feel. A longer list is refused.
const CHANNELS_MAX: usize = 100;

/// A message, and where it goes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    channels: Vec<String>,
    data: Option<String>,
    data_base64: Option<String>,
    key: Option<String>,
    #[serde(default)]
    delete: bool,
}

/// What became of it.
#[derive(Debug, Serialize)]
struct Broadcast {
    published: usize,
    refused: usize,
    /// One for each channel, in the order of the request.
    results: Vec<Outcome>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Published(Published),
    Refused { channel: String, error: Detail },
}

/// `POST /v1/broadcast`.
pub(super) async fn broadcast(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, ApiError> {
    let services = site.registry.services();
    let headers = request.headers().clone();
    let caller = Caller::of(&site, &peer, &headers)?;
    let takes_publish = || services.quotas.publish(&caller.party, services.clock.now().instant);
    // Before the body, as for one channel. The first of them is paid with it.
    takes_publish()?;
    let Body {
        channels,
        data,
        data_base64,
        key,
        delete,
    } = body(&site, request).await?;
    peer.opened();
    check(&channels)?;
    let message = draft::Body {
        data,
        data_base64,
        key,
        delete,
    };
    let draft = Draft::new(message, &headers, &caller.grant.subject)?;
    let send = |(at, name): (usize, &String)| -> Result<Sent, ApiError> {
        if at > 0 {
            takes_publish()?;
        }
        draft.send(&site, &caller, channel_name(name)?)
    };
    // All are on their way before the first is waited for.
    let sent: Vec<_> = channels.iter().enumerate().map(send).collect();
    let mut results = Vec::with_capacity(channels.len());
    for (channel, sent) in channels.into_iter().zip(sent) {
        let outcome = match sent {
            Ok(sent) => sent.published().await,
            Err(error) => Err(error),
        };
        results.push(match outcome {
            Ok(published) => Outcome::Published(published),
            Err(error) => Outcome::Refused {
                channel,
                error: error.counted(&services.metrics),
            },
        });
    }
    let refused = results
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::Refused { .. }))
        .count();
    // A client that looks at nothing but the status learns that there is more to see.
    let status = if refused == 0 {
        StatusCode::OK
    } else {
        StatusCode::MULTI_STATUS
    };
    let broadcast = Broadcast {
        published: results.len() - refused,
        refused,
        results,
    };
    Ok((status, Json(broadcast)).into_response())
}

/// Whether a message can go to these channels at once.
fn check(channels: &[String]) -> Result<(), ApiError> {
    match channels.len() {
        1..=CHANNELS_MAX => {}
        count => {
            let message = format!("channels has {count} entries; send 1 to {CHANNELS_MAX} in one request");
            return Err(ApiError::bad_request(message));
        }
    }
    let distinct: BTreeSet<_> = channels.iter().collect();
    if distinct.len() < channels.len() {
        return Err(ApiError::bad_request("channels names one twice; send each once"));
    }
    Ok(())
}
