//! Coming, changing, going, and returning within the grace.

use std::time::{Duration, Instant};

use starling_mesh::transport::Transport;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self};

use super::{ROOM, Told, Watcher, client, client_hello, enter};
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::Raw;
use crate::support::raw::websocket::{CLOSE, message};
use crate::support::settings::Settings;

over_both! {
    who_comes_changes_and_goes_is_told_of_once
    a_client_that_falls_silent_has_its_grace
    a_client_that_says_it_returns_has_its_grace
    a_node_that_stood_still_hears_what_was_said_and_keeps_nobody_for_longer
    a_page_that_goes_has_the_grace_of_a_reload
    a_client_that_returns_within_its_grace_never_left
    a_client_with_two_connections_is_there_until_the_last_of_them_ends
}

async fn who_comes_changes_and_goes_is_told_of_once(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut watcher = Watcher::of(client(&node, transport, 1).await, 1).await;
    assert_eq!(watcher.told, [Told::Roster(0)]);
    let mut anna = client(&node, transport, 2).await;
    enter(&mut anna, 1, "anna").await;
    watcher.until("a join", |it| it.states() == ["anna"]).await;
    enter(&mut anna, 2, "anna writes").await;
    watcher.until("an update", |it| it.states() == ["anna writes"]).await;
    // A watcher that comes later is shown the same at once, and nothing happens for it.
    let late = Watcher::of(client(&node, transport, 3).await, 1).await;
    assert_eq!(
        (late.told.clone(), late.states()),
        (vec![Told::Roster(1)], vec!["anna writes".to_owned()])
    );
    anna.send(v1::Leave {
        request: 3,
        channel: ROOM.to_owned(),
    })
    .await;
    assert!(matches!(anna.answer(3).await, Body::Left(_)));
    watcher.until("a leave", |it| it.shown.is_empty()).await;
    enter(&mut anna, 4, "anna again").await;
    watcher.until("a join", |it| it.states() == ["anna again"]).await;
    // A goodbye leaves at once: the grace is for those who may return.
    anna.send(v1::Goodbye {
        code: 1_000,
        ..v1::Goodbye::default()
    })
    .await;
    watcher.until("a leave", |it| it.shown.is_empty()).await;
    let told = [
        Told::Roster(0),
        Told::Joined("anna".into()),
        Told::Updated("anna writes".into()),
        Told::Left("anna writes".into()),
        Told::Joined("anna again".into()),
        Told::Left("anna again".into()),
    ];
    assert_eq!(watcher.told, told);
    drop((anna, watcher, late));
    node.stop().await;
}

/// How long a client is still there after this has happened to its connection, to which it comes back no more.
async fn stays(node: &Node, transport: Transport, end: impl AsyncFnOnce(Raw) -> Option<Raw>) -> Duration {
    let mut watcher = Watcher::of(client(node, transport, 1).await, 1).await;
    let mut anna = client(node, transport, 2).await;
    enter(&mut anna, 1, "anna").await;
    watcher.until("a join", |it| it.states() == ["anna"]).await;
    let began = Instant::now();
    let anna = end(anna).await;
    watcher.until("a leave", |it| it.shown.is_empty()).await;
    drop((anna, watcher));
    began.elapsed()
}

async fn a_client_that_falls_silent_has_its_grace(transport: Transport) {
    let node = Node::start(Settings::default().set("session.heartbeat", "1s")).await;
    let stayed = stays(&node, transport, async |anna| Some(anna)).await;
    assert!(stayed >= Duration::from_millis(1_500 + 4_900), "{stayed:?}");
    node.stop().await;
}

async fn a_client_that_says_it_returns_has_its_grace(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let stayed = stays(&node, transport, async |mut anna| {
        anna.send(v1::Goodbye {
            code: 4_504,
            reason: "the node is silent".to_owned(),
            ..v1::Goodbye::default()
        })
        .await;
        Some(anna)
    });
    let stayed = stayed.await;
    assert!(stayed >= Duration::from_millis(4_900), "{stayed:?}");
    node.stop().await;
}

/// A silence that the node slept through counts, and what it was sent meanwhile counts too.
async fn a_node_that_stood_still_hears_what_was_said_and_keeps_nobody_for_longer(transport: Transport) {
    let node = Node::start(Settings::default().set("session.heartbeat", "1s")).await;
    let mut watcher = Watcher::of(client(&node, Transport::WebSocket, 1).await, 1).await;
    let mut anna = client(&node, transport, 2).await;
    let mut bert = client(&node, transport, 3).await;
    enter(&mut anna, 1, "anna").await;
    enter(&mut bert, 1, "bert").await;
    watcher.until("both", |it| it.shown.len() == 2).await;
    node.stand_still();
    let goodbye = v1::Goodbye {
        code: 1_000,
        ..v1::Goodbye::default()
    };
    bert.send(goodbye).await;
    // Longer than a silence and a grace. The watcher is heard all the time, had anybody listened.
    for _ in 0..14 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        watcher.raw.send(v1::Pong::default()).await;
    }
    node.go_on();
    let began = Instant::now();
    watcher.until("two leaves", |it| it.shown.is_empty()).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "they were there for {took:?} more");
    assert_eq!(watcher.told.len(), 5, "{:?}", watcher.told);
    drop((anna, bert, watcher));
    node.stop().await;
}

/// A browser closes the connections of a page that is closed, or loaded again, in order.
async fn a_page_that_goes_has_the_grace_of_a_reload(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let stayed = stays(&node, transport, async |mut anna| match transport {
        Transport::WebSocket => {
            let going_away = 1_001_u16.to_be_bytes();
            let close = message(CLOSE, &going_away);
            anna.socket().write(&close).await.expect("it is sent");
            Some(anna)
        }
        // Dropping it closes it.
        Transport::WebTransport => None,
    });
    let stayed = stayed.await;
    assert!(stayed >= Duration::from_millis(950), "{stayed:?}");
    assert!(stayed < Duration::from_millis(4_000), "{stayed:?}");
    node.stop().await;
}

async fn a_client_that_returns_within_its_grace_never_left(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut watcher = Watcher::of(client(&node, transport, 1).await, 1).await;
    for round in 1..=3 {
        let mut anna = client(&node, transport, 2).await;
        enter(&mut anna, 1, &format!("anna {round}")).await;
        let state = format!("anna {round}");
        watcher.until("it is there", |it| it.states() == [state.clone()]).await;
        drop(anna);
    }
    watcher.read_for(Duration::from_millis(200)).await;
    let told = [
        Told::Roster(0),
        Told::Joined("anna 1".into()),
        Told::Updated("anna 2".into()),
        Told::Updated("anna 3".into()),
    ];
    assert_eq!(watcher.told, told);
    // It has left after the last of them, once.
    watcher.until("a leave", |it| it.shown.is_empty()).await;
    assert_eq!(watcher.told.len(), 5);
    drop(watcher);
    node.stop().await;
}

async fn a_client_with_two_connections_is_there_until_the_last_of_them_ends(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut watcher = Watcher::of(client(&node, transport, 1).await, 1).await;
    let mut tabs: Vec<Raw> = Vec::new();
    for _ in 0..2 {
        let mut tab = client(&node, transport, 2).await;
        enter(&mut tab, 1, "copied").await;
        tabs.push(tab);
    }
    watcher.until("it is there", |it| it.shown.len() == 1).await;
    for tab in &mut tabs {
        watcher.read_for(Duration::from_millis(200)).await;
        assert_eq!(watcher.shown.len(), 1, "{:?}", watcher.told);
        tab.send(v1::Goodbye {
            code: 1_000,
            ..v1::Goodbye::default()
        })
        .await;
    }
    watcher.until("a leave", |it| it.shown.is_empty()).await;
    let leaves = watcher.told.iter().filter(|told| matches!(told, Told::Left(_)));
    assert_eq!(leaves.count(), 1, "{:?}", watcher.told);
    drop((tabs, watcher));
    node.stop().await;
}

#[tokio::test]
async fn others_are_shown_a_client_and_not_what_it_proves_itself_by() {
    let node = Node::start(Settings::default()).await;
    let mut watcher = Watcher::of(client(&node, Transport::WebSocket, 1).await, 1).await;
    let mut first = client(&node, Transport::WebSocket, 7).await;
    enter(&mut first, 1, "first").await;
    // Without a secret it is somebody else each time.
    let mut second = Raw::open(&node, Transport::WebSocket).await;
    enter(&mut second, 1, "second").await;
    watcher.until("both", |it| it.shown.len() == 2).await;
    let secret = client_hello(7).client;
    for (client, shown) in &watcher.shown {
        assert_ne!(*client, secret);
        assert_eq!(client.len(), 16);
        assert!(shown.member.is_empty(), "nobody has proven to be anybody");
        assert!(!shown.node.is_empty());
    }
    drop((first, second, watcher));
    node.stop().await;
}
