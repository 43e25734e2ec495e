//! Where a reader starts, what it is sent of the past, and what it is told when the past is gone.

use bytes::Bytes;
use starling_mesh::transport::Transport;
use starling_protocol::limits::{PAGE_BYTES_MAX, PAGE_CREDIT_BYTES_MIN};
use starling_protocol::v1::attach::From;
use starling_protocol::v1::attached::Outcome;
use starling_protocol::v1::{self, Lost, Policy, Position, Reason, Resumed, Rewound};

use crate::support::eventually::soon;
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Raw, hello, publish};
use crate::support::reader::{Reader, Told};
use crate::support::settings::Settings;

over_both! {
    rewinding
    resuming
    pages_come_against_credit_and_trouble_nobody
    a_position_that_is_too_old
    history_that_is_cut_under_a_reader
    a_channel_that_keeps_nothing
    publishing_over_http_once
}

const CHANNEL: &str = "demo:paging";

async fn rewinding(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut publisher = Raw::open(&node, transport).await;
    publish_to(&mut publisher, CHANNEL, 1..=10).await;
    for (asked, given) in [(3, 3), (100, 10), (0, 0)] {
        let mut reader = start(&node, transport, Some(From::Rewind(asked))).await;
        assert_eq!(outcome(&reader), Outcome::Rewound(Rewound { count: given }), "{asked}");
        assert_eq!((reader.last, reader.attached.head), (10 - given, 10));
        let payloads = reader.read_to(10).await;
        assert_eq!(payloads, numbers(11 - given..=10));
    }
    let mut head = start(&node, transport, None).await;
    assert_eq!(outcome(&head), Outcome::Rewound(Rewound { count: 0 }));
    publish_to(&mut publisher, CHANNEL, 11..=11).await;
    assert_eq!(head.read_to(11).await, numbers(11..=11));
    node.is_unharmed().await;
    node.stop().await;
}

async fn resuming(transport: Transport) {
    // A ring of sixteen messages, so that both are shown: going on from the ring, and from the history behind it.
    let node = Node::start(Settings::default().set("fanout.ring_messages", "16")).await;
    let mut publisher = Raw::open(&node, transport).await;
    let mut reader = start(&node, transport, None).await;
    publish_to(&mut publisher, CHANNEL, 1..=5).await;
    assert_eq!(reader.read_to(5).await, numbers(1..=5));
    let position = reader.position();
    drop(reader);

    for (first, head, is_in_ring) in [(6, 15, true), (16, 100, false)] {
        publish_to(&mut publisher, CHANNEL, first..=head).await;
        let mut reader = start(&node, transport, Some(From::Position(position.clone()))).await;
        assert_eq!(outcome(&reader), Outcome::Resumed(Resumed {}));
        assert_eq!((reader.last, reader.attached.head), (5, head));
        let first = reader.next().await;
        let Told::Messages { entries, is_page } = &first else {
            panic!("{first:?}");
        };
        assert_eq!(*is_page, !is_in_ring, "{} messages behind", head - 5);
        let mut payloads: Vec<_> = entries.iter().map(|(_, payload)| payload.clone()).collect();
        payloads.extend(reader.read_to(head).await);
        assert_eq!(payloads, numbers(6..=head));
    }
    node.is_unharmed().await;
    node.stop().await;
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
    assert!(
        matches!(heard, v1::server_frame::Body::Pong(_)),
        "no page without credit, but {heard:?}"
    );
    assert_eq!(behind.last, stands_at);

    // A grant that still leaves less than a page changes nothing; one more byte than is missing does.
    let missing = first as u32;
    behind.raw.send(v1::Credit { bytes: missing - 1 }).await;
    behind.raw.send(v1::Ping { nonce: 6 }).await;
    assert!(matches!(behind.raw.frame().await, v1::server_frame::Body::Pong(_)));
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

async fn a_position_that_is_too_old(transport: Transport) {
    let node = Node::start(Settings::default().namespace("short", "history = { messages = 10 }")).await;
    let mut publisher = Raw::open(&node, transport).await;
    publish_to(&mut publisher, "short:a", 1..=50).await;
    let raw = Raw::open(&node, transport).await;
    let head = Reader::attach(raw, "short:a", None, Policy::Unspecified).await;
    let cases = [
        (
            Position {
                seq: 39,
                ..head.position()
            },
            Reason::WindowExceeded,
        ),
        (
            Position {
                seq: 0,
                ..head.position()
            },
            Reason::WindowExceeded,
        ),
        (
            Position {
                seq: 51,
                ..head.position()
            },
            Reason::PositionAhead,
        ),
        (
            Position {
                seq: 45,
                term: 99,
                ..head.position()
            },
            Reason::Forked,
        ),
        (
            Position {
                epoch: "never-was".to_owned(),
                seq: 45,
                term: 0,
            },
            Reason::UnknownEpoch,
        ),
    ];
    for (position, reason) in cases {
        let what = format!("{position:?}");
        let raw = Raw::open(&node, transport).await;
        let reader = Reader::attach(raw, "short:a", Some(From::Position(position)), Policy::Unspecified).await;
        assert_eq!(
            outcome(&reader),
            Outcome::Discontinuity(Lost { reason: reason.into() }),
            "{what}"
        );
        assert_eq!(reader.position(), head.position(), "{what}: it goes on at the head");
    }
    let raw = Raw::open(&node, transport).await;
    let oldest = From::Position(Position {
        seq: 40,
        ..head.position()
    });
    let mut reader = Reader::attach(raw, "short:a", Some(oldest), Policy::Unspecified).await;
    assert_eq!(
        outcome(&reader),
        Outcome::Resumed(Resumed {}),
        "the oldest that can be continued from"
    );
    assert_eq!(reader.read_to(50).await, numbers(41..=50));
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

async fn a_channel_that_keeps_nothing(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let channel = "live:a";
    let mut publisher = Raw::open(&node, transport).await;
    let attach =
        async |from| Reader::attach(Raw::open(&node, transport).await, channel, from, Policy::Unspecified).await;
    let mut reader = attach(None).await;
    assert_eq!(
        reader.attached.policy(),
        Policy::Drop,
        "what is not kept cannot be pulled"
    );
    assert_eq!(reader.attached.window.map(|window| window.messages), Some(0));
    publish_to(&mut publisher, channel, 1..=5).await;
    assert_eq!(reader.read_to(5).await, numbers(1..=5));

    let rewound = attach(Some(From::Rewind(3))).await;
    assert_eq!(
        (outcome(&rewound), rewound.last),
        (Outcome::Rewound(Rewound { count: 0 }), 5)
    );
    let at_head = attach(Some(From::Position(reader.position()))).await;
    assert_eq!(outcome(&at_head), Outcome::Resumed(Resumed {}), "nothing was missed");
    let behind = attach(Some(From::Position(Position {
        seq: 4,
        ..reader.position()
    })))
    .await;
    let lost = Lost {
        reason: Reason::NoHistory.into(),
    };
    assert_eq!((outcome(&behind), behind.last), (Outcome::Discontinuity(lost), 5));

    drop((rewound, at_head, behind));
    let position = reader.position();
    drop((reader, publisher));
    let mut node = node;
    node.kill().await;
    let node = Node::start_again(node).await;
    let raw = Raw::open(&node, transport).await;
    let after = Reader::attach(
        raw,
        channel,
        Some(From::Position(position.clone())),
        Policy::Unspecified,
    )
    .await;
    assert!(
        matches!(outcome(&after), Outcome::Discontinuity(_)),
        "{:?}",
        after.attached
    );
    assert_ne!(after.epoch, position.epoch, "a new start, a new epoch");
    node.is_unharmed().await;
    node.stop().await;
}

async fn publishing_over_http_once(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut reader = start(&node, transport, None).await;
    let publish = async |key: Option<&str>, text: &str| {
        let request = Request::publish(CHANNEL, format!(r#"{{"data": "{text}"}}"#));
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        let answer = soon("an answer", request.send(node.address())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = answer.json();
        assert_eq!((&json["channel"], &json["copies"]), (&CHANNEL.into(), &1.into()));
        assert_eq!(json["epoch"].as_str(), Some(&*reader.epoch));
        (
            json["seq"].as_u64().expect("a seq"),
            json["duplicate"].as_bool().expect("whether it was known"),
        )
    };
    assert_eq!(publish(Some("order-1"), "first").await, (1, false));
    assert_eq!(publish(Some("order-1"), "first").await, (1, true));
    assert_eq!(publish(Some("order-2"), "second").await, (2, false));
    assert_eq!(
        publish(Some("order-1"), "what differs is not looked at").await,
        (1, true)
    );
    assert_eq!(publish(None, "third").await, (3, false));
    assert_eq!(
        publish(None, "third").await,
        (4, false),
        "without a key every request is its own"
    );
    assert_eq!(
        reader.read_to(4).await,
        ["first", "second", "third", "third"].map(Bytes::from)
    );
    node.is_unharmed().await;
    node.stop().await;
}

async fn start(node: &Node, transport: Transport, from: Option<From>) -> Reader {
    let raw = Raw::open(node, transport).await;
    Reader::attach(raw, CHANNEL, from, Policy::Unspecified).await
}

async fn open_with_credit(node: &Node, transport: Transport, page_credit: u32) -> Raw {
    let mut raw = Raw::connect(node, transport).await;
    raw.send(v1::Hello { page_credit, ..hello() }).await;
    let welcome = raw.frame().await;
    assert!(matches!(welcome, v1::server_frame::Body::Welcome(_)), "{welcome:?}");
    raw
}

/// Reads a page and gives what it cost.
async fn page(reader: &mut Reader) -> u64 {
    match reader.next().await {
        Told::Messages { is_page: true, .. } => reader.page_bytes,
        other => panic!("{other:?} instead of a page"),
    }
}

/// Publishes numbers, as text, under serials that are the same numbers.
async fn publish_to(publisher: &mut Raw, channel: &str, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        publisher.send(publish(number, channel, number.to_string())).await;
        let position = publisher.ack(number).await.position.expect("published");
        assert_eq!(position.seq, number);
    }
}

fn numbers(numbers: std::ops::RangeInclusive<u64>) -> Vec<Bytes> {
    numbers.map(|number| Bytes::from(number.to_string())).collect()
}

fn outcome(reader: &Reader) -> Outcome {
    reader.attached.outcome.expect("attached has an outcome")
}
