//! The slot table as a service: one table, replicated by Raft among the voters.
//!
//! ```text
//!   submit(commands) ──▶ leader ──log──▶ a majority of voters ──▶ applied, on every node ──▶ view
//!        │                 ▲
//!        └── any node ─────┘ forwards
//! ```
//!
//! The table itself is [`starling_core::table`]: what may happen to it is decided there. This service sees to it
//! that all nodes apply the same commands in the same order, and that what was answered outlives any minority of
//! voters. In steady state it carries heartbeats and nothing else.
//!
//! A command that is not answered may have been carried out. Whoever asked looks at the table, or asks again: each
//! command expects a version, so it is carried out once at most.
//!
//! * [`TableService`]: start, submit, look;
//! * [`courier`]: how Raft's messages get to other nodes, and [`post`]: over the links;
//! * `raft`: the types; `log`, `machine`, `file`: what is kept on disk; `network`: requests and answers;
//! * `wire`: commands, records and answers as bytes;
//! * [`voters`]: who votes: the first beginning, and changes after that.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use openraft::error::{ClientWriteError, RaftError};
use openraft::{Config, Raft, SnapshotPolicy};
use starling_core::id::NodeName;
use starling_core::table::{Answer, Command, Refusal, Table};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::timeout;

pub mod courier;
mod file;
mod log;
mod machine;
mod network;
pub mod post;
mod raft;
pub mod voters;
mod wire;

pub use courier::{Courier, Unreachable};
pub use post::{Desk, Post};

use file::File;
use machine::Machine;
use network::{Network, Reply, Request};
use raft::TypeConfig;

/// What a command came to.
pub type Outcome = Result<Answer, Refusal>;

/// Commands of one request: every slot of a cluster. As bytes they are below half a frame of a link, and all of them are
/// applied in one step.
pub const COMMANDS_MAX: usize = 1_024;

/// Entries that go to a voter together: two of the largest fit a frame.
const ENTRIES_MAX: u64 = 2;

/// Bytes of a snapshot that go together. Written as numbers they take up to four times as many.
const CHUNK_BYTES: u64 = 128 * 1024;

/// Nobody knows what became of commands.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAnswered {
    /// No majority of the voters can be reached, or an election is on its way.
    #[error("the slot table cannot be changed now, for no majority of its voters answers; look at it and ask again")]
    NoQuorum,
    /// More than [`COMMANDS_MAX`].
    #[error("{commands} commands are too many for one request; send at most {COMMANDS_MAX}")]
    TooMany {
        /// How many there were.
        commands: usize,
    },
    /// The service has stopped. Its disk failed, or the node is stopping.
    #[error("this node takes no part in the slot table any more; see its log, and restart it")]
    Stopped,
}

/// The slot table could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file cannot be used.
    #[error(
        "the slot table's file {path} cannot be used: {reason}; correct its rights, or remove it and let this node join anew"
    )]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// Raft did not start.
    #[error("the slot table did not start: {0}")]
    Raft(String),
}

/// When Raft does what. The defaults suit nodes of one data centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How often the leader says that it is there.
    pub heartbeat: Duration,
    /// How long it may be silent, at least and at most, before another is elected.
    pub election: (Duration, Duration),
    /// How long a command may take, with a change of leader on the way.
    pub answer: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            election: (Duration::from_millis(300), Duration::from_millis(600)),
            answer: Duration::from_secs(1),
        }
    }
}

/// Entries after which the log is replaced by a snapshot. The table has some hundred kilobytes; a log of as much is
/// some thousand commands.
const SNAPSHOT_EVERY: u64 = 2_000;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct TableService {
    raft: Raft<TypeConfig>,
    id: u64,
    name: NodeName,
    courier: Arc<dyn Courier>,
    view: Arc<ArcSwap<Table>>,
    changes: watch::Receiver<u64>,
    timing: Timing,
}

impl TableService {
    /// Opens the table's file in `directory`, or makes one, and takes part.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub async fn start(
        name: NodeName,
        directory: &std::path::Path,
        slots: u16,
        courier: Arc<dyn Courier>,
        timing: Timing,
    ) -> Result<Self, OpenError> {
        let file = File::open(directory)?;
        let id = file.raft_id();
        let machine = Machine::open(file.clone(), slots).map_err(|error| file.error(&error))?;
        let (view, changes) = (machine.view(), machine.changes());
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let config = Config {
            cluster_name: "slot table".into(),
            heartbeat_interval: millis(timing.heartbeat),
            election_timeout_min: millis(timing.election.0),
            election_timeout_max: millis(timing.election.1),
            snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY),
            max_in_snapshot_log_to_keep: 200,
            max_payload_entries: ENTRIES_MAX,
            snapshot_max_chunk_size: CHUNK_BYTES,
            ..Config::default()
        };
        let config = config.validate().map_err(|error| OpenError::Raft(error.to_string()))?;
        let network = Network::new(Arc::clone(&courier));
        let raft = Raft::new(id, Arc::new(config), network, log::Log::new(file), machine)
            .await
            .map_err(|error| OpenError::Raft(error.to_string()))?;
        Ok(Self {
            raft,
            id,
            name,
            courier,
            view,
            changes,
            timing,
        })
    }

    /// This node's name in Raft: new with each new file, so that a node which lost its disk does not vote for what it
    /// has forgotten.
    #[must_use]
    pub const fn raft_id(&self) -> u64 {
        self.id
    }

    /// This node.
    #[must_use]
    pub const fn name(&self) -> &NodeName {
        &self.name
    }

    /// The table as far as this node has applied it.
    #[must_use]
    pub fn view(&self) -> Arc<Table> {
        self.view.load_full()
    }

    /// How far that is: the same number on two nodes is the same table.
    #[must_use]
    pub fn version(&self) -> u64 {
        let applied = self.raft.metrics().borrow().last_applied;
        applied.map_or(0, |applied| applied.index)
    }

    /// Changes with every change of [`TableService::view`].
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Carries commands out, in order, and says what each came to.
    ///
    /// # Errors
    /// When nobody knows: some may have been carried out, now or later.
    pub async fn submit(&self, commands: Vec<Command>) -> Result<Vec<Outcome>, NotAnswered> {
        if commands.len() > COMMANDS_MAX {
            return Err(NotAnswered::TooMany {
                commands: commands.len(),
            });
        }
        let batch = wire::Batch::of(&commands);
        let submitted = timeout(self.timing.answer, self.submit_batch(batch)).await;
        submitted.unwrap_or(Err(NotAnswered::NoQuorum))
    }

    async fn submit_batch(&self, batch: wire::Batch) -> Result<Vec<Outcome>, NotAnswered> {
        let pause = self.timing.heartbeat;
        let mut leader = None;
        loop {
            let answer = match leader.take() {
                None => self.write(batch.clone()).await?,
                Some(leader) => self.write_at(&leader, batch.clone()).await,
            };
            match answer {
                Reply::Outcomes(outcomes) => return Ok(outcomes.into_iter().map(wire::Outcome::into_core).collect()),
                Reply::Leader(Some(other)) if other != self.name.as_str() => leader = NodeName::parse(&other).ok(),
                // An election is on its way.
                _ => tokio::time::sleep(pause).await,
            }
        }
    }

    /// Writes as the leader, or says who that is.
    async fn write(&self, batch: wire::Batch) -> Result<Reply, NotAnswered> {
        match self.raft.client_write(batch).await {
            Ok(written) => Ok(Reply::Outcomes(written.data)),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                Ok(Reply::Leader(forward.leader_node.map(|node| node.addr)))
            }
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(_))) => Ok(Reply::Leader(None)),
            Err(RaftError::Fatal(_)) => Err(NotAnswered::Stopped),
        }
    }

    async fn write_at(&self, leader: &NodeName, batch: wire::Batch) -> Reply {
        // A leader answers within milliseconds. One that has just died answers never, and meanwhile another is elected.
        let request = Request::Submit(batch);
        let asked = network::call(&*self.courier, leader, &request);
        match timeout(self.timing.election.0, asked).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(Unreachable)) | Err(_) => Reply::Leader(None),
        }
    }

    /// Answers what another node's service asks. Garbage is answered with nothing.
    pub async fn handle(&self, request: Bytes) -> Option<Bytes> {
        let reply = match network::decode(&request)? {
            Request::Raft(to, _) if to != self.id => return None,
            Request::Raft(_, request) => match request {
                network::Raft::Append(request) => Reply::Append(self.raft.append_entries(request).await),
                network::Raft::Vote(request) => Reply::Vote(self.raft.vote(request).await),
                network::Raft::Snapshot(request) => Reply::Snapshot(self.raft.install_snapshot(request).await),
            },
            Request::Submit(batch) => self.write(batch).await.unwrap_or(Reply::Leader(None)),
            Request::Who => Reply::Who(self.who().await),
        };
        Some(network::encode(&reply))
    }

    /// What this node says about itself to others that begin.
    async fn who(&self) -> voters::Who {
        voters::Who {
            raft_id: self.id,
            is_pristine: !self.raft.is_initialized().await.unwrap_or(true),
        }
    }

    /// Ready when this node takes no part any more, because its disk failed or because it was stopped. It says why.
    pub fn ended(&self) -> impl Future<Output = String> + use<> {
        let mut metrics = self.raft.metrics();
        async move {
            let ended = metrics.wait_for(|metrics| metrics.running_state.is_err()).await;
            let why = ended.ok().and_then(|metrics| metrics.running_state.clone().err());
            why.map_or_else(|| "it was stopped".to_owned(), |fatal| fatal.to_string())
        }
    }

    /// Stops taking part. What was answered stays answered.
    pub async fn stop(&self) {
        let _ = self.raft.shutdown().await; // it has stopped already
    }
}

impl std::fmt::Debug for TableService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableService")
            .field("name", &self.name)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
