//! `starling cluster`: what a cluster is made of.
//!
//! `ca.rs` has the authority that vouches for its nodes.

mod ca;

use super::exit::{Exit, Failure};

/// Makes what the nodes of a cluster prove themselves with.
#[derive(Debug, clap::Args)]
pub(super) struct Cluster {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Makes the cluster's authority, and certificates for its nodes
    Ca(ca::Ca),
}

impl Cluster {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Ca(verb) => verb.run(),
        }
    }
}
