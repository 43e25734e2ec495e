//! What a disk can do, and what a store does to it.

use std::fs;

use rusqlite::Connection;
use starling_mesh::transport::Transport;
use starling_protocol::v1::attach::From;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{Policy, Position};

use super::persisted;
use crate::support::directory::Directory;
use crate::support::eventually::{becomes, eventually};
use crate::support::http::{Answer, Request};
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::Raw;
use crate::support::reader::{Reader, Told};
use crate::support::settings::Settings;

over_both! {
    a_damaged_row_sets_its_channel_aside
}

async fn publish(node: &Node, channel: &str, text: &str) -> Answer {
    let body = format!(r#"{{"data": "{text}"}}"#);
    Request::publish(channel, body).send(node.address()).await
}

/// The messages of a channel, as a new reader gets them from the beginning.
async fn history(node: &Node, channel: &str) -> Vec<String> {
    let raw = Raw::open(node, Transport::WebSocket).await;
    let mut reader = Reader::attach(raw, channel, Some(From::Rewind(1_000_000)), Policy::Unspecified).await;
    let payloads = reader.read_to(reader.attached.head).await;
    let text = |payload: bytes::Bytes| String::from_utf8_lossy(&payload).into_owned();
    payloads.into_iter().map(text).collect()
}

async fn readiness(node: &Node) -> u16 {
    Request::get("/health/ready").send(node.admin()).await.status
}

fn database(directory: &Directory) -> Connection {
    Connection::open(directory.path().join("starling.db")).expect("opens")
}

fn messages(directory: &Directory) -> u64 {
    let count = database(directory).query_row("SELECT count(*) FROM message", [], |row| row.get::<_, i64>(0));
    count.expect("counts").unsigned_abs()
}

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let directory = Directory::small(4 << 20);
    let node = Node::start(persisted(&directory)).await;
    let ballast = directory.path().join("ballast");
    let mut acknowledged = Vec::new();
    let mut number = 0;
    let mut refused = None;
    let long = "x".repeat(20_000);
    while refused.is_none() {
        number += 1;
        assert!(number < 1_000, "the disk has four megabytes");
        if number == 20 {
            // The rest of it, but for what was allotted already.
            let _ = fs::write(&ballast, vec![0; 8 << 20]).expect_err("it does not fit");
        }
        let text = format!("{number} {long}");
        let answer = publish(&node, "log:full", &text).await;
        match answer.status {
            200 => acknowledged.push((answer.json()["seq"].as_u64().expect("a seq"), text)),
            _ => refused = Some(answer),
        }
    }
    let refused = refused.expect("it was refused");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body.contains("unavailable"), "{refused:?}");
    assert!(acknowledged.len() >= 19, "{}", acknowledged.len());
    assert_eq!(readiness(&node).await, 503);
    let metrics = node.metrics().await;
    assert_eq!(metrics.value("starling_store_writable"), 0.0);
    assert!(metrics.sum("starling_store_errors_total", &[("kind", "transaction")]) > 0.0);
    // The other namespaces have nothing to do with it.
    assert_eq!(publish(&node, "demo:full", "hello").await.status, 200);

    fs::remove_file(&ballast).expect("room again");
    becomes("readiness once there is room", 200, async || readiness(&node).await).await;
    assert_eq!(node.metrics().await.value("starling_store_writable"), 1.0);
    let text = "after".to_owned();
    let answer = eventually("a publish that is taken", async || {
        let answer = publish(&node, "log:full", &text).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    acknowledged.push((answer.json()["seq"].as_u64().expect("a seq"), text));
    let kept = history(&node, "log:full").await;
    for (seq, text) in &acknowledged {
        assert_eq!(&kept[usize::try_from(*seq).expect("a few") - 1], text, "message {seq}");
    }
    assert!(!node.log().text().contains("panicked"), "{}", node.log().text());
}

async fn a_damaged_row_sets_its_channel_aside(transport: Transport) {
    let directory = Directory::new();
    let mut node = Node::start(persisted(&directory)).await;
    for channel in ["log:damaged", "log:sound"] {
        let mut publisher = Raw::open(&node, transport).await;
        // More than memory holds, so that the beginning is read from the store.
        for serials in (1..=2_000_u64).collect::<Vec<_>>().chunks(50) {
            let frames = serials.iter().map(|serial| {
                let payload = format!("{serial:300}");
                crate::support::raw::publish(*serial, channel, payload).into()
            });
            publisher.send_all(frames).await;
            for serial in serials {
                publisher.ack(*serial).await;
            }
        }
    }
    node.kill().await;
    let changed = database(&directory).execute(
        "UPDATE message SET payload = x'2020' WHERE channel = 1 AND seq = 30",
        [],
    );
    assert_eq!(changed.expect("changes"), 1);
    let node = Node::start_again(node).await;

    let beginning = |reader: &Reader| {
        From::Position(Position {
            seq: 0,
            ..reader.position()
        })
    };
    let raw = Raw::open(&node, transport).await;
    let head = Reader::attach(raw, "log:damaged", None, Policy::Unspecified).await;
    let raw = Raw::open(&node, transport).await;
    let mut reader = Reader::attach(raw, "log:damaged", Some(beginning(&head)), Policy::Unspecified).await;
    assert_eq!(reader.attached.head, 2_000);
    // Not one message from behind the damage; the reader checks that none is left out.
    loop {
        match reader.raw.next().await {
            crate::support::raw::Heard::Frame(Body::Error(error)) => {
                assert_eq!(
                    (error.code, error.channel_id),
                    (106, reader.attached.channel_id),
                    "{error:?}"
                );
                break;
            }
            heard => assert!(
                !matches!(reader.take(heard).await, Some(Told::Messages { .. })),
                "before the damage"
            ),
        }
    }
    let detached = reader.raw.frame().await;
    assert!(matches!(detached, Body::Detached(_)), "{detached:?}");
    assert!(reader.last < 30);
    let refused = publish(&node, "log:damaged", "more").await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body.contains("quarantined"), "{refused:?}");
    // Nobody else notices.
    assert_eq!(history(&node, "log:sound").await.len(), 2_000);
    assert_eq!(publish(&node, "log:sound", "more").await.status, 200);
    assert_eq!(readiness(&node).await, 200);
    assert!(!node.log().text().contains("panicked"), "{}", node.log().text());
}

#[tokio::test]
async fn retention_bounds_the_file_by_count_and_bytes_and_age() {
    let directory = Directory::new();
    let namespace = |settings: Settings, name: &str, history: &str| {
        let keys = format!("durability = \"persisted\"\npublish_rate = 0\npayload_max = \"1KiB\"\nhistory = {history}");
        settings.namespace(name, &keys)
    };
    let mut settings = persisted(&directory)
        .set("slots.channel_idle", "1s")
        .set("fanout.linger", "1s");
    settings = namespace(settings, "few", "{ messages = 100 }");
    settings = namespace(settings, "small", "{ bytes = \"20KiB\" }");
    settings = namespace(settings, "brief", "{ age = \"3s\" }");
    let mut node = Node::start(settings).await;
    for (channel, least, most) in [("few:a", 100, 100), ("small:a", 40, 40 + 64)] {
        let mut publisher = Raw::open(&node, Transport::WebSocket).await;
        for serial in 1..=400 {
            publisher
                .send(crate::support::raw::publish(serial, channel, format!("{serial:512}")))
                .await;
            publisher.ack(serial).await;
        }
        for _ in 0..2 {
            let kept = history(&node, channel).await;
            assert!((least..=most).contains(&kept.len()), "{channel} keeps {}", kept.len());
            assert_eq!(kept.last().map(|last| last.trim_start()), Some("400"));
            node.kill().await;
            node = Node::start_again(node).await;
        }
    }
    let before = messages(&directory);
    assert!((140..=100 + 40 + 64).contains(&before), "{before} rows");

    // By age, also of a channel that nobody has opened since the node was started.
    for _ in 0..10 {
        assert_eq!(publish(&node, "brief:a", "hello").await.status, 200);
    }
    assert_eq!(messages(&directory), before + 10);
    node.kill().await;
    let node = Node::start_again(node).await;
    becomes("rows once the brief ones are too old", before, async || {
        messages(&directory)
    })
    .await;
    let head = publish(&node, "brief:a", "hello").await;
    assert_eq!(head.json()["seq"], 11, "the place is kept: {head:?}");
    node.stop().await;
}
