//! Nodes as processes that are a cluster: what clients and operators are told, and what nobody can do to it.
//!
//! | file | what is shown |
//! | --- | --- |
//! | `clients.rs` | what clients are told of the nodes |
//! | `operator.rs` | what an operator sees and orders |
//! | `drain.rs` | a node that is drained and serves again: its slots come back, and nobody notices |
//! | `rebalance.rs` | a node that has nearly all clients sends some to the others |
//! | `names.rs` | two processes with one name |
//! | `replay.rs` | gossip that was captured and is sent again, by way of a [`tap`] |
//! | `impostor.rs` | somebody who has the gossip key and no certificate, and says untrue things of nodes, by way of a [`forger`] |
//! | `strangers.rs` | nodes of another authority that have the gossip key |
//! | `garbage.rs` | datagrams that nobody can read, at both ports |
//! | `store.rs` | persisted channels in a store that the nodes share, and without one |
//!
//! What is refused is refused, logged and counted, and has no effect: messages go from node to node, and the slot table is
//! what it was.

use serde_json::Value;

use crate::cli::verb::{Ended, run_with};
use crate::support::http::Request;
use crate::support::node::Node;

mod clients;
mod drain;
mod forger;
mod garbage;
mod impostor;
mod names;
mod operator;
mod rebalance;
mod replay;
mod store;
mod strangers;
mod tap;

async fn discovery(node: &Node) -> Value {
    Request::get("/.well-known/starling").send(node.address()).await.json()
}

/// `starling cluster ..` at a node.
async fn operate(node: &Node, arguments: &[&str]) -> Ended {
    let admin = format!("http://{}", node.admin());
    let all = [&["cluster"], arguments, &["--admin", &admin]].concat();
    run_with("", &all).await
}

/// What a node says of all.
async fn status(node: &Node) -> Vec<Value> {
    let status = operate(node, &["status", "--json"]).await.json().remove(0);
    status["nodes"].as_array().expect("a list").clone()
}

/// What a node says of another.
async fn status_of(node: &Node, name: &str) -> Value {
    let nodes = status(node).await;
    let found = nodes.iter().find(|one| one["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("{name} is not among {nodes:?}"))
}

/// The nodes that a node knows of.
async fn names(node: &Node) -> Vec<String> {
    let nodes = status(node).await;
    let name = |one: &Value| one["name"].as_str().expect("a name").to_owned();
    nodes.iter().map(name).collect()
}
