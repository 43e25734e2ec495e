//! Persisted channels in PostgreSQL: the database is killed, the node is killed, and neither loses what was acknowledged.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use starling_client::{Event, PublishOptions, SubscribeOptions};
use starling_mesh::transport::Transport;

use super::persisted;
use crate::support::directory::Directory;
use crate::support::eventually::{becomes, eventually, soon};
use crate::support::http::{Answer, Request};
use crate::support::node::{BINARY, Node};
use crate::support::postgres::Postgres;
use crate::support::settings::Settings;

fn settings(directory: &Directory, database: &str) -> Settings {
    persisted(directory)
        .set("storage.url", database)
        .set("session.heartbeat", "1s")
}

async fn publish(node: &Node, channel: &str, text: &str) -> Answer {
    let body = format!(r#"{{"data": "{text}"}}"#);
    Request::publish(channel, body).send(node.address()).await
}

async fn status(node: &Node, path: &str) -> u16 {
    Request::get(path).send(node.address()).await.status
}

#[tokio::test]
async fn a_database_that_goes_takes_nothing_along_but_its_own() {
    let mut server = Postgres::start();
    let directory = Directory::new();
    let mut node = Node::start(settings(&directory, &server.database())).await;
    assert_eq!(publish(&node, "log:read", "one").await.status, 200);
    let first = publish(&node, "log:written", "one").await;
    assert_eq!(first.status, 200);

    server.kill();
    let refused = publish(&node, "log:written", "two").await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body.contains("unavailable"), "{refused:?}");
    assert_eq!(publish(&node, "log:new", "one").await.status, 503);
    // What is in memory is answered, also of channels that the store keeps; others have nothing to do with it.
    assert_eq!(status(&node, "/v1/channels/log:read/messages").await, 200);
    assert_eq!(publish(&node, "demo:lobby", "hello").await.status, 200);
    assert_eq!(node.metrics().await.value("starling_store_writable"), 0.0);
    let ready = Request::get("/health/ready").send(node.admin()).await.status;
    assert_eq!(ready, 200, "all nodes share it, and none of them could do better");

    server.start_again();
    let text = "three";
    let taken = eventually("a publish that is taken", async || {
        let answer = publish(&node, "log:written", text).await;
        (answer.status == 200).then_some(answer)
    });
    let third = taken.await.json();
    assert_eq!(third["epoch"], first.json()["epoch"], "one history");
    assert_eq!(node.metrics().await.value("starling_store_writable"), 1.0);
    node.log().has_no_panic_but("the store cannot be");

    // Another process goes on with it.
    node.kill().await;
    let node = Node::start_again(node).await;
    let after = publish(&node, "log:written", "four").await.json();
    assert_eq!(after["epoch"], first.json()["epoch"]);
    assert_eq!(after["seq"].as_u64(), third["seq"].as_u64().map(|seq| seq + 1));
    node.stop().await;
}

#[tokio::test]
async fn a_stream_goes_on_when_the_database_is_killed() {
    const CHANNEL: &str = "log:stream";
    let mut server = Postgres::start();
    let directory = Directory::new();
    let node = Node::start(settings(&directory, &server.database())).await;
    let (publisher, subscriber) = (node.client(Transport::WebSocket), node.client(Transport::WebSocket));
    let subscription = subscriber.subscribe(CHANNEL, SubscribeOptions::rewind(1));
    let mut events = soon("a subscription", subscription).await.expect("attached");
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let publishing = tokio::spawn(async move {
        let mut acknowledged = BTreeMap::new();
        let mut number = 0_u64;
        while stopped.try_recv().is_err() {
            let mut together = Vec::new();
            for _ in 0..16 {
                number += 1;
                let text = number.to_string();
                let pending = publisher.enqueue_with(PublishOptions {
                    timeout: Duration::from_secs(50),
                    ..PublishOptions::new(CHANNEL, text.clone())
                });
                together.push((text, pending.await.expect("the client goes on")));
            }
            for (text, pending) in together {
                let published = pending.await.expect("acknowledged in the end");
                acknowledged.insert(published.position.seq, text);
            }
        }
        publisher.close().await;
        acknowledged
    });
    let synced = async || node.metrics().await.value("starling_store_entries_total");
    for _ in 0..2 {
        let before = synced().await;
        eventually("messages are synced", async || {
            (synced().await > before + 200.0).then_some(())
        })
        .await;
        server.kill();
        becomes("the loss is noticed", 0.0, async || {
            node.metrics().await.value("starling_store_writable")
        })
        .await;
        server.start_again();
    }
    let before = synced().await;
    eventually("messages are synced again", async || {
        (synced().await > before + 200.0).then_some(())
    })
    .await;
    let _ = stop.send(());
    let settled = tokio::time::timeout(Duration::from_secs(50), publishing).await;
    let acknowledged = settled
        .expect("every publish is settled")
        .expect("the publisher goes on");
    let (&last, _) = acknowledged.last_key_value().expect("some");
    let mut heard = 0;
    while heard < last {
        match soon("a message", events.next())
            .await
            .expect("the subscription goes on")
        {
            Event::Message(message) => {
                heard += 1;
                let text = heard.to_string();
                assert_eq!(
                    (message.position.seq, &*message.payload),
                    (heard, text.as_bytes()),
                    "once each, in order"
                );
                assert_eq!(
                    acknowledged.get(&heard),
                    Some(&text),
                    "message {heard} is what was acknowledged there"
                );
            }
            Event::Attached { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    subscriber.close().await;
    node.stop_after("the store cannot be").await;
}

#[test]
fn a_node_that_stands_alone_does_not_start_without_its_database_and_tells_no_password() {
    let directory = Directory::new();
    let url = "postgres://anna:hunter2@127.0.0.1:1/app";
    let run = |arguments: &[&str]| {
        let output = Command::new(BINARY)
            .args(arguments)
            .args(["--set", "auth.anonymous=true"])
            .args(["--set", &format!("node.data_dir={}", directory.text())])
            .args(["--config", "config/development.toml"])
            .env_clear()
            .env("STARLING_STORAGE__URL", url)
            .output()
            .expect("the binary under test runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, said) = run(&[
        "serve",
        "--set",
        "client.listen=127.0.0.1:0",
        "--set",
        "admin.listen=127.0.0.1:0",
    ]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("storage.url") && said.contains("anna:(hidden)@127.0.0.1:1/app"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
    let (code, said) = run(&["config", "show"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("anna:(hidden)@127.0.0.1:1/app") && !said.contains("hunter2"),
        "{said}"
    );
}
