//! Cursors by datagrams: in both directions, overtaken, lost, and for those who have none.

use bytes::Bytes;
use starling_client::{PresenceEvent, WatchOptions};
use starling_mesh::transport::Transport;
use starling_protocol::frame::{decode_server, encode_client};
use starling_protocol::limits::DATAGRAM_BYTES_MAX;
use starling_protocol::v1;
use starling_protocol::v1::server_frame::Body;

use super::{ROOM, Watcher, client, client_hello, enter, text};
use crate::support::eventually::{becomes, soon};
use crate::support::node::Node;
use crate::support::raw::Raw;
use crate::support::settings::Settings;

/// A session that takes datagrams.
async fn session(node: &Node, secret: u8) -> Raw {
    let mut raw = Raw::connect(node, Transport::WebTransport).await;
    raw.send(v1::Hello {
        datagrams: true,
        ..client_hello(secret)
    })
    .await;
    match raw.frame().await {
        Body::Welcome(welcome) => assert_eq!(welcome.datagram_bytes, DATAGRAM_BYTES_MAX as u32),
        other => panic!("{other:?} instead of a welcome"),
    }
    raw
}

fn cursor(number: u64) -> v1::Ephemeral {
    v1::Ephemeral {
        channel: ROOM.to_owned(),
        number,
        state: format!("at {number}").into(),
    }
}

fn send(raw: &mut Raw, number: u64) {
    let body = encode_client(cursor(number)).message();
    let sent = raw.stream().connection().send_datagram(&body);
    sent.expect("a datagram fits the path");
}

/// The states in the next datagram.
async fn receive(watcher: &mut Watcher) -> Vec<String> {
    let connection = watcher.raw.stream().connection();
    let datagram = soon("a datagram", connection.receive_datagram()).await;
    let body: Bytes = datagram.expect("the session goes on").payload();
    assert!(body.len() <= DATAGRAM_BYTES_MAX);
    match decode_server(body).expect("a frame") {
        Body::Ephemerals(states) => states.states.iter().map(|one| text(&one.state)).collect(),
        other => panic!("{other:?} in a datagram"),
    }
}

/// The node has taken so many datagrams from clients.
async fn taken(node: &Node, count: f64) {
    becomes("datagrams that were taken", count, async || {
        let metrics = node.metrics().await;
        metrics.sum("starling_datagrams_received_total", &[("result", "taken")])
    })
    .await;
}

#[tokio::test]
async fn a_cursor_goes_by_datagrams_and_where_it_stops_by_the_stream_as_well() {
    let node = Node::start(Settings::default()).await;
    let mut watcher = Watcher::of(session(&node, 1).await, 1).await;
    let mut beside = Watcher::of(client(&node, Transport::WebSocket, 3).await, 1).await;
    let mut anna = session(&node, 2).await;
    enter(&mut anna, 1, "anna").await;
    for one in [&mut watcher, &mut beside] {
        one.until("a join", |it| it.states() == ["anna"]).await;
    }
    send(&mut anna, 5);
    assert_eq!(receive(&mut watcher).await, ["at 5"]);
    taken(&node, 1.0).await;
    // It is not read, as if it were lost, and the stream makes up for it.
    send(&mut anna, 6);
    watcher
        .until("the stream", |it| {
            it.ephemerals.last().is_some_and(|last| last == "at 6")
        })
        .await;
    // One that comes late is nobody's news, nor is one that its client says again.
    send(&mut anna, 4);
    anna.send(cursor(6)).await;
    anna.send(cursor(7)).await;
    beside
        .until("the next", |it| it.ephemerals.last().is_some_and(|last| last == "at 7"))
        .await;
    watcher
        .until("the next", |it| it.ephemerals.last().is_some_and(|last| last == "at 7"))
        .await;
    assert_eq!(
        beside.ephemerals,
        ["at 5", "at 6", "at 7"],
        "a stream is told nothing twice"
    );
    let sent = node.metrics().await.value("starling_datagrams_sent_total");
    assert_eq!(sent, 3.0, "one for each, and none to whom no datagrams go");
    drop((anna, watcher, beside));
    node.stop().await;
}

#[tokio::test]
async fn a_datagram_that_the_client_lost_is_made_up_for_by_its_stream() {
    let node = Node::start(Settings::default()).await;
    let mut watcher = Watcher::of(session(&node, 1).await, 1).await;
    let mut anna = session(&node, 2).await;
    enter(&mut anna, 1, "anna").await;
    watcher.until("a join", |it| it.states() == ["anna"]).await;
    send(&mut anna, 1);
    taken(&node, 1.0).await;
    // Number 2 is lost, and said again; what comes of it after all is old.
    anna.send(cursor(2)).await;
    watcher
        .until("what was lost", |it| {
            it.ephemerals.last().is_some_and(|last| last == "at 2")
        })
        .await;
    send(&mut anna, 2);
    becomes("datagrams that were too late", 1.0, async || {
        let metrics = node.metrics().await;
        metrics.sum("starling_datagrams_received_total", &[("result", "ignored")])
    })
    .await;
    drop((anna, watcher));
    node.stop().await;
}

#[tokio::test]
async fn many_cursors_are_cut_into_datagrams() {
    const MANY: u8 = 40;
    let node = Node::start(Settings::default()).await;
    let mut watcher = Watcher::of(session(&node, 1).await, 1).await;
    let mut there = Vec::new();
    for secret in 0..MANY {
        let mut one = session(&node, 100 + secret).await;
        enter(&mut one, 1, "here").await;
        there.push(one);
    }
    let all = usize::from(MANY);
    watcher.until("everybody", |it| it.shown.len() == all).await;
    // Each says something else, and as much as it may.
    for (one, raw) in there.iter_mut().enumerate() {
        let state = format!("{one:0>512}");
        let ephemeral = v1::Ephemeral {
            state: state.into(),
            ..cursor(1)
        };
        let body = encode_client(ephemeral).message();
        raw.stream().connection().send_datagram(&body).expect("it fits");
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < all {
        seen.extend(receive(&mut watcher).await);
    }
    watcher
        .until("all of them by the stream", |it| {
            it.ephemerals.iter().collect::<std::collections::BTreeSet<_>>().len() == all
        })
        .await;
    drop((there, watcher));
    node.stop().await;
}

#[tokio::test]
async fn who_did_not_ask_for_datagrams_gets_none() {
    let node = Node::start(Settings::default()).await;
    let mut watcher = Watcher::of(client(&node, Transport::WebTransport, 1).await, 1).await;
    let mut anna = client(&node, Transport::WebTransport, 2).await;
    enter(&mut anna, 1, "anna").await;
    watcher.until("a join", |it| it.states() == ["anna"]).await;
    send(&mut anna, 1); // Welcome said that it may
    watcher.until("the stream", |it| it.ephemerals == ["at 1"]).await;
    assert_eq!(node.metrics().await.value("starling_datagrams_sent_total"), 0.0);
    drop((anna, watcher));
    node.stop().await;
}

#[tokio::test]
async fn the_client_moves_its_cursor_by_datagrams_where_there_are_any() {
    let node = Node::start(Settings::default()).await;
    for (transport, datagrams) in [(Transport::WebTransport, 2.0), (Transport::WebSocket, 0.0)] {
        let before = counted(&node).await;
        let [anna, bert] = [0, 1].map(|_| node.client(transport));
        let mut watch = bert.watch(ROOM, WatchOptions::default()).await.expect("it may watch");
        let entry = anna.enter(ROOM, "anna").await.expect("it may enter");
        let joined = async {
            while !watch.roster().any(|one| one.state == "anna") {
                watch.next().await.expect("the watch goes on");
            }
        };
        soon("a join", joined).await;
        entry.ephemeral("here").expect("a short state");
        let moved = async {
            loop {
                if let PresenceEvent::Ephemeral { state, .. } = watch.next().await.expect("the watch goes on") {
                    break state;
                }
            }
        };
        assert_eq!(soon("a cursor", moved).await, "here");
        assert_eq!(counted(&node).await - before, datagrams, "one in each direction");
        entry.leave().await;
        for client in [anna, bert] {
            client.close().await;
        }
    }
    node.stop().await;
}

/// Datagrams that were taken and sent.
async fn counted(node: &Node) -> f64 {
    let metrics = node.metrics().await;
    metrics.sum("starling_datagrams_received_total", &[("result", "taken")])
        + metrics.value("starling_datagrams_sent_total")
}
