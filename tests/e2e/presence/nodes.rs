//! On three nodes, of which some die.

use std::time::{Duration, Instant};

use starling_mesh::transport::Transport;

use super::{Told, Watcher, client, enter};
use crate::support::cluster::Cluster;
use crate::support::raw::Raw;

const TRANSPORT: Transport = Transport::WebSocket;

#[tokio::test]
async fn everybody_is_seen_from_every_node_with_the_node_they_are_at() {
    let nodes = Cluster::new().three().await;
    let mut there: Vec<Raw> = Vec::new();
    for (node, number) in nodes.iter().zip(1..) {
        let mut one = client(node, TRANSPORT, number).await;
        enter(&mut one, 1, &format!("at {number}")).await;
        there.push(one);
    }
    for (node, number) in nodes.iter().zip(10..) {
        let mut watcher = Watcher::of(client(node, TRANSPORT, number).await, 1).await;
        watcher.until("all three", |it| it.shown.len() == 3).await;
        let mut at: Vec<_> = watcher.shown.values().map(|one| one.node.as_str()).collect();
        at.sort_unstable();
        assert_eq!(at, ["a", "b", "c"]);
        watcher.until("certainty", |it| !it.certainty.stale).await;
        assert!(watcher.certainty.uncertain.is_empty());
    }
    drop(there);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn clients_of_a_node_that_dies_leave_and_those_that_move_do_not() {
    let [mut a, b, c] = Cluster::new().three().await;
    let mut stays = client(&b, TRANSPORT, 1).await;
    enter(&mut stays, 1, "stays").await;
    let mut moves = client(&a, TRANSPORT, 2).await;
    enter(&mut moves, 1, "moves").await;
    let mut goes = client(&a, TRANSPORT, 3).await;
    enter(&mut goes, 1, "goes").await;
    let mut watchers = Vec::new();
    for (node, number) in [(&b, 10), (&c, 11)] {
        let mut watcher = Watcher::of(client(node, TRANSPORT, number).await, 1).await;
        watcher.until("all three", |it| it.shown.len() == 3).await;
        watcher.told.clear();
        watchers.push(watcher);
    }
    let killed = Instant::now();
    a.kill().await;
    let mut moved = client(&c, TRANSPORT, 2).await;
    enter(&mut moved, 1, "moved").await;
    for watcher in &mut watchers {
        watcher
            .until("who had gone", |it| it.states() == ["moved", "stays"])
            .await;
        watcher.until("certainty", |it| !it.certainty.stale).await;
        assert_eq!(watcher.told, [Told::Updated("moved".into()), Told::Left("goes".into())]);
    }
    // The test's nodes may be silent for 3 s; then the grace.
    assert!(killed.elapsed() < Duration::from_secs(15), "{:?}", killed.elapsed());
    drop((stays, moves, goes, moved, watchers));
    b.stop().await;
    c.stop().await;
}

#[tokio::test]
async fn a_node_that_drains_takes_nobody_with_it_who_moves() {
    let [a, b, c] = Cluster::new().three().await;
    let mut watcher = Watcher::of(client(&c, TRANSPORT, 10).await, 1).await;
    let mut moves = client(&a, TRANSPORT, 1).await;
    enter(&mut moves, 1, "moves").await;
    let mut stays = client(&b, TRANSPORT, 2).await;
    enter(&mut stays, 1, "stays").await;
    watcher.until("both", |it| it.shown.len() == 2).await;
    watcher.told.clear();
    let stopping = tokio::spawn(a.stop());
    moves.farewell().await;
    let mut moved = client(&b, TRANSPORT, 1).await;
    enter(&mut moved, 1, "moved").await;
    stopping.await.expect("it stops");
    watcher
        .until("it has moved", |it| it.states() == ["moved", "stays"])
        .await;
    // Longer than the grace: nobody leaves who only moved.
    watcher.read_for(Duration::from_secs(7)).await;
    assert_eq!(watcher.told, [Told::Updated("moved".into())]);
    drop((stays, moved, watcher));
    b.stop().await;
    c.stop().await;
}
