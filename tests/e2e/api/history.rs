//! Reading messages back.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http::Answer;
use crate::support::node::Node;
use crate::support::settings::Settings;

const MESSAGES: &str = "/v1/channels/demo:a/messages";

#[tokio::test]
async fn a_channel_is_read_page_by_page() {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    let empty = page(api.get(MESSAGES).await);
    assert_eq!((&empty.seqs[..], empty.more, empty.head), (&[][..], false, 0));
    for number in 1..=5 {
        assert_eq!(api.publish("demo:a", &format!("number {number}")).await, number);
    }
    // From where an empty channel was read, too.
    let mut pages = Vec::new();
    let mut next = empty.next;
    loop {
        let page = page(api.get(&format!("{MESSAGES}?after={next}&limit=2")).await);
        next = page.next;
        pages.push(page.seqs);
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, [vec![1, 2], vec![3, 4], vec![5]]);
    let nothing_new = page(api.get(&format!("{MESSAGES}?after={next}")).await);
    assert_eq!((&nothing_new.seqs[..], &nothing_new.next), (&[][..], &next));
    api.publish("demo:a", "number 6").await;
    assert_eq!(page(api.get(&format!("{MESSAGES}?after={next}")).await).seqs, [6]);
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn the_newest_messages_come_without_a_position() {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    for number in 1..=120 {
        api.publish("demo:a", &number.to_string()).await;
    }
    let newest = page(api.get(&format!("{MESSAGES}?limit=3")).await);
    assert_eq!(
        (newest.seqs, newest.more, newest.head),
        (vec![118, 119, 120], false, 120)
    );
    assert_eq!(newest.payloads, [json!("118"), json!("119"), json!("120")]);
    let usual = page(api.get(MESSAGES).await);
    assert_eq!(
        usual.seqs,
        (21..=120).collect::<Vec<_>>(),
        "a hundred unless told otherwise"
    );
    let all = page(api.get(&format!("{MESSAGES}?limit=1000")).await);
    assert_eq!(all.seqs.len(), 120);
    node.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_text_come_in_base64() {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    for body in [
        json!({}),
        json!({ "data": "na\u{ef}ve \u{0}" }),
        json!({ "data_base64": "//79AA==" }),
    ] {
        assert_eq!(api.post(MESSAGES, &body).await.status, 200);
    }
    let messages = api.get(MESSAGES).await.json()["messages"].clone();
    assert_eq!(messages[0]["data"], "");
    assert_eq!(messages[1]["data"], "na\u{ef}ve \u{0}");
    assert_eq!(messages[2]["data_base64"], "//79AA==");
    assert!(messages[2]["data"].is_null(), "one of both: {messages}");
    node.stop().await;
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes() {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    let large = "x".repeat(60 * 1024);
    for _ in 0..9 {
        api.publish("demo:a", &large).await;
    }
    let first = page(api.get(&format!("{MESSAGES}?limit=1000")).await);
    assert_eq!((&first.seqs[..], first.more), (&[1, 2, 3][..], true), "240 KiB a page");
    let second = page(api.get(&format!("{MESSAGES}?limit=1000&after={}", first.next)).await);
    assert_eq!((&second.seqs[..], second.more), (&[4, 5, 6][..], true));
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_position_that_cannot_be_read_on_from() {
    let settings = Settings::default().namespace("short", "history = { messages = 2, bytes = \"1MiB\", age = \"2m\" }");
    let node = Node::start(settings).await;
    let api = Api::of(&node).await;
    for text in ["1", "2", "3", "4", "5"] {
        api.publish("short:a", text).await;
    }
    let path = "/v1/channels/short:a/messages";
    let now = page(api.get(path).await);
    assert_eq!(now.seqs, [4, 5]);
    let after = async |position: &str| api.get(&format!("{path}?after={position}")).await;
    for (what, position, reason) in [
        ("cut from history", format!("{}:2", now.epoch), "window_exceeded"),
        ("ahead of the channel", format!("{}:6", now.epoch), "position_ahead"),
        ("made up", "0123:1".to_owned(), "unknown_epoch"),
    ] {
        let lost = after(&position).await;
        assert_eq!(lost.refusal(), (410, "position_lost".to_owned()), "{what}");
        let error = lost.json()["error"].clone();
        assert_eq!(
            (&error["reason"], &error["position"]),
            (&json!(reason), &json!(now.next)),
            "{what}"
        );
        let goes_on = page(after(error["position"].as_str().expect("a position")).await);
        assert!(goes_on.seqs.is_empty() && !goes_on.more, "{what}");
    }
    // One before the oldest that is kept: nothing is missing.
    assert_eq!(page(after(&format!("{}:3", now.epoch)).await).seqs, [4, 5]);

    let node = Node::start_again(node).await;
    let lost = after(&now.next).await;
    assert_eq!(lost.json()["error"]["reason"], "node_restarted", "{lost:?}");
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn what_is_asked_for_must_make_sense() {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    for query in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=ten",
        "limit=1&limit=2",
        "after=",
        "after=here",
        "after=0-12:",
        "after=0-12:-1",
        "after=0-12:1:2",
        "after=0-12:18446744073709551616",
        "since=0-12:1",
    ] {
        let answer = api.get(&format!("{MESSAGES}?{query}")).await;
        assert_eq!(answer.refusal(), (400, "bad_request".to_owned()), "{query}");
    }
    for (path, status, code) in [
        ("/v1/channels/live:a/messages", 400, "no_history"),
        ("/v1/channels/nowhere:a/messages", 404, "unknown_namespace"),
        ("/v1/channels/lobby/messages", 400, "bad_channel_name"),
    ] {
        assert_eq!(api.get(path).await.refusal(), (status, code.to_owned()), "{path}");
    }
    node.is_unharmed().await;
    node.stop().await;
}

struct Page {
    epoch: String,
    head: u64,
    seqs: Vec<u64>,
    payloads: Vec<Value>,
    next: String,
    more: bool,
}

fn page(answer: Answer) -> Page {
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let messages = json["messages"].as_array().expect("messages");
    let text = |field: &str| json[field].as_str().expect("text").to_owned();
    Page {
        epoch: text("epoch"),
        head: json["head"].as_u64().expect("a seq"),
        seqs: messages.iter().map(|one| one["seq"].as_u64().expect("a seq")).collect(),
        payloads: messages.iter().map(|one| one["data"].clone()).collect(),
        next: text("next"),
        more: json["more"].as_bool().expect("whether there is more"),
    }
}
