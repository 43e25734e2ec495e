//! `starling cluster`: what a cluster is made of, and how it is operated.
//!
//! | file | holds |
//! | --- | --- |
//! | `ca.rs` | the authority that vouches for its nodes |
//! | `operate.rs` | what an operator sees and orders; over `admin.rs`, in `table.rs` |

mod admin;
mod ca;
mod operate;
mod table;

use super::exit::{Exit, Failure};

/// Makes what the nodes of a cluster prove themselves with, and operates a cluster.
#[derive(Debug, clap::Args)]
pub(super) struct Cluster {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Makes the cluster's authority, and certificates for its nodes
    Ca(ca::Ca),
    /// Shows the nodes, and how the slots stand
    Status(operate::Show),
    /// Shows the slots that lack something, or all: owner, term, who is in sync
    Slots(operate::Slots),
    /// Has a node hand over what it has and take nothing new; it stays up, and is not ready
    Drain(operate::Ordered),
    /// Has a drained node serve again
    Undrain(operate::Ordered),
    /// Declares that a node will not come back, and gives up what only it held
    Reset(operate::Reset),
}

impl Cluster {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Ca(verb) => verb.run(),
            Verb::Status(verb) => verb.run(),
            Verb::Slots(verb) => verb.run(),
            Verb::Drain(verb) => verb.drain(),
            Verb::Undrain(verb) => verb.undrain(),
            Verb::Reset(verb) => verb.run(),
        }
    }
}
