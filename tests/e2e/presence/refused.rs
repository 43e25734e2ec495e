//! Rights and limits.

use starling_mesh::transport::Transport;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, ErrorCode};

use super::{ROOM, Watcher, client, enter, enter_frame, refused, watch_frame};
use crate::auth::{session, settings};
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::Raw;
use crate::support::settings::Settings;
use crate::support::token::Token;

over_both! {
    what_cannot_be_is_refused_with_its_code
    presence_is_a_right_of_its_own_and_names_come_from_tokens
    a_narrower_token_leaves_and_sees_no_more
    whoever_asks_too_often_is_told_to_wait
}

async fn what_cannot_be_is_refused_with_its_code(transport: Transport) {
    let small = Settings::default().namespace("small", "presence = { state_max = \"8B\" }");
    let node = Node::start(small).await;
    let mut raw = Raw::open(&node, transport).await;
    raw.send(enter_frame(1, "nowhere:a", "")).await;
    assert_eq!(refused(&mut raw, 1).await, ErrorCode::UnknownNamespace);
    raw.send(watch_frame(2, "nowhere:a", false)).await;
    assert_eq!(refused(&mut raw, 2).await, ErrorCode::UnknownNamespace);
    raw.send(enter_frame(3, "demo::a", "")).await;
    assert_eq!(refused(&mut raw, 3).await, ErrorCode::BadChannelName);
    raw.send(enter_frame(4, "small:a", "123456789")).await;
    assert_eq!(refused(&mut raw, 4).await, ErrorCode::PayloadTooLarge);
    raw.send(enter_frame(5, "small:a", "12345678")).await;
    assert!(matches!(raw.answer(5).await, Body::Entered(_)));
    raw.send(v1::Leave {
        request: 6,
        channel: ROOM.to_owned(),
    })
    .await;
    assert_eq!(refused(&mut raw, 6).await, ErrorCode::NotEntered);
    drop(raw);
    node.stop().await;
}

#[tokio::test]
async fn a_session_enters_a_hundred_channels_and_no_more() {
    let node = Node::start(Settings::default().set("session.presence_rate", "0")).await;
    let mut raw = Raw::open(&node, Transport::WebSocket).await;
    for number in 1..=100 {
        raw.send(enter_frame(number, &format!("demo:{number}"), "")).await;
        assert!(matches!(raw.answer(number).await, Body::Entered(_)));
    }
    raw.send(enter_frame(101, "demo:101", "")).await;
    assert_eq!(refused(&mut raw, 101).await, ErrorCode::TooManyChannels);
    // What it has entered it may change, and what it leaves makes room.
    raw.send(enter_frame(102, "demo:100", "changed")).await;
    assert!(matches!(raw.answer(102).await, Body::Entered(_)));
    raw.send(v1::Leave {
        request: 103,
        channel: "demo:7".to_owned(),
    })
    .await;
    assert!(matches!(raw.answer(103).await, Body::Left(_)));
    raw.send(enter_frame(104, "demo:101", "")).await;
    assert!(matches!(raw.answer(104).await, Body::Entered(_)));
    let held = node.metrics().await.value("starling_presence_entries");
    assert_eq!(held, 100.0);
    drop(raw);
    node.stop().await;
}

async fn presence_is_a_right_of_its_own_and_names_come_from_tokens(transport: Transport) {
    let node = Node::start(settings()).await;
    let reads = Token::new().allow("demo:*", &["subscribe", "publish", "history"]);
    let mut reader = session(&node, transport, &reads).await;
    reader.send(enter_frame(1, ROOM, "")).await;
    assert_eq!(refused(&mut reader, 1).await, ErrorCode::Forbidden);
    reader.send(watch_frame(2, ROOM, true)).await;
    assert_eq!(refused(&mut reader, 2).await, ErrorCode::Forbidden);
    let of = |subject: &str| Token::new().claim("sub", subject).allow("demo:*", &["presence"]);
    let mut anna = session(&node, transport, &of("anna")).await;
    enter(&mut anna, 1, "").await;
    let watcher = Watcher::of(session(&node, transport, &of("bert")).await, 1).await;
    let members: Vec<_> = watcher.shown.values().map(|one| one.member.as_str()).collect();
    assert_eq!(members, ["anna"]);
    drop((anna, reader, watcher));
    node.stop().await;
}

async fn a_narrower_token_leaves_and_sees_no_more(transport: Transport) {
    let node = Node::start(settings()).await;
    let of = |subject: &str| Token::new().claim("sub", subject).allow("demo:*", &["presence"]);
    let mut anna = session(&node, transport, &of("anna")).await;
    enter(&mut anna, 1, "").await;
    anna.send(watch_frame(2, ROOM, false)).await;
    assert!(matches!(anna.answer(2).await, Body::Watched(_)));
    let mut watcher = Watcher::of(session(&node, transport, &of("bert")).await, 1).await;
    watcher.until("anna", |it| it.shown.len() == 1).await;
    let narrower = Token::new().claim("sub", "anna").allow("demo:*", &["publish"]);
    anna.send(v1::Refresh {
        request: 3,
        token: narrower.text(),
    })
    .await;
    watcher.until("a leave", |it| it.shown.is_empty()).await;
    let mut withdrawn = Vec::new();
    while withdrawn.len() < 2 {
        match anna.frame().await {
            Body::Error(error) => withdrawn.push(error),
            Body::Detached(_) => panic!("it is told why first"),
            _ => {}
        }
    }
    let [entry, watch] = &withdrawn[..] else {
        panic!("{withdrawn:?}")
    };
    assert!(
        withdrawn
            .iter()
            .all(|error| (error.code(), error.request) == (ErrorCode::Forbidden, 0))
    );
    assert_eq!((entry.channel.as_str(), entry.channel_id), (ROOM, 0));
    assert!(watch.channel.is_empty() && watch.channel_id != 0);
    drop((anna, watcher));
    node.stop().await;
}

async fn whoever_asks_too_often_is_told_to_wait(transport: Transport) {
    let node = Node::start(Settings::default().set("session.presence_rate", "5")).await;
    let mut raw = client(&node, transport, 1).await;
    let mut limited = None;
    for request in 1..=20 {
        raw.send(enter_frame(request, ROOM, "")).await;
        if let Body::Error(error) = raw.answer(request).await {
            limited = Some(error);
            break;
        }
    }
    let limited = limited.expect("twenty at once are more than five a second");
    assert_eq!(limited.code(), ErrorCode::RateLimited);
    assert!(limited.retry_after_ms > 0);
    assert_eq!(node.metrics().await.limited("presence_rate"), 1.0);
    drop(raw);
    node.stop().await;
}
