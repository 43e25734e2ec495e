//! What the tests of a cluster share: names, counts that can be asked, and one way to wait.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod linked;
pub(crate) mod relay;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use starling_cluster::instruments::Instruments;
use starling_core::id::{Generation, NodeId, NodeName};

/// Time that anything may take on a machine that does much else. What has to be faster is measured where it is tested.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn name(text: &str) -> NodeName {
    NodeName::parse(text).expect("a name")
}

pub(crate) fn node(text: &str, generation: u64) -> NodeId {
    NodeId {
        name: name(text),
        generation: Generation(generation),
    }
}

/// Waits for a future that has to come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(PATIENCE, future).await;
    came.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Asks until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Everything that was counted, by name and label.
#[derive(Default)]
pub(crate) struct Counts(Mutex<BTreeMap<String, u64>>);

impl Counts {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn of(&self, key: &str) -> u64 {
        let counts = self.0.lock().expect("not poisoned");
        counts.get(key).copied().unwrap_or(0)
    }

    fn add(&self, key: String, count: u64) {
        *self.0.lock().expect("not poisoned").entry(key).or_default() += count;
    }

    fn set(&self, key: &str, value: usize) {
        self.0
            .lock()
            .expect("not poisoned")
            .insert(key.to_owned(), value as u64);
    }
}

impl Instruments for Counts {
    fn members(&self, live: usize, suspected: usize) {
        self.set("members live", live);
        self.set("members suspected", suspected);
    }

    fn gossip_sent(&self, bytes: usize) {
        self.add("gossip sent".to_owned(), bytes as u64);
    }

    fn gossip_received(&self, bytes: usize) {
        self.add("gossip received".to_owned(), bytes as u64);
    }

    fn gossip_refused(&self, reason: &'static str) {
        self.add(format!("refused {reason}"), 1);
    }

    fn gossip_dropped(&self, reason: &'static str) {
        self.add(format!("dropped {reason}"), 1);
    }

    fn links(&self, up: usize, suspect: usize, down: usize) {
        self.set("links up", up);
        self.set("links suspect", suspect);
        self.set("links down", down);
    }

    fn link_handshake(&self, result: &'static str) {
        self.add(format!("handshake {result}"), 1);
    }

    fn link_stray(&self, reason: &'static str) {
        self.add(format!("stray {reason}"), 1);
    }

    fn link_round_trip(&self, peer: &NodeName, _: Duration) {
        self.add(format!("round trip {peer}"), 1);
    }

    fn link_forgotten(&self, peer: &NodeName) {
        self.add(format!("forgotten {peer}"), 1);
    }

    fn link_resends(&self, frames: u64) {
        self.add("resends".to_owned(), frames);
    }

    fn limit_reached(&self, limit: &'static str) {
        self.add(format!("limit {limit}"), 1);
    }
}
