//! PostgreSQL goes, and comes back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::place::{Server, storage};
use super::*;
use crate::storage::postgres::Postgres;

/// Waits until it holds; how often it is asked makes no difference to what comes out.
pub(super) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what}"));
}

async fn opened_at(url: &str) -> Opened {
    let store = Postgres::open(&storage(url), SLOTS, Limits::default(), Arc::new(Metrics::new())).await;
    let store: Arc<dyn Store> = Arc::new(store.expect("opens"));
    let claims = store.claim(&Arc::from("a"), 1).await.expect("claims");
    let claim = claims[0].clone();
    Opened { store, claim }
}

#[tokio::test]
async fn a_database_that_is_not_there_yet_is_waited_for() {
    let mut server = Server::start();
    let url = server.database();
    server.stop();
    let store = Postgres::wait(&storage(&url), SLOTS, Limits::default(), Arc::new(Metrics::new())).expect("reads");
    let owned = Owned {
        slot: SlotId(0),
        term: Term(1),
        owner: Arc::from("a"),
        generation: 1,
    };
    let unavailable = Some(StoreFailure::Unavailable);
    assert_eq!(store.claim_slot(owned.clone()).await.err(), unavailable);
    assert_eq!(store.load(&name("t:a"), ALL).await.err(), unavailable);
    assert_eq!((store.is_ready(), store.is_writable()), (false, false));
    server.start_again();
    until("it is found", async || store.is_ready() && store.is_writable()).await;
    let claim = store.claim_slot(owned).await.expect("claims");
    let store: Arc<dyn Store> = Arc::new(store);
    let opened = Opened { store, claim };
    opened
        .commit("t:a", vec![create(), publish(1, 1)])
        .await
        .expect("commits");
    opened.store.close().await;
}

#[tokio::test]
async fn another_store_in_its_place_is_not_taken_for_it() {
    let mut server = Server::start();
    let url = &server.database();
    let opened = opened_at(url).await;
    let first = vec![create(), publish(1, 1)];
    opened.commit("t:a", first).await.expect("commits");
    server.sql(url, "UPDATE store SET incarnation = incarnation + 1");
    server.kill();
    until("its loss is noticed", async || !opened.store.is_writable()).await;
    server.start_again();
    let metrics = Arc::new(Metrics::new());
    let other = Postgres::open(&storage(url), SLOTS, Limits::default(), metrics).await;
    other.expect("the database is back").close().await;
    assert!(!opened.store.is_writable());
    assert_eq!(opened.load("t:a").await, Err(StoreFailure::Unavailable));
    opened.store.close().await;
}

/// Channels that are written without end while the database is killed.
const CHANNELS: usize = 4;

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_when_the_database_is_killed() {
    let mut server = Server::start();
    let url = server.database();
    let opened = Arc::new(opened_at(&url).await);
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged: Arc<[AtomicU64; CHANNELS]> = Arc::default();
    let failures = Arc::new(AtomicU64::new(0));
    let mut writers = Vec::new();
    for channel in 0..CHANNELS {
        let (opened, stop, failures) = (Arc::clone(&opened), Arc::clone(&stop), Arc::clone(&failures));
        let acknowledged = Arc::clone(&acknowledged);
        writers.push(tokio::spawn(async move {
            let channel_name = format!("t:{channel}");
            // As the rules do it: what became of a batch is not guessed, the head is loaded.
            let mut head = None;
            while !stop.load(Ordering::Relaxed) {
                let Some(seq) = head else {
                    match opened.load(&channel_name).await {
                        Ok(found) => head = Some(found.map_or(0, |found| found.head.0)),
                        Err(StoreFailure::Unavailable) => tokio::time::sleep(Duration::from_millis(20)).await,
                        Err(failure) => panic!("{channel_name}: {failure}"),
                    }
                    continue;
                };
                assert!(
                    seq >= acknowledged[channel].load(Ordering::Relaxed),
                    "{channel_name} has lost messages"
                );
                let mut changes = if seq == 0 { vec![create()] } else { Vec::new() };
                changes.extend((seq + 1..=seq + 3).map(|seq| publish(seq, 1)));
                match opened.commit(&channel_name, changes).await {
                    Ok(()) => {
                        acknowledged[channel].store(seq + 3, Ordering::Relaxed);
                        head = Some(seq + 3);
                    }
                    Err(StoreFailure::Unavailable) => {
                        failures.fetch_add(1, Ordering::Relaxed);
                        head = None;
                    }
                    Err(failure) => panic!("{channel_name}: {failure}"),
                }
            }
        }));
    }
    let sum = || acknowledged.iter().map(|one| one.load(Ordering::Relaxed)).sum::<u64>();
    for round in 0..3 {
        let (before, failed) = (sum(), failures.load(Ordering::Relaxed));
        until("messages are acknowledged", async || sum() > before + 60).await;
        server.kill();
        until("somebody notices", async || failures.load(Ordering::Relaxed) > failed).await;
        tokio::task::yield_now().await;
        assert!(
            round == 0 || opened.store.is_ready(),
            "an outage takes no node out of service"
        );
        server.start_again();
    }
    let before = sum();
    until("messages are acknowledged again", async || sum() > before + 60).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("writes");
    }
    for channel in 0..CHANNELS {
        let found = opened
            .load(&format!("t:{channel}"))
            .await
            .expect("loads")
            .expect("is there");
        let seqs: Vec<_> = found.messages.iter().map(|message| message.seq.0).collect();
        assert_eq!(
            seqs,
            (1..=found.head.0).collect::<Vec<_>>(),
            "no gap, and nothing twice"
        );
        assert!(found.head.0 >= acknowledged[channel].load(Ordering::Relaxed));
    }
    opened.store.close().await;
}
