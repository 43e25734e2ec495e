//! One message to many channels.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http::Answer;
use crate::support::node::Node;
use crate::support::settings::Settings;

const BROADCAST: &str = "/v1/broadcast";

#[tokio::test]
async fn every_channel_gets_the_message_once() {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    api.publish("demo:b", "one before").await;
    let body = json!({ "channels": ["demo:a", "demo:b", "live:c"], "data": "hello" });
    let first = api.post_once("order-1", BROADCAST, &body).await;
    assert_eq!((first.status, told(&first)), (200, (3, 0)));
    assert_eq!(
        seqs(&first),
        [("demo:a", 1, false), ("demo:b", 2, false), ("live:c", 1, false)]
    );
    let again = api.post_once("order-1", BROADCAST, &body).await;
    assert_eq!(
        seqs(&again),
        [("demo:a", 1, true), ("demo:b", 2, true), ("live:c", 1, true)]
    );
    let newest = api.get("/v1/channels/demo:b/messages?limit=1").await.json();
    assert_eq!(
        (&newest["head"], &newest["messages"][0]["data"]),
        (&json!(2), &json!("hello"))
    );
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn what_one_channel_refuses_the_others_take() {
    let settings = Settings::default()
        .namespace("board", "keyed = true")
        .namespace("small", "payload_max = \"1B\"");
    let node = Node::start(settings).await;
    let api = Api::of(&node).await;
    let channels = ["demo:a", "nowhere:a", "board:a", "lobby", "small:a", "demo:b"];
    let body = json!({ "channels": channels, "data": "hello" });
    let answer = api.post_once("order-1", BROADCAST, &body).await;
    assert_eq!((answer.status, told(&answer)), (207, (2, 4)));
    let json = answer.json();
    let results = json["results"].as_array().expect("results");
    let codes: Vec<_> = results.iter().map(|one| one["error"]["code"].as_str()).collect();
    assert_eq!(
        codes,
        [
            None,
            Some("unknown_namespace"),
            Some("key_mismatch"),
            Some("bad_channel_name"),
            Some("payload_too_large"),
            None
        ]
    );
    let named: Vec<_> = results.iter().map(|one| one["channel"].as_str()).collect();
    assert_eq!(named, channels.map(Some), "in the order of the request");
    let refused = node.metrics().await;
    assert_eq!(refused.value("starling_refusals_total{code=\"key_mismatch\"}"), 1.0);

    // What was refused is sent again alone, under the same name; so is the whole.
    let alone = api
        .post_once("order-1", "/v1/channels/demo:a/messages", &json!({ "data": "hello" }))
        .await;
    assert_eq!(
        (&alone.json()["seq"], &alone.json()["duplicate"]),
        (&json!(1), &json!(true))
    );
    let mended = json!({ "channels": ["demo:a", "demo:b", "demo:c"], "data": "hello" });
    let answer = api.post_once("order-1", BROADCAST, &mended).await;
    assert_eq!(
        seqs(&answer),
        [("demo:a", 1, true), ("demo:b", 1, true), ("demo:c", 1, false)]
    );
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn the_list_of_channels_is_bounded() {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    let names = |count: usize| (0..count).map(|number| format!("demo:{number}")).collect::<Vec<_>>();
    let most = api
        .post(BROADCAST, &json!({ "channels": names(100), "data": "" }))
        .await;
    assert_eq!((most.status, told(&most)), (200, (100, 0)));
    for (what, body, status) in [
        ("too many", json!({ "channels": names(101), "data": "" }), 400),
        ("none", json!({ "channels": [], "data": "" }), 400),
        (
            "one twice",
            json!({ "channels": ["demo:a", "demo:a"], "data": "" }),
            400,
        ),
        (
            "both forms of data",
            json!({ "channels": ["demo:a"], "data": "", "data_base64": "" }),
            400,
        ),
        ("no list", json!({ "data": "" }), 422),
        ("a name alone", json!({ "channels": "demo:a" }), 422),
        ("an unknown field", json!({ "channels": ["demo:a"], "dta": "" }), 422),
    ] {
        let answer = api.post(BROADCAST, &body).await;
        assert_eq!(answer.refusal(), (status, "bad_request".to_owned()), "{what}");
    }
    node.is_unharmed().await;
    node.stop().await;
}

/// Or one request would be worth a hundred.
#[tokio::test]
async fn each_channel_counts_as_a_publish() {
    let node = Node::start(Settings::default().set("limits.http_publish_rate", "5")).await;
    let api = Api::of(&node).await;
    let channels: Vec<_> = (0..50).map(|number| format!("demo:{number}")).collect();
    let answer = api.post(BROADCAST, &json!({ "channels": channels, "data": "" })).await;
    let (published, refused) = told(&answer);
    assert_eq!(answer.status, 207);
    assert!(
        (5..=20).contains(&published) && published + refused == 50,
        "{published} published"
    );
    let json = answer.json();
    let last = &json["results"][49]["error"];
    assert_eq!(last["code"], "rate_limited");
    assert!(
        last["retry_after_ms"].as_u64().is_some_and(|after| after >= 1),
        "{last}"
    );
    let whole = api
        .post(BROADCAST, &json!({ "channels": ["demo:a"], "data": "" }))
        .await;
    assert_eq!(
        whole.refusal(),
        (429, "rate_limited".to_owned()),
        "nothing is left for the next"
    );
    let metrics = node.metrics().await;
    let limit = "starling_limits_reached_total{limit=\"http_publish_rate\"}";
    assert_eq!(metrics.value(limit), refused as f64 + 1.0);
    node.is_unharmed().await;
    node.stop().await;
}

/// How many channels took the message, and how many did not.
fn told(answer: &Answer) -> (u64, u64) {
    let json = answer.json();
    let count = |field: &str| json[field].as_u64().unwrap_or_else(|| panic!("{json}"));
    (count("published"), count("refused"))
}

/// Channel, seq and whether it was known, of each.
fn seqs(answer: &Answer) -> Vec<(&'static str, u64, bool)> {
    let known = ["demo:a", "demo:b", "demo:c", "live:c"];
    let one = |result: &Value| {
        let name = result["channel"]
            .as_str()
            .and_then(|name| known.into_iter().find(|one| *one == name));
        let seq = result["seq"].as_u64().unwrap_or_else(|| panic!("{result}"));
        (name.expect("a channel"), seq, result["duplicate"] == true)
    };
    answer.json()["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(one)
        .collect()
}
