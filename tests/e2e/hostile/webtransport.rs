//! What only WebTransport makes possible.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use starling_mesh::transport::Transport;
use starling_protocol::close::CloseCode;
use tokio::time::{sleep, timeout};
use wtransport::error::ConnectingError;

use super::grew_little;
use crate::support::eventually::soon;
use crate::support::node::Node;
use crate::support::raw::Raw;
use crate::support::raw::webtransport::Endpoint;
use crate::support::settings::Settings;

/// Streams that a stranger tries to open.
const STREAMS: usize = 200;

/// How long a stream may take to be permitted. One that is not permitted never is.
const PERMIT_TIME: Duration = Duration::from_millis(500);

#[tokio::test]
async fn two_hundred_streams_before_hello() {
    let node = Node::start(Settings::default()).await;
    let mut raw = Raw::connect(&node, Transport::WebTransport).await;
    let before = node.resident_bytes();
    let quic = raw.stream().connection().quic_connection().clone();
    let bidirectional = join_all((0..STREAMS).map(|_| timeout(PERMIT_TIME, quic.open_bi()))).await;
    let one_way = join_all((0..STREAMS).map(|_| timeout(PERMIT_TIME, quic.open_uni()))).await;
    let permitted = bidirectional
        .iter()
        .filter(|stream| matches!(stream, Ok(Ok(_))))
        .count();
    assert_eq!(
        permitted, 0,
        "the session's own stream and the one of its frames are all there is"
    );
    let permitted = one_way.iter().filter(|stream| matches!(stream, Ok(Ok(_)))).count();
    assert!(
        permitted <= 3,
        "{permitted}: HTTP/3 needs three one-way streams, and uses some itself"
    );
    // On the one stream that is there, all goes on as if nothing had happened.
    raw.hello().await;
    raw.attach("demo:a").await;
    node.carries(1, Transport::WebTransport).await;
    grew_little(&node, before);
    drop((raw, bidirectional, one_way));
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_length_that_is_not_in_its_shortest_form() {
    let node = Node::start(Settings::default()).await;
    for prefix in [&[0x80, 0x00][..], &[0xff; 11]] {
        let mut raw = Raw::connect(&node, Transport::WebTransport).await;
        raw.stream().write(prefix).await.expect("the node reads");
        assert_eq!(
            raw.farewell().await.code,
            u32::from(CloseCode::ProtocolError.number()),
            "{prefix:?}"
        );
    }
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_frame() {
    let node = Node::start(Settings::default()).await;
    let mut raw = Raw::open(&node, Transport::WebTransport).await;
    raw.stream().write(&[5, 0x12]).await.expect("the node reads");
    raw.stream().finish().await;
    assert_eq!(raw.farewell().await.code, u32::from(CloseCode::ProtocolError.number()));
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_session_without_a_stream() {
    let node = Node::start(Settings::default().set("session.hello_timeout", "1s")).await;
    let endpoint = Endpoint::new(&node, false).await;
    let session = endpoint.session(&[]).await.expect("a session");
    // It opened no stream to be told on, so it is told on one that the server opens.
    let mut told = soon("a stream of the server", session.accept_uni())
        .await
        .expect("a stream");
    let mut goodbye = Vec::new();
    let mut chunk = [0; 1_024];
    while let Some(length) = soon("the goodbye", told.read(&mut chunk)).await.expect("the stream") {
        goodbye.extend_from_slice(&chunk[..length]);
    }
    assert!(goodbye.len() > 20, "{goodbye:?}");
    let ended = soon("the end", session.closed()).await;
    assert!(format!("{ended:?}").contains("4508"), "{ended:?}");
    drop(session);
    node.is_unharmed().await;
    node.stop().await;
}

/// Handshake, session, stream and hello share one deadline: a step that is put off is no reason for more time.
#[tokio::test]
async fn the_time_for_hello_runs_from_the_first_packet() {
    let node = Node::start(Settings::default().set("session.hello_timeout", "3s")).await;
    let endpoint = Endpoint::new(&node, false).await;
    let began = Instant::now();
    let session = endpoint.session(&[]).await.expect("a session");
    sleep(Duration::from_secs(2)).await;
    let (mut send, mut receive) = session.open_bi().await.expect("room").await.expect("a stream");
    send.write_all(&[1]).await.expect("the node reads"); // half a frame, so that there is a stream
    let mut goodbye = [0; 1_024];
    let length = soon("the goodbye", receive.read(&mut goodbye)).await;
    let after = began.elapsed();
    assert!(length.expect("a stream").is_some_and(|length| length > 20));
    assert!(
        (Duration::from_millis(2_900)..Duration::from_millis(4_500)).contains(&after),
        "after {after:?}"
    );
    let ended = soon("the end", session.closed()).await;
    assert!(format!("{ended:?}").contains("4508"), "{ended:?}");
    drop((session, send, receive));
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_session_at_another_path() {
    let node = Node::start(Settings::default()).await;
    let endpoint = Endpoint::new(&node, false).await;
    for path in ["/", "/other", "/connect/more"] {
        let refused = soon("an answer", endpoint.at(path).session(&[])).await;
        assert!(
            matches!(refused, Err(ConnectingError::SessionRejected)),
            "{path}: {refused:?}"
        );
    }
    node.is_unharmed().await;
    node.stop().await;
}
