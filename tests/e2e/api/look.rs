//! Looking at a channel.

use serde_json::{Value, json};
use starling_mesh::transport::Transport;

use crate::support::api::Api;
use crate::support::eventually::becomes;
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::Raw;
use crate::support::settings::Settings;

over_both! {
    readers_are_counted
}

#[tokio::test]
async fn a_channel_tells_where_it_stands_and_what_holds_for_it() {
    let settings = Settings::default().namespace(
        "board",
        "keyed = true\npayload_max = \"512B\"\nhistory = { messages = 3, bytes = \"1KiB\", age = \"1m\" }",
    );
    let node = Node::start(settings).await;
    let api = Api::of(&node).await;
    let new = api.get("/v1/channels/demo:a").await.json();
    assert_eq!(
        (&new["head"], &new["durability"], &new["keyed"]),
        (&json!(0), &json!("replicated"), &json!(false))
    );
    assert_eq!(new["history"], json!({ "first": 1, "messages": 0, "bytes": 0 }));
    assert!(new["keys"].is_null(), "{new}");
    api.publish("demo:a", "12345").await;
    let used = api.get("/v1/channels/demo:a").await.json();
    assert_eq!((&used["epoch"], &used["head"]), (&new["epoch"], &json!(1)));
    assert_eq!(used["history"], json!({ "first": 1, "messages": 1, "bytes": 5 }));

    for number in 0..5 {
        let body = json!({ "key": format!("k{}", number % 2), "data": "12345678" });
        assert_eq!(api.post("/v1/channels/board:a/messages", &body).await.status, 200);
    }
    let keyed = api.get("/v1/channels/board:a").await.json();
    assert_eq!((&keyed["keyed"], &keyed["keys"]), (&json!(true), &json!(2)));
    assert_eq!(
        keyed["window"],
        json!({ "messages": 3, "bytes": 1024, "age_ms": 60_000 })
    );
    assert_eq!(keyed["history"], json!({ "first": 3, "messages": 3, "bytes": 30 }));

    let live = api.get("/v1/channels/live:a").await.json();
    assert_eq!(
        (&live["durability"], &live["window"]["messages"]),
        (&json!("ephemeral"), &json!(0))
    );
    for (path, status, code) in [
        ("/v1/channels/nowhere:a", 404, "unknown_namespace"),
        ("/v1/channels/lobby", 400, "bad_channel_name"),
        ("/v1/channels/demo:%20", 400, "bad_channel_name"),
    ] {
        assert_eq!(api.get(path).await.refusal(), (status, code.to_owned()), "{path}");
    }
    node.is_unharmed().await;
    node.stop().await;
}

async fn readers_are_counted(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    let readers = async || api.get("/v1/channels/demo:a").await.json()["readers"].clone();
    let (mut one, mut other) = (Raw::open(&node, transport).await, Raw::open(&node, transport).await);
    assert_eq!(readers().await, 0);
    one.attach("demo:a").await;
    other.attach("demo:a").await;
    other.attach("demo:b").await;
    becomes("readers of the channel", Value::from(2), readers).await;
    drop(one);
    becomes("readers of the channel", Value::from(1), readers).await;
    drop(other);
    becomes("readers of the channel", Value::from(0), readers).await;
    node.stop().await;
}
