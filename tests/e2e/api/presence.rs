//! Reading who is in a channel.

use serde_json::json;
use starling_mesh::transport::Transport;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self};

use crate::presence::client_hello;
use crate::support::api::Api;
use crate::support::cluster::Cluster;
use crate::support::eventually::becomes;
use crate::support::node::Node;
use crate::support::raw::Raw;
use crate::support::settings::Settings;

const PRESENCE: &str = "/v1/channels/demo:room/presence";

async fn enter(node: &Node, secret: u8, state: &[u8]) -> Raw {
    let mut raw = Raw::connect(node, Transport::WebSocket).await;
    raw.send(client_hello(secret)).await;
    assert!(matches!(raw.frame().await, Body::Welcome(_)));
    raw.send(v1::Enter {
        request: 1,
        channel: "demo:room".to_owned(),
        state: state.to_vec().into(),
    })
    .await;
    assert!(matches!(raw.answer(1).await, Body::Entered(_)));
    raw
}

#[tokio::test]
async fn who_is_there_is_read_page_by_page() {
    let node = Node::start(Settings::default().set("node.name", "here")).await;
    let api = Api::of(&node).await;
    // A node that has just started has not compared its entries with itself: what it says may be old, and it says so.
    let nobody = json!({ "channel": "demo:room", "members": 0, "clients": 0, "stale": false, "present": [] });
    becomes("an empty room", nobody, async || api.get(PRESENCE).await.json()).await;
    let states: [&[u8]; 3] = [b"one", b"two", b"\xff"];
    let mut there = Vec::new();
    for (secret, state) in (1..).zip(states) {
        there.push(enter(&node, secret, state).await);
    }
    becomes("clients", json!(3), async || {
        api.get(PRESENCE).await.json()["clients"].clone()
    })
    .await;
    let first = api.get(&format!("{PRESENCE}?limit=2")).await.json();
    assert_eq!(first["present"].as_array().map(Vec::len), Some(2));
    assert_eq!(first["present"][0]["node"], "here");
    let next = first["next"].as_str().expect("there are more");
    let second = api.get(&format!("{PRESENCE}?limit=2&after={next}")).await.json();
    assert_eq!(second["present"].as_array().map(Vec::len), Some(1));
    assert!(second.get("next").is_none(), "{second}");
    let all = [&first["present"][0], &first["present"][1], &second["present"][0]];
    let mut data: Vec<_> = all
        .iter()
        .map(|one| {
            one["data"]
                .as_str()
                .or_else(|| one["data_base64"].as_str())
                .expect("a state")
        })
        .collect();
    data.sort_unstable();
    assert_eq!(data, ["/w==", "one", "two"]);
    let count = api.get(&format!("{PRESENCE}?count=true")).await.json();
    assert_eq!(
        count,
        json!({ "channel": "demo:room", "members": 3, "clients": 3, "stale": false })
    );
    drop(there);
    // Whoever looked watches no more.
    becomes("watched channels", 0.0, async || {
        node.metrics().await.value("starling_presence_watched_channels")
    })
    .await;
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn what_is_asked_for_must_make_sense() {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    for (path, status) in [
        ("/v1/channels/nowhere:a/presence", 404),
        ("/v1/channels/demo:a/presence?limit=0", 400),
        ("/v1/channels/demo:a/presence?limit=1001", 400),
        ("/v1/channels/demo:a/presence?after=nobody", 400),
        ("/v1/channels/demo:a/presence?count=perhaps", 400),
        ("/v1/channels/demo:a/presence?who=anna", 400),
        ("/v1/channels/demo::a/presence", 400),
    ] {
        assert_eq!(api.get(path).await.status, status, "{path}");
    }
    node.stop().await;
}

#[tokio::test]
async fn every_node_answers() {
    let nodes = Cluster::new().three().await;
    let there = enter(&nodes[0], 1, b"at a").await;
    for node in &nodes {
        let api = Api::of(node).await;
        becomes("who is there", json!("a"), async || {
            api.get(PRESENCE).await.json()["present"][0]["node"].clone()
        })
        .await;
    }
    drop(there);
    for node in nodes {
        node.stop().await;
    }
}
