//! Nodes finding each other, and talking.
//!
//! * [`gossip`]: who is there, and what each says about itself; sealed datagrams;
//! * [`name`]: who a node is;
//! * [`instruments`]: what is counted.

pub mod gossip;
pub mod instruments;
pub mod name;
