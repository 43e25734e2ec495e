//! Datagrams: nothing in one is a fault of its session, and none is kept for long.

use starling_mesh::transport::Transport;
use starling_protocol::frame::encode_client;
use starling_protocol::limits::DATAGRAM_BYTES_MAX;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, client_frame};
use tokio::time::Instant;

use super::grew_little;
use crate::support::eventually::{becomes, eventually};
use crate::support::node::Node;
use crate::support::raw::webtransport::Endpoint;
use crate::support::raw::{Raw, hello, publish};
use crate::support::settings::Settings;

const ROOM: &str = "demo:room";

/// Datagrams of a flood.
const FLOOD: u64 = 20_000;

/// Ephemeral states that a session may send in a second, by default.
const RATE: f64 = 120.0;

fn cursor(channel: &str, number: u64) -> client_frame::Body {
    let ephemeral = v1::Ephemeral {
        channel: channel.to_owned(),
        number,
        state: "at".into(),
    };
    ephemeral.into()
}

fn send(raw: &mut Raw, body: &[u8]) {
    let sent = raw.stream().connection().send_datagram(body);
    sent.expect("a datagram fits the path");
}

/// How many came to this.
async fn count(node: &Node, result: &str) -> f64 {
    let metrics = node.metrics().await;
    metrics.sum("starling_datagrams_received_total", &[("result", result)])
}

/// The session answers, so it lives.
async fn answers(raw: &mut Raw) {
    raw.send(v1::Ping { nonce: 7 }).await;
    while !matches!(raw.frame().await, Body::Pong(_)) {}
}

#[tokio::test]
async fn whatever_a_datagram_holds_the_session_goes_on() {
    let node = Node::start(Settings::default()).await;
    let mut raw = Raw::connect(&node, Transport::WebTransport).await;
    // Before the hello, and before an entry.
    send(&mut raw, &encode_client(cursor(ROOM, 1)).message());
    becomes("what came too early", 1.0, async || count(&node, "ignored").await).await;
    raw.hello().await;
    send(&mut raw, &encode_client(cursor(ROOM, 2)).message());
    becomes("what is of nobody", 2.0, async || count(&node, "ignored").await).await;

    let other_bodies: [client_frame::Body; 5] = [
        hello().into(),
        publish(1, ROOM, "no").into(),
        v1::Ping { nonce: 1 }.into(),
        v1::Goodbye {
            code: 1_000,
            ..v1::Goodbye::default()
        }
        .into(),
        cursor("no-namespace", 1),
    ];
    let mut malformed: Vec<Vec<u8>> = other_bodies.map(|body| encode_client(body).message().to_vec()).into();
    malformed.extend([vec![0], vec![0xff; 40], vec![0x52, 0x7f]]);
    // A body behind a length is one of a stream, and one with a byte too many none at all.
    malformed.push(encode_client(cursor(ROOM, 3)).stream().to_vec());
    let mut long = encode_client(cursor(ROOM, 3)).message().to_vec();
    long.resize(DATAGRAM_BYTES_MAX + 1, 0);
    malformed.push(long);
    let expected = malformed.len() as f64;
    for body in malformed {
        send(&mut raw, &body);
        answers(&mut raw).await;
    }
    becomes("what is no ephemeral state", expected, async || {
        count(&node, "malformed").await
    })
    .await;
    assert_eq!(count(&node, "taken").await, 0.0);
    drop(raw);
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_flood_of_datagrams_is_taken_at_the_rate_of_frames_and_hurts_nobody() {
    let node = Node::start(Settings::default()).await;
    let mut raw = Raw::open(&node, Transport::WebTransport).await;
    raw.send(v1::Enter {
        request: 1,
        channel: ROOM.to_owned(),
        state: "here".into(),
    })
    .await;
    assert!(matches!(raw.answer(1).await, Body::Entered(_)));
    let before = node.resident_bytes();
    let began = Instant::now();
    for number in 1..=FLOOD {
        send(&mut raw, &encode_client(cursor(ROOM, number)).message());
        tokio::task::yield_now().await;
    }
    answers(&mut raw).await;
    eventually("some of them to be ignored", async || {
        (count(&node, "ignored").await > 0.0).then_some(())
    })
    .await;
    let taken = count(&node, "taken").await;
    let most = RATE * (began.elapsed().as_secs_f64() + 1.0) + 1.0;
    assert!((1.0..=most).contains(&taken), "{taken} of {most} were taken");
    grew_little(&node, before);
    drop(raw);
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn datagrams_that_nobody_reads_are_dropped_and_counted() {
    let node = Node::start(Settings::default()).await;
    let endpoint = Endpoint::new(&node, false).await;
    let connection = endpoint.session(&[]).await.expect("a session");
    let before = node.resident_bytes();
    // Until its stream is there nobody looks.
    for _ in 0..FLOOD {
        let _ = connection.send_datagram([1; 1_000]);
        tokio::task::yield_now().await;
    }
    grew_little(&node, before);
    let (mut send, _receive) = connection.open_bi().await.expect("room").await.expect("a stream");
    for frame in [
        hello().into(),
        v1::Goodbye {
            code: 1_000,
            ..v1::Goodbye::default()
        }
        .into(),
    ] {
        let frame: client_frame::Body = frame;
        send.write_all(&encode_client(frame).stream()).await.expect("written");
    }
    eventually("the end, and what was not read", async || {
        (count(&node, "dropped").await > 0.0).then_some(())
    })
    .await;
    // As many as are kept, and the few that came while it lived.
    let read = count(&node, "malformed").await;
    assert!(read < 200.0, "{read}");
    drop(connection);
    node.is_unharmed().await;
    node.stop().await;
}
