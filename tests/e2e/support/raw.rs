//! Clients that send whatever they like and hide nothing of what they hear.
//!
//! They speak the protocol below the client library: frame by frame, or byte by byte, over either transport. What they
//! are answered is read with the protocol's own checks, so every test is also one of what the node sends.

use std::io;

use starling_mesh::transport::Transport;
use starling_protocol::frame::{Encoded, decode_server, encode_client};
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, client_frame};

use super::eventually::soon;
use super::node::Node;

mod frames;
pub(crate) mod websocket;
pub(crate) mod webtransport;

pub(crate) use frames::{attach_to, hello, publish};

use websocket::{Message, Socket};
use webtransport::{Endpoint, Stream};

/// A way to a node over one transport, for one connection or many.
pub(crate) enum Dialer {
    WebSocket {
        node: std::net::SocketAddr,
        is_narrow: bool,
    },
    WebTransport(Endpoint),
}

/// A connection, and the session on it once it has said hello.
pub(crate) struct Raw(Carrier);

enum Carrier {
    WebSocket(Socket),
    WebTransport(Stream),
}

/// What comes from the server.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    /// A frame.
    Frame(Body),
    /// The end, with the code of the transport if it gave one.
    Closed(Option<u16>),
}

impl Dialer {
    /// A way with buffers of the usual size.
    pub(crate) async fn new(node: &Node, transport: Transport) -> Self {
        match transport {
            Transport::WebSocket => Self::WebSocket {
                node: node.address(),
                is_narrow: false,
            },
            Transport::WebTransport => Self::WebTransport(Endpoint::new(node, false).await),
        }
    }

    /// A way with buffers so small that who does not read is felt at once.
    pub(crate) async fn narrow(node: &Node, transport: Transport) -> Self {
        match transport {
            Transport::WebSocket => Self::WebSocket {
                node: node.address(),
                is_narrow: true,
            },
            Transport::WebTransport => Self::WebTransport(Endpoint::new(node, true).await),
        }
    }

    /// Connects, and says nothing.
    pub(crate) async fn connect(&self) -> Raw {
        match self.try_connect().await {
            Ok(raw) => raw,
            Err(why) => panic!("the node takes no connection: {why}"),
        }
    }

    /// Connects, if the node takes one more; else says why it did not.
    pub(crate) async fn try_connect(&self) -> Result<Raw, String> {
        let connect = async {
            Ok(Raw(match self {
                Self::WebSocket { node, is_narrow } => {
                    let socket = Socket::connect(*node, *is_narrow).await;
                    Carrier::WebSocket(socket.map_err(|error| error.to_string())?)
                }
                Self::WebTransport(endpoint) => {
                    let stream = endpoint.connect().await;
                    Carrier::WebTransport(stream.map_err(|error| error.to_string())?)
                }
            }))
        };
        soon("a connection", connect).await
    }

    /// Opens a session.
    pub(crate) async fn open(&self) -> Raw {
        let mut raw = self.connect().await;
        raw.hello().await;
        raw
    }
}

impl Raw {
    /// Connects over `transport`, and says nothing.
    pub(crate) async fn connect(node: &Node, transport: Transport) -> Self {
        Dialer::new(node, transport).await.connect().await
    }

    /// Opens a session over `transport`.
    pub(crate) async fn open(node: &Node, transport: Transport) -> Self {
        Dialer::new(node, transport).await.open().await
    }

    /// Says hello and reads the welcome.
    pub(crate) async fn hello(&mut self) -> v1::Welcome {
        self.send(hello()).await;
        match self.next().await {
            Heard::Frame(Body::Welcome(welcome)) => welcome,
            other => panic!("{other:?} instead of a welcome"),
        }
    }

    /// Attaches to a channel at its head, and gives its number.
    pub(crate) async fn attach(&mut self, channel: &str) -> u32 {
        self.send(attach_to(1, channel, None)).await;
        match self.next().await {
            Heard::Frame(Body::Attached(attached)) => attached.channel_id,
            other => panic!("{other:?} instead of attached"),
        }
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, body: impl Into<client_frame::Body>) {
        self.try_send(body).await.expect("the connection takes a frame");
    }

    /// Sends a frame; a server that is hanging up may not take it.
    pub(crate) async fn try_send(&mut self, body: impl Into<client_frame::Body>) -> io::Result<()> {
        let bytes = self.framed(&encode_client(body));
        self.write(&bytes).await
    }

    /// Sends frames in one piece.
    pub(crate) async fn send_all(&mut self, frames: impl IntoIterator<Item = client_frame::Body>) {
        let framed = |frame: client_frame::Body| self.framed(&encode_client(frame));
        let bytes: Vec<u8> = frames.into_iter().flat_map(framed).collect();
        self.write(&bytes).await.expect("the connection takes frames");
    }

    /// Sends a body that need not be a frame, with the transport's own framing around it.
    pub(crate) async fn send_body(&mut self, body: &[u8]) {
        let bytes = match &self.0 {
            Carrier::WebSocket(_) => websocket::binary(body),
            Carrier::WebTransport(_) => webtransport::with_length(body),
        };
        self.write(&bytes).await.expect("the connection takes a body");
    }

    /// Sends the beginning of a frame that says it has `bytes` bytes.
    pub(crate) async fn announce(&mut self, bytes: u64) {
        let head = match &self.0 {
            Carrier::WebSocket(_) => websocket::header(websocket::BINARY, bytes),
            Carrier::WebTransport(_) => webtransport::length(bytes),
        };
        self.write(&head).await.expect("the connection takes a few bytes");
    }

    /// The bytes of a frame as the transport carries it.
    pub(crate) fn framed(&self, frame: &Encoded) -> Vec<u8> {
        match &self.0 {
            Carrier::WebSocket(_) => websocket::binary(&frame.message()),
            Carrier::WebTransport(_) => frame.stream().to_vec(),
        }
    }

    /// Sends bytes that need not be frames.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Carrier::WebSocket(socket) => socket.write(bytes).await,
            Carrier::WebTransport(stream) => stream.write(bytes).await,
        }
    }

    /// The next thing that is heard. Giving up the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Heard {
        soon("something from the server", self.hear()).await
    }

    /// The same, for who may wait for ever.
    pub(crate) async fn hear(&mut self) -> Heard {
        let body = match &mut self.0 {
            Carrier::WebSocket(socket) => match socket.next().await {
                Message::Binary(body) => body,
                Message::Closed(code) => return Heard::Closed(code),
            },
            Carrier::WebTransport(stream) => match stream.next().await {
                Some(body) => body,
                None => return Heard::Closed(None),
            },
        };
        Heard::Frame(decode_server(body).expect("the node sends only what the protocol allows"))
    }

    /// The next frame that is no ping. Pings are answered.
    pub(crate) async fn frame(&mut self) -> Body {
        loop {
            match self.next().await {
                Heard::Frame(Body::Ping(ping)) => {
                    self.send(v1::Pong {
                        nonce: ping.nonce,
                        time_ms: 0,
                    })
                    .await
                }
                Heard::Frame(frame) => return frame,
                Heard::Closed(code) => panic!("the server hung up ({code:?})"),
            }
        }
    }

    /// Reads on to the goodbye and the end behind it; gives the code, which a WebSocket must repeat.
    pub(crate) async fn farewell(&mut self) -> v1::Goodbye {
        let mut goodbye = None;
        loop {
            match self.next().await {
                Heard::Frame(Body::Goodbye(said)) => goodbye = Some(said),
                Heard::Frame(_) => assert!(goodbye.is_none(), "a goodbye is the last frame"),
                Heard::Closed(code) => {
                    let goodbye = goodbye.unwrap_or_else(|| panic!("closed with {code:?} and without a goodbye"));
                    assert!(
                        code.is_none_or(|code| u32::from(code) == goodbye.code),
                        "{code:?} and {goodbye:?}"
                    );
                    return goodbye;
                }
            }
        }
    }

    /// The answer to the request with this number.
    pub(crate) async fn answer(&mut self, request: u64) -> Body {
        loop {
            let frame = self.frame().await;
            let answers = match &frame {
                Body::Attached(frame) => frame.request,
                Body::Detached(frame) => frame.request,
                Body::Ack(frame) => frame.request,
                Body::Entered(frame) => frame.request,
                Body::Left(frame) => frame.request,
                Body::Watched(frame) => frame.request,
                Body::DocumentOpened(frame) => frame.request,
                Body::Error(frame) => frame.request,
                _ => continue,
            };
            if answers == request {
                return frame;
            }
        }
    }

    /// The refusal of the request with this number.
    pub(crate) async fn refusal(&mut self, request: u64) -> v1::Error {
        match self.answer(request).await {
            Body::Error(error) => error,
            other => panic!("{other:?} instead of a refusal"),
        }
    }

    /// The acknowledgement of the publish with this number.
    pub(crate) async fn ack(&mut self, request: u64) -> v1::Ack {
        match self.answer(request).await {
            Body::Ack(ack) => ack,
            other => panic!("{other:?} instead of an acknowledgement"),
        }
    }

    /// The WebSocket underneath.
    pub(crate) fn socket(&mut self) -> &mut Socket {
        match &mut self.0 {
            Carrier::WebSocket(socket) => socket,
            Carrier::WebTransport(_) => panic!("this is WebTransport"),
        }
    }

    /// The WebTransport stream underneath.
    pub(crate) fn stream(&mut self) -> &mut Stream {
        match &mut self.0 {
            Carrier::WebTransport(stream) => stream,
            Carrier::WebSocket(_) => panic!("this is WebSocket"),
        }
    }
}
