//! Raft's requests and answers, as bytes that the courier carries.

use std::sync::Arc;

use bytes::Bytes;
use openraft::BasicNode;
use openraft::error::{
    InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable as NotReached,
};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
    VoteResponse,
};
use serde::{Deserialize, Serialize};
use starling_core::id::NodeName;
use tokio::time::timeout;

use super::courier::{Courier, Unreachable};
use super::raft::TypeConfig;
use super::voters::Who;
use super::wire;
use crate::link::FRAME_BYTES_MAX;

/// The largest request: what fits a frame of a link.
pub(super) const REQUEST_BYTES_MAX: usize = FRAME_BYTES_MAX - 4 * 1024;

/// What one node's service asks another's.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// One voter to another, by its name in Raft: a node that lost its disk answers to its old name no longer, or it
    /// would acknowledge what it does not have.
    Raft(u64, Raft),
    Submit(wire::Batch),
    Who,
}

/// What Raft asks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Raft {
    Append(AppendEntriesRequest<TypeConfig>),
    Vote(VoteRequest<u64>),
    Snapshot(InstallSnapshotRequest<TypeConfig>),
}

/// The answer to a request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Append(Result<AppendEntriesResponse<u64>, RaftError<u64>>),
    Vote(Result<VoteResponse<u64>, RaftError<u64>>),
    Snapshot(Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>),
    Outcomes(Vec<wire::Outcome>),
    /// Ask this node, by its name; `None` if nobody leads.
    Leader(Option<String>),
    Who(Who),
}

pub(super) fn decode(request: &Bytes) -> Option<Request> {
    if request.len() > REQUEST_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(request).ok()
}

pub(super) fn encode(reply: &Reply) -> Bytes {
    serde_json::to_vec(reply).map(Bytes::from).unwrap_or_default()
}

/// Asks another node.
pub(super) async fn call(courier: &dyn Courier, to: &NodeName, request: &Request) -> Result<Reply, Unreachable> {
    let request = serde_json::to_vec(request).map_err(|_| Unreachable)?;
    let reply = courier.call(to, request.into()).await?;
    serde_json::from_slice(&reply).map_err(|_| Unreachable)
}

/// Makes the way to each voter.
pub(super) struct Network {
    courier: Arc<dyn Courier>,
}

impl Network {
    pub(super) fn new(courier: Arc<dyn Courier>) -> Self {
        Self { courier }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Way;

    async fn new_client(&mut self, id: u64, node: &BasicNode) -> Way {
        Way {
            courier: Arc::clone(&self.courier),
            id,
            to: NodeName::parse(&node.addr).ok(),
        }
    }
}

/// The way to one voter.
pub(super) struct Way {
    courier: Arc<dyn Courier>,
    id: u64,
    to: Option<NodeName>,
}

impl Way {
    async fn ask<E: std::error::Error>(
        &self,
        request: Raft,
        option: &RPCOption,
    ) -> Result<Reply, RPCError<u64, BasicNode, E>> {
        let unreachable = || RPCError::Unreachable(NotReached::new(&Unreachable));
        let to = self.to.as_ref().ok_or_else(unreachable)?;
        let request = Request::Raft(self.id, request);
        let asked = timeout(option.hard_ttl(), call(&*self.courier, to, &request)).await;
        match asked {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Unreachable)) => Err(unreachable()),
            Err(late) => Err(RPCError::Network(NetworkError::new(&late))),
        }
    }

    #[expect(clippy::result_large_err, reason = "the error is as large as Raft makes it")]
    fn remote<T, E: std::error::Error>(&self, result: Result<T, E>) -> Result<T, RPCError<u64, BasicNode, E>> {
        result.map_err(|error| RPCError::RemoteError(RemoteError::new(self.id, error)))
    }
}

/// The answer is to another question.
fn confused<E: std::error::Error>() -> RPCError<u64, BasicNode, E> {
    RPCError::Network(NetworkError::new(&Unreachable))
}

impl RaftNetwork<TypeConfig> for Way {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        match self.ask(Raft::Append(request), &option).await? {
            Reply::Append(answer) => self.remote(answer),
            _ => Err(confused()),
        }
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RPCError<u64, BasicNode, RaftError<u64, InstallSnapshotError>>> {
        match self.ask(Raft::Snapshot(request), &option).await? {
            Reply::Snapshot(answer) => self.remote(answer),
            _ => Err(confused()),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        match self.ask(Raft::Vote(request), &option).await? {
            Reply::Vote(answer) => self.remote(answer),
            _ => Err(confused()),
        }
    }
}
