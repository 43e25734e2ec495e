//! Channels that a store keeps, with a real store behind them. Its threads keep real time, so nothing is paused here.

use starling_core::id::{Term, slot_of};

use super::*;
use crate::auth::Auth;
use crate::node::Storage;
use crate::storage::Store as _;
use crate::storage::sqlite::{Bounds, Limits, Sqlite};
use crate::storage::tests::Directory;

const STORED: &str = "log:lobby";

/// Nothing may wait.
const NO_ROOM: Bounds = Bounds { jobs: 0, bytes: 0 };

async fn stored_registry(directory: &Directory, limits: Limits) -> Registry {
    let mut config = Config::for_dev(0, std::path::Path::new("unused"));
    config.slots.channel_idle = Duration::from_millis(50);
    config.fanout.linger = Duration::from_millis(50);
    let metrics = Arc::new(Metrics::new());
    let store = Sqlite::open(&directory.0, config.slots.count, limits, Arc::clone(&metrics)).expect("opens");
    let claims = store.claim(&Arc::from("a"), 1).await.expect("claims");
    let store = Arc::new(store);
    let storage = Storage {
        documents: store.documents(),
        store,
        claims: claims.into_iter().collect(),
    };
    let auth = Auth::new(&config.auth).expect("a node without keys");
    let services = Services::new(config, auth, metrics, Some(storage), None);
    Registry::start(Arc::new(services), None).await.expect("starts")
}

#[tokio::test]
async fn a_retired_channel_is_loaded_again() {
    let directory = Directory::new();
    let registry = stored_registry(&directory, Limits::default()).await;
    let first = publish(&registry, STORED, 1).await.expect("published");
    all_retired(&registry).await;
    let again = publish(&registry, STORED, 1).await.expect("answered");
    assert_eq!((again.duplicate, &again.position), (true, &first.position));
    let second = publish(&registry, STORED, 2).await.expect("published");
    assert_eq!(second.position.expect("published").seq.0, 2);
    assert!(second.copies == 1 && !second.duplicate);
}

#[tokio::test]
async fn a_channel_whose_actor_stops_goes_on_with_what_waits_for_the_store() {
    let directory = Directory::new();
    let registry = stored_registry(&directory, Limits::default()).await;
    for serial in 1..=20 {
        // What was on its way to the actor that stops is sent again, as a client does it.
        let published = loop {
            match publish(&registry, STORED, serial).await {
                Err(Refusal::Unavailable) => tokio::task::yield_now().await,
                outcome => break outcome.expect("published"),
            }
        };
        assert_eq!(published.position.expect("published").seq.0, serial);
        registry.channel(&name(STORED)).stop("test");
    }
}

#[tokio::test]
async fn when_no_more_may_wait_for_the_store_publishes_are_refused_as_busy() {
    let directory = Directory::new();
    let limits = Limits {
        writes: NO_ROOM,
        ..Limits::default()
    };
    let registry = stored_registry(&directory, limits).await;
    assert_eq!(publish(&registry, STORED, 1).await, Err(Refusal::Busy));
    assert!(
        publish(&registry, LOGGED, 1).await.is_ok(),
        "the store is in nobody else's way"
    );
}

#[tokio::test]
async fn when_no_more_may_be_read_a_channel_is_unavailable_and_not_empty() {
    let directory = Directory::new();
    let limits = Limits {
        reads: NO_ROOM,
        ..Limits::default()
    };
    let registry = stored_registry(&directory, limits).await;
    assert_eq!(publish(&registry, STORED, 1).await, Err(Refusal::Unavailable));
}

#[tokio::test]
async fn with_peers_and_no_store_that_they_share_a_stored_channel_is_refused() {
    let mut config = Config::for_dev(0, std::path::Path::new("unused"));
    config.cluster.enabled = true;
    let auth = Auth::new(&config.auth).expect("a node without keys");
    let services = Services::new(config, auth, Arc::new(Metrics::new()), None, None);
    let registry = Registry::start(Arc::new(services), None).await.expect("starts");
    let refused = Refusal::StoreNotShared(name(STORED));
    for serial in [1, 2] {
        assert_eq!(publish(&registry, STORED, serial).await, Err(refused.clone()));
    }
    assert!(publish(&registry, LOGGED, 1).await.is_ok(), "others need no store");
}

#[tokio::test]
async fn a_slot_that_another_node_has_claimed_in_the_store_is_given_up_and_can_be_claimed_again() {
    let directory = Directory::new();
    let registry = stored_registry(&directory, Limits::default()).await;
    publish(&registry, STORED, 1).await.expect("published");
    let storage = registry.services().storage.as_ref().expect("a store");
    let slot = slot_of(&name(STORED), registry.services().slots);
    storage.store.claim(&Arc::from("b"), 1).await.expect("claims");
    assert_eq!(publish(&registry, STORED, 2).await, Err(Refusal::Unavailable));
    assert_eq!(storage.claims.lease(slot), None, "it knows that it is not the owner");
    assert_eq!(publish(&registry, STORED, 2).await, Err(Refusal::Unavailable));
    let lease = storage.claim(slot, Term(1), &Arc::from("a"), 2).await.expect("claims");
    assert_eq!(storage.claims.lease(slot), Some(lease));
}

#[tokio::test]
async fn without_a_store_a_stored_channel_is_unavailable() {
    let registry = registry().await;
    assert_eq!(publish(&registry, STORED, 1).await, Err(Refusal::Unavailable));
}
