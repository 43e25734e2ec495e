//! One connection of an editor: a WebSocket to a node, and the messages of y-websocket on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_websockets::{ClientBuilder, Message as Frame, WebSocketStream};
use yrs::encoding::read;
use yrs::sync::{Message, MessageReader};
use yrs::updates::decoder::DecoderV1;
use yrs::updates::encoder::Encode as _;

use crate::error::Error;
use crate::setup::{CLIENT_PORT, NodeSetup};

use super::failed;

/// How long a node may take to let an editor in. One that stands still does not.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// From 4400 to 4499 a code tells clients to stay away.
const STAY_AWAY: std::ops::Range<u16> = 4_400..4_500;

/// How lines are opened: whom they trust.
#[derive(Clone)]
pub(super) struct Dialer(TlsConnector);

/// See the module.
pub(super) struct Line(WebSocketStream<TlsStream<TcpStream>>);

/// What a line brings.
pub(super) enum Heard {
    Messages(Vec<Message>),
    /// It is over, and why.
    Closed {
        reason: String,
        stays_away: bool,
    },
}

impl Dialer {
    pub(super) fn new(authority: CertificateDer<'static>) -> Result<Self, Error> {
        let unusable = |error: rustls::Error| failed("TLS for editors", &error);
        let mut roots = RootCertStore::empty();
        roots.add(authority).map_err(unusable)?;
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Opens a document at a node.
    pub(super) async fn open(&self, node: &NodeSetup, document: &str, token: &str) -> Result<Line, String> {
        let address = SocketAddr::from((node.address, CLIENT_PORT));
        let uri = format!("wss://{address}/yjs/{document}?token={token}");
        let uri = uri.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let opening = async {
            let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let name = ServerName::IpAddress(address.ip().into());
            let stream = self.0.connect(name, stream).await.map_err(|error| error.to_string())?;
            let opened = ClientBuilder::from_uri(uri).connect_on(stream).await;
            opened
                .map(|(socket, _)| Line(socket))
                .map_err(|error| error.to_string())
        };
        let late = |_| format!("not open within {OPEN_WITHIN:?}");
        timeout(OPEN_WITHIN, opening).await.map_err(late)?
    }
}

impl Line {
    /// Says something. An error is the end of the line, which `hear` tells as well.
    pub(super) async fn say(&mut self, message: &Message) -> Result<(), String> {
        let frame = Frame::binary(message.encode_v1());
        self.0.send(frame).await.map_err(|error| error.to_string())
    }

    /// What comes next.
    pub(super) async fn hear(&mut self) -> Heard {
        let closed = |reason: String| Heard::Closed {
            reason,
            stays_away: false,
        };
        loop {
            let frame = match self.0.next().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return closed(error.to_string()),
                None => return closed("the connection ended".into()),
            };
            if let Some((code, reason)) = frame.as_close() {
                let code = u16::from(code);
                return Heard::Closed {
                    reason: format!("closed with {code}, {reason}"),
                    stays_away: STAY_AWAY.contains(&code),
                };
            }
            if frame.is_binary() {
                return match read_messages(frame.as_payload()) {
                    Ok(messages) => Heard::Messages(messages),
                    Err(error) => closed(format!("what the node said cannot be read: {error}")),
                };
            }
        }
    }
}

/// The messages of a frame, one after the other.
fn read_messages(frame: &[u8]) -> Result<Vec<Message>, read::Error> {
    let mut decoder = DecoderV1::new(read::Cursor::new(frame));
    MessageReader::new(&mut decoder).collect()
}
