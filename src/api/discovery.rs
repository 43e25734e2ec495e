//! How to reach this node: what a client asks before it connects.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde::Serialize;
use starling_protocol::version;

use super::{CONNECT_PATH, Peer, Site, text};

#[derive(Debug, Serialize)]
struct Discovery {
    protocol: Protocol,
    node: Node,
    heartbeat_ms: u64,
    websocket: WebSocket,
    #[serde(skip_serializing_if = "Option::is_none")]
    webtransport: Option<WebTransport>,
    nodes: Vec<Neighbour>,
    browsers: Vec<Browser>,
}

#[derive(Debug, Serialize)]
struct Protocol {
    min: u32,
    max: u32,
}

#[derive(Debug, Serialize)]
struct Node {
    name: String,
    generation: u64,
}

#[derive(Debug, Serialize)]
struct WebSocket {
    url: String,
}

#[derive(Debug, Serialize)]
struct WebTransport {
    url: String,
    /// `pki`: a public authority vouches. `hash`: pin one of `hashes`.
    certificate: &'static str,
    hashes: Vec<Hash>,
}

#[derive(Debug, Serialize)]
struct Hash {
    algorithm: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Neighbour {
    url: String,
    zone: Option<String>,
}

/// A browser that is to use WebSocket although it has WebTransport.
#[derive(Debug, Serialize)]
struct Browser {
    name: String,
    /// Versions below this one; all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<u32>,
    transport: &'static str,
}

/// `GET /.well-known/starling`.
pub(super) async fn discover(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> impl IntoResponse {
    peer.opened();
    let services = site.registry.services();
    let base = base(&site, &headers);
    let socket = |scheme: &str| format!("{scheme}://{}{CONNECT_PATH}", base.authority);
    let hashes: Vec<_> = site
        .certificate
        .hashes()
        .into_iter()
        .map(|value| Hash {
            algorithm: "sha-256",
            value,
        })
        .collect();
    let rules = &services.config.client.websocket_browsers;
    let browsers = rules.iter().map(|rule| Browser {
        name: rule.name.clone(),
        below: rule.below,
        transport: "websocket",
    });
    let zone = &services.config.node.zone;
    let discovery = Discovery {
        protocol: Protocol {
            min: version::VERSION_MIN,
            max: version::VERSION_MAX,
        },
        node: Node {
            name: services.greeting.node.clone(),
            generation: services.greeting.generation,
        },
        heartbeat_ms: u64::try_from(services.settings.heartbeat.as_millis()).unwrap_or(u64::MAX),
        websocket: WebSocket {
            url: socket(if base.secure { "wss" } else { "ws" }),
        },
        webtransport: site.webtransport.then(|| WebTransport {
            url: socket("https"),
            certificate: if hashes.is_empty() { "pki" } else { "hash" },
            hashes,
        }),
        nodes: vec![Neighbour {
            url: format!("{}://{}", if base.secure { "https" } else { "http" }, base.authority),
            zone: (!zone.is_empty()).then(|| zone.clone()),
        }],
        browsers: browsers.collect(),
    };
    // Certificates and nodes change: what was true a minute ago is not to be relied on.
    ([(header::CACHE_CONTROL, "no-store")], Json(discovery))
}

struct Base {
    secure: bool,
    authority: String,
}

/// Under which name the client found us: the configured one, or else the one it used itself. What it
/// sends as a name goes only back to it, and only if it is one.
fn base(site: &Site, headers: &HeaderMap) -> Base {
    let (scheme, own) = site.url.split_once("://").unwrap_or(("http", &site.url));
    let used = text(headers, &header::HOST).filter(|host| host.parse::<Authority>().is_ok());
    let configured = !site.registry.services().config.client.public_url.is_empty();
    Base {
        secure: scheme == "https",
        authority: used.filter(|_| !configured).unwrap_or(own).to_owned(),
    }
}
