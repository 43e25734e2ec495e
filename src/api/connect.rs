//! The upgrade to WebSocket (RFC 6455, section 4.2).

use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use starling_protocol::limits;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use super::error::ApiError;
use super::{Peer, Site, text};
use crate::actor::registry::Registry;
use crate::session;
use crate::transport::accept::Admitted;
use crate::transport::tcp::Tcp;
use crate::transport::websocket::WebSocket;

/// What both sides append to the key, by the RFC.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// `GET /connect`.
pub(super) async fn connect(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let Upgrade {
        upgrade,
        admitted,
        answer,
    } = accept(&peer, &mut request)?;
    let registry = site.registry.clone();
    let since = Instant::now();
    tokio::spawn(async move {
        // An error means that the client went before it had the answer.
        if let Ok(upgraded) = upgrade.await {
            serve(upgraded, registry, admitted, since);
        }
    });
    Ok(answer)
}

/// A request that is to become a WebSocket.
pub(super) struct Upgrade {
    /// Ready when the answer was sent.
    pub(super) upgrade: OnUpgrade,
    /// Its place among the connections.
    pub(super) admitted: Admitted,
    /// The answer.
    pub(super) answer: Response,
}

/// Takes a request for a WebSocket.
///
/// # Errors
/// When it is none.
pub(super) fn accept(peer: &Peer, request: &mut Request) -> Result<Upgrade, ApiError> {
    let accept = accept_key(request.headers())?;
    let upgrade = request
        .extensions_mut()
        .remove::<OnUpgrade>()
        .ok_or_else(not_an_upgrade)?;
    let admitted = peer.take().ok_or_else(not_an_upgrade)?;
    let answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty());
    let answer = answer.expect("the parts of this response are valid");
    Ok(Upgrade {
        upgrade,
        admitted,
        answer,
    })
}

/// The answer to the client's key.
fn accept_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let has = |name, token: &str| {
        let value = text(headers, name).unwrap_or_default();
        value.split(',').any(|one| one.trim().eq_ignore_ascii_case(token))
    };
    if !has(&header::CONNECTION, "upgrade") || !has(&header::UPGRADE, "websocket") {
        return Err(not_an_upgrade());
    }
    if text(headers, &header::SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(ApiError::bad_request(
            "this server speaks WebSocket version 13; set Sec-WebSocket-Version to 13",
        ));
    }
    let key =
        text(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| STANDARD.decode(key).is_ok_and(|key| key.len() == 16));
    let key = key.ok_or_else(|| ApiError::bad_request("Sec-WebSocket-Key is not 16 bytes in base64"))?;
    let accept = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), KEY_SUFFIX].concat());
    Ok(STANDARD.encode(accept))
}

fn not_an_upgrade() -> ApiError {
    let message = "sessions are served here: connect with WebSocket or WebTransport";
    ApiError::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message)
}

/// Serves a session on the connection itself. A task of its own for each kind, so that a session over plain TCP does not
/// take the room that TLS needs.
fn serve(upgraded: Upgraded, registry: Registry, admitted: Admitted, since: Instant) {
    match Socket::of(upgraded) {
        Socket::Plain(socket) => {
            tokio::spawn(session::serve(*socket, registry, admitted, since));
        }
        Socket::Tls(socket) => {
            tokio::spawn(session::serve(*socket, registry, admitted, since));
        }
    }
}

/// The connection under a WebSocket: what HTTP kept around it is let go.
pub(super) enum Socket {
    /// Over plain TCP.
    Plain(Box<WebSocket<Tcp>>),
    /// Over TLS.
    Tls(Box<WebSocket<TlsStream<Tcp>>>),
}

impl Socket {
    /// Of a connection that was upgraded.
    pub(super) fn of(upgraded: Upgraded) -> Self {
        let hello_max = limits::HELLO_BYTES_MAX;
        match upgraded.downcast::<TokioIo<Tcp>>() {
            Ok(parts) => {
                let socket = WebSocket::new(parts.io.into_inner(), &parts.read_buf, hello_max);
                Self::Plain(Box::new(socket))
            }
            Err(upgraded) => match upgraded.downcast::<TokioIo<TlsStream<Tcp>>>() {
                Ok(parts) => {
                    let socket = WebSocket::new(parts.io.into_inner(), &parts.read_buf, hello_max);
                    Self::Tls(Box::new(socket))
                }
                Err(_) => unreachable!("a connection is plain TCP or TLS over it"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_answered_as_in_the_rfc() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, "keep-alive, Upgrade".parse().expect("valid"));
        headers.insert(header::UPGRADE, "websocket".parse().expect("valid"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, "13".parse().expect("valid"));
        assert!(accept_key(&headers).is_err(), "no key");
        headers.insert(
            header::SEC_WEBSOCKET_KEY,
            "dGhlIHNhbXBsZSBub25jZQ==".parse().expect("valid"),
        );
        assert_eq!(accept_key(&headers).expect("complete"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        headers.insert(header::SEC_WEBSOCKET_VERSION, "8".parse().expect("valid"));
        assert!(accept_key(&headers).is_err(), "old version");
    }
}
