//! Where a reader starts, what it is sent of the past, and what it is told when the past is gone.

use bytes::Bytes;
use starling_mesh::transport::Transport;
use starling_protocol::v1::attach::From;
use starling_protocol::v1::attached::Outcome;
use starling_protocol::v1::{Lost, Policy, Position, Reason, Resumed, Rewound};

use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Raw, publish};
use crate::support::reader::{Reader, Told};
use crate::support::settings::Settings;

mod credit;

over_both! {
    rewinding
    resuming
    a_position_that_is_too_old
    a_channel_that_keeps_nothing
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

async fn start(node: &Node, transport: Transport, from: Option<From>) -> Reader {
    let raw = Raw::open(node, transport).await;
    Reader::attach(raw, CHANNEL, from, Policy::Unspecified).await
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
