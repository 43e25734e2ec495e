//! Reading the values of a keyed channel.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::node::Node;
use crate::support::settings::Settings;

const STATE: &str = "/v1/channels/board:a/state";

#[tokio::test]
async fn values_are_read_key_by_key() {
    let node = Node::start(Settings::default().namespace("board", "keyed = true")).await;
    let api = Api::of(&node).await;
    let empty = api.get(STATE).await.json();
    assert_eq!(
        (&empty["values"], &empty["seq"], &empty["next"]),
        (&json!([]), &json!(0), &Value::Null)
    );
    for (key, data) in [("d", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("b", "5")] {
        set(&api, json!({ "key": key, "data": data })).await;
    }
    set(&api, json!({ "key": "c", "delete": true })).await;
    set(&api, json!({ "key": "e", "data_base64": "/w==" })).await;

    let first = api.get(&format!("{STATE}?limit=2")).await.json();
    assert_eq!(keys(&first), [("a", "3"), ("b", "5")]);
    assert_eq!((&first["seq"], &first["next"]), (&json!(7), &json!("b")));
    assert_eq!(first["values"][1]["seq"], 5, "the message that set it");
    let second = api.get(&format!("{STATE}?limit=2&after=b")).await.json();
    assert_eq!(keys(&second), [("d", "1"), ("e", "/w==")]);
    assert!(second["next"].is_null(), "there are no more: {second}");
    let all = api.get(STATE).await.json();
    assert_eq!(keys(&all).len(), 4);
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn what_changes_between_two_pages_is_in_the_messages() {
    let node = Node::start(Settings::default().namespace("board", "keyed = true")).await;
    let api = Api::of(&node).await;
    for key in ["a", "b", "c"] {
        set(&api, json!({ "key": key, "data": "old" })).await;
    }
    let first = api.get(&format!("{STATE}?limit=2")).await.json();
    set(&api, json!({ "key": "a", "data": "new" })).await;
    let since = format!("{}:{}", first["epoch"].as_str().expect("an epoch"), first["seq"]);
    let messages = api
        .get(&format!("/v1/channels/board:a/messages?after={since}"))
        .await
        .json();
    assert_eq!(messages["messages"][0]["key"], "a");
    assert_eq!(messages["messages"][0]["data"], "new");
    node.stop().await;
}

#[tokio::test]
async fn what_is_asked_for_must_make_sense() {
    let node = Node::start(Settings::default().namespace("board", "keyed = true")).await;
    let api = Api::of(&node).await;
    let long = format!("{STATE}?after={}", "k".repeat(129));
    for (path, status, code) in [
        ("/v1/channels/demo:a/state", 400, "key_mismatch"),
        ("/v1/channels/nowhere:a/state", 404, "unknown_namespace"),
        ("/v1/channels/board/state", 400, "bad_channel_name"),
        ("/v1/channels/board:a/state?limit=0", 400, "bad_request"),
        ("/v1/channels/board:a/state?after=", 400, "bad_request"),
        (&long, 400, "bad_request"),
    ] {
        assert_eq!(api.get(path).await.refusal(), (status, code.to_owned()), "{path}");
    }
    node.is_unharmed().await;
    node.stop().await;
}

async fn set(api: &Api, body: Value) {
    let answer = api.post("/v1/channels/board:a/messages", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The keys and payloads of a page.
fn keys(page: &Value) -> Vec<(&str, &str)> {
    let values = page["values"].as_array().expect("values").iter();
    values
        .map(|value| {
            let data = value["data"].as_str().or_else(|| value["data_base64"].as_str());
            (value["key"].as_str().expect("a key"), data.expect("a payload"))
        })
        .collect()
}
