//! What every route refuses alike: in JSON, with a code, as the document says.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::support::api::Api;
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::settings::Settings;
use crate::support::token::SECRET;

const READS: [&str; 3] = [
    "/v1/channels/demo:a",
    "/v1/channels/demo:a/messages",
    "/v1/channels/board:a/state",
];

const WRITES: [&str; 3] = ["/v1/channels/demo:a/messages", "/v1/broadcast", "/v1/disconnect"];

#[tokio::test]
async fn whoever_has_no_right_is_told_before_anything_is_read() {
    let settings = Settings::default().set("auth.anonymous", "false");
    let node = Node::start(settings.key("app", &format!("secret = \"{SECRET}\""))).await;
    let api = Api::of(&node).await;
    for path in READS {
        assert_eq!(
            api.get(path).await.refusal(),
            (401, "unauthorized".to_owned()),
            "{path}"
        );
    }
    for path in WRITES {
        let answer = api.send("post", path, Request::post(path, "no JSON")).await;
        assert_eq!(answer.refusal(), (401, "unauthorized".to_owned()), "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("bearer"));
    }
    assert_eq!(api.get("/.well-known/starling").await.status, 200);
    node.stop().await;
}

#[tokio::test]
async fn bodies_of_the_wrong_kind() {
    let node = Node::start(Settings::default().namespace("board", "keyed = true")).await;
    let api = Api::of(&node).await;
    for path in WRITES {
        let plain = Request::new("POST", path)
            .header("content-type", "text/plain")
            .body("{}");
        let answer = api.send("post", path, plain).await;
        assert_eq!(answer.refusal(), (415, "unsupported_media_type".to_owned()), "{path}");
        let unnamed = api.send("post", path, Request::new("POST", path).body("{}")).await;
        assert_eq!(unnamed.refusal(), (415, "unsupported_media_type".to_owned()), "{path}");
        let large = api.send("post", path, Request::post(path, "x".repeat(200_000))).await;
        assert_eq!(large.refusal(), (413, "payload_too_large".to_owned()), "{path}");
        let broken = api.send("post", path, Request::post(path, "{")).await;
        assert_eq!(broken.refusal(), (400, "bad_request".to_owned()), "{path}");
        let other = api.send("post", path, Request::post(path, "[1, 2]")).await;
        assert_eq!(other.refusal(), (422, "bad_request".to_owned()), "{path}");
    }
    for path in READS {
        let answer = api
            .send("get", path, Request::get(path).header("accept", "text/html"))
            .await;
        assert_eq!(answer.refusal(), (406, "not_acceptable".to_owned()), "{path}");
        let answer = api
            .send("get", path, Request::get(path).header("accept", "text/html, */*;q=0.1"))
            .await;
        assert_eq!(answer.status, 200, "{path}");
        let answer = Request::new("PUT", path).send(node.address()).await;
        assert_eq!(answer.refusal(), (405, "method_not_allowed".to_owned()), "{path}");
        assert!(
            answer.header("allow").is_some_and(|allow| allow.contains("get")),
            "{answer:?}"
        );
    }
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn requests_faster_than_a_party_may() {
    let settings = Settings::default()
        .namespace("board", "keyed = true")
        .set("limits.http_request_rate", "5");
    let node = Node::start(settings).await;
    let api = Api::of(&node).await;
    let mut taken = 0;
    let refused = loop {
        let answer = api.get(READS[taken % READS.len()]).await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
        assert!(taken < 40, "nothing held it back");
    };
    assert!(taken > 5, "a second's worth may come at once");
    assert_eq!(refused.refusal(), (429, "rate_limited".to_owned()));
    let ending = api.post("/v1/disconnect", &json!({ "subject": "anna" })).await;
    assert_eq!(
        ending.refusal(),
        (429, "rate_limited".to_owned()),
        "all of them share one rate"
    );
    let metrics = node.metrics().await;
    let limit = "starling_limits_reached_total{limit=\"http_request_rate\"}";
    assert_eq!(metrics.value(limit), 2.0);
    // Publishing has a rate of its own, and what says how to reach the node has none.
    api.publish("demo:a", "hello").await;
    assert_eq!(api.get("/.well-known/starling").await.status, 200);
    let wait = ending.json()["error"]["retry_after_ms"].as_u64().expect("a number");
    sleep(Duration::from_millis(wait)).await;
    assert_eq!(api.get(READS[0]).await.status, 200);
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn channels_that_nobody_uses_are_put_into_use_no_faster_than_a_party_may() {
    let node = Node::start(Settings::default().set("slots.open_rate", "5")).await;
    let api = Api::of(&node).await;
    let mut refused = 0;
    for number in 0..30 {
        let path = match number % 2 {
            0 => format!("/v1/channels/demo:{number}"),
            _ => format!("/v1/channels/demo:{number}/messages"),
        };
        let answer = api.get(&path).await;
        refused += usize::from(answer.status == 429);
    }
    assert!(refused > 10, "{refused} of 30");
    assert_eq!(
        api.get("/v1/channels/demo:0").await.status,
        200,
        "those in use are for everybody"
    );
    node.is_unharmed().await;
    node.stop().await;
}
