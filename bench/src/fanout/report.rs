//! The result: one object for machines, one table for people.
//!
//! [`NodeReport`] sets a node beside a null server, [`ClusterReport`] three nodes beside one.

mod cluster;
mod node;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::cluster::ClusterReport;
pub use self::node::NodeReport;
use crate::proc::host::Machine;

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

/// Numbers to the fourth digit behind the point: beyond it there is only noise.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then(|| (value * 1e4).round() / 1e4)
}

/// All reasons in one text; none if there are none.
fn together(reasons: Vec<String>) -> Option<String> {
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The end of a table: the machine, and whether the result stands.
fn write_end(f: &mut fmt::Formatter<'_>, machine: &Machine, invalid_reason: Option<&str>) -> fmt::Result {
    let Machine {
        processor,
        cores,
        kernel,
    } = machine;
    writeln!(f, "{processor}, {cores} cores, Linux {kernel}")?;
    match invalid_reason {
        None => write!(f, "valid"),
        Some(reason) => write!(f, "NOT VALID: {reason}"),
    }
}

/// A figure with two digits behind the point, or a dash.
struct Cell(Option<f64>);

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => f.pad(&format!("{value:.2}")),
            None => f.pad("-"),
        }
    }
}
