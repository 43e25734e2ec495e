//! HTTP on the client port.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /.well-known/starling` | how to reach this node: [`discovery`] |
//! | `GET /connect` | upgrade to WebSocket: [`connect`] |
//! | `POST /v1/channels/{channel}/messages` | publishes one message: [`publish`] |
//! | `GET /`, `GET /demo/..` | the [demo], where it is configured |
//!
//! A request from a web page names its origin and must be allowed; one that names none comes from no
//! browser. Errors are JSON with the codes of the client protocol: [`error`].

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use crate::actor::registry::Registry;
use crate::quotas::Party;
use crate::transport::accept::Admitted;
use crate::transport::tls::Certificate;

mod caller;
mod connect;
mod demo;
mod discovery;
mod error;
mod publish;

use error::{ApiError, Refused};

/// Where sessions begin, on both transports.
pub const CONNECT_PATH: &str = "/connect";

/// What every request may need.
pub struct Site {
    /// The HTTP base of this node.
    pub url: String,
    /// Whether WebTransport is offered.
    pub webtransport: bool,
    /// What the node proves itself with.
    pub certificate: Certificate,
    /// Where channels are found.
    pub registry: Registry,
}

/// Who sends a request.
#[derive(Debug, Clone)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// Its place among the connections; a WebSocket takes it along.
    pub admitted: Arc<Mutex<Option<Admitted>>>,
}

impl Peer {
    /// Whose requests it makes while it names nobody.
    fn party(&self) -> Party {
        Party::at(self.address.ip())
    }

    /// The connection has shown that it speaks HTTP.
    fn opened(&self) {
        if let Some(admitted) = &mut *self.admitted.lock().unwrap_or_else(PoisonError::into_inner) {
            admitted.opened();
        }
    }

    /// Takes the connection's place; `None` if it was taken before.
    fn take(&self) -> Option<Admitted> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Every route.
pub fn router(site: Arc<Site>) -> Router {
    let body_max = site.registry.services().config.limits.http_body.bytes();
    let demo = match site.registry.services().config.client.demo {
        true => demo::router(),
        false => Router::new(),
    };
    Router::new()
        .merge(demo)
        .route("/.well-known/starling", get(discovery::discover))
        .route(CONNECT_PATH, get(connect::connect))
        .route("/v1/channels/{channel}/messages", post(publish::publish))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(from_fn_with_state(Arc::clone(&site), check_origin))
        .layer(from_fn_with_state(Arc::clone(&site), count_refusal))
        .layer(DefaultBodyLimit::max(usize::try_from(body_max).unwrap_or(usize::MAX)))
        .with_state(site)
}

/// Refuses what a page of a foreign origin sends, before anything else looks at it. A page that may connect may also
/// read the answer: without being told so its browser would keep it from discovery.
async fn check_origin(State(site): State<Arc<Site>>, request: Request, next: Next) -> Result<Response, ApiError> {
    let services = site.registry.services();
    let host = text(request.headers(), &header::HOST).unwrap_or_default();
    let named = request.headers().get(header::ORIGIN).cloned();
    let origin = named.as_ref().map(|origin| origin.to_str().unwrap_or("null"));
    if !origin.is_none_or(|origin| services.config.allows_origin(origin, host)) {
        services.metrics.unauthorized("origin");
        tracing::info!(origin, "origin not allowed; add it to client.origins if it is yours");
        return Err(ApiError::forbidden_origin());
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = named {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    Ok(response)
}

/// Counts what is refused, whoever refused it.
async fn count_refusal(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if let Some(Refused { code, limit }) = response.extensions().get() {
        site.registry.services().metrics.refused(code, *limit);
    }
    response
}

/// A header's value, if it is text.
fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
