//! Why a node takes no part in its cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use starling_cluster::gossip::{GossipError, KeyError};
use starling_cluster::link::{CredentialsError, LinkError};
use starling_cluster::table::OpenError;
use starling_core::id::Generation;
use starling_core::id::node::NodeNameError;
use thiserror::Error;

use crate::directory::DirectoryError;

/// Why it does not begin.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// Its name cannot be one.
    #[error("this node cannot be a member under its name: {0}; set node.name")]
    Name(#[from] NodeNameError),
    /// The others cannot be told where it is.
    #[error(
        "links are taken on every address of this machine, and the others have to be told one; set cluster.advertise"
    )]
    NoAddress,
    /// The data directory cannot be had.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Which start this is cannot be kept.
    #[error(
        "cannot keep in {file} which start of the node this is: {source}; make room on the disk, or correct its rights"
    )]
    Generation {
        /// Where.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// What is kept is no number.
    #[error(
        "{file} does not hold the number of the node's last start; remove it, if the clock of this machine is right"
    )]
    Counter {
        /// Where.
        file: PathBuf,
    },
    /// The keys of gossip cannot be read.
    #[error("cannot read {file}: {source}; check cluster.gossip_keys and who may read the file")]
    KeyFile {
        /// Where.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// They are none.
    #[error("{file}: {source}")]
    Keys {
        /// Where.
        file: PathBuf,
        /// Why not.
        source: KeyError,
    },
    /// The node cannot prove itself.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A socket could not be bound.
    #[error("cannot listen on {address} ({what}): {source}; is another node running, or the port taken?")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// For what.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// Links are not taken.
    #[error(transparent)]
    Links(#[from] LinkError),
    /// The slot table could not be opened.
    #[error(transparent)]
    Table(#[from] OpenError),
    /// Gossip did not start.
    #[error(transparent)]
    Gossip(#[from] GossipError),
}

/// Why it cannot go on under its generation.
#[derive(Debug, Error)]
pub enum Out {
    /// A later process has its name.
    #[error(
        "start {generation} of this node's name takes its place in the cluster; if that is another node, give one of the two another name"
    )]
    Superseded {
        /// Which.
        generation: Generation,
    },
    /// An operator has declared it lost.
    #[error("this node was declared lost, and what it held is given up; start it again to have it back")]
    Buried,
    /// Nobody hears it any more.
    #[error(transparent)]
    Gossip(Arc<GossipError>),
    /// Its copy of the slot table is not kept any more.
    #[error("the slot table ended on this node: {0}; look at its disk, and start it again")]
    Table(String),
}
