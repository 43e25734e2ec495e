//! One suite that both transports pass, over loopback sockets.

use futures_util::{SinkExt, StreamExt};
use starling_protocol::frame::{Decoder, decode_client, decode_server, encode_client, encode_server};
use starling_protocol::{limits, v1};
use tokio::net::TcpListener;
use tokio_websockets::{Message, ServerBuilder, WebSocketStream};
use wtransport::{Identity, ServerConfig, VarInt};

use super::*;
use crate::discovery;
use crate::tls::{Tls, Trust};
use crate::transport::sockets::Sockets;

/// The other end of a connection.
enum Peer {
    WebSocket(Box<WebSocketStream<tokio::net::TcpStream>>),
    WebTransport {
        connection: wtransport::Connection,
        send: wtransport::SendStream,
        receive: wtransport::RecvStream,
        buffer: bytes::BytesMut,
        _endpoint: wtransport::Endpoint<wtransport::endpoint::endpoint_side::Server>,
    },
}

impl Peer {
    async fn send(&mut self, frame: &Encoded) {
        match self {
            Self::WebSocket(socket) => socket
                .send(Message::binary(frame.message()))
                .await
                .expect("a live socket"),
            Self::WebTransport { send, .. } => send.write_all(&frame.stream()).await.expect("a live stream"),
        }
    }

    /// The next frame, or `None` once the client has closed the connection.
    async fn receive(&mut self) -> Option<Bytes> {
        match self {
            Self::WebSocket(socket) => loop {
                // The answer to a close message is written by asking for the next.
                let message = socket.next().await?.expect("a live socket");
                if message.is_binary() {
                    return Some(message.into_payload().into());
                }
            },
            Self::WebTransport { receive, buffer, .. } => loop {
                let decoder = Decoder::new(limits::CLIENT_FRAME_BYTES_MAX);
                if let Some(frame) = decoder.decode(buffer).expect("frames of the client") {
                    return Some(frame);
                }
                let mut chunk = [0; 4096];
                let read = receive.read(&mut chunk).await.expect("a live stream")?;
                buffer.extend_from_slice(&chunk[..read]);
            },
        }
    }

    /// Ends the connection with a code.
    async fn close(mut self, code: u16, reason: &str) {
        match &mut self {
            Self::WebSocket(socket) => {
                let code = code.try_into().expect("a code of the test");
                socket
                    .send(Message::close(Some(code), reason))
                    .await
                    .expect("a live socket");
            }
            Self::WebTransport {
                connection, _endpoint, ..
            } => {
                connection.close(VarInt::from_u32(code.into()), reason.as_bytes());
                _endpoint.wait_idle().await;
            }
        }
    }
}

async fn over_websocket() -> (Connection, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}/connect", listener.local_addr().expect("it is bound"))
        .parse()
        .expect("a URL");
    let accepted = async {
        let (stream, _) = listener.accept().await.expect("a client");
        let (request, socket) = ServerBuilder::new().accept(stream).await.expect("an upgrade");
        assert_eq!(request.uri().path(), "/connect");
        socket
    };
    let tls = Tls::new(Vec::new());
    let (connection, socket) = tokio::join!(websocket::connect(&url, &tls), accepted);
    (connection.expect("a WebSocket"), Peer::WebSocket(Box::new(socket)))
}

async fn over_webtransport() -> (Connection, Peer) {
    let identity = Identity::self_signed(["localhost"]).expect("a certificate");
    let hash = *identity.certificate_chain().as_slice()[0].hash().as_ref();
    let address = "127.0.0.1:0".parse().expect("an address");
    let config = ServerConfig::builder()
        .with_bind_address(address)
        .with_identity(identity)
        .build();
    let endpoint = wtransport::Endpoint::server(config).expect("a free port");
    let port = endpoint.local_addr().expect("it is bound").port();
    let url = format!("https://localhost:{port}/connect").parse().expect("a URL");
    let target = discovery::WebTransport {
        url,
        trust: Trust::Hashes(vec![[0; 32], hash]),
    };

    let accepted = async {
        let request = endpoint.accept().await.await.expect("a request");
        assert_eq!(request.path(), "/connect");
        let connection = request.accept().await.expect("a session");
        let (send, receive) = connection.accept_bi().await.expect("the client's stream");
        (connection, send, receive)
    };
    let (sockets, tls) = (Sockets::default(), Tls::new(Vec::new()));
    let known = (Some(url::Host::Domain("localhost")), address.ip());
    let connected = async {
        let mut connection = webtransport::connect(&target, known, (&sockets, &tls))
            .await
            .expect("a session");
        // The server learns of a stream from its first bytes.
        connection
            .outgoing
            .send(encode_client(v1::Ping { nonce: 0 }))
            .await
            .expect("a live stream");
        connection
    };
    let (connection, (session, send, receive)) = tokio::join!(connected, accepted);
    let buffer = bytes::BytesMut::new();
    let mut peer = Peer::WebTransport {
        connection: session,
        send,
        receive,
        buffer,
        _endpoint: endpoint,
    };
    assert!(peer.receive().await.is_some());
    (connection, peer)
}

async fn carries_frames((mut connection, mut peer): (Connection, Peer)) {
    for nonce in 1..=3 {
        connection
            .outgoing
            .feed(encode_client(v1::Ping { nonce }))
            .await
            .expect("a live connection");
    }
    connection.outgoing.flush().await.expect("a live connection");
    for nonce in 1..=3 {
        let frame = peer.receive().await.expect("a frame");
        assert_eq!(decode_client(frame), Ok(v1::Ping { nonce }.into()));
    }

    let small = encode_server(v1::Pong { nonce: 4, time_ms: 5 });
    peer.send(&small).await;
    let frame = connection.incoming.next().await.expect("open").expect("a frame");
    assert_eq!(decode_server(frame), Ok(v1::Pong { nonce: 4, time_ms: 5 }.into()));
}

async fn carries_the_largest((mut connection, mut peer): (Connection, Peer)) {
    let largest = |room: usize| {
        let payload = vec![7; limits::SERVER_FRAME_BYTES_MAX - room].into();
        encode_server(v1::Publication {
            channel_id: 1,
            seq: 1,
            payload,
            ..Default::default()
        })
    };
    let frame = largest(8);
    assert_eq!(frame.body_bytes(), limits::SERVER_FRAME_BYTES_MAX + 6 - 8 + 6);
    let too_large = frame;
    let frame = largest(12);
    assert_eq!(frame.body_bytes(), limits::SERVER_FRAME_BYTES_MAX);
    let before = connection.activity.last();
    let send = async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        peer.send(&frame).await;
        peer.send(&too_large).await;
    };
    let receive = async {
        let received = connection.incoming.next().await.expect("open").expect("a frame");
        assert_eq!(received.len(), limits::SERVER_FRAME_BYTES_MAX);
        assert!(connection.activity.last() > before, "reading is activity");
        let error = connection
            .incoming
            .next()
            .await
            .expect("open")
            .expect_err("it is too large");
        assert!(
            matches!(error, TransportError::Decode(DecodeError::TooLarge { .. })),
            "{error}"
        );
        assert!(error.is_violation());
    };
    // The rest of what is too large is never read, and so never written.
    tokio::select! {
        () = receive => {}
        () = async { send.await; std::future::pending().await } => unreachable!("it waits"),
    }
}

async fn says_how_it_ended((mut connection, peer): (Connection, Peer)) {
    let ended = async {
        let error = connection.incoming.next().await.expect("an end").expect_err("no frame");
        assert_eq!(error.code(), Some(4501), "{error}");
        assert!(error.to_string().contains("stopping"), "{error}");
        assert!(!error.is_violation());
    };
    tokio::join!(peer.close(4501, "stopping"), ended);
}

async fn closes_after_what_was_sent((mut connection, mut peer): (Connection, Peer)) {
    connection
        .outgoing
        .feed(encode_client(v1::Ping { nonce: 9 }))
        .await
        .expect("a live connection");
    let read = async {
        assert!(peer.receive().await.is_some(), "the frame came before the end");
        assert!(peer.receive().await.is_none());
        peer
    };
    let (closed, _peer) = tokio::join!(connection.outgoing.close(), read);
    closed.expect("closed in good order");
}

#[tokio::test]
async fn websocket_passes_the_suite() {
    carries_frames(over_websocket().await).await;
    carries_the_largest(over_websocket().await).await;
    says_how_it_ended(over_websocket().await).await;
    closes_after_what_was_sent(over_websocket().await).await;
}

#[tokio::test]
async fn webtransport_passes_the_suite() {
    carries_frames(over_webtransport().await).await;
    carries_the_largest(over_webtransport().await).await;
    says_how_it_ended(over_webtransport().await).await;
    closes_after_what_was_sent(over_webtransport().await).await;
}

#[tokio::test]
async fn a_text_message_is_not_a_frame() {
    let (mut connection, peer) = over_websocket().await;
    let Peer::WebSocket(mut socket) = peer else {
        unreachable!("it is a WebSocket")
    };
    socket.send(Message::text("hi")).await.expect("a live socket");
    let error = connection.incoming.next().await.expect("open").expect_err("no frame");
    assert!(error.is_violation(), "{error}");
}

#[tokio::test]
async fn a_certificate_with_another_hash_is_refused() {
    let identity = Identity::self_signed(["localhost"]).expect("a certificate");
    let address = "127.0.0.1:0".parse().expect("an address");
    let config = ServerConfig::builder()
        .with_bind_address(address)
        .with_identity(identity)
        .build();
    let endpoint = wtransport::Endpoint::server(config).expect("a free port");
    let port = endpoint.local_addr().expect("it is bound").port();
    let url = format!("https://127.0.0.1:{port}/connect").parse().expect("a URL");
    let target = discovery::WebTransport {
        url,
        trust: Trust::Hashes(vec![[0; 32]]),
    };
    let (sockets, tls) = (Sockets::default(), Tls::new(Vec::new()));
    let serve = async {
        let _refused = endpoint.accept().await.await;
    };
    let (connected, ()) = tokio::join!(
        webtransport::connect(&target, (None, address.ip()), (&sockets, &tls)),
        serve
    );
    assert!(connected.is_err());
}
