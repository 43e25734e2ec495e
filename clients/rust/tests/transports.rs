//! How a client finds its transport: discovery, the race, certificates.

mod support;

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use starling_client::{Client, State, Transport, Transports};
use starling_protocol::frame::{Decoder, decode_client, encode_server};
use starling_protocol::v1::client_frame;
use support::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_websockets::ServerBuilder;
use wtransport::{Endpoint, Identity, ServerConfig};

type Node = Endpoint<wtransport::endpoint::endpoint_side::Server>;

/// A WebTransport endpoint, and what a description says of it.
fn webtransport() -> (Node, String) {
    let identity = Identity::self_signed(["127.0.0.1"]).expect("a certificate");
    let hash = identity.certificate_chain().as_slice()[0].hash();
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let address = "127.0.0.1:0".parse().expect("an address");
    let config = ServerConfig::builder()
        .with_bind_address(address)
        .with_identity(identity)
        .build();
    let endpoint = Endpoint::server(config).expect("a free port");
    let port = endpoint.local_addr().expect("it is bound").port();
    let hashes = format!("[{{\"algorithm\":\"sha-256\",\"value\":\"{hex}\"}}]");
    let described =
        format!("{{\"url\":\"https://127.0.0.1:{port}/connect\",\"certificate\":\"hash\",\"hashes\":{hashes}}}");
    (endpoint, described)
}

/// Welcomes one client, and keeps the session.
async fn welcome(endpoint: &Node) -> (wtransport::Connection, wtransport::SendStream) {
    let connection = endpoint
        .accept()
        .await
        .await
        .expect("a request")
        .accept()
        .await
        .expect("a session");
    let (mut send, mut receive) = connection.accept_bi().await.expect("the client's stream");
    let mut buffer = bytes::BytesMut::new();
    let hello = loop {
        if let Some(frame) = Decoder::new(4096).decode(&mut buffer).expect("frames") {
            break decode_client(frame).expect("a frame within the rules");
        }
        let mut chunk = [0; 4096];
        let read = receive.read(&mut chunk).await.expect("a live stream").expect("a hello");
        buffer.extend_from_slice(&chunk[..read]);
    };
    assert!(matches!(hello, client_frame::Body::Hello(_)));
    send.write_all(&encode_server(support::welcome()).stream())
        .await
        .expect("a live stream");
    (connection, send)
}

async fn transport(client: &Client) -> Transport {
    timeout(Duration::from_secs(10), client.connected())
        .await
        .expect("in time")
        .expect("connected");
    match &*client.state().borrow() {
        State::Connected { transport, .. } => *transport,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn webtransport_is_preferred_and_its_certificate_pinned() {
    let (endpoint, described) = webtransport();
    let mut server = Server::start().await;
    server.webtransport = Some(described);
    let client = server.builder().build().expect("good settings");
    let (_session, transport) = tokio::select! {
        _ = server.accept() => panic!("a WebSocket, although WebTransport works"),
        both = async { tokio::join!(welcome(&endpoint), transport(&client)) } => both,
    };
    assert_eq!(transport, Transport::WebTransport);
}

#[tokio::test]
async fn where_udp_goes_nowhere_a_websocket_is_used() {
    let nowhere = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let port = nowhere.local_addr().expect("it is bound").port();
    let mut server = Server::start().await;
    let hash = "00".repeat(32);
    server.webtransport = Some(format!(
        "{{\"url\":\"https://127.0.0.1:{port}/connect\",\"certificate\":\"hash\",\
         \"hashes\":[{{\"algorithm\":\"sha-256\",\"value\":\"{hash}\"}}]}}"
    ));
    let client = server
        .builder()
        .transport(Transports::Auto)
        .build()
        .expect("good settings");
    let (_session, transport) = tokio::join!(server.session(), transport(&client));
    assert_eq!(transport, Transport::WebSocket);
}

#[tokio::test]
async fn a_node_without_webtransport_says_so() {
    let server = Server::start().await;
    let client = server
        .builder()
        .transport(Transports::WebTransport)
        .build()
        .expect("good settings");
    let mut state = client.state();
    let told = state.wait_for(|state| matches!(state, State::Reconnecting { .. }));
    let error = tokio::select! {
        _ = server.accept() => panic!("a WebSocket, which was not allowed"),
        told = told => match &*told.expect("the client lives") {
            State::Reconnecting { error, .. } => error.clone(),
            other => panic!("{other:?}"),
        },
    };
    assert!(error.contains("offers no WebTransport"), "{error}");
}

#[tokio::test]
async fn https_needs_a_certificate_that_is_trusted() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let root = certified.cert.der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider's versions")
        .with_no_client_auth()
        .with_single_cert(vec![root.clone()], key)
        .expect("a certificate with its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let authority = format!("localhost:{}", listener.local_addr().expect("it is bound").port());
    let url = format!("https://{authority}");

    let stranger = Client::builder(&url).build().expect("good settings");
    let mut state = stranger.state();
    let (refused, ()) = tokio::join!(
        state.wait_for(|state| matches!(state, State::Reconnecting { .. })),
        async {
            let (stream, _) = listener.accept().await.expect("a client");
            assert!(
                acceptor.accept(stream).await.is_err(),
                "the client does not trust the certificate"
            );
        }
    );
    assert!(matches!(&*refused.expect("the client lives"), State::Reconnecting { error, .. } if error.contains("TLS")));
    drop(stranger);

    let client = Client::builder(&url)
        .root_certificate(root)
        .build()
        .expect("good settings");
    let serve = async {
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            // The stranger may still be trying.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.expect("a request");
            assert!(request[..read].starts_with(b"GET /.well-known/starling HTTP/1.1\r\n"));
            let body = format!(
                "{{\"protocol\":{{\"min\":1,\"max\":1}},\"websocket\":{{\"url\":\"wss://{authority}/connect\"}}}}"
            );
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.expect("a live socket");
            let (stream, _) = listener.accept().await.expect("a client");
            let stream = acceptor
                .accept(stream)
                .await
                .expect("the client trusts the certificate");
            return ServerBuilder::new().accept(stream).await.expect("an upgrade");
        }
    };
    let _session = timeout(Duration::from_secs(10), serve).await.expect("in time");
    drop(client);
}
