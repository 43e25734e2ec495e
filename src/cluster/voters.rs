//! Who votes on the slot table: while this node leads it, the nodes that live are found out, and one step at a time is taken
//! towards the voters that should be (`starling_cluster::table::voters` decides which).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use starling_cluster::link::{Links, PeerState};
use starling_cluster::table::TableService;
use starling_cluster::table::voters::Members;
use starling_core::id::{NodeId, NodeName};
use tokio::time::{Instant, sleep, timeout};

/// Time between two looks. In steady state they cost nothing: what a process is called in Raft is asked once.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a node may take to say what it is called.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// How long a voter is missing before another takes its place: longer than a restart takes, so that a rolling restart
/// changes no voters, and shorter than it takes until the next one fails.
const GONE_AFTER: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Voters {
    table: TableService,
    links: Arc<Links>,
    /// What each process is called in Raft.
    called: BTreeMap<NodeId, u64>,
    missing: BTreeMap<u64, Instant>,
    leads: bool,
}

impl Voters {
    pub(super) const fn new(table: TableService, links: Arc<Links>) -> Self {
        Self {
            table,
            links,
            called: BTreeMap::new(),
            missing: BTreeMap::new(),
            leads: false,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            sleep(LOOK_INTERVAL).await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let members = self.table.members();
        if self.leads != members.is_some() {
            self.leads = members.is_some();
            tracing::info!(leads = self.leads, "the leader of the slot table changes");
        }
        let Some(members) = members else {
            // Whoever leads counts for itself since when somebody is missing.
            self.missing.clear();
            return;
        };
        let live = self.live().await;
        let gone = self.gone(&members, &live, Instant::now());
        self.table.tend(&live, &gone).await;
    }

    /// The nodes that are linked, and this one.
    async fn live(&mut self) -> BTreeMap<NodeName, u64> {
        let linked = self.links.all().into_iter();
        let linked: BTreeSet<_> = linked
            .filter(|link| link.state() == PeerState::Up)
            .map(|link| link.node().clone())
            .collect();
        self.called.retain(|node, _| linked.contains(node));
        for node in &linked {
            if !self.called.contains_key(node)
                && let Ok(Ok(who)) = timeout(ANSWER_TIME_MAX, self.table.ask_who(&node.name)).await
            {
                self.called.insert(node.clone(), who.raft_id);
            }
        }
        let others = self.called.iter().map(|(node, id)| (node.name.clone(), *id));
        others
            .chain([(self.table.name().clone(), self.table.raft_id())])
            .collect()
    }

    fn gone(&mut self, members: &Members, live: &BTreeMap<NodeName, u64>, now: Instant) -> BTreeSet<u64> {
        let all = members.voters.iter().chain(&members.learners);
        let missing = all.filter(|(id, name)| live.get(*name) != Some(id));
        let missing: BTreeMap<_, _> = missing
            .map(|(id, _)| (*id, self.missing.get(id).copied().unwrap_or(now)))
            .collect();
        self.missing = missing;
        let gone = self.missing.iter().filter(|(_, since)| now - **since >= GONE_AFTER);
        gone.map(|(id, _)| *id).collect()
    }
}
