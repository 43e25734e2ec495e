//! A node that has nearly all the clients sends some to the others, and nobody misses or is told anything.

use std::time::Duration;

use starling_client::{Client, Entry, Event, PresenceEvent, SubscribeOptions, WatchOptions};
use starling_mesh::transport::Transport;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::status;
use crate::support::cluster::Cluster;
use crate::support::eventually::{becomes, eventually, soon};
use crate::support::http::Request;
use crate::support::node::Node;

/// Clients of the crowded node. A hundred above the mean of three nodes is left alone: it keeps 190 at most.
const CROWD: usize = 270;
const KEPT_MAX: u64 = 190;

const ROOM: &str = "demo:crowd";
const NEWS: &str = "demo:news";

/// Somebody who is in the room as long as the entry is held, and reads the news: the seqs that came.
async fn come(client: Client) -> (Client, Entry, JoinHandle<Vec<u64>>) {
    let entry = soon("an entry", client.enter(ROOM, "here")).await.expect("entered");
    let mut news = soon("a subscription", client.subscribe(NEWS, SubscribeOptions::default()))
        .await
        .expect("attached");
    let reading = tokio::spawn(async move {
        let mut seqs = Vec::new();
        while let Some(event) = news.next().await {
            match event {
                Event::Message(message) => {
                    seqs.push(message.position.seq);
                    if &*message.payload == b"the end" {
                        break;
                    }
                }
                Event::Attached { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        seqs
    });
    (client, entry, reading)
}

/// What all nodes have, as one says.
async fn sessions(node: &Node) -> Vec<u64> {
    let all = status(node).await;
    all.iter()
        .map(|one| one["sessions"].as_u64().expect("a count"))
        .collect()
}

#[tokio::test]
async fn clients_of_a_crowded_node_go_to_others_and_nobody_misses_anything() {
    let [a, b, c] = Cluster::new().three().await;
    let mut crowd = JoinSet::new();
    let mut readers = Vec::new();
    for _ in 0..CROWD {
        crowd.spawn(come(a.client(Transport::WebSocket)));
    }
    while let Some(one) = crowd.join_next().await {
        readers.push(one.expect("it comes"));
    }
    let watching = c.client(Transport::WebSocket);
    let mut watch = soon("a watch", watching.watch(ROOM, WatchOptions::default()))
        .await
        .expect("watched");
    // Whoever is told of by now came; from now on nobody comes and nobody goes.
    eventually("the whole crowd", async || {
        while let Ok(Some(_)) = timeout(Duration::from_millis(50), watch.next()).await {}
        (watch.occupancy().clients == CROWD as u64).then_some(())
    })
    .await;
    let told = tokio::spawn(async move {
        let mut told = Vec::new();
        while let Some(event) = watch.next().await {
            if matches!(event, PresenceEvent::Joined { .. } | PresenceEvent::Left { .. }) {
                told.push(event);
            }
        }
        told
    });
    let mut published = 0_u64;
    let publish = async |text: &str| {
        let answer = Request::publish(NEWS, format!(r#"{{"data": "{text}"}}"#))
            .send(b.address())
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    let mut rounds = 0;
    loop {
        publish("news").await;
        published += 1;
        sleep(Duration::from_millis(100)).await;
        rounds += 1;
        let seen = sessions(&c).await;
        if seen.iter().sum::<u64>() >= CROWD as u64 && seen.iter().all(|sessions| *sessions <= KEPT_MAX) {
            break;
        }
        assert!(rounds < 300, "{seen:?}");
    }
    // It rests then.
    let moved = async || a.metrics().await.closed(Transport::WebSocket, "rebalanced");
    sleep(Duration::from_secs(7)).await;
    let first = moved().await;
    assert!((80.0..=200.0).contains(&first), "{first} were sent away");
    publish("the end").await;
    published += 1;
    let mut there = Vec::new();
    for (client, entry, reading) in readers {
        let seqs = soon("all news", reading).await.expect("it reads");
        assert!(seqs.iter().copied().eq(1..=published), "{seqs:?} of {published}");
        there.push((client, entry));
    }
    watching.close().await;
    let told = told.await.expect("it watches");
    assert!(told.is_empty(), "{told:?}");
    drop(there);
    for node in [a, b, c] {
        node.log().has_no_panic();
    }
}

#[tokio::test]
async fn nobody_is_sent_away_where_that_is_turned_off() {
    let cluster = Cluster::new().with(|settings| settings.set("cluster.rebalance", "false"));
    let [a, b, _c] = cluster.three().await;
    let clients: Vec<_> = (0..CROWD).map(|_| a.client(Transport::WebSocket)).collect();
    becomes("sessions of a, as b says", Some(CROWD as u64), async || {
        sessions(&b).await.into_iter().max()
    })
    .await;
    // The first would be sent in the third round.
    sleep(Duration::from_secs(12)).await;
    assert_eq!(a.metrics().await.connections(Transport::WebSocket), CROWD as f64);
    drop(clients);
}
