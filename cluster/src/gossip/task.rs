//! The loop of gossip, on a thread of its own: a node whose other threads are busy still says that it lives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use chitchat::{ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, NodeState};
use starling_core::id::{Generation, NodeId, NodeName};
use tokio::sync::{mpsc, oneshot, watch};

use super::facts::NodeFacts;
use super::key::SenderId;
use super::members::{Change, Members, Seen};
use super::seeds;
use super::statement::{self, Process};
use super::transport::Sealed;
use super::view::Membership;
use super::{GossipError, Tuning};
use crate::instruments::Instruments;
use crate::link::Credentials;

/// What the thread is given.
pub(super) struct Task {
    pub(super) me: Process,
    pub(super) cluster: String,
    pub(super) sender: SenderId,
    /// What it says is signed with.
    pub(super) credentials: Arc<ArcSwap<Credentials>>,
    pub(super) seeds: Vec<String>,
    pub(super) tuning: Tuning,
    /// Changes when there is something to say, be it the same with another certificate.
    pub(super) facts: watch::Receiver<Vec<(String, String)>>,
    /// A later start of this node's name that has proven itself.
    pub(super) successor: watch::Receiver<Option<NodeId>>,
    /// Closed, or written to, when the loop has to stop. One place: it is told once.
    pub(super) stop: mpsc::Receiver<()>,
    pub(super) membership: Membership,
    pub(super) instruments: Arc<dyn Instruments>,
}

/// What woke the loop.
enum Woke {
    Members,
    Successor,
    Said,
    Seeds,
    Stop,
    Ended(anyhow::Result<()>),
}

impl Task {
    /// Runs until it is told to stop. `started` gets whether it could begin.
    pub(super) async fn run(
        mut self,
        transport: Sealed,
        started: oneshot::Sender<Result<(), GossipError>>,
    ) -> Result<(), GossipError> {
        let first = match self.statement(1) {
            Ok(first) => vec![(statement::KEY.to_owned(), first)],
            Err(error) => {
                // Whoever started this has gone if nobody takes it.
                let _ = started.send(Err(GossipError::Unsigned(error)));
                return Ok(());
            }
        };
        let gossip = match chitchat::spawn_chitchat(self.config(), first, &transport).await {
            Ok(gossip) => gossip,
            Err(error) => {
                let _ = started.send(Err(GossipError::Start(error.to_string())));
                return Ok(());
            }
        };
        let _ = started.send(Ok(()));
        let mut live = gossip.with_chitchat(|chitchat| chitchat.live_nodes_watcher()).await;
        let mut members = Members::new(self.me.node.clone());
        let ended = gossip.termination_watcher();
        tokio::pin!(ended);
        let mut next_call = tokio::time::Instant::now();
        loop {
            let woke = tokio::select! {
                biased;
                _ = self.stop.recv() => Woke::Stop,
                result = &mut ended => Woke::Ended(result),
                Ok(()) = self.facts.changed() => Woke::Said,
                Ok(()) = live.changed() => Woke::Members,
                Ok(()) = self.successor.changed() => Woke::Successor,
                () = tokio::time::sleep_until(next_call) => Woke::Seeds,
            };
            match woke {
                Woke::Said => self.say(&gossip).await,
                Woke::Members => {
                    let seen: Vec<_> = live.borrow_and_update().iter().filter_map(|it| self.seen(it)).collect();
                    self.look(&mut members, seen);
                }
                Woke::Successor => {
                    let successor = self.successor.borrow_and_update().clone();
                    let change = successor.and_then(|node| members.supersede(node));
                    self.publish(&members, change.into_iter().collect());
                }
                Woke::Seeds => {
                    let seen: Vec<_> = live.borrow().iter().filter_map(|it| self.seen(it)).collect();
                    let known: Vec<_> = seen.iter().map(|seen| seen.gossip).collect();
                    // Time passes for those who are missing.
                    self.look(&mut members, seen);
                    self.call(&gossip, &known).await;
                    let alone = members.all().next().is_none();
                    let interval = if alone { seeds::ALONE_INTERVAL } else { seeds::INTERVAL };
                    next_call = tokio::time::Instant::now() + interval;
                }
                Woke::Stop => {
                    // The socket is closed when it has ended.
                    return gossip
                        .shutdown()
                        .await
                        .map_err(|error| GossipError::Ended(error.to_string()));
                }
                Woke::Ended(result) => {
                    let why = result
                        .err()
                        .map_or_else(|| "it stopped".to_owned(), |error| error.to_string());
                    return Err(GossipError::Ended(why));
                }
            }
        }
    }

    fn config(&self) -> ChitchatConfig {
        let Tuning {
            interval,
            suspicion,
            forget_after,
        } = self.tuning;
        ChitchatConfig {
            chitchat_id: ChitchatId::new(self.me.node.name.as_str(), self.me.node.generation.0, self.me.gossip),
            cluster_id: self.cluster.clone(),
            gossip_interval: interval,
            listen_addr: self.me.gossip,
            // Called upon by ourselves: chitchat asks DNS once a minute only.
            seed_nodes: Vec::new(),
            failure_detector_config: FailureDetectorConfig::new(
                suspicion,
                SAMPLES,
                interval * INTERVALS_MAX,
                interval,
                forget_after,
            ),
            marked_for_deletion_grace_period: forget_after,
            catchup_callback: None,
            extra_liveness_predicate: None,
        }
    }

    fn seen(&self, (id, state): (&ChitchatId, &NodeState)) -> Option<Seen> {
        // A name that cannot be one was not made by a node of ours.
        let node = NodeId {
            name: NodeName::parse(&id.node_id).ok()?,
            generation: Generation(id.generation_id),
        };
        if node == self.me.node {
            return None;
        }
        // None, as long as chitchat has heard of it and not been told what it says.
        let facts = NodeFacts::from_keys(statement::facts(state.get(statement::KEY)?));
        if let Err(error) = &facts {
            self.instruments.gossip_refused("facts");
            tracing::warn!(%node, %error, "a node says what cannot be read; is it of another version?");
        }
        Some(Seen {
            node,
            gossip: id.gossip_advertise_addr,
            facts,
        })
    }

    fn look(&self, members: &mut Members, seen: Vec<Seen>) {
        let changes = members.look(seen, Instant::now());
        self.publish(members, changes);
    }

    fn publish(&self, members: &Members, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        changes.iter().for_each(log);
        let (live, suspected): (Vec<_>, Vec<_>) = members.all().partition(|it| it.state == super::State::Live);
        self.instruments.members(live.len(), suspected.len());
        self.membership.publish(members.all(), changes);
    }

    /// What is to be said now, as the statement of this number.
    fn statement(&mut self, number: u64) -> Result<String, rustls::Error> {
        let facts = self.facts.borrow_and_update();
        let proof = &self.credentials.load().proof;
        statement::say(proof, &self.cluster, &self.me, number, &self.sender, &facts)
    }

    async fn say(&mut self, gossip: &ChitchatHandle) {
        let number = gossip
            .with_chitchat(|chitchat| chitchat.self_node_state().max_version() + 1)
            .await;
        match self.statement(number) {
            // It becomes the version of the key: nobody else says anything of this process.
            Ok(text) => {
                gossip
                    .with_chitchat(|chitchat| chitchat.self_node_state().set(statement::KEY, &text))
                    .await;
            }
            Err(error) => tracing::error!(%error, "what changed about this node cannot be signed; report this"),
        }
    }

    /// Calls the seeds that are not heard of.
    async fn call(&self, gossip: &ChitchatHandle, known: &[SocketAddr]) {
        for address in seeds::resolve(&self.seeds).await {
            if address != self.me.gossip && !known.contains(&address) {
                // It fails when gossip has ended, which the loop is told.
                let _ = gossip.gossip(address);
            }
        }
    }
}

/// Intervals between signs of life that are remembered: some fifty seconds of them.
const SAMPLES: usize = 200;

/// A pause longer than so many intervals says nothing about the next ones.
const INTERVALS_MAX: u32 = 10;

fn log(change: &Change) {
    match change {
        Change::Joined(member) => {
            let (zone, version) = (&member.facts.zone, &member.facts.version);
            tracing::info!(node = %member.node, link = %member.facts.link, zone, version, "a node joined");
        }
        Change::Changed(member) => tracing::debug!(node = %member.node, "a node says something else"),
        Change::Suspected(node) => tracing::warn!(%node, "a node is silent"),
        Change::Recovered(node) => tracing::info!(%node, "a node is heard again"),
        Change::Left(node, why) => tracing::info!(%node, ?why, "a node left"),
        Change::Superseded(node) => {
            tracing::error!(%node, "a younger process has this node's name; stop one of the two, or give it another name");
        }
    }
}
