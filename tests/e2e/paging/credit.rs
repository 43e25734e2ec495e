//! Pages of the past come against credit, and hold nobody up.

use bytes::Bytes;
use starling_mesh::transport::Transport;
use starling_protocol::limits::{PAGE_BYTES_MAX, PAGE_CREDIT_BYTES_MIN};
use starling_protocol::v1::attach::From;
use starling_protocol::v1::attached::Outcome;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, Policy, Position, Reason, Resumed};

use super::{CHANNEL, outcome, start};
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Raw, hello, publish};
use crate::support::reader::{Reader, Told};
use crate::support::settings::Settings;

over_both! {
    pages_come_against_credit_and_trouble_nobody
    history_that_is_cut_under_a_reader
}

async fn pages_come_against_credit_and_trouble_nobody(transport: Transport) {
    const MESSAGES: u64 = 1_000;
    const BYTES: usize = 1_000;
    let node = Node::start(Settings::default().set("fanout.ring_messages", "16")).await;
    let mut publisher = Raw::open(&node, transport).await;
    for serial in 1..=MESSAGES {
        publisher.send(publish(serial, CHANNEL, vec![b'x'; BYTES])).await;
        publisher.ack(serial).await;
    }
    let mut live = start(&node, transport, None).await;

    let raw = open_with_credit(&node, transport, PAGE_CREDIT_BYTES_MIN).await;
    let beginning = From::Position(Position {
        seq: 0,
        ..live.position()
    });
    let mut behind = Reader::attach(raw, CHANNEL, Some(beginning), Policy::Recover).await;
    behind.grants = false;
    assert_eq!(outcome(&behind), Outcome::Resumed(Resumed {}));
    let first = page(&mut behind).await;
    assert!(
        first > PAGE_BYTES_MAX as u64 * 8 / 10,
        "a page is full, and this one has {first} bytes"
    );
    // What is left of the credit covers no page. The others hear what happens now all the same, and a session without
    // credit still gets its answers.
    let stands_at = behind.last;
    publisher.send(publish(MESSAGES + 1, CHANNEL, "now")).await;
    publisher.ack(MESSAGES + 1).await;
    assert_eq!(live.read_to(MESSAGES + 1).await, [Bytes::from("now")]);
    behind.raw.send(v1::Ping { nonce: 5 }).await;
    let heard = behind.raw.frame().await;
    assert!(matches!(heard, Body::Pong(_)), "no page without credit, but {heard:?}");
    assert_eq!(behind.last, stands_at);

    // A grant that still leaves less than a page changes nothing; one more byte than is missing does.
    let missing = first as u32;
    behind.raw.send(v1::Credit { bytes: missing - 1 }).await;
    behind.raw.send(v1::Ping { nonce: 6 }).await;
    assert!(matches!(behind.raw.frame().await, Body::Pong(_)));
    behind.raw.send(v1::Credit { bytes: 1 }).await;
    page(&mut behind).await;
    assert!(behind.last > stands_at);

    // With credit again, everything comes, and then what is live, without a gap between them.
    behind.grants = true;
    behind
        .raw
        .send(v1::Credit {
            bytes: PAGE_CREDIT_BYTES_MIN,
        })
        .await;
    let rest = behind.read_to(MESSAGES + 1).await;
    assert_eq!(rest.last(), Some(&Bytes::from("now")));
    publisher.send(publish(MESSAGES + 2, CHANNEL, "later")).await;
    publisher.ack(MESSAGES + 2).await;
    assert_eq!(behind.read_to(MESSAGES + 2).await, [Bytes::from("later")]);
    drop((behind, live, publisher));
    node.is_unharmed().await;
    node.stop().await;
}

async fn history_that_is_cut_under_a_reader(transport: Transport) {
    const KEPT: u64 = 400;
    let node = Node::start(
        Settings::default()
            .set("fanout.ring_messages", "16")
            .namespace("short", &format!("history = {{ messages = {KEPT} }}\npublish_rate = 0")),
    )
    .await;
    let channel = "short:a";
    let mut publisher = Raw::open(&node, transport).await;
    let large = |serial| publish(serial, channel, vec![b'x'; 1_000]);
    for serial in 1..=KEPT {
        publisher.send(large(serial)).await;
        publisher.ack(serial).await;
    }
    let raw = open_with_credit(&node, transport, PAGE_CREDIT_BYTES_MIN).await;
    let mut reader = Reader::attach(raw, channel, Some(From::Rewind(u32::MAX)), Policy::Recover).await;
    reader.grants = false;
    let first = page(&mut reader).await;
    // While it waits for credit, all it has not read is pushed out.
    for serial in KEPT + 1..=KEPT * 2 {
        publisher.send(large(serial)).await;
        publisher.ack(serial).await;
    }
    reader.raw.send(v1::Credit { bytes: first as u32 }).await;
    assert_eq!(reader.next().await, Told::Discontinuity(Reason::Truncated));
    assert_eq!(reader.last, KEPT * 2, "it goes on at the head");
    publisher.send(publish(KEPT * 2 + 1, channel, "next")).await;
    publisher.ack(KEPT * 2 + 1).await;
    assert_eq!(reader.read_to(KEPT * 2 + 1).await, [Bytes::from("next")]);
    drop((reader, publisher));
    node.is_unharmed().await;
    node.stop().await;
}

async fn open_with_credit(node: &Node, transport: Transport, page_credit: u32) -> Raw {
    let mut raw = Raw::connect(node, transport).await;
    raw.send(v1::Hello { page_credit, ..hello() }).await;
    let welcome = raw.frame().await;
    assert!(matches!(welcome, Body::Welcome(_)), "{welcome:?}");
    raw
}

/// Reads a page and gives what it cost.
async fn page(reader: &mut Reader) -> u64 {
    match reader.next().await {
        Told::Messages { is_page: true, .. } => reader.page_bytes,
        other => panic!("{other:?} instead of a page"),
    }
}
