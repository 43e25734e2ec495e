//! Sessions that somebody ends.

use serde_json::{Value, json};
use starling_client::SubscribeOptions;
use starling_mesh::transport::Transport;
use starling_protocol::close::CloseCode;

use crate::support::api::Api;
use crate::support::eventually::{becomes, soon};
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::Raw;
use crate::support::settings::Settings;

const DISCONNECT: &str = "/v1/disconnect";

over_both! {
    one_session_is_ended_and_told_why
    all_of_a_subject_are_ended
    a_client_that_is_told_to_return_does
}

async fn one_session_is_ended_and_told_why(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    let mut raw = Raw::connect(&node, transport).await;
    let session = raw.hello().await.session;
    let mut other = Raw::open(&node, transport).await;

    let body = json!({ "session": session, "reason": "signed in elsewhere" });
    assert_eq!(ended(&api, &body).await, 1);
    assert_eq!(ended(&api, &body).await, 0, "it is ended once");
    let goodbye = raw.farewell().await;
    assert_eq!(
        (goodbye.code, &*goodbye.reason),
        (code(CloseCode::Kicked), "signed in elsewhere")
    );
    other.attach("demo:a").await; // nobody else is
    drop(other);
    assert_eq!(node.metrics().await.closed(transport, "kicked"), 1.0);
    node.is_unharmed().await;
    node.stop().await;
}

async fn all_of_a_subject_are_ended(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(Raw::open(&node, transport).await);
    }
    // One that has not said who it is, is nobody's.
    let _opening = Raw::connect(&node, transport).await;
    assert_eq!(ended(&api, &json!({ "subject": "anna" })).await, 0);
    assert_eq!(ended(&api, &json!({ "subject": "", "returns": true })).await, 3);
    for session in &mut sessions {
        let goodbye = session.farewell().await;
        assert_eq!(goodbye.code, code(CloseCode::Reconnect));
        assert!(!goodbye.reason.is_empty(), "it says something without a reason, too");
    }
    node.is_unharmed().await;
    node.stop().await;
}

async fn a_client_that_is_told_to_return_does(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    let client = node.client(transport);
    let _events = soon(
        "a subscription",
        client.subscribe("demo:a", SubscribeOptions::default()),
    )
    .await
    .expect("attached");
    assert_eq!(ended(&api, &json!({ "subject": "", "returns": true })).await, 1);
    becomes("sessions it opened", 2, async || client.stats().sessions).await;
    soon("an acknowledgement", client.publish("demo:a", "back again"))
        .await
        .expect("published");
    assert_eq!(ended(&api, &json!({ "subject": "" })).await, 1);
    // It stays away, and says so to whoever publishes.
    assert!(soon("an answer", client.publish("demo:a", "too late")).await.is_err());
    assert_eq!(client.stats().sessions, 2);
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn what_is_asked_for_must_make_sense() {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    let long = "x".repeat(101);
    for (what, body, status) in [
        ("nobody", json!({}), 400),
        (
            "two ways to say who",
            json!({ "session": "1-1", "subject": "anna" }),
            400,
        ),
        ("no session's name", json!({ "session": "lobby" }), 400),
        ("another spelling of one", json!({ "session": "01-1" }), 400),
        ("a number too large", json!({ "session": "1-10000000000000000" }), 400),
        ("a long reason", json!({ "subject": "anna", "reason": long }), 400),
        ("an unknown field", json!({ "subject": "anna", "code": 4409 }), 422),
        ("a list", json!({ "subject": ["anna"] }), 422),
    ] {
        let answer = api.post(DISCONNECT, &body).await;
        assert_eq!(answer.refusal(), (status, "bad_request".to_owned()), "{what}");
    }
    for body in [
        json!({ "session": "1-1" }),
        json!({ "session": "0-0", "reason": "x".repeat(100) }),
        json!({ "subject": "" }),
    ] {
        assert_eq!(ended(&api, &body).await, 0, "nobody of that name is here");
    }
    node.is_unharmed().await;
    node.stop().await;
}

async fn ended(api: &Api, body: &Value) -> u64 {
    let answer = api.post(DISCONNECT, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["disconnected"].as_u64().expect("a number")
}

fn code(code: CloseCode) -> u32 {
    u32::from(code.number())
}
