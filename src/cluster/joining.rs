//! From the first word to a member, and what ends that.
//!
//! ```text
//! begin ─▶ the table has begun, or has taken this node in ─▶ register ─▶ Member
//!                        a later start of this name, an operator, gossip or the table ─▶ Out
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use starling_cluster::gossip::{Change, GossipError, Membership};
use starling_cluster::table::{NotAnswered, TableService};
use starling_core::id::{NodeId, NodeName};
use starling_core::table::{Command, Refusal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Out;

/// How this node stands in its cluster.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It is not registered, and owns nothing.
    Joining,
    /// It is registered, and may own slots.
    Member,
    /// It cannot come back under its generation.
    Out(Arc<Out>),
    /// It has left, as it was told.
    Left,
}

/// How often an operator is told that a node waits.
const WAITING_TOLD_INTERVAL: Duration = Duration::from_secs(10);

/// Time between a registration that was not answered and the next: each of them has waited for an answer already.
const REGISTER_INTERVAL: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Clone)]
pub(super) struct Joining {
    pub(super) me: NodeId,
    pub(super) bootstrap: BTreeSet<NodeName>,
    pub(super) table: TableService,
    pub(super) membership: Membership,
    pub(super) standing: watch::Sender<Standing>,
}

impl Joining {
    /// Becomes a member, and stays one until the table says otherwise.
    pub(super) async fn run(self) {
        self.begin().await;
        match self.register().await {
            Ok(()) => {
                tracing::info!(node = %self.me, "this node is a member of the cluster");
                self.standing.send_if_modified(|standing| {
                    let joins = matches!(standing, Standing::Joining);
                    if joins {
                        *standing = Standing::Member;
                    }
                    joins
                });
            }
            Err(why) => return self.end(why),
        }
        self.watch_table().await;
    }

    /// Waits until the cluster has begun and this node is in it.
    async fn begin(&self) {
        let begun = self.table.begin(&self.bootstrap);
        tokio::pin!(begun);
        let mut tell = interval(WAITING_TOLD_INTERVAL);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tell.tick().await;
        loop {
            tokio::select! {
                () = &mut begun => return,
                _ = tell.tick() => self.tell_who_is_awaited(),
            }
        }
    }

    fn tell_who_is_awaited(&self) {
        let view = self.membership.view();
        let missing = |name: &&NodeName| **name != self.me.name && !view.members.contains_key(*name);
        let missing: Vec<_> = self.bootstrap.iter().filter(missing).map(NodeName::as_str).collect();
        if self.bootstrap.contains(&self.me.name) && !missing.is_empty() {
            let missing = missing.join(", ");
            tracing::warn!(
                missing,
                "the cluster begins when all nodes of cluster.bootstrap are there"
            );
        } else {
            let members = view.members.len();
            tracing::warn!(
                members,
                "waiting to be taken in by the nodes that have begun the cluster"
            );
        }
    }

    async fn register(&self) -> Result<(), Out> {
        let command = Command::Register { node: self.me.clone() };
        let mut told = tokio::time::Instant::now();
        loop {
            let error = match self.table.submit(vec![command.clone()]).await {
                Ok(outcomes) => match outcomes.first() {
                    Some(Ok(_)) => return Ok(()),
                    Some(Err(Refusal::Superseded { generation })) if *generation == self.me.generation => {
                        return Err(Out::Buried);
                    }
                    Some(Err(Refusal::Superseded { generation })) => {
                        let generation = *generation;
                        return Err(Out::Superseded { generation });
                    }
                    Some(Err(refusal)) => refusal.to_string(),
                    None => "the answer is to something else".to_owned(),
                },
                Err(NotAnswered::Stopped) => return Err(Out::Table(NotAnswered::Stopped.to_string())),
                Err(error) => error.to_string(),
            };
            if told.elapsed() > WAITING_TOLD_INTERVAL {
                told = tokio::time::Instant::now();
                tracing::warn!(error, "this node is not registered yet; asking again");
            }
            sleep(REGISTER_INTERVAL).await;
        }
    }

    async fn watch_table(&self) {
        let mut changes = self.table.changes();
        loop {
            let table = self.table.view();
            if table.nodes().is_proved_dead(&self.me) {
                let generation = table.nodes().current(&self.me.name).map(|node| node.generation);
                return self.end(generation.map_or(Out::Buried, |generation| Out::Superseded { generation }));
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until something else says that this node is out.
    pub(super) async fn watch(self, gossip: impl Future<Output = Arc<GossipError>> + Send) {
        let mut changes = self.membership.changes();
        let table = self.table.ended();
        let superseded = async {
            loop {
                match changes.recv().await {
                    Ok(Change::Superseded(node)) => break node.generation,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    // Gossip has ended, which says so itself.
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let why = tokio::select! {
            generation = superseded => Out::Superseded { generation },
            error = gossip => Out::Gossip(error),
            why = table => Out::Table(why),
        };
        self.end(why);
    }

    /// The first reason stands.
    fn end(&self, why: Out) {
        self.standing.send_if_modified(|standing| {
            let goes_on = matches!(standing, Standing::Joining | Standing::Member);
            if goes_on {
                tracing::error!(node = %self.me, %why, "this node takes no part in the cluster any more");
                *standing = Standing::Out(Arc::new(why));
            }
            goes_on
        });
    }
}
