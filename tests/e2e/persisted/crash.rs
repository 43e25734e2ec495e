//! `kill -9`, and a start in the same directory.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use starling_client::{Event, Message, Outcome, PublishOptions, SubscribeOptions};
use starling_mesh::transport::Transport;
use tokio::time::sleep;

use super::persisted;
use crate::support::directory::Directory;
use crate::support::eventually::soon;
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::over_both;

const CHANNEL: &str = "log:stream";

over_both! {
    a_stream_goes_on_after_a_crash
    values_come_back
}

/// How often the node is killed in the middle.
const CRASHES: u32 = 3;

async fn a_stream_goes_on_after_a_crash(transport: Transport) {
    let directory = Directory::new();
    let settings = persisted(&directory).set("session.heartbeat", "1s");
    let mut node = Node::start(settings).await;
    let (publisher, subscriber) = (node.client(transport), node.client(transport));
    let mut events = soon(
        "a subscription",
        subscriber.subscribe(CHANNEL, SubscribeOptions::rewind(1)),
    )
    .await
    .expect("attached");

    // Sixteen at a time without end, so that some are always on their way when the node dies.
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let publishing = tokio::spawn(async move {
        let mut number = 0_u64;
        let mut waiting = FuturesUnordered::new();
        let mut acknowledged = BTreeMap::new();
        let mut going = true;
        while going || !waiting.is_empty() {
            while going && waiting.len() < 16 {
                number += 1;
                let text = number.to_string();
                let pending = publisher.enqueue_with(PublishOptions {
                    timeout: Duration::from_secs(50),
                    ..PublishOptions::new(CHANNEL, text.clone())
                });
                let pending = pending.await.expect("the client goes on");
                waiting.push(async move { (text, pending.await) });
            }
            tokio::select! {
                _ = &mut stopped, if going => going = false,
                Some((text, outcome)) = waiting.next() => {
                    let published = outcome.expect("acknowledged in the end");
                    acknowledged.insert(published.position.seq, (text, published.position.epoch));
                }
            }
        }
        publisher.close().await;
        acknowledged
    });

    for _ in 0..CRASHES {
        sleep(Duration::from_millis(400)).await;
        node.kill().await;
        node = Node::start_again(node).await;
    }
    sleep(Duration::from_millis(400)).await;
    let _ = stop.send(());
    let acknowledged = tokio::time::timeout(Duration::from_secs(50), publishing)
        .await
        .expect("every publish is settled")
        .expect("the publisher goes on");
    assert!(acknowledged.len() > 100, "a stream of {} messages", acknowledged.len());
    let epochs: std::collections::BTreeSet<_> = acknowledged.values().map(|(_, epoch)| epoch.clone()).collect();
    assert_eq!(epochs.len(), 1, "one history through all crashes");
    // Every message once, in order: seqs without a gap, and each number under one of them.
    let (&last, _) = acknowledged.last_key_value().expect("some");
    let mut heard = Vec::new();
    while heard.len() < usize::try_from(last).expect("a few") {
        match soon("a message", events.next())
            .await
            .expect("the subscription goes on")
        {
            Event::Message(message) => heard.push(message),
            Event::Attached { outcome, .. } => {
                assert!(!matches!(outcome, Outcome::Discontinuity(_)), "{outcome:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    let seqs: Vec<_> = heard.iter().map(|message| message.position.seq).collect();
    assert_eq!(seqs, (1..=last).collect::<Vec<_>>());
    let numbers: Vec<u64> = heard.iter().map(number).collect();
    assert_eq!(
        numbers,
        (1..=last).collect::<Vec<_>>(),
        "once each, in the order of their publisher"
    );
    for (seq, (text, _)) in &acknowledged {
        let message = &heard[usize::try_from(*seq).expect("a few") - 1];
        assert_eq!(
            message.payload,
            text.as_bytes(),
            "message {seq} is what was acknowledged there"
        );
    }
    subscriber.close().await;
    node.stop().await;
}

fn number(message: &Message) -> u64 {
    let text = std::str::from_utf8(&message.payload).expect("a number");
    text.parse().expect("a number")
}

#[tokio::test]
async fn a_repeated_request_is_known_after_a_crash() {
    let directory = Directory::new();
    let mut node = Node::start(persisted(&directory)).await;
    let publish = async |node: &Node, key: &str| {
        let request = Request::publish(CHANNEL, r#"{"data": "hello"}"#).header("idempotency-key", key);
        let answer = request.send(node.address()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = answer.json();
        (json["epoch"].clone(), json["seq"].as_u64(), json["duplicate"].as_bool())
    };
    let (epoch, seq, duplicate) = publish(&node, "order-1").await;
    assert_eq!((seq, duplicate), (Some(1), Some(false)));
    node.kill().await;
    let node = Node::start_again(node).await;
    assert_eq!(publish(&node, "order-1").await, (epoch.clone(), Some(1), Some(true)));
    assert_eq!(publish(&node, "order-2").await, (epoch, Some(2), Some(false)));
    node.stop().await;
}

#[tokio::test]
async fn a_stop_in_order_leaves_one_file() {
    let directory = Directory::new();
    let node = Node::start(persisted(&directory)).await;
    let answer = Request::publish(CHANNEL, r#"{"data": "hello"}"#)
        .send(node.address())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    node.stop().await;
    assert!(directory.path().join("starling.db").exists());
    assert!(
        !directory.path().join("starling.db-wal").exists(),
        "the log is in the file"
    );
}

#[tokio::test]
async fn a_second_node_on_the_directory_is_refused() {
    let directory = Directory::new();
    let node = Node::start(persisted(&directory)).await;
    let mut second = tokio::process::Command::new(crate::support::node::BINARY);
    second
        .args(["dev", "--port", "0", "--data-dir", directory.text()])
        .kill_on_drop(true);
    let output = soon("the second to end", second.output()).await.expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("is used by another node"), "{told}");
    node.stop().await;
}

async fn values_come_back(transport: Transport) {
    let directory = Directory::new();
    let keys = "durability = \"persisted\"\nkeyed = true\nkeys_max = 4\npolicy = \"latest\"";
    let mut node = Node::start(persisted(&directory).namespace("board", keys)).await;
    let publish = async |node: &Node, options: PublishOptions| {
        let client = node.client(transport);
        let outcome = soon("an answer", client.publish_with(options)).await;
        client.close().await;
        outcome
    };
    let set = |key: &str, value: &'static str| PublishOptions::keyed("board:a", key, value);
    for (key, value) in [("x", "1"), ("y", "2"), ("z", "3"), ("x", "4")] {
        publish(&node, set(key, value)).await.expect("published");
    }
    let removed = publish(&node, PublishOptions::removal("board:a", "y"))
        .await
        .expect("removed");
    publish(&node, set("w", "5")).await.expect("published");
    node.kill().await;
    let node = Node::start_again(node).await;

    let state = keyed_state(&node, transport, SubscribeOptions::default()).await;
    let expected = [("w", "5"), ("x", "4"), ("z", "3")].map(|(key, value)| (key.to_owned(), Some(Bytes::from(value))));
    assert_eq!(state, BTreeMap::from(expected.clone()));
    // Whoever was there before the removal is told of it.
    let mut before = removed.position.clone();
    before.seq -= 1;
    let changed = keyed_state(&node, transport, SubscribeOptions::after(before)).await;
    let expected = [("w", Some("5")), ("y", None)].map(|(key, value)| (key.to_owned(), value.map(Bytes::from)));
    assert_eq!(changed, BTreeMap::from(expected));
    // Four keys are known, the removed one among them: it makes room for a new one, and then there is none.
    publish(&node, set("v", "6")).await.expect("a removal gives way");
    let full = publish(&node, set("u", "7"))
        .await
        .expect_err("as many keys as there may be");
    assert!(full.to_string().contains("too_many_keys"), "{full}");
    node.stop().await;
}

/// The parts of the state that a new reader gets; `None` for a key that was removed.
async fn keyed_state(node: &Node, transport: Transport, options: SubscribeOptions) -> BTreeMap<String, Option<Bytes>> {
    let client = node.client(transport);
    let mut events = soon("a subscription", client.subscribe("board:a", options))
        .await
        .expect("attached");
    let mut state = BTreeMap::new();
    loop {
        match soon("the state", events.next())
            .await
            .expect("the subscription goes on")
        {
            Event::KeyedState(part) => {
                for entry in &part.entries {
                    let value = (!entry.deleted).then(|| entry.payload.clone());
                    state.insert(entry.key.clone().expect("a key"), value);
                }
                if part.last {
                    break;
                }
            }
            Event::Attached { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    client.close().await;
    state
}
