//! What an operator orders, at any node: of a node, which is asked over its link, or of the cluster.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use starling_cluster::gossip::State;
use starling_cluster::link::PeerState;
use starling_cluster::table::{Desk, NotAnswered};
use starling_core::id::NodeName;
use starling_core::table::{Command, Refusal};
use thiserror::Error;

use super::Cluster;
use super::duty::{Duty, Roster};

/// An order to one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Hand over what you have, take nothing, and stay.
    Drain,
    /// Serve again.
    Undrain,
}

impl Order {
    const fn duty(self) -> Duty {
        match self {
            Self::Drain => Duty::Drained,
            Self::Undrain => Duty::Serving,
        }
    }
}

/// Why an order is not carried out.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum OrderError {
    /// There is no such node.
    #[error("no node of this cluster is called \"{0}\"; see: starling cluster status")]
    Unknown(NodeName),
    /// It does not answer.
    #[error(
        "node \"{0}\" does not answer; what it was ordered it may have done, so look at its status and order it again"
    )]
    Unreachable(NodeName),
    /// It stops.
    #[error("node \"{0}\" is about to end, and hands over what it has already")]
    Ending(NodeName),
    /// A node that is to be declared lost is there.
    #[error("node \"{0}\" is there, and what it holds is not lost; stop it first if it is to be given up")]
    Alive(NodeName),
    /// The table cannot be changed.
    #[error(transparent)]
    NotAnswered(#[from] NotAnswered),
}

impl Cluster {
    /// Has a node carry an order out, and says what its duty is then.
    ///
    /// # Errors
    /// When it is not there, does not answer, or is about to end.
    pub async fn order(&self, node: &NodeName, order: Order) -> Result<Duty, OrderError> {
        let duty = if *node == self.me.name {
            self.roster.assign(order.duty())
        } else {
            if !self.membership.view().members.contains_key(node) && self.links.of(node).is_none() {
                return Err(OrderError::Unknown(node.clone()));
            }
            let request = serde_json::to_vec(&order).expect("a word can be written down");
            let answer = self.post.ask(node, request.into()).await.ok();
            let answer = answer.and_then(|answer| serde_json::from_slice(&answer).ok());
            answer.ok_or_else(|| OrderError::Unreachable(node.clone()))?
        };
        match duty {
            Duty::Ending => Err(OrderError::Ending(node.clone())),
            duty => Ok(duty),
        }
    }

    /// Declares that a node will not come back with what it holds. Slots of which it has the last copy begin anew, and their
    /// readers are told that history is lost.
    ///
    /// # Errors
    /// When it is there, was never registered, or the table cannot be changed.
    pub async fn declare_lost(&self, node: &NodeName) -> Result<(), OrderError> {
        let view = self.membership.view();
        let is_heard = view.members.get(node).is_some_and(|member| member.state == State::Live);
        let is_linked = self.links.of(node).is_some_and(|link| link.state() != PeerState::Down);
        if *node == self.me.name || is_heard || is_linked {
            return Err(OrderError::Alive(node.clone()));
        }
        let bury = Command::Bury { name: node.clone() };
        let outcomes = self.table.submit(vec![bury]).await?;
        match outcomes.first() {
            Some(Ok(_)) => {
                tracing::warn!(%node, "a node was declared lost, with what only it held");
                Ok(())
            }
            Some(Err(Refusal::NotRegistered)) => Err(OrderError::Unknown(node.clone())),
            Some(Err(_)) | None => Err(OrderError::NotAnswered(NotAnswered::NoQuorum)),
        }
    }
}

/// Carries out what other nodes pass on.
pub(super) struct Orderly(pub(super) Roster);

impl Desk for Orderly {
    fn answer(&self, from: &NodeName, request: &Bytes) -> Option<Bytes> {
        let order: Order = serde_json::from_slice(request).ok()?;
        tracing::info!(%from, ?order, "an order of an operator was passed on to this node");
        let duty = self.0.assign(order.duty());
        serde_json::to_vec(&duty).ok().map(Bytes::from)
    }
}
