//! Nodes finding each other: each says a few facts about itself, hears those of the others, and notices who falls
//! silent.
//!
//! [chitchat](https://docs.rs/chitchat) spreads the facts (Scuttlebutt) and suspects the silent (a failure detector on
//! the gaps between signs of life). It runs over our own socket, every datagram sealed with the cluster's key, which keeps
//! strangers out; and what is said of a node is signed by that node, so the key alone makes nobody believed. What it finds becomes a [`Membership`]: a view, and what changes in it. All of this is hint: who owns what is decided by the
//! slot table.
//!
//! | file | holds |
//! | --- | --- |
//! | `key.rs` | the ring of keys, and the key of each sender |
//! | `seal.rs`, `open.rs`, `replays.rs` | a datagram made, and looked at; which of them came before |
//! | `statement.rs` | what a node says about itself, signed |
//! | `screen.rs`, `proven.rs`, `message.rs` | what chitchat is told of it; who has proven what; chitchat's messages |
//! | `transport.rs` | the socket |
//! | `facts.rs` | what a node says about itself ⇄ the keys it is said with |
//! | `members.rs` | two looks → what changed |
//! | `view.rs` | the view, for everybody |
//! | `seeds.rs` | whom a node calls upon |
//! | `task.rs` | the loop |

pub(crate) mod facts;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod key;
mod members;
mod message;
mod open;
mod proven;
mod replays;
mod screen;
mod seal;
mod seeds;
mod statement;
mod task;
mod transport;
mod view;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use starling_core::id::NodeId;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

pub use facts::{
    FACTS_BYTES_MAX, FactsError, NodeFacts, PINS_MAX, Phase, Pins, URL_BYTES_MAX, URLS_MAX, WORD_BYTES_MAX,
};
pub use key::{KEY_BYTES, KEYS_MAX, KeyError, KeyRing};
pub use members::{Change, Departure, MISSING_TIME_MAX, Member, State};
pub use open::AGE_MAX;
pub use view::{CHANGES_MAX, Membership, View};

use crate::instruments::Instruments;
use crate::link::Credentials;
use key::SenderId;
use open::Opener;
use screen::Screen;
use seal::Sealer;
use statement::Process;
use task::Task;
use transport::Sealed;

/// Why gossip does not start, or ended.
#[derive(Debug, Error)]
pub enum GossipError {
    /// The facts would be refused by every other node.
    #[error("the facts of this node cannot be said: {0}")]
    Facts(#[from] FactsError),
    /// It could not be signed what this node says.
    #[error("what this node says cannot be signed: {0}; issue another certificate for it")]
    Unsigned(rustls::Error),
    /// The socket could not be used.
    #[error("the socket of gossip cannot be used: {0}")]
    Socket(#[from] std::io::Error),
    /// It did not start.
    #[error("gossip did not start: {0}; report this")]
    Start(String),
    /// It ended by itself. It cannot go on under this generation: the node has to be started again.
    #[error("gossip ended: {0}; the node cannot go on, start it again")]
    Ended(String),
}

/// What gossip needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This process. The generation is greater than at every earlier start under this name.
    pub me: NodeId,
    /// The cluster's name: a node of another is not heard.
    pub cluster: String,
    /// Where the others reach this node's socket.
    pub advertised: SocketAddr,
    /// Whom to call upon: `host:port` each.
    pub seeds: Vec<String>,
    /// How fast.
    pub tuning: Tuning,
}

/// How fast gossip is, and how soon it suspects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// Time between two rounds.
    pub interval: Duration,
    /// How many times its usual gap a node may be silent.
    pub suspicion: f64,
    /// How long a dead node is kept in what is exchanged.
    pub forget_after: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(250),
            suspicion: 8.0,
            forget_after: Duration::from_secs(15 * 60),
        }
    }
}

/// Gossip that runs. Dropping it stops it, unannounced.
pub struct Gossip {
    membership: Membership,
    ring: Arc<ArcSwap<KeyRing>>,
    credentials: Arc<ArcSwap<Credentials>>,
    facts: watch::Sender<Vec<(String, String)>>,
    said: NodeFacts,
    stop: mpsc::Sender<()>,
    ended: watch::Receiver<Option<Arc<GossipError>>>,
    tuning: Tuning,
}

impl Gossip {
    /// Starts over a socket that is bound. What the node says is signed with its certificate of links, and what others say is
    /// believed if they could be linked.
    ///
    /// # Errors
    /// When the facts cannot be said, or the socket cannot be used.
    pub async fn start(
        settings: Settings,
        socket: UdpSocket,
        ring: KeyRing,
        credentials: Credentials,
        facts: NodeFacts,
        instruments: Arc<dyn Instruments>,
    ) -> Result<Self, GossipError> {
        let keys = facts.to_keys()?;
        socket.set_nonblocking(true)?;
        let ring = Arc::new(ArcSwap::from_pointee(ring));
        let Settings {
            me,
            cluster,
            advertised,
            seeds,
            tuning,
        } = settings;
        let credentials = Arc::new(ArcSwap::from_pointee(credentials));
        let sender: SenderId = rand::random();
        let me = Process {
            node: me,
            gossip: advertised,
        };
        let (successor_sender, successor) = watch::channel(None);
        let transport = Sealed::new(
            socket,
            Sealer::new(me.node.clone(), &cluster, sender),
            Opener::new(&cluster, sender),
            Screen::new(&cluster, me.clone(), Arc::clone(&credentials), successor_sender),
            Arc::clone(&ring),
            Arc::clone(&instruments),
        );
        let membership = Membership::new(me.node.clone());
        let (facts_sender, facts_receiver) = watch::channel(keys);
        let (stop, stop_receiver) = mpsc::channel(1);
        let (ended_sender, ended) = watch::channel(None);
        let task = Task {
            me,
            cluster,
            sender,
            credentials: Arc::clone(&credentials),
            seeds,
            tuning,
            facts: facts_receiver,
            successor,
            stop: stop_receiver,
            membership: membership.clone(),
            instruments,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (started_sender, started) = oneshot::channel();
        std::thread::Builder::new()
            .name("starling-gossip".to_owned())
            .spawn(move || {
                let result = runtime.block_on(task.run(transport, started_sender));
                let error = result
                    .err()
                    .unwrap_or_else(|| GossipError::Ended("it was stopped".to_owned()));
                ended_sender.send_replace(Some(Arc::new(error)));
            })?;
        let started = started.await;
        started.unwrap_or_else(|_| Err(GossipError::Start("its thread ended".to_owned())))?;
        Ok(Self {
            membership,
            ring,
            credentials,
            facts: facts_sender,
            said: facts,
            stop,
            ended,
            tuning,
        })
    }

    /// Who belongs to the cluster.
    #[must_use]
    pub const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// What this node says about itself now.
    #[must_use]
    pub const fn said(&self) -> &NodeFacts {
        &self.said
    }

    /// Says something else about this node. What is said faster than rounds go is said together: the newest counts.
    ///
    /// # Errors
    /// When no node could read it; what was said before stands.
    pub fn say(&mut self, facts: NodeFacts) -> Result<(), FactsError> {
        let keys = facts.to_keys()?;
        self.said = facts;
        self.facts.send_replace(keys);
        Ok(())
    }

    /// Changes the keys: datagrams are sealed with the first of these from now on, and opened with any.
    pub fn rekey(&self, ring: KeyRing) {
        self.ring.store(Arc::new(ring));
    }

    /// Signs with another certificate, and believes other authorities, from now on. What was believed stays.
    pub fn renew(&self, credentials: Credentials) {
        self.credentials.store(Arc::new(credentials));
        // All of it is said again.
        self.facts.send_modify(|_| {});
    }

    /// Ready when gossip has ended, which it does by itself only when it cannot go on.
    pub fn ended(&self) -> impl Future<Output = Arc<GossipError>> + use<> {
        let mut ended = self.ended.clone();
        async move {
            let error = ended.wait_for(Option::is_some).await;
            let error = error.ok().and_then(|error| error.clone());
            error.unwrap_or_else(|| Arc::new(GossipError::Ended("its thread panicked".to_owned())))
        }
    }

    /// Says that this node leaves, gives the others time to hear it, and stops.
    pub async fn leave(mut self) {
        let facts = NodeFacts {
            phase: Phase::Left,
            ..self.said.clone()
        };
        if self.say(facts).is_ok() {
            tokio::time::sleep(self.tuning.interval * FAREWELL_ROUNDS).await;
        }
        self.stop().await;
    }

    /// Stops at once: the others will suspect this node.
    pub async fn stop(self) {
        // It has stopped already if it does not take this.
        let _ = self.stop.send(()).await;
        self.ended().await;
    }
}

/// Rounds in which the others hear that a node leaves: each tells three, and they tell others.
const FAREWELL_ROUNDS: u32 = 4;
