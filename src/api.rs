//! HTTP on the client port.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /v1/channels/{channel}/messages` | publishes one message: [`publish`] |
//! | `GET /v1/channels/{channel}/messages` | the messages after a position, or the newest: [`history`] |
//! | `GET /v1/channels/{channel}/state` | the values of a keyed channel: [`state`] |
//! | `GET /v1/channels/{channel}/presence` | who is in a channel: [`presence`] |
//! | `GET /v1/channels/{channel}` | where a channel stands: [`look`] |
//! | `POST /v1/broadcast` | publishes one message to many channels: [`broadcast`] |
//! | `/v1/documents/{document}..` | reads documents and writes in them: [`documents`] |
//! | `POST /v1/disconnect` | ends sessions: [`disconnect`] |
//! | `GET /openapi.json` | all of this for machines: [`document`] |
//! | `GET /.well-known/starling` | how to reach this node: [`discovery`] |
//! | `GET /connect` | upgrade to WebSocket: [`connect`] |
//! | `GET /yjs/{document}`, `GET /hocuspocus` | upgrade to WebSocket, for [editors] of documents |
//! | `GET /`, `GET /demo/..` | the [demo], where it is configured |
//!
//! A request passes [`origin`] (web pages), [`negotiate`] (who takes the answer), [`caller`] (who it is and what it may) and its
//! rate before anything is read or reserved for it; [`extract`] makes types of what it says. Errors are JSON with the
//! codes of the client protocol: [`error`].

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};

use crate::actor::registry::Registry;
use crate::quotas::Party;
use crate::transport::accept::Admitted;
use crate::transport::tls::Certificate;

mod broadcast;
mod caller;
mod connect;
mod data;
mod demo;
mod disconnect;
mod discovery;
mod document;
mod documents;
mod draft;
mod editors;
mod error;
mod extract;
mod history;
mod look;
mod negotiate;
mod origin;
mod presence;
mod publish;
mod state;

use error::{ApiError, Refused};
use negotiate::Media;

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

/// A path, the methods it takes, and who answers.
struct Route {
    path: &'static str,
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "a router does not tell its methods to the test that holds the document to them"
        )
    )]
    methods: &'static [&'static str],
    answers: MethodRouter<Arc<Site>>,
    media: Media,
}

impl Route {
    /// What else it answers with.
    const fn in_media(mut self, media: Media) -> Self {
        self.media = media;
        self
    }
}

/// Every route. A test holds the document that is served to this list.
fn routes() -> Vec<Route> {
    let route = |path, methods, answers| Route {
        path,
        methods,
        answers,
        media: negotiate::JSON,
    };
    vec![
        route(
            "/v1/channels/{channel}/messages",
            &["get", "post"],
            get(history::history).post(publish::publish),
        ),
        route("/v1/channels/{channel}/state", &["get"], get(state::state)),
        route("/v1/channels/{channel}/presence", &["get"], get(presence::presence)),
        route("/v1/channels/{channel}", &["get"], get(look::look)),
        route("/v1/broadcast", &["post"], post(broadcast::broadcast)),
        route("/v1/documents/{document}", &["get"], get(documents::read::parts)),
        route(
            "/v1/documents/{document}/parts/{part}",
            &["get"],
            get(documents::read::part),
        )
        .in_media(&["application/json", "text/plain"]),
        route(
            "/v1/documents/{document}/update",
            &["get", "post"],
            get(documents::read::update)
                .post(documents::write::apply)
                .layer(documents::write::update_max()),
        )
        .in_media(&["application/json", "application/octet-stream"]),
        route("/v1/documents/{document}/stats", &["get"], get(documents::stats::stats)),
        route(
            "/v1/documents/{document}/text",
            &["post"],
            post(documents::write::insert),
        ),
        route("/v1/disconnect", &["post"], post(disconnect::disconnect)),
        route(
            "/v1/documents/{document}/versions",
            &["get", "post"],
            get(documents::versions::list).post(documents::versions::make),
        ),
        route(
            "/v1/documents/{document}/versions/{version}",
            &["get", "delete"],
            get(documents::versions::read).delete(documents::versions::delete),
        )
        .in_media(&["application/json", "application/octet-stream"]),
        route(
            "/v1/documents/{document}/versions/{version}/restore",
            &["post"],
            post(documents::restore::restore),
        ),
        route(
            "/v1/documents/{document}/compact",
            &["post"],
            post(documents::versions::compact),
        ),
        route("/openapi.json", &["get"], get(document::document)),
        route("/.well-known/starling", &["get"], get(discovery::discover)),
        route(CONNECT_PATH, &["get"], get(connect::connect)),
    ]
}

/// The router over them, with what every request passes.
pub fn router(site: Arc<Site>) -> Router {
    let body_max = site.registry.services().config.limits.http_body.bytes();
    let demo = match site.registry.services().config.client.demo {
        true => demo::router(),
        false => Router::new(),
    };
    let editors = match site.registry.services().config.documents.enabled {
        true => editors::router(),
        false => Router::new(),
    };
    let add = |router: Router<Arc<Site>>, route: Route| {
        let negotiates = from_fn_with_state(route.media, negotiate::negotiate);
        router.route(route.path, route.answers.route_layer(negotiates))
    };
    routes()
        .into_iter()
        .fold(Router::new(), add)
        .merge(demo)
        .merge(editors)
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(from_fn_with_state(Arc::clone(&site), origin::check))
        .layer(from_fn_with_state(Arc::clone(&site), count_refusal))
        .layer(DefaultBodyLimit::max(usize::try_from(body_max).unwrap_or(usize::MAX)))
        .with_state(site)
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

#[cfg(test)]
mod tests;
