//! Publishing over HTTP, which has no session to remember what was sent.

use bytes::Bytes;
use starling_mesh::transport::Transport;
use starling_protocol::v1::Policy;

use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::Raw;
use crate::support::reader::Reader;
use crate::support::settings::Settings;

const CHANNEL: &str = "demo:http";

over_both! {
    a_repeated_request_publishes_once
}

async fn a_repeated_request_publishes_once(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let raw = Raw::open(&node, transport).await;
    let mut reader = Reader::attach(raw, CHANNEL, None, Policy::Unspecified).await;
    let publish = async |key: Option<&str>, text: &str| {
        let request = Request::publish(CHANNEL, format!(r#"{{"data": "{text}"}}"#));
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        let answer = request.send(node.address()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = answer.json();
        assert_eq!((&json["channel"], &json["copies"]), (&CHANNEL.into(), &1.into()));
        assert_eq!(json["epoch"].as_str(), Some(&*reader.epoch));
        (
            json["seq"].as_u64().expect("a seq"),
            json["duplicate"].as_bool().expect("whether it was known"),
        )
    };
    assert_eq!(publish(Some("order-1"), "first").await, (1, false));
    assert_eq!(publish(Some("order-1"), "first").await, (1, true));
    assert_eq!(publish(Some("order-2"), "second").await, (2, false));
    assert_eq!(
        publish(Some("order-1"), "what differs is not looked at").await,
        (1, true)
    );
    assert_eq!(publish(None, "third").await, (3, false));
    assert_eq!(
        publish(None, "third").await,
        (4, false),
        "without a key every request is its own"
    );
    assert_eq!(
        reader.read_to(4).await,
        ["first", "second", "third", "third"].map(Bytes::from)
    );
    node.is_unharmed().await;
    node.stop().await;
}
