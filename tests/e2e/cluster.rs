//! Nodes as processes that are a cluster: what clients and operators are told, and what nobody can do to it.
//!
//! | file | what is shown |
//! | --- | --- |
//! | `clients.rs` | what clients are told of the nodes |
//! | `operator.rs` | what an operator sees and orders |
//! | `drain.rs` | a node that is drained and serves again: its slots come back, and nobody notices |
//! | `names.rs` | two processes with one name |
//! | `replay.rs` | gossip that was captured and is sent again, by way of a [`tap`] |
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
mod garbage;
mod names;
mod operator;
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

/// What a node says of another.
async fn status_of(node: &Node, name: &str) -> Value {
    let status = operate(node, &["status", "--json"]).await.json().remove(0);
    let nodes = status["nodes"].as_array().expect("a list").clone();
    let found = nodes.into_iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not among {status}"))
}
