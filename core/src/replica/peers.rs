//! Which nodes answer, as far as the links know.

use std::collections::BTreeMap;

use crate::id::{Generation, NodeId, NodeName};

/// The latest start of each node that was heard of, and whether it answers. Suspicion only: what is
/// wrong here costs work and never safety.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<NodeName, (Generation, bool)>);

impl Peers {
    /// Notes what is heard of a node. A start before the latest says nothing.
    pub(super) fn hear(&mut self, node: &NodeId, answers: bool) {
        let latest = self.0.get(&node.name).map(|(generation, _)| *generation);
        if latest.is_none_or(|latest| latest <= node.generation) {
            self.0.insert(node.name.clone(), (node.generation, answers));
        }
    }

    /// Whether a node is thought to be gone. One that nothing was heard of is not.
    pub(super) fn is_down(&self, node: &NodeId) -> bool {
        self.0.get(&node.name).is_some_and(|(generation, answers)| {
            node.generation < *generation || (node.generation == *generation && !answers)
        })
    }
}
