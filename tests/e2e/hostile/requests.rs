//! Requests that are not allowed: each is refused with its code, and the session goes on.

use std::time::Duration;

use starling_mesh::transport::Transport;
use starling_protocol::frame::encode_client;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, ErrorCode, client_frame};
use tokio::time::sleep;

use super::flood;
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Dialer, Raw, attach_to, publish};
use crate::support::settings::Settings;

over_both! {
    what_cannot_be_carried_out_is_refused
    a_payload_at_the_limit_and_one_beyond
    more_channels_than_a_session_may_hold
    more_publishes_than_may_be_unanswered
    publishes_faster_than_the_rate
    answers_that_nobody_reads_cost_no_memory
}

async fn what_cannot_be_carried_out_is_refused(transport: Transport) {
    let node = Node::start(Settings::default().namespace("keyed", "keyed = true")).await;
    let mut raw = Raw::open(&node, transport).await;
    // The first serial of a publisher is its base, or an earlier one would be missing.
    let first = |channel: &str, payload: &'static str| v1::Publish {
        base: 9,
        ..publish(9, channel, payload)
    };
    let publish_to = |channel: &str| first(channel, "x").into();
    let attach = |channel: &str| attach_to(9, channel, None).into();
    let keyed = v1::Publish {
        key: "k".to_owned(),
        ..first("demo:a", "x")
    };
    let removal = v1::Publish {
        delete: true,
        key: "k".to_owned(),
        ..first("demo:a", "")
    };
    let backwards = v1::Publish {
        base: 10,
        ..first("demo:a", "x")
    };
    let unknown_policy = v1::Attach {
        policy: 77,
        ..attach_to(9, "demo:a", None)
    };
    let cases: [(client_frame::Body, ErrorCode); 14] = [
        (attach("nowhere:a"), ErrorCode::UnknownNamespace),
        (publish_to("nowhere:a"), ErrorCode::UnknownNamespace),
        (attach("no-namespace"), ErrorCode::BadChannelName),
        (publish_to("no-namespace"), ErrorCode::BadChannelName),
        (attach(&format!("demo:{}", "a".repeat(300))), ErrorCode::BadChannelName),
        (attach(""), ErrorCode::BadChannelName),
        (publish_to("keyed:a"), ErrorCode::KeyMismatch),
        (keyed.into(), ErrorCode::KeyMismatch),
        (removal.into(), ErrorCode::KeyMismatch),
        (backwards.into(), ErrorCode::BadRequest),
        (unknown_policy.into(), ErrorCode::BadRequest),
        (
            v1::Detach {
                request: 9,
                channel_id: 77,
            }
            .into(),
            ErrorCode::NotAttached,
        ),
        (
            v1::Refresh {
                request: 9,
                token: "t".to_owned(),
            }
            .into(),
            ErrorCode::Unauthorized,
        ),
        (
            v1::Skip {
                request: 9,
                channel: "nowhere:a".to_owned(),
                serial: 1,
                base: 1,
                since_ms: 1,
            }
            .into(),
            ErrorCode::UnknownNamespace,
        ),
    ];
    for (request, code) in cases {
        let what = format!("{request:?}");
        raw.send_all([request]).await;
        let error = raw.refusal(9).await;
        assert_eq!(error.code(), code, "{what}: {error:?}");
        assert!(error.message.len() > 15, "{error:?} says too little");
        assert_eq!(error.retry_after_ms > 0, code.is_retryable(), "{what}: {error:?}");
    }

    // A pull has no number: its refusal names the channel.
    raw.send(v1::Pull { channel_id: 77, seq: 0 }).await;
    let Body::Error(error) = raw.frame().await else {
        panic!("a pull from nowhere was not refused");
    };
    assert_eq!(
        (error.request, error.channel_id, error.code()),
        (0, 77, ErrorCode::NotAttached)
    );
    let channel_id = raw.attach("demo:a").await;
    raw.send(v1::Pull { channel_id, seq: 1_000 }).await;
    let Body::Error(error) = raw.frame().await else {
        panic!("a pull from what was never sent was not refused");
    };
    assert_eq!((error.channel_id, error.code()), (channel_id, ErrorCode::BadRequest));

    raw.send(publish(1, "demo:a", "the session goes on")).await;
    assert_eq!(raw.ack(1).await.position.expect("published").seq, 1);
    drop(raw);
    node.is_unharmed().await;
    node.stop().await;
}

async fn a_payload_at_the_limit_and_one_beyond(transport: Transport) {
    const LIMIT: usize = 1_000;
    let node = Node::start(Settings::default().namespace("small", "payload_max = \"1000B\"")).await;
    let mut raw = Raw::open(&node, transport).await;
    for (channel, limit) in [("small:a", LIMIT), ("demo:a", 64 * 1024)] {
        raw.send(publish(1, channel, vec![b'x'; limit])).await;
        assert_eq!(
            raw.ack(1).await.position.expect("published").seq,
            1,
            "{channel}: at the limit"
        );
        raw.send(publish(2, channel, vec![b'x'; limit + 1])).await;
        let error = raw.refusal(2).await;
        assert_eq!(error.code(), ErrorCode::PayloadTooLarge, "{channel}: {error:?}");
    }
    assert_eq!(node.metrics().await.limited("payload_max"), 2.0);
    drop(raw);
    node.is_unharmed().await;
    node.stop().await;
}

async fn more_channels_than_a_session_may_hold(transport: Transport) {
    let node = Node::start(Settings::default().set("session.channels_max", "3")).await;
    let mut raw = Raw::connect(&node, transport).await;
    assert_eq!(raw.hello().await.limits.expect("limits").channels, 3);
    // In one piece: an attach that has no answer yet counts, too.
    raw.send_all((1..=4).map(|request| attach_to(request, &format!("demo:{request}"), None).into()))
        .await;
    assert_eq!(raw.refusal(4).await.code(), ErrorCode::TooManyChannels);
    assert_eq!(node.metrics().await.limited("channels_max"), 1.0);
    let mut channel_id = 0;
    for _ in 1..=3 {
        match raw.frame().await {
            Body::Attached(attached) => channel_id = attached.channel_id,
            other => panic!("{other:?}"),
        }
    }
    raw.send(v1::Detach { request: 5, channel_id }).await;
    assert!(matches!(raw.answer(5).await, Body::Detached(_)));
    raw.send(attach_to(6, "demo:4", None)).await;
    assert!(matches!(raw.answer(6).await, Body::Attached(_)), "there is room again");
    drop(raw);
    node.is_unharmed().await;
    node.stop().await;
}

async fn more_publishes_than_may_be_unanswered(transport: Transport) {
    const ALLOWED: u64 = 4;
    const SENT: u64 = 20;
    let node = Node::start(Settings::default().set("session.publishes_in_flight_max", "4")).await;
    let mut raw = Raw::open(&node, transport).await;
    // In one piece, so that they are all there before the first answer.
    raw.send_all((1..=SENT).map(|serial| publish(serial, "demo:a", "x").into()))
        .await;
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..SENT {
        match raw.frame().await {
            Body::Ack(ack) => taken.push(ack.serial),
            Body::Error(error) => {
                assert!(
                    matches!(error.code(), ErrorCode::RateLimited | ErrorCode::SerialGap),
                    "{error:?}"
                );
                refused.push((error.request, error.code()));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(taken.len() as u64 >= ALLOWED, "{taken:?}");
    assert!(
        refused.iter().any(|(_, code)| *code == ErrorCode::RateLimited),
        "{refused:?}"
    );
    assert!(node.metrics().await.limited("publishes_in_flight_max") >= 1.0);
    assert_eq!(
        taken,
        (1..=taken.len() as u64).collect::<Vec<_>>(),
        "no publish overtakes one that was refused"
    );
    let next = taken.len() as u64 + 1;
    raw.send(publish(next, "demo:a", "x")).await;
    assert_eq!(raw.ack(next).await.serial, next, "what was refused may be sent again");
    drop(raw);
    node.is_unharmed().await;
    node.stop().await;
}

async fn publishes_faster_than_the_rate(transport: Transport) {
    let node = Node::start(Settings::default().namespace("slow", "publish_rate = 5")).await;
    let mut raw = Raw::open(&node, transport).await;
    let mut serial = 1;
    let error = loop {
        raw.send(publish(serial, "slow:a", "x")).await;
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
    assert_eq!(node.metrics().await.limited("publish_rate"), 1.0);

    let mut other = Raw::open(&node, transport).await;
    other.send(publish(1, "slow:a", "x")).await;
    assert!(
        matches!(other.answer(1).await, Body::Ack(_)),
        "the rate of one session is not another's"
    );
    // What the server asked for is what the client waits.
    sleep(Duration::from_millis(error.retry_after_ms.into())).await;
    raw.send(publish(serial, "slow:a", "x")).await;
    assert_eq!(raw.ack(serial).await.serial, serial);
    drop((raw, other));
    node.is_unharmed().await;
    node.stop().await;
}

async fn answers_that_nobody_reads_cost_no_memory(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut raw = Dialer::narrow(&node, transport).await.open().await;
    let attach = v1::Attach {
        // The answer to it is the longest there is: what the client sent is part of it.
        channel: "nowhere:".to_owned() + &"a".repeat(200),
        ..attach_to(1, "", None)
    };
    let requests = [encode_client(attach), encode_client(v1::Ping { nonce: u64::MAX })];
    let requests: Vec<u8> = requests.iter().flat_map(|request| raw.framed(request)).collect();
    flood(&node, &mut raw, &requests.repeat(100)).await;
    drop(raw);
    node.is_unharmed().await;
    node.stop().await;
}
