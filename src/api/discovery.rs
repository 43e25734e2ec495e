//! How to reach this node and its neighbours: what a client asks before it connects.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde::Serialize;
use starling_protocol::version;

use super::{CONNECT_PATH, Peer, Site, text};
use crate::cluster::{self, Cluster};

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

#[derive(Debug, Clone, Copy, Serialize)]
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

#[derive(Debug, Clone, Serialize)]
struct WebTransport {
    url: String,
    /// `pki`: a public authority vouches. `hash`: pin one of `hashes`.
    certificate: &'static str,
    hashes: Vec<Hash>,
}

impl WebTransport {
    /// At the node of this authority, with these certificates to pin.
    fn at(authority: &str, pins: Vec<String>) -> Self {
        let hash = |value| Hash {
            algorithm: "sha-256",
            value,
        };
        Self {
            url: format!("https://{authority}{CONNECT_PATH}"),
            certificate: if pins.is_empty() { "pki" } else { "hash" },
            hashes: pins.into_iter().map(hash).collect(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct Hash {
    algorithm: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Neighbour {
    name: String,
    url: String,
    zone: Option<String>,
    protocol: Protocol,
    #[serde(skip_serializing_if = "Option::is_none")]
    webtransport: Option<WebTransport>,
}

impl From<cluster::Neighbour> for Neighbour {
    fn from(one: cluster::Neighbour) -> Self {
        let (min, max) = one.protocol;
        let authority = one.url.split_once("://").map_or(&*one.url, |(_, authority)| authority);
        Self {
            webtransport: one.webtransport.map(|pins| WebTransport::at(authority, pins)),
            name: one.name.to_string(),
            zone: Some(one.zone).filter(|zone| !zone.is_empty()),
            protocol: Protocol { min, max },
            url: one.url,
        }
    }
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
    let webtransport = site
        .webtransport
        .then(|| WebTransport::at(&base.authority, site.certificate.hashes()));
    let protocol = Protocol {
        min: version::VERSION_MIN,
        max: version::VERSION_MAX,
    };
    let rules = &services.config.client.websocket_browsers;
    let browsers = rules.iter().map(|rule| Browser {
        name: rule.name.clone(),
        below: rule.below,
        transport: "websocket",
    });
    let zone = &services.config.node.zone;
    let discovery = Discovery {
        protocol,
        node: Node {
            name: services.greeting.node.clone(),
            generation: services.greeting.generation,
        },
        heartbeat_ms: u64::try_from(services.settings.heartbeat.as_millis()).unwrap_or(u64::MAX),
        websocket: WebSocket {
            url: socket(if base.secure { "wss" } else { "ws" }),
        },
        nodes: nodes(
            Neighbour {
                name: services.greeting.node.clone(),
                url: format!("{}://{}", if base.secure { "https" } else { "http" }, base.authority),
                zone: (!zone.is_empty()).then(|| zone.clone()),
                protocol,
                webtransport: webtransport.clone(),
            },
            services.cluster.as_deref(),
        ),
        webtransport,
        browsers: browsers.collect(),
    };
    // Certificates and nodes change: what was true a minute ago is not to be relied on.
    ([(header::CACHE_CONTROL, "no-store")], Json(discovery))
}

/// The nodes that take clients, this one first. One that is about to end leaves itself out, if there is another.
fn nodes(this: Neighbour, cluster: Option<&Cluster>) -> Vec<Neighbour> {
    let Some(cluster) = cluster else {
        return vec![this];
    };
    let others: Vec<_> = cluster.neighbours().into_iter().map(Neighbour::from).collect();
    let stays = others.is_empty() || !cluster.is_draining();
    stays.then_some(this).into_iter().chain(others).collect()
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
