//! What is in the store only, read over HTTP.

use starling_mesh::transport::Transport;

use super::persisted;
use crate::support::api::Api;
use crate::support::directory::Directory;
use crate::support::node::Node;
use crate::support::raw::{Raw, publish};

#[tokio::test]
async fn messages_that_are_in_the_store_only_are_read_page_by_page() {
    /// More than a persisted channel keeps in memory.
    const MESSAGES: u64 = 1_200;
    let directory = Directory::new();
    let mut node = Node::start(persisted(&directory)).await;
    let mut publisher = Raw::open(&node, Transport::WebSocket).await;
    for serial in 1..=MESSAGES {
        publisher.send(publish(serial, "log:a", serial.to_string())).await;
        if serial % 32 == 0 {
            for serial in serial - 31..=serial {
                publisher.ack(serial).await;
            }
        }
    }
    for serial in MESSAGES / 32 * 32 + 1..=MESSAGES {
        publisher.ack(serial).await;
    }
    drop(publisher);
    node.kill().await;
    let node = Node::start_again(node).await;
    let api = Api::of(&node).await;
    let path = "/v1/channels/log:a/messages";
    let newest = api.get(path).await.json();
    let mut next = format!("{}:0", newest["epoch"].as_str().expect("an epoch"));
    let mut read = Vec::new();
    loop {
        let page = api.get(&format!("{path}?after={next}&limit=500")).await.json();
        let messages = page["messages"].as_array().expect("messages");
        read.extend(
            messages
                .iter()
                .map(|one| one["data"].as_str().expect("text").to_owned()),
        );
        next = page["next"].as_str().expect("a position").to_owned();
        if page["more"] == false {
            break;
        }
    }
    let all: Vec<_> = (1..=MESSAGES).map(|number| number.to_string()).collect();
    assert_eq!(read, all);
    node.is_unharmed().await;
    node.stop().await;
}
