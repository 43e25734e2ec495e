//! Which nodes a message travels to: those whose clients read its channel, each once. Counted at the links of real nodes.

use starling_core::id::{ChannelName, slot_of};
use starling_mesh::transport::Transport;
use starling_protocol::v1::server_frame::Body;

use crate::support::cluster::Cluster;
use crate::support::eventually::{becomes, eventually};
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::raw::{Raw, publish};

/// Messages for each set of readers.
const MESSAGES: u64 = 20;

/// A channel that a node of this name owns, as another node sees it once every slot has all its copies.
async fn channel_of(owner: &str, seen_by: &Node) -> String {
    let table = eventually("slots with three copies each", async || {
        let table = Request::get("/cluster/slots").send(seen_by.admin()).await.json();
        let slots = table.as_array().expect("a list");
        let is_whole = |slot: &serde_json::Value| slot["isr"].as_array().is_some_and(|isr| isr.len() == 3);
        slots.iter().all(is_whole).then_some(table)
    })
    .await;
    let slots = u16::try_from(table.as_array().expect("a list").len()).expect("slots are few");
    let owned = |channel: &String| {
        let name = ChannelName::parse(channel).expect("a name");
        let owned_by = &table[usize::from(slot_of(&name, slots).0)]["owner"];
        let text = owned_by.as_str().expect("whole slots are owned");
        text.starts_with(&format!("{owner}@"))
    };
    let names = (0..).map(|number| format!("demo:interest-{number}"));
    names.into_iter().find(owned).expect("every node owns some slots")
}

/// Frames and messages that all links together took for gateways that follow.
async fn fanned_out(nodes: &[Node]) -> (f64, f64) {
    let (mut frames, mut messages) = (0.0, 0.0);
    for node in nodes {
        let metrics = node.metrics().await;
        frames += metrics.value("starling_cluster_fanout_frames_total");
        messages += metrics.value("starling_cluster_fanout_messages_total");
    }
    (frames, messages)
}

/// A session at a node that is attached to the channel.
async fn reader(node: &Node, channel: &str) -> Raw {
    let mut reader = Raw::open(node, Transport::WebSocket).await;
    reader.attach(channel).await;
    reader
}

/// Reads until so many messages have come.
async fn reads(reader: &mut Raw, messages: u64) {
    let mut last = 0;
    while last < messages {
        if let Body::Publication(message) = reader.frame().await {
            last = message.seq;
        }
    }
}

#[tokio::test]
async fn a_message_crosses_a_link_once_for_each_other_node_that_reads_its_channel() {
    let cluster = Cluster::new();
    let nodes = cluster.three().await;
    let [a, b, c] = &nodes;
    let channel = channel_of("b", a).await;
    let mut publisher = Raw::open(a, Transport::WebSocket).await;
    let mut serial = 0;
    let mut publish_all = async || {
        for _ in 0..MESSAGES {
            serial += 1;
            publisher.send(publish(serial, &channel, "counted")).await;
            // One at a time: what is committed together travels together.
            publisher.ack(serial).await;
        }
        serial
    };

    // Its owner has it already, and the publisher's node only asks.
    let mut at_b = reader(b, &channel).await;
    let published = publish_all().await;
    reads(&mut at_b, published).await;
    assert_eq!(fanned_out(&nodes).await, (0.0, 0.0));

    let mut at_c = [reader(c, &channel).await, reader(c, &channel).await];
    let published = publish_all().await;
    for reader in &mut at_c {
        reads(reader, published).await;
    }
    let one = MESSAGES as f64;
    becomes("frames for one node", (one, one), async || fanned_out(&nodes).await).await;

    // The publisher's node as well, now that a client reads there.
    let mut at_a = reader(a, &channel).await;
    let published = publish_all().await;
    for reader in at_c.iter_mut().chain([&mut at_a]) {
        reads(reader, published).await;
    }
    let sum = one + 2.0 * one;
    becomes("frames for two nodes", (sum, sum), async || fanned_out(&nodes).await).await;
    assert_eq!(
        fanned_out(std::slice::from_ref(b)).await,
        (sum, sum),
        "its owner sent them all"
    );
    for node in nodes {
        node.log().has_no_panic();
    }
}
