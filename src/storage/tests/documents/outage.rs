//! The database goes, and comes back; and another node stands still with a document in its hands.

use std::time::Duration;

use super::super::outage::until;
use super::super::place::{Server, storage};
use super::*;
use crate::storage::postgres::Postgres;

async fn kept_at(url: &str) -> Kept {
    let metrics = Arc::new(Metrics::new());
    let store = Postgres::open(&storage(url), SLOTS, Limits::default(), Arc::clone(&metrics)).await;
    let store = Arc::new(store.expect("opens"));
    Kept {
        documents: store.documents(),
        store,
        metrics,
        name: name("d:a"),
    }
}

#[tokio::test]
async fn nothing_that_was_saved_is_lost_when_the_database_is_killed() {
    let mut server = Server::start();
    let kept = kept_at(&server.database()).await;
    let history = kept.filled(1).await;
    let mut last = 1;
    for round in 0..3 {
        // It is killed with an append and a snapshot on their way.
        let (append, put) = (
            kept.append(Some(history), last + 1..=last + 2),
            kept.put(history, last, "x", NOW),
        );
        let (mut append, mut put) = (Box::pin(append), Box::pin(put));
        begun(&mut append).await;
        begun(&mut put).await;
        if round > 0 {
            tokio::time::sleep(Duration::from_millis(round)).await; // wherever that finds them
        }
        server.kill();
        let (appended, put) = tokio::join!(append, put);
        for outcome in [appended.map(drop), put] {
            assert!(matches!(outcome, Ok(()) | Err(Failure::Unavailable)), "{outcome:?}");
        }
        until("its loss is noticed", async || !kept.store.is_writable()).await;
        assert_eq!(kept.append(Some(history), 9..=9).await, Err(Failure::Unavailable));
        assert_eq!(kept.put(history, 1, "x", NOW).await, Err(Failure::Unavailable));
        assert_eq!(
            kept.load().await,
            Err(Failure::Unavailable),
            "that is no empty document"
        );
        server.start_again();
        until("it is back", async || kept.store.is_writable()).await;
        // As the rules do it: the same rows under the same numbers.
        match kept.append(Some(history), last + 1..=last + 2).await {
            Ok(_) => assert!(appended.is_err(), "what was saved is there"),
            Err(Failure::Taken) => {}
            Err(failure) => panic!("{failure}"),
        }
        last += 2;
        let found = kept.load().await.expect("loads").expect("is there");
        let through = found.snapshot.as_ref().map_or(0, |(through, _)| *through);
        assert_eq!((found.history, found.last), (history, last));
        assert_eq!(found.rows, rows(through + 1..=last), "in order, and once");
        if put.is_ok() {
            assert!(through >= last - 2, "a snapshot that was put is there");
        }
    }
    kept.store.close().await;
}

#[tokio::test]
async fn a_document_that_another_node_holds_keeps_no_publish_waiting() {
    let server = Arc::new(Server::start());
    let url = server.database();
    let kept = kept_at(&url).await;
    let history = kept.filled(1).await;
    let store = Arc::clone(&kept.store);
    let claims = store.claim(&Arc::from("a"), 1).await.expect("claims");
    let claim = claims[0].clone();
    let opened = Opened { store, claim };
    let (held, at) = (Arc::clone(&server), url.clone());
    let holds = "BEGIN; SELECT FROM document FOR UPDATE; SELECT pg_sleep(2); COMMIT";
    let other = tokio::task::spawn_blocking(move || held.sql(&at, holds));
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    until("it is held", async || server.sql(&url, sleeps) == "1").await;
    let mut append = Box::pin(kept.append(Some(history), 2..=2));
    begun(&mut append).await;
    let publish = opened.commit("t:a", vec![create(), publish(1, 1)]);
    tokio::select! {
        biased;
        published = publish => assert_eq!(published, Ok(())),
        appended = &mut append => panic!("it did not wait: {appended:?}"),
    }
    assert_eq!(append.await, Ok(history), "once the other is done");
    other.await.expect("ends");
    kept.store.close().await;
}
