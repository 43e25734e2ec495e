//! Clients that publish on without waiting: their publishes are taken together, and nothing else changes.

use std::time::Duration;

use bytes::Bytes;
use starling_mesh::transport::Transport;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{Goodbye, Policy};
use tokio::time::interval;

use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Heard, Raw, publish};
use crate::support::reader::Reader;
use crate::support::settings::Settings;

const CHANNEL: &str = "demo:steady";

/// Enough for a trial and several windows after it.
const PUBLISHES: u64 = 300;

over_both! {
    what_is_taken_together_is_acknowledged_and_read_in_order
    who_leaves_meanwhile_is_seen
}

/// Publishes that may be unanswered.
const IN_FLIGHT_MAX: u64 = 64;

/// Publishes one a millisecond, without waiting for an ack as long as it may, until all are acknowledged in order.
async fn publish_on(raw: &mut Raw) {
    let mut tick = interval(Duration::from_millis(1));
    let (mut sent, mut acknowledged) = (0, 0);
    while acknowledged < PUBLISHES {
        tokio::select! {
            _ = tick.tick(), if sent < PUBLISHES && sent - acknowledged < IN_FLIGHT_MAX => {
                sent += 1;
                raw.send(publish(sent, CHANNEL, sent.to_string())).await;
            }
            heard = raw.next() => match heard {
                Heard::Frame(Body::Ack(ack)) => {
                    acknowledged += 1;
                    assert_eq!(ack.serial, acknowledged);
                }
                Heard::Frame(Body::Ping(_)) => {} // publishing says often enough that this side is there
                other => panic!("{other:?} instead of the ack of {}", acknowledged + 1),
            }
        }
    }
}

async fn what_is_taken_together_is_acknowledged_and_read_in_order(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let reader = Raw::open(&node, transport).await;
    let mut reader = Reader::attach(reader, CHANNEL, None, Policy::Unspecified).await;
    let mut raw = Raw::open(&node, transport).await;
    publish_on(&mut raw).await;
    let all: Vec<_> = (1..=PUBLISHES).map(|serial| Bytes::from(serial.to_string())).collect();
    assert_eq!(reader.read_to(PUBLISHES).await, all);
    for serial in PUBLISHES + 1..=PUBLISHES + 5 {
        raw.send(publish(serial, CHANNEL, "alone")).await;
        assert!(
            matches!(raw.answer(serial).await, Body::Ack(_)),
            "who has begun to wait is heard"
        );
    }
    node.is_unharmed().await;
    node.stop().await;
}

async fn who_leaves_meanwhile_is_seen(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut raw = Raw::open(&node, transport).await;
    publish_on(&mut raw).await;
    drop(raw);
    node.carries(0, transport).await;
    let mut raw = Raw::open(&node, transport).await;
    publish_on(&mut raw).await;
    raw.send(Goodbye::default()).await;
    node.carries(0, transport).await;
    node.is_unharmed().await;
    node.stop().await;
}
