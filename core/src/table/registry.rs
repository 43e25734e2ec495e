//! Which start of each node counts.

use std::collections::BTreeMap;

use super::command::Refusal;
use crate::id::{Generation, NodeId, NodeName};

/// The nodes that were ever registered, and what is proved of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registry(BTreeMap<NodeName, Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    generation: Generation,
    /// An operator has declared it lost.
    buried: bool,
}

impl Registry {
    /// The starts that were registered last, as they were written down, and whether each was
    /// declared lost.
    #[must_use]
    pub fn restore(nodes: impl IntoIterator<Item = (NodeId, bool)>) -> Self {
        let entry = |(node, buried): (NodeId, bool)| {
            let generation = node.generation;
            (node.name, Entry { generation, buried })
        };
        Self(nodes.into_iter().map(entry).collect())
    }

    /// The start of each name that was registered last, and whether it was declared lost.
    pub fn entries(&self) -> impl Iterator<Item = (NodeId, bool)> {
        self.0.iter().map(|(name, entry)| {
            let node = NodeId {
                name: name.clone(),
                generation: entry.generation,
            };
            (node, entry.buried)
        })
    }

    /// The start of `name` that counts; `None` if there is none.
    #[must_use]
    pub fn current(&self, name: &NodeName) -> Option<NodeId> {
        let entry = self.0.get(name).filter(|entry| !entry.buried)?;
        Some(NodeId {
            name: name.clone(),
            generation: entry.generation,
        })
    }

    /// Every node that counts.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.0.keys().filter_map(|name| self.current(name))
    }

    /// Whether a node is proved dead: a later start of its name is registered, or an operator has
    /// declared it lost. Silence proves nothing.
    #[must_use]
    pub fn is_proved_dead(&self, node: &NodeId) -> bool {
        self.0.get(&node.name).is_some_and(|entry| {
            node.generation < entry.generation || (entry.buried && node.generation == entry.generation)
        })
    }

    /// Whether commands of `node` are taken.
    pub(super) fn admit(&self, node: &NodeId) -> Result<(), Refusal> {
        let entry = self.0.get(&node.name).ok_or(Refusal::NotRegistered)?;
        let generation = entry.generation;
        match node.generation.cmp(&generation) {
            std::cmp::Ordering::Equal if !entry.buried => Ok(()),
            std::cmp::Ordering::Greater => Err(Refusal::NotRegistered),
            _ => Err(Refusal::Superseded { generation }),
        }
    }

    /// Notes a start. The same one again is no error: the answer to the first may have been lost.
    pub(super) fn register(&mut self, node: &NodeId) -> Result<(), Refusal> {
        if let Some(entry) = self.0.get(&node.name) {
            let Entry { generation, buried } = *entry;
            if node.generation < generation || (buried && node.generation == generation) {
                return Err(Refusal::Superseded { generation });
            }
        }
        let entry = Entry {
            generation: node.generation,
            buried: false,
        };
        self.0.insert(node.name.clone(), entry);
        Ok(())
    }

    pub(super) fn bury(&mut self, name: &NodeName) -> Result<(), Refusal> {
        let entry = self.0.get_mut(name).ok_or(Refusal::NotRegistered)?;
        entry.buried = true;
        Ok(())
    }
}
