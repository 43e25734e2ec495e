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

/// A channel whose clients say much of themselves.
const LONG: &str = "long:room";

/// Rounds of changes: several times what a board, a session and the system keep for who does not read.
const ROUNDS: u64 = 80;

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
    let long = Settings::default()
        .set("session.presence_rate", "0")
        .namespace("long", "presence = { state_max = \"4KiB\" }");
    let node = Node::start(long).await;
    let narrow = Dialer::narrow(&node, transport).await;
    let mut watcher = Watcher::in_channel(narrow.open().await, 1, LONG).await;
    let mut other = Watcher::in_channel(client(&node, transport, 1).await, 1, LONG).await;
    let filler = "x".repeat(4_000);
    let mut there: Vec<Raw> = Vec::new();
    for number in 0..8 {
        there.push(client(&node, transport, 10 + number).await);
    }
    // It does not read while each round, which the other sees, changes a sixteenth of what a board keeps.
    let states = |round: u64| vec![format!("{round} {filler}"); 8];
    for round in 1..=ROUNDS {
        for one in &mut there {
            one.send(enter_frame(round, LONG, &format!("{round} {filler}"))).await;
            assert!(matches!(one.answer(round).await, Body::Entered(_)));
        }
        other.until("the round", |it| it.states() == states(round)).await;
    }
    watcher
        .until("the last round", |it| it.states() == states(ROUNDS))
        .await;
    let rosters = |told: &[Told]| told.iter().filter(|one| matches!(one, Told::Roster(_))).count();
    assert_eq!(rosters(&other.told), 1, "who keeps up is told what changes");
    assert!(rosters(&watcher.told) > 1, "{} things were told", watcher.told.len());
    let shown = node
        .metrics()
        .await
        .sum("starling_slow_consumers_total", &[("action", "shown_again")]);
    assert!(shown >= 1.0, "{shown}");
    drop((there, watcher, other));
    node.stop().await;
}
