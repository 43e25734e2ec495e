//! The result: one object for machines, one table for people.
//!
//! [`NodeReport`] sets a node beside a null server, [`ClusterReport`] three nodes beside one.

mod cluster;
mod node;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::cluster::ClusterReport;
pub use self::node::NodeReport;

/// The result of a measurement. A figure that could not be had is `null` in JSON and makes it not valid.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Report {
    /// Of three nodes.
    Cluster(Box<ClusterReport>),
    /// Of one.
    Node(Box<NodeReport>),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(report) => report.fmt(f),
            Self::Node(report) => report.fmt(f),
        }
    }
}
