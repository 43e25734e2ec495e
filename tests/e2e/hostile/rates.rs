//! What is allowed, asked for faster than one may: refused with a code and the time to wait, counted by its limit.

use std::time::Duration;

use futures_util::future::join_all;
use starling_client::SubscribeOptions;
use starling_mesh::transport::Transport;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, ErrorCode};
use tokio::time::sleep;

use crate::support::eventually::soon;
use crate::support::http::{Answer, Request};
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Raw, attach_to, publish};
use crate::support::settings::Settings;

over_both! {
    attaches_faster_than_the_rate
    more_bytes_than_the_rate
    channels_put_into_use_faster_than_a_party_may
    a_client_waits_as_it_is_told
}

async fn attaches_faster_than_the_rate(transport: Transport) {
    let node = Node::start(Settings::default().set("session.attach_rate", "5")).await;
    let mut raw = Raw::open(&node, transport).await;
    let error = attach_until_refused(&mut raw, |_| "demo:a".to_owned()).await;
    assert_eq!(reached(&node, "attach_rate").await, 1.0);

    let mut other = Raw::open(&node, transport).await;
    other.attach("demo:a").await; // the rate of one session is not another's
    sleep(Duration::from_millis(error.retry_after_ms.into())).await;
    raw.attach("demo:a").await;
    drop((raw, other));
    node.is_unharmed().await;
    node.stop().await;
}

async fn more_bytes_than_the_rate(transport: Transport) {
    let namespace = "publish_rate = 0\npublish_bytes = \"10KiB\"";
    let node = Node::start(Settings::default().namespace("narrow", namespace)).await;
    let mut raw = Raw::open(&node, transport).await;
    let mut serial = 1;
    let error = loop {
        raw.send(publish(serial, "narrow:a", vec![b'x'; 2_048])).await;
        match raw.answer(serial).await {
            Body::Ack(_) => serial += 1,
            Body::Error(error) => break error,
            other => panic!("{other:?}"),
        }
        assert!(serial < 30, "nothing held this session back");
    };
    assert!(serial > 5, "a second's worth may come at once");
    assert_eq!(error.code(), ErrorCode::RateLimited);
    assert!((1..=1_000).contains(&error.retry_after_ms), "{error:?}");
    assert_eq!(reached(&node, "publish_bytes").await, 1.0);
    sleep(Duration::from_millis(error.retry_after_ms.into())).await;
    raw.send(publish(serial, "narrow:a", vec![b'x'; 2_048])).await;
    raw.ack(serial).await;
    drop(raw);
    node.is_unharmed().await;
    node.stop().await;
}

async fn channels_put_into_use_faster_than_a_party_may(transport: Transport) {
    let node = Node::start(Settings::default().set("slots.open_rate", "5")).await;
    let mut raw = Raw::open(&node, transport).await;
    let error = attach_until_refused(&mut raw, |number| format!("demo:{number}")).await;

    // One more is allowed every fifth of a second: of nine at once, by whatever way, most are refused.
    let mut other = Raw::open(&node, transport).await;
    let new = |serial| v1::Publish {
        base: serial,
        ..publish(serial, &format!("demo:published-{serial}"), "x")
    };
    other.send_all((1..=9).map(|serial| new(serial).into())).await;
    let mut refused = 0;
    for _ in 1..=9 {
        refused += usize::from(is_rate_limited(&other.frame().await));
    }
    assert!(
        refused >= 5,
        "a new session of the same party has no new burst: {refused}"
    );
    let over_http = (1..=9).map(|number| publish_over_http(&node, format!("demo:http-{number}")));
    let answers = join_all(over_http).await;
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(refused >= 5, "{answers:?}");

    // Channels in use are for everybody.
    other.attach("demo:1").await;
    other.send(publish(1, "demo:1", "x")).await;
    other.ack(1).await;
    assert_eq!(publish_over_http(&node, "demo:1".to_owned()).await.status, 200);
    sleep(Duration::from_millis(error.retry_after_ms.into()) * 2).await;
    raw.send(attach_to(99, "demo:at-last", None)).await;
    assert!(matches!(raw.answer(99).await, Body::Attached(_)), "there is room again");
    assert!(reached(&node, "open_rate").await > 10.0);
    drop((raw, other));
    node.is_unharmed().await;
    node.stop().await;
}

/// Sixty channels at twenty a second: two seconds of waiting, and every one is attached.
async fn a_client_waits_as_it_is_told(transport: Transport) {
    let settings = Settings::default().set("session.attach_rate", "20");
    let node = Node::start(settings).await;
    let client = node.client(transport);
    let subscribe = |number| {
        let client = client.clone();
        async move {
            let name = format!("demo:{number}");
            client.subscribe(name, SubscribeOptions::default()).await
        }
    };
    let attached = soon("sixty channels", join_all((0..60).map(subscribe))).await;
    assert!(attached.iter().all(Result::is_ok), "{attached:?}");
    let refused = reached(&node, "attach_rate").await;
    assert!((1.0..=300.0).contains(&refused), "{refused} refusals");
    assert_eq!(client.stats().sessions, 1);
    drop(attached);
    client.close().await;
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn publishes_over_http_faster_than_a_party_may() {
    let node = Node::start(Settings::default().set("limits.http_publish_rate", "5")).await;
    let mut taken = 0;
    let refused = loop {
        let answer = publish_over_http(&node, "demo:a".to_owned()).await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
        assert!(taken < 30, "nothing held it back");
    };
    assert!(taken > 5, "a second's worth may come at once");
    assert_eq!(refused.refusal(), (429, "rate_limited".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let retry_after_ms = refused.json()["error"]["retry_after_ms"].as_u64().expect("a number");
    assert!((1..=1_000).contains(&retry_after_ms), "{refused:?}");
    let metrics = node.metrics().await;
    assert_eq!(
        metrics.value("starling_limits_reached_total{limit=\"http_publish_rate\"}"),
        1.0
    );
    assert_eq!(metrics.value("starling_refusals_total{code=\"rate_limited\"}"), 1.0);
    // Neither reading nor a session is held back by it.
    assert_eq!(
        Request::get("/.well-known/starling").send(node.address()).await.status,
        200
    );
    sleep(Duration::from_millis(retry_after_ms)).await;
    assert_eq!(publish_over_http(&node, "demo:a".to_owned()).await.status, 200);
    node.is_unharmed().await;
    node.stop().await;
}

/// Attaches until one is refused, and gives the refusal. A second's worth of five comes through at once.
async fn attach_until_refused(raw: &mut Raw, channel: impl Fn(u64) -> String) -> v1::Error {
    for request in 1..30 {
        raw.send(attach_to(request, &channel(request), None)).await;
        match raw.answer(request).await {
            Body::Attached(_) => {}
            Body::Error(error) => {
                assert!(request > 6, "refused at number {request}: {error:?}");
                assert_eq!(error.code(), ErrorCode::RateLimited);
                assert!((1..=1_000).contains(&error.retry_after_ms), "{error:?}");
                return error;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("nothing held this session back");
}

fn is_rate_limited(frame: &Body) -> bool {
    matches!(frame, Body::Error(error) if error.code() == ErrorCode::RateLimited)
}

async fn publish_over_http(node: &Node, channel: String) -> Answer {
    Request::publish(&channel, r#"{"data": "x"}"#)
        .send(node.address())
        .await
}

/// How often this limit was met, by the node's own count.
async fn reached(node: &Node, limit: &str) -> f64 {
    node.metrics().await.limited(limit)
}
