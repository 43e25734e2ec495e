//! Nodes finding each other, and talking.
//!
//! * [`ca`]: the authority that vouches for nodes;
//! * [`gossip`]: who is there, and what each says about itself; sealed datagrams;
//! * [`link`]: messages between nodes, in order and once;
//! * [`mesh`]: a link to each member;
//! * [`table`]: the slot table, replicated by Raft;
//! * [`wire`]: what the nodes that hold a slot say to each other, as bytes;
//! * [`instruments`]: what is counted;
//! * `fuzz` (feature `fuzz`): what fuzz targets do with bytes.

pub mod ca;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod gossip;
pub mod instruments;
pub mod link;
pub mod mesh;
mod proof;
pub mod table;
pub mod wire;
