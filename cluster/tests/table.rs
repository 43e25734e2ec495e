//! Several nodes with one slot table: what is answered is kept, and a minority decides nothing.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use starling_cluster::table::voters::Step;
use starling_cluster::table::{Courier, NotAnswered, TableService, Timing, Unreachable};
use starling_core::id::{Generation, NodeId, NodeName, SlotId};
use starling_core::table::{Answer, Change, Command, Refusal};
use tokio::time::{Instant, sleep};

const SLOTS: u16 = 1024;

fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

fn node(text: &str) -> NodeId {
    NodeId {
        name: name(text),
        generation: Generation(1),
    }
}

/// The nodes that answer, and who is cut off from all others.
#[derive(Default)]
struct Net {
    services: Mutex<BTreeMap<NodeName, TableService>>,
    cut: Mutex<BTreeSet<NodeName>>,
}

struct MemoryCourier {
    from: NodeName,
    net: Arc<Net>,
}

#[async_trait]
impl Courier for MemoryCourier {
    async fn call(&self, to: &NodeName, request: Bytes) -> Result<Bytes, Unreachable> {
        let service = {
            let cut = self.net.cut.lock().unwrap();
            if cut.contains(&self.from) || cut.contains(to) {
                return Err(Unreachable);
            }
            self.net.services.lock().unwrap().get(to).cloned().ok_or(Unreachable)?
        };
        service.handle(request).await.ok_or(Unreachable)
    }
}

struct Cluster {
    net: Arc<Net>,
    directory: PathBuf,
}

impl Cluster {
    fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("starling-table-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        Self {
            net: Arc::default(),
            directory,
        }
    }

    /// Starts a node on what its directory holds.
    async fn start(&self, node: &str) -> TableService {
        let directory = self.directory.join(node);
        std::fs::create_dir_all(&directory).unwrap();
        let courier = Arc::new(MemoryCourier {
            from: name(node),
            net: Arc::clone(&self.net),
        });
        let timing = Timing::default();
        let service = TableService::start(name(node), &directory, SLOTS, courier, timing).await;
        let service = service.unwrap();
        self.net.services.lock().unwrap().insert(name(node), service.clone());
        service
    }

    async fn stop(&self, node: &str) {
        let service = self.net.services.lock().unwrap().remove(&name(node));
        service.unwrap().stop().await;
    }

    fn cut(&self, node: &str, cut: bool) {
        let mut cuts = self.net.cut.lock().unwrap();
        match cut {
            true => cuts.insert(name(node)),
            false => cuts.remove(&name(node)),
        };
    }

    /// Three nodes that have begun.
    async fn three(&self) -> Vec<TableService> {
        let bootstrap = BTreeSet::from(["a", "b", "c"].map(name));
        let mut services = Vec::new();
        for node in ["a", "b", "c"] {
            services.push(self.start(node).await);
        }
        let begun = services.iter().map(|service| service.begin(&bootstrap));
        futures_join(begun).await;
        services
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

async fn futures_join<F: Future<Output = ()>>(all: impl Iterator<Item = F>) {
    let mut set = Vec::new();
    for one in all {
        set.push(Box::pin(one));
    }
    for one in set {
        one.await;
    }
}

fn register(text: &str) -> Command {
    Command::Register { node: node(text) }
}

fn claim(slot: u16, version: u64, by: &str) -> Command {
    Command::Change {
        slot: SlotId(slot),
        version,
        by: node(by),
        change: Change::Claim,
    }
}

/// Submits until somebody answers.
async fn submit(service: &TableService, commands: Vec<Command>) -> Vec<Result<Answer, Refusal>> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match service.submit(commands.clone()).await {
            Ok(outcomes) => return outcomes,
            Err(refusal) => assert!(Instant::now() < end, "{refusal}"),
        }
    }
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn owner(service: &TableService, slot: u16) -> Option<NodeId> {
    service.view().record(SlotId(slot)).unwrap().owner.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_submits_and_sees_the_same_table() {
    let cluster = Cluster::new("same");
    let services = cluster.three().await;
    for (service, node) in services.iter().zip(["a", "b", "c"]) {
        assert_eq!(submit(service, vec![register(node)]).await, [Ok(Answer::Done)]);
    }
    let claims: Vec<_> = (0..SLOTS).map(|slot| claim(slot, 0, "b")).collect();
    let outcomes = submit(&services[2], claims).await;
    assert!(outcomes.iter().all(Result::is_ok), "all slots in one step");
    let late = submit(&services[0], vec![claim(7, 0, "a")]).await;
    assert_eq!(late, [Err(Refusal::Passed { version: 1 })]);
    for service in &services {
        eventually("the tables are the same", || owner(service, 1023) == Some(node("b"))).await;
    }
    let too_many = vec![register("a"); 5_000];
    assert_eq!(
        services[0].submit(too_many).await,
        Err(NotAnswered::TooMany { commands: 5_000 })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_outlives_the_leader_and_every_restart() {
    let cluster = Cluster::new("restart");
    let services = cluster.three().await;
    submit(&services[0], vec![register("a"), claim(1, 0, "a")]).await;
    let leader = services.iter().position(|service| service.members().is_some()).unwrap();
    let leader = ["a", "b", "c"][leader];
    cluster.stop(leader).await;
    let others: Vec<_> = services
        .iter()
        .zip(["a", "b", "c"])
        .filter(|(_, node)| *node != leader)
        .collect();
    let outcome = submit(others[0].0, vec![register("b"), claim(2, 0, "b")]).await;
    // It may have been carried out the time before, when an election came between it and its answer.
    let known = [Ok(Answer::Changed { version: 1 }), Err(Refusal::Passed { version: 1 })];
    assert!(known.contains(&outcome[1]), "two of three go on: {outcome:?}");
    for (_, node) in others {
        cluster.stop(node).await;
    }
    for service in cluster.three().await {
        eventually("what was answered is there", || {
            owner(&service, 1) == Some(node("a")) && owner(&service, 2) == Some(node("b"))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minority_decides_nothing() {
    let cluster = Cluster::new("minority");
    let services = cluster.three().await;
    submit(&services[0], vec![register("a"), register("b"), register("c")]).await;
    cluster.cut("a", true);
    let begun = Instant::now();
    assert_eq!(
        services[0].submit(vec![claim(1, 0, "a")]).await,
        Err(NotAnswered::NoQuorum)
    );
    assert!(begun.elapsed() < Duration::from_secs(2), "within its time");
    submit(&services[1], vec![claim(1, 0, "b")]).await;
    eventually("it is carried out", || owner(&services[1], 1) == Some(node("b"))).await;
    assert_eq!(owner(&services[0], 1), None);
    cluster.cut("a", false);
    eventually("it learns what was decided without it", || {
        owner(&services[0], 1) == Some(node("b"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lost_its_disk_learns_and_votes_as_another() {
    let cluster = Cluster::new("disk");
    let services = cluster.three().await;
    submit(&services[0], vec![register("a"), claim(1, 0, "a")]).await;
    let before = services[2].raft_id();
    cluster.stop("c").await;
    std::fs::remove_dir_all(cluster.directory.join("c")).unwrap();
    let back = cluster.start("c").await;
    assert_ne!(back.raft_id(), before);
    // It must not begin another cluster, nor vote for what it has forgotten.
    let bootstrap = BTreeSet::from(["a", "b", "c"].map(name));
    let waiting = tokio::time::timeout(Duration::from_millis(700), back.begin(&bootstrap)).await;
    assert!(waiting.is_err(), "it waits until it is taken in");
    let live = BTreeMap::from([
        (name("a"), services[0].raft_id()),
        (name("b"), services[1].raft_id()),
        (name("c"), back.raft_id()),
    ]);
    let mut steps = Vec::new();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        for service in &services[..2] {
            steps.extend(service.tend(&live, &BTreeSet::new()).await);
        }
        let votes = |service: &TableService| {
            let members = service.members();
            members.is_some_and(|members| members.voters.len() == 3 && members.voters.contains_key(&back.raft_id()))
        };
        if services[..2].iter().any(votes) {
            break;
        }
        assert!(Instant::now() < end, "{steps:?}");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(matches!(steps[0], Step::AddLearner(..)), "{steps:?}");
    assert!(
        steps.contains(&Step::Promote(back.raft_id(), Some(before))),
        "{steps:?}"
    );
    eventually("it has the table", || owner(&back, 1) == Some(node("a"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_joiner_gets_a_snapshot_and_garbage_gets_nothing() {
    let cluster = Cluster::new("snapshot");
    let services = cluster.three().await;
    submit(&services[0], vec![register("a")]).await;
    for version in 0..2_300 {
        let change = match version {
            0 => claim(1, 0, "a"),
            _ => Command::Change {
                slot: SlotId(1),
                version,
                by: node("a"),
                change: Change::Shrink {
                    without: BTreeSet::new(),
                },
            },
        };
        submit(&services[0], vec![change]).await;
    }
    let late = cluster.start("d").await;
    let mut live: BTreeMap<_, _> = services
        .iter()
        .zip(["a", "b", "c"])
        .map(|(service, node)| (name(node), service.raft_id()))
        .collect();
    live.insert(name("d"), late.raft_id());
    for service in &services {
        service.tend(&live, &BTreeSet::new()).await;
    }
    let version = |service: &TableService| service.view().record(SlotId(1)).unwrap().version;
    eventually("it has the table", || version(&late) == 2_300).await;
    for garbage in [&b""[..], b"{}", b"\"Who", &[0xff; 100]] {
        assert_eq!(late.handle(Bytes::copy_from_slice(garbage)).await, None);
    }
}
