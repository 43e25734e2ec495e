//! How much is seen, and by whom.

use std::time::Duration;

use starling_mesh::transport::Transport;
use starling_protocol::v1;
use starling_protocol::v1::server_frame::Body;

use super::{ROOM, Told, Watcher, client, enter, enter_frame, watch_frame};
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Dialer, Raw};
use crate::support::settings::Settings;

over_both! {
    whoever_counts_is_told_numbers_and_no_names
    a_watch_ends_with_detach
    cursors_reach_those_who_watch_and_only_of_those_who_are_there
    a_watcher_that_falls_behind_is_shown_everybody_again
}

async fn whoever_counts_is_told_numbers_and_no_names(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut counter = Raw::open(&node, transport).await;
    counter.send(watch_frame(1, ROOM, true)).await;
    assert!(matches!(counter.answer(1).await, Body::Watched(_)));
    let mut there: Vec<Raw> = Vec::new();
    for number in 0..3 {
        let mut one = client(&node, transport, 10 + number).await;
        enter(&mut one, 1, "here").await;
        there.push(one);
    }
    let three = loop {
        match counter.frame().await {
            Body::Occupancy(count) if count.clients == 3 => break count,
            Body::Occupancy(_) | Body::Certainty(_) => {}
            other => panic!("{other:?} for somebody who counts"),
        }
    };
    assert_eq!(three.members, 3, "nobody has a name: each is somebody");
    // Wanting more is another watch of the same channel, under the same number.
    counter.send(watch_frame(2, ROOM, false)).await;
    let Body::Watched(again) = counter.answer(2).await else {
        panic!("it may watch");
    };
    assert_eq!(again.channel_id, three.channel_id);
    let roster = loop {
        if let Body::Roster(roster) = counter.frame().await {
            break roster;
        }
    };
    assert_eq!(roster.clients.len(), 3);
    drop((counter, there));
    node.stop().await;
}

async fn a_watch_ends_with_detach(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut watcher = Watcher::of(client(&node, transport, 1).await, 1).await;
    let (request, channel_id) = (2, watcher.channel_id);
    watcher.raw.send(v1::Detach { request, channel_id }).await;
    assert!(matches!(watcher.raw.answer(2).await, Body::Detached(_)));
    let mut anna = client(&node, transport, 2).await;
    enter(&mut anna, 1, "anna").await;
    watcher.read_for(Duration::from_millis(300)).await;
    assert_eq!(watcher.told, [Told::Roster(0)]);
    // The place is free, and the channel may be watched again, under another number perhaps.
    let again = Watcher::of(watcher.raw, 3).await;
    assert_eq!(again.states(), ["anna"]);
    drop((anna, again));
    node.stop().await;
}

async fn cursors_reach_those_who_watch_and_only_of_those_who_are_there(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut watcher = Watcher::of(client(&node, transport, 1).await, 1).await;
    let mut stranger = client(&node, transport, 3).await;
    let mut anna = client(&node, transport, 2).await;
    enter(&mut anna, 1, "anna").await;
    watcher.until("a join", |it| it.states() == ["anna"]).await;
    let cursor = |number: u64, state: &str| v1::Ephemeral {
        channel: ROOM.to_owned(),
        number,
        state: state.to_owned().into(),
    };
    stranger.send(cursor(1, "not there")).await;
    for number in 1..=20 {
        anna.send(cursor(number, &format!("at {number}"))).await;
    }
    watcher
        .until("the last of them", |it| {
            it.ephemerals.last().is_some_and(|last| last == "at 20")
        })
        .await;
    assert!(
        watcher.ephemerals.len() < 20,
        "they are put together: {:?}",
        watcher.ephemerals
    );
    // One that comes late is not shown.
    anna.send(cursor(3, "at 3, late")).await;
    anna.send(cursor(21, "at 21")).await;
    watcher
        .until("the next", |it| {
            it.ephemerals.last().is_some_and(|last| last == "at 21")
        })
        .await;
    assert!(
        !watcher
            .ephemerals
            .iter()
            .any(|one| one.contains("late") || one.contains("not"))
    );
    drop((anna, stranger, watcher));
    node.stop().await;
}

async fn a_watcher_that_falls_behind_is_shown_everybody_again(transport: Transport) {
    let node = Node::start(Settings::default().set("session.presence_rate", "0")).await;
    let narrow = Dialer::narrow(&node, transport).await;
    let mut watcher = Watcher::of(narrow.open().await, 1).await;
    // It does not read while a client changes a state of a kilobyte far more often than a board keeps.
    let mut anna = client(&node, transport, 2).await;
    let filler = "x".repeat(1_000);
    for tick in 0..1_500_u64 {
        anna.send(enter_frame(tick + 1, ROOM, &format!("{tick} {filler}")))
            .await;
        assert!(matches!(anna.answer(tick + 1).await, Body::Entered(_)));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let last = format!("1499 {filler}");
    watcher
        .until("the last state", |it| it.states() == [last.clone()])
        .await;
    assert!(watcher.told.len() < 200, "{} changes were told", watcher.told.len());
    drop((anna, watcher));
    node.stop().await;
}
