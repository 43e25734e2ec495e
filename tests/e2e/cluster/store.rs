//! Persisted channels in a cluster: in a PostgreSQL that the nodes share, and refused where they share none.

use std::time::Duration;

use starling_client::{ErrorCode, Event, Position, PublishError, SubscribeOptions};
use starling_mesh::transport::Transport;

use crate::support::cluster::{Cluster, Slots, is_ready};
use crate::support::eventually::soon;
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::postgres::Postgres;
use crate::support::settings::Settings;
use crate::support::stream::Stream;

/// More of a channel than memory holds (a thousand), so that history comes from the store.
const MESSAGES: usize = 1_200;

fn persisted(settings: Settings) -> Settings {
    settings.set("session.heartbeat", "1s").namespace(
        "log",
        "durability = \"persisted\"\npublish_rate = 0\nhistory = { messages = 200000, bytes = \"256MiB\", age = \"1d\" }",
    )
}

/// All that a node has of a channel, page by page: each message stands where it was acknowledged, once and in order.
async fn has_all(node: &Node, channel: &str, published: &[Position]) {
    let mut after = format!("{}:0", published[0].epoch);
    let mut number = 0;
    loop {
        let page = format!("/v1/channels/{channel}/messages?limit=1000&after={after}");
        let answer = Request::get(&page).send(node.address()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = answer.json();
        assert_eq!(json["epoch"], &*published[0].epoch, "one history");
        for message in json["messages"].as_array().expect("a list") {
            assert_eq!(message["seq"], published[number].seq, "message {number} of {channel}");
            assert_eq!(message["data"], number.to_string());
            number += 1;
        }
        if json["more"] == false {
            break;
        }
        after = json["next"].as_str().expect("a position").to_owned();
    }
    assert_eq!(number, published.len(), "{channel} at its end");
}

/// The same by a client that was away since the first message.
async fn is_resumed(node: &Node, channel: &str, published: &[Position]) {
    let client = node.client(Transport::WebSocket);
    let attached = client.subscribe(channel, SubscribeOptions::after(published[0].clone()));
    let mut events = soon("a subscription", attached).await.expect("attached");
    let mut number = 1;
    while number < published.len() {
        match soon("a message", events.next())
            .await
            .expect("the subscription goes on")
        {
            Event::Message(message) => {
                assert_eq!(message.position, published[number], "message {number} of {channel}");
                assert_eq!(message.payload, number.to_string());
                number += 1;
            }
            Event::Attached { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    client.close().await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_its_owner_and_then_all_nodes() {
    let server = Postgres::start();
    let database = server.database();
    let cluster = Cluster::new().with(|settings| persisted(settings).set("storage.url", &database));
    let [a, b, mut c] = cluster.three().await;
    let slots = Slots::whole(&a).await;
    let channels = [slots.channels("log", "c", 2), slots.channels("log", "a", 1)].concat();

    let stream = Stream::start(&a, &b, &channels, Duration::ZERO).await;
    stream.goes_on(MESSAGES / 2).await;
    c.kill().await;
    stream.goes_on(MESSAGES / 2).await;
    let done = stream.stop().await;
    println!("the slowest acknowledgement took {:?}", done.slowest);
    for (channel, published) in &done.published {
        assert!(published.len() > MESSAGES, "{} messages", published.len());
        for node in [&a, &b] {
            has_all(node, channel, published).await;
        }
        is_resumed(&b, channel, published).await;
    }

    let mut gone = [a, b, c];
    for node in &mut gone[..2] {
        node.kill().await;
    }
    let mut nodes = Vec::new();
    for node in gone {
        nodes.push(Node::start_again(node).await);
    }
    for node in &nodes {
        is_ready(node, 200).await;
    }
    for (channel, published) in &done.published {
        for node in &nodes {
            has_all(node, channel, published).await;
        }
        is_resumed(&nodes[2], channel, published).await;
        let next = Request::publish(channel, r#"{"data": "after all that"}"#);
        let next = next.send(nodes[0].address()).await;
        assert_eq!(next.status, 200, "{next:?}");
        let last = published.last().expect("many");
        assert_eq!(next.json()["epoch"], &*last.epoch, "one history");
        assert_eq!(next.json()["seq"], last.seq + 1);
    }
    for node in nodes {
        node.log().has_no_panic();
    }
}

#[tokio::test]
async fn without_a_shared_store_persisted_channels_are_refused_and_others_are_not() {
    let cluster = Cluster::new().with(persisted);
    let nodes = cluster.three().await;
    for node in &nodes {
        let publish = Request::publish("log:a", r#"{"data": "keep this"}"#);
        assert_eq!(
            publish.send(node.address()).await.refusal(),
            (501, "store_not_shared".to_owned())
        );
        let read = Request::get("/v1/channels/log:a/messages").send(node.address()).await;
        assert_eq!(read.refusal(), (501, "store_not_shared".to_owned()));
        for transport in Transport::ALL {
            let client = node.client(transport);
            let refused = soon("an answer", client.publish("log:a", "keep this")).await;
            match refused {
                Err(PublishError::Refused(refusal)) => assert_eq!(refusal.code(), Some(ErrorCode::StoreNotShared)),
                other => panic!("{other:?}"),
            }
            client.close().await;
        }
        node.is_unharmed().await;
    }
}
