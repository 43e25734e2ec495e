//! What a node tells of itself at `/.well-known/starling`: where its transports are and who its neighbours are.
//!
//! ```json
//! {
//!   "protocol": {"min": 1, "max": 1},
//!   "node": {"name": "a", "generation": 7},
//!   "heartbeat_ms": 10000,
//!   "websocket": {"url": "ws://127.0.0.1:4433/connect"},
//!   "webtransport": {"url": "https://127.0.0.1:4433/connect", "certificate": "hash",
//!                    "hashes": [{"algorithm": "sha-256", "value": "<64 hex digits>"}]},
//!   "nodes": [{"name": "a", "url": "http://127.0.0.1:4433", "zone": null, "protocol": {"min": 1, "max": 1}}]
//! }
//! ```
//!
//! `webtransport` may be absent. Fields this client does not know are ignored; `protocol`, `node` and `heartbeat_ms`
//! are for other readers, because Welcome says what holds.
//!
//! A certificate hash is as good as the connection it came over. It is trusted over https, and from this machine
//! itself; from anywhere else the certificate must stand the test of the certificate authorities.

use serde::Deserialize;
use starling_protocol::version;
use thiserror::Error;
use url::Url;

use crate::tls::Trust;

mod fetch;

pub(crate) use self::fetch::{FetchError, fetch};

/// What a client uses of what a node told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) websocket: Url,
    pub(crate) webtransport: Option<WebTransport>,
    /// HTTP bases of the nodes of the cluster.
    pub(crate) neighbours: Vec<Url>,
}

/// Where WebTransport is, and how its certificate is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebTransport {
    pub(crate) url: Url,
    pub(crate) trust: Trust,
}

/// What the document came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// TLS, with a certificate that proved the host.
    pub(crate) is_verified: bool,
    /// This machine.
    pub(crate) is_loopback: bool,
}

/// Why a document is of no use.
#[derive(Debug, Error)]
pub(crate) enum DocumentError {
    #[error("it is not a Starling node's description: {0}")]
    NotOne(#[from] serde_json::Error),
    #[error("it speaks protocol versions {min} to {max}, and this client {ours_min} to {ours_max}; update the older one",
        ours_min = version::VERSION_MIN, ours_max = version::VERSION_MAX)]
    Version { min: u32, max: u32 },
    #[error("its WebSocket is at {url:?}, which is not a ws or wss URL; correct the node's public URL")]
    BadWebSocket { url: String },
    #[error("it was reached over https and leads to {url}, which is not encrypted; correct the node's public URL")]
    Downgrade { url: Url },
}

/// Reads a node's description.
pub(crate) fn read(document: &[u8], source: Source) -> Result<Node, DocumentError> {
    let document: Document = serde_json::from_slice(document)?;
    let Versions { min, max } = document.protocol;
    if version::choose(min, max).is_none() {
        return Err(DocumentError::Version { min, max });
    }
    let websocket = Url::parse(&document.websocket.url)
        .ok()
        .filter(|url| matches!(url.scheme(), "ws" | "wss") && url.has_host())
        .ok_or(DocumentError::BadWebSocket {
            url: document.websocket.url,
        })?;
    if source.is_verified && websocket.scheme() == "ws" {
        return Err(DocumentError::Downgrade { url: websocket });
    }
    let webtransport = document.webtransport.and_then(|described| described.usable(source));
    let neighbours = document.nodes.iter().filter_map(Neighbour::usable).collect();
    Ok(Node {
        websocket,
        webtransport,
        neighbours,
    })
}

#[derive(Deserialize)]
struct Document {
    protocol: Versions,
    websocket: Address,
    webtransport: Option<Described>,
    #[serde(default)]
    nodes: Vec<Neighbour>,
}

#[derive(Deserialize)]
struct Versions {
    min: u32,
    max: u32,
}

#[derive(Deserialize)]
struct Address {
    url: String,
}

#[derive(Deserialize)]
struct Neighbour {
    url: String,
    /// Absent from a node of an older version, which is asked itself.
    protocol: Option<Versions>,
}

#[derive(Deserialize)]
struct Described {
    url: String,
    certificate: String,
    #[serde(default)]
    hashes: Vec<Hash>,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

impl Neighbour {
    /// `None` if this client could not talk to it: in the middle of an upgrade not all nodes speak the same versions.
    fn usable(&self) -> Option<Url> {
        let speaks = |versions: &Versions| version::choose(versions.min, versions.max).is_some();
        let url = Url::parse(&self.url).ok()?;
        self.protocol.as_ref().is_none_or(speaks).then_some(url)
    }
}

impl Described {
    /// `None` if this client cannot use it: a WebSocket is always there instead.
    fn usable(self, source: Source) -> Option<WebTransport> {
        let url = Url::parse(&self.url)
            .ok()
            .filter(|url| url.scheme() == "https" && url.has_host())?;
        let hashes: Vec<_> = self.hashes.iter().filter_map(Hash::sha256).collect();
        let by_hash = self.certificate == "hash" && (source.is_verified || source.is_loopback) && !hashes.is_empty();
        Some(WebTransport {
            url,
            trust: if by_hash { Trust::Hashes(hashes) } else { Trust::Roots },
        })
    }
}

impl Hash {
    fn sha256(&self) -> Option<[u8; 32]> {
        let digits = self.value.as_bytes();
        if self.algorithm != "sha-256" || digits.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, digits) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let value = |digit: u8| {
                char::from(digit)
                    .to_digit(16)
                    .and_then(|value| u8::try_from(value).ok())
            };
            *byte = value(digits[0])? << 4 | value(digits[1])?;
        }
        Some(hash)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const LOOPBACK: Source = Source {
        is_verified: false,
        is_loopback: true,
    };
    const PLAIN: Source = Source {
        is_verified: false,
        is_loopback: false,
    };
    const HTTPS: Source = Source {
        is_verified: true,
        is_loopback: false,
    };

    fn document() -> Value {
        json!({
            "protocol": {"min": 1, "max": 1},
            "node": {"name": "a", "generation": 7},
            "heartbeat_ms": 10000,
            "websocket": {"url": "ws://127.0.0.1:4433/connect"},
            "webtransport": {"url": "https://127.0.0.1:4433/connect", "certificate": "hash",
                "hashes": [{"algorithm": "sha-256", "value": "0F".repeat(32)}, {"algorithm": "md5", "value": "00"}]},
            "nodes": [
                {"name": "a", "url": "http://127.0.0.1:4433", "zone": null, "protocol": {"min": 1, "max": 1}},
                {"url": "http://127.0.0.1:4443"},
                {"url": "http://127.0.0.1:4453", "protocol": {"min": 2, "max": 3}},
                {"url": "not a url"},
            ],
        })
    }

    fn read(document: &Value, source: Source) -> Result<Node, DocumentError> {
        super::read(document.to_string().as_bytes(), source)
    }

    #[test]
    fn a_node_describes_itself() {
        let node = read(&document(), LOOPBACK).expect("the example of the documentation");
        assert_eq!(node.websocket.as_str(), "ws://127.0.0.1:4433/connect");
        let webtransport = node.webtransport.expect("it is described");
        assert_eq!(webtransport.url.as_str(), "https://127.0.0.1:4433/connect");
        assert_eq!(webtransport.trust, Trust::Hashes(vec![[0x0f; 32]]));
        let neighbours: Vec<_> = node.neighbours.iter().map(Url::as_str).collect();
        assert_eq!(neighbours, ["http://127.0.0.1:4433/", "http://127.0.0.1:4443/"]);
    }

    #[test]
    fn hashes_are_trusted_only_from_a_trusted_source() {
        let trust = |source| {
            let mut document = document();
            document["websocket"]["url"] = json!("wss://a/connect");
            read(&document, source)
                .expect("readable")
                .webtransport
                .map(|webtransport| webtransport.trust)
        };
        assert_eq!(trust(PLAIN), Some(Trust::Roots));
        assert!(matches!(trust(HTTPS), Some(Trust::Hashes(_))));
        assert!(matches!(trust(LOOPBACK), Some(Trust::Hashes(_))));
    }

    #[test]
    fn a_certificate_of_an_authority_is_not_pinned() {
        let mut document = document();
        document["webtransport"]["certificate"] = json!("pki");
        let node = read(&document, LOOPBACK).expect("readable");
        assert_eq!(
            node.webtransport.map(|webtransport| webtransport.trust),
            Some(Trust::Roots)
        );
    }

    #[test]
    fn a_node_without_webtransport_is_a_node() {
        let mut document = document();
        document.as_object_mut().expect("an object").remove("webtransport");
        assert_eq!(read(&document, PLAIN).expect("readable").webtransport, None);
        document["webtransport"] = json!({"url": "http://a", "certificate": "pki"});
        assert_eq!(
            read(&document, PLAIN).expect("readable").webtransport,
            None,
            "QUIC is never plain"
        );
    }

    #[test]
    fn https_does_not_lead_to_a_plain_websocket() {
        assert!(matches!(read(&document(), HTTPS), Err(DocumentError::Downgrade { .. })));
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_reason() {
        assert!(matches!(super::read(b"<html>", PLAIN), Err(DocumentError::NotOne(_))));
        let mut version = document();
        version["protocol"] = json!({"min": 2, "max": 3});
        assert!(matches!(
            read(&version, PLAIN),
            Err(DocumentError::Version { min: 2, max: 3 })
        ));
        let mut websocket = document();
        websocket["websocket"]["url"] = json!("http://a/connect");
        assert!(matches!(
            read(&websocket, PLAIN),
            Err(DocumentError::BadWebSocket { .. })
        ));
    }
}
