//! Where a server can be reached: `GET /.well-known/starling`, the part of it that a load needs.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::http;
use crate::error::LinkError;

/// Where every server answers.
pub(crate) const PATH: &str = "/.well-known/starling";

/// The transports of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Discovery {
    /// Where WebSockets are opened.
    pub(crate) websocket: WebSocket,
    /// Where WebTransport sessions are opened, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) webtransport: Option<WebTransport>,
}

/// Where WebSockets are opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WebSocket {
    /// `ws://host:port/path`.
    pub(crate) url: String,
}

/// Where WebTransport sessions are opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WebTransport {
    /// `https://host:port/path`.
    pub(crate) url: String,
    /// Certificates to trust.
    pub(crate) hashes: Vec<CertificateHash>,
}

/// The fingerprint of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CertificateHash {
    /// `sha-256`.
    pub(crate) algorithm: String,
    /// Lower-case hexadecimal digits.
    pub(crate) value: String,
}

impl Discovery {
    /// Asks the server at `address`.
    pub(crate) async fn fetch(address: SocketAddr) -> Result<Self, LinkError> {
        let body = http::fetch(address, PATH).await?;
        serde_json::from_slice(&body).map_err(|error| LinkError::Protocol(format!("{PATH} is not understood: {error}")))
    }

    /// The path of the WebSocket address.
    pub(crate) fn websocket_path(&self) -> Result<&str, LinkError> {
        self.websocket
            .url
            .strip_prefix("ws://")
            .and_then(|rest| rest.find('/').map(|slash| &rest[slash..]))
            .ok_or_else(|| LinkError::Protocol(format!("{:?} is not ws://host:port/path", self.websocket.url)))
    }

    /// The digests of the certificates to trust over WebTransport.
    pub(crate) fn digests(&self) -> Result<Vec<[u8; 32]>, LinkError> {
        let webtransport = self
            .webtransport
            .as_ref()
            .ok_or_else(|| LinkError::Protocol("the server does not offer WebTransport".into()))?;
        webtransport
            .hashes
            .iter()
            .filter(|hash| hash.algorithm == "sha-256")
            .map(|hash| {
                digest(&hash.value).ok_or_else(|| LinkError::Protocol(format!("{:?} is not a SHA-256", hash.value)))
            })
            .collect()
    }
}

/// Writes a digest as [`CertificateHash::value`].
pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|digit| digit.to_digit(16).map(|value| value as u8))
        .collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_spelling() {
        let bytes: [u8; 32] = std::array::from_fn(|index| (index * 7) as u8);
        assert_eq!(digest(&hex(&bytes)), Some(bytes));
        assert_eq!(digest("00"), None);
        assert_eq!(digest(&"0".repeat(63)), None);
        assert_eq!(digest(&"z".repeat(64)), None);
    }

    #[test]
    fn more_than_we_need_may_stand_in_the_document() {
        let document = r#"{"protocol":{"min":1,"max":1},"websocket":{"url":"ws://127.0.0.1:4433/connect"},
            "webtransport":{"url":"https://127.0.0.1:4433/connect","certificate":"hash",
            "hashes":[{"algorithm":"sha-256","value":"00"}]},"nodes":[]}"#;
        let discovery: Discovery = serde_json::from_str(document).expect("understood");
        assert_eq!(discovery.websocket_path().expect("has a path"), "/connect");
        assert!(discovery.digests().is_err(), "a digest has 32 bytes");
    }
}
