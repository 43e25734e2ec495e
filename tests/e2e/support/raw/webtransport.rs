//! A WebTransport session and its one stream, byte by byte.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use starling_protocol::frame::Decoder;
use starling_protocol::limits::SERVER_FRAME_BYTES_MAX;
use wtransport::endpoint::ConnectOptions;
use wtransport::endpoint::endpoint_side::Client;
use wtransport::error::{ConnectingError, ConnectionError};
use wtransport::quinn::TransportConfig;
use wtransport::tls::Sha256Digest;
use wtransport::{ClientConfig, Connection, RecvStream, SendStream};

use crate::support::http::Request;
use crate::support::node::Node;

/// Bytes a server may send to a client that does not read, beyond which it has to hold them itself.
const NARROW_BYTES: u32 = 32 * 1024;

/// Handshakes for one session, see [`is_mixed_up`].
const ATTEMPTS_MAX: u32 = 3;

/// HTTP/3's own error codes: RFC 9114, section 8.1.
const HTTP3_CODES: RangeInclusive<u64> = 0x100..=0x110;

/// A UDP socket, for one session or many.
pub(crate) struct Endpoint {
    endpoint: Arc<wtransport::Endpoint<Client>>,
    url: String,
}

impl Endpoint {
    /// An endpoint that trusts the node's certificate by the hashes that its discovery tells.
    pub(crate) async fn new(node: &Node, is_narrow: bool) -> Self {
        let discovery = Request::get("/.well-known/starling").send(node.address()).await.json();
        let described = &discovery["webtransport"];
        let hashes = described["hashes"]
            .as_array()
            .expect("a self-signed certificate")
            .iter()
            .map(|hash| {
                let digits = hash["value"].as_str().expect("hexadecimal digits");
                let bytes = (0..32).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("digits"));
                Sha256Digest::new(bytes.collect::<Vec<_>>().try_into().expect("32 bytes"))
            });
        let mut config = ClientConfig::builder()
            .with_bind_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .with_server_certificate_hashes(hashes)
            .build();
        if is_narrow {
            let mut transport = TransportConfig::default();
            transport
                .stream_receive_window(NARROW_BYTES.into())
                .receive_window((2 * NARROW_BYTES).into());
            config.quic_config_mut().transport_config(Arc::new(transport));
        }
        Self {
            endpoint: Arc::new(wtransport::Endpoint::client(config).expect("a UDP socket")),
            url: described["url"].as_str().expect("a URL").to_owned(),
        }
    }

    /// A session without its stream; more headers may go with the request.
    pub(crate) async fn session(&self, headers: &[(&str, &str)]) -> Result<Connection, ConnectingError> {
        let mut options = ConnectOptions::builder(&self.url);
        for (name, value) in headers {
            options = options.add_header(name, value);
        }
        self.endpoint.connect(options.build()).await
    }

    /// Opens a session and its stream, unless the node has no room.
    pub(super) async fn connect(&self) -> Result<Stream, ConnectingError> {
        let mut attempts = 0;
        let connection = loop {
            attempts += 1;
            match self.session(&[]).await {
                Ok(connection) => break connection,
                Err(error) if attempts < ATTEMPTS_MAX && is_mixed_up(&error) => {}
                Err(error) => return Err(error),
            }
        };
        let (send, receive) = connection
            .open_bi()
            .await
            .expect("room for a stream")
            .await
            .expect("a stream");
        Ok(Stream {
            connection,
            send,
            receive,
            received: BytesMut::new(),
            _endpoint: Arc::clone(&self.endpoint),
        })
    }

    /// At another path than the one of sessions.
    pub(crate) fn at(&self, path: &str) -> Self {
        Self {
            endpoint: Arc::clone(&self.endpoint),
            url: self.url.replace("/connect", path),
        }
    }
}

/// The stream of frames, and the session around it.
pub(crate) struct Stream {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    received: BytesMut,
    /// A connection ends with its endpoint.
    _endpoint: Arc<wtransport::Endpoint<Client>>,
}

impl Stream {
    /// Writes bytes that need not be frames.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send.write_all(bytes).await.map_err(io::Error::other)
    }

    /// Ends this side of the stream.
    pub(crate) async fn finish(&mut self) {
        self.send.quic_stream_mut().finish().expect("finished once");
    }

    /// The session around the stream.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The next body; `None` once the stream has ended, in order or not. Giving up the wait loses nothing.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let decoder = Decoder::new(SERVER_FRAME_BYTES_MAX);
            if let Some(body) = decoder.decode(&mut self.received).expect("the node sends frames") {
                return Some(body);
            }
            let chunk = self.receive.quic_stream_mut().read_chunk(usize::MAX, true).await;
            self.received.extend_from_slice(&chunk.ok().flatten()?.bytes);
        }
    }
}

/// Whether the other side took the settings of this one for something else. wtransport 0.7.2 sends them in pieces and,
/// reading them, forgets a piece when the request comes before the next: in one of a hundred handshakes where 3 % of the
/// packets are lost, and hardly ever on one machine. The node itself refuses with a code of QUIC, and closes with its own from 4000 on.
fn is_mixed_up(error: &ConnectingError) -> bool {
    let ConnectingError::ConnectionError(ConnectionError::ApplicationClosed(close)) = error else {
        return false;
    };
    HTTP3_CODES.contains(&close.code().into_inner())
}

/// A length as it stands before a body: unsigned LEB128.
pub(crate) fn length(mut bytes: u64) -> Vec<u8> {
    let mut length = Vec::new();
    while bytes >= 0x80 {
        length.push(bytes as u8 | 0x80);
        bytes >>= 7;
    }
    length.push(bytes as u8);
    length
}

/// A body behind its length.
pub(crate) fn with_length(body: &[u8]) -> Vec<u8> {
    [length(body.len() as u64), body.to_vec()].concat()
}
