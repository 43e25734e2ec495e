//! What only a WebSocket makes possible.

use starling_mesh::transport::Transport;
use starling_protocol::close::CloseCode;
use starling_protocol::v1;

use super::flood;
use crate::support::node::Node;
use crate::support::raw::websocket::{BINARY, PING, TEXT, binary, header, message};
use crate::support::raw::{Dialer, Raw};
use crate::support::settings::Settings;

#[tokio::test]
async fn what_is_no_binary_message_ends_the_session() {
    let node = Node::start(Settings::default()).await;
    let mut unmasked = binary(b"\x12\x00");
    unmasked[1] &= 0x7f;
    let mut reserved = binary(b"\x12\x00");
    reserved[0] |= 0x40;
    let lone_continuation = message(0, b"\x12\x00");
    let unknown_opcode = message(3, b"\x12\x00");
    let long_ping = [header(PING, 126), vec![0; 126]].concat();
    let cases = [
        ("text", message(TEXT, b"hello")),
        ("text that is no UTF-8", message(TEXT, b"\xff\xfe")),
        ("no mask", unmasked),
        ("an extension nobody asked for", reserved),
        ("a continuation of nothing", lone_continuation),
        ("an opcode there is not", unknown_opcode),
        ("a ping longer than pings may be", long_ping),
    ];
    for (what, bytes) in cases {
        for is_open in [false, true] {
            let mut raw = Raw::connect(&node, Transport::WebSocket).await;
            if is_open {
                raw.hello().await;
            }
            raw.socket().write(&bytes).await.expect("the node reads");
            let goodbye = raw.farewell().await;
            assert_eq!(
                goodbye.code,
                u32::from(CloseCode::ProtocolError.number()),
                "{what}: {goodbye:?}"
            );
        }
    }
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn pings_instead_of_a_hello() {
    let node = Node::start(Settings::default()).await;
    for (what, bytes) in [("pings", message(PING, b"")), ("pongs", message(0x0a, b"who?"))] {
        let mut raw = Raw::connect(&node, Transport::WebSocket).await;
        // It may hang up before it has taken them all.
        let _ = raw.socket().write(&bytes.repeat(1_000)).await;
        let code = u32::from(CloseCode::ProtocolError.number());
        assert_eq!(raw.farewell().await.code, code, "{what}");
    }
    let mut raw = Raw::connect(&node, Transport::WebSocket).await;
    raw.socket()
        .write(&message(PING, b"a few are fine").repeat(5))
        .await
        .expect("the node reads");
    raw.hello().await;
    raw.socket()
        .write(&message(PING, b"").repeat(1_000))
        .await
        .expect("the node reads");
    raw.attach("demo:a").await;
    drop(raw);
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_message_in_pieces_is_measured_whole() {
    let node = Node::start(Settings::default()).await;
    // Each piece is short; together they are longer than a hello may be.
    let mut raw = Raw::connect(&node, Transport::WebSocket).await;
    let piece = |opcode: u8| {
        let mut piece = message(opcode, &[0x12; 1_000]);
        piece[0] &= 0x7f; // more follows
        piece
    };
    let pieces = [piece(BINARY), piece(0), piece(0), piece(0), piece(0)].concat();
    raw.socket().write(&pieces).await.expect("the node reads");
    assert_eq!(raw.farewell().await.code, u32::from(CloseCode::FrameTooLarge.number()));
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn pings_whose_answers_nobody_reads_cost_no_memory() {
    let node = Node::start(Settings::default()).await;
    let mut raw = Dialer::narrow(&node, Transport::WebSocket).await.open().await;
    let pings: Vec<u8> = std::iter::repeat_with(|| message(PING, &[0; 125]))
        .take(1_000)
        .flatten()
        .collect();
    flood(&node, &mut raw, &pings).await;
    drop(raw);
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn pings_of_the_transport_are_answered() {
    let node = Node::start(Settings::default()).await;
    let mut raw = Raw::open(&node, Transport::WebSocket).await;
    for pings in 1..=3 {
        raw.write(&message(PING, b"there?")).await.expect("the node reads");
        // Two round trips: in the first the pong may come behind the other answer.
        for nonce in 0..2 {
            raw.send(v1::Ping { nonce }).await;
            raw.next().await;
        }
        assert_eq!(raw.socket().pongs(), pings);
    }
    drop(raw);
    node.stop().await;
}
