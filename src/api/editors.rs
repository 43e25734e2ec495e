//! The upgrades to WebSocket for editors of documents, in the protocols that they already speak.
//!
//! Who comes is let in first and told after it what it may not do: a browser does not show a page why an upgrade was
//! refused.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::connect::{Socket, Upgrade, accept};
use super::error::ApiError;
use super::{Peer, Site, text};
use crate::editor::{hocuspocus, name, yjs};

/// What the sub-protocol begins with that carries a token, as clients of y-redis send it.
const TOKEN_PROTOCOL: &str = "yauth-";

/// The routes.
pub(super) fn router() -> Router<Arc<Site>> {
    Router::new()
        .route("/yjs/{*document}", get(open_yjs))
        .route("/hocuspocus", get(open_hocuspocus))
        .route("/hocuspocus/{*document}", get(open_hocuspocus))
}

/// What a URL may say beside the document.
#[derive(Debug, Deserialize)]
struct Presented {
    token: Option<String>,
}

/// `GET /yjs/{document}`.
async fn open_yjs(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path(room): Path<String>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let Upgrade {
        upgrade,
        admitted,
        mut answer,
    } = accept(&peer, &mut request)?;
    let protocol = token_protocol(request.headers());
    let in_protocol = protocol
        .as_ref()
        .and_then(|protocol| protocol.strip_prefix(TOKEN_PROTOCOL));
    let token = presented(&request).or_else(|| in_protocol.map(str::to_owned));
    // A browser takes no answer that leaves its sub-protocol out.
    if let Some(protocol) = protocol
        .as_ref()
        .and_then(|protocol| HeaderValue::from_str(protocol).ok())
    {
        answer.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let registry = site.registry.clone();
    let namespace = &registry.services().config.documents.namespace;
    let visit = yjs::Visit {
        document: name::document(&room, namespace).map_err(|error| error.to_string()),
        token: token.unwrap_or_default(),
        admitted,
    };
    tokio::spawn(async move {
        // An error means that the client went before it had the answer.
        if let Ok(upgraded) = upgrade.await {
            match Socket::of(upgraded) {
                Socket::Plain(socket) => yjs::serve(*socket, registry, visit).await,
                Socket::Tls(socket) => yjs::serve(*socket, registry, visit).await,
            }
        }
    });
    Ok(answer)
}

/// `GET /hocuspocus`; and `/hocuspocus/{document}`, where providers before 2.0 come.
async fn open_hocuspocus(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    document: Option<Path<String>>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let Upgrade {
        upgrade,
        admitted,
        answer,
    } = accept(&peer, &mut request)?;
    let registry = site.registry.clone();
    let sole = document.map(|Path(document)| hocuspocus::Sole {
        document,
        token: presented(&request).unwrap_or_default(),
    });
    tokio::spawn(async move {
        // An error means that the client went before it had the answer.
        if let Ok(upgraded) = upgrade.await {
            match Socket::of(upgraded) {
                Socket::Plain(socket) => hocuspocus::serve(*socket, registry, admitted, sole).await,
                Socket::Tls(socket) => hocuspocus::serve(*socket, registry, admitted, sole).await,
            }
        }
    });
    Ok(answer)
}

/// The token that a URL carries. What else it says is the application's own.
fn presented(request: &Request) -> Option<String> {
    let presented = Query::<Presented>::try_from_uri(request.uri());
    presented.ok().and_then(|Query(presented)| presented.token)
}

/// The sub-protocol that carries a token, if the client offers one.
fn token_protocol(headers: &HeaderMap) -> Option<String> {
    let offered = text(headers, &header::SEC_WEBSOCKET_PROTOCOL)?;
    let mut offered = offered.split(',').map(str::trim);
    offered.find(|one| one.starts_with(TOKEN_PROTOCOL)).map(str::to_owned)
}
