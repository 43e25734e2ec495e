//! Names of nodes, and which start of a node is meant.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Bytes of a node's name: those of a DNS label, which a pod's name is.
pub const NODE_NAME_BYTES_MAX: usize = 63;

/// The name of a node, the same over its restarts. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

/// A text cannot name a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NodeNameError {
    /// Empty, or longer than [`NODE_NAME_BYTES_MAX`].
    #[error("the name has {bytes} bytes; use 1 to {NODE_NAME_BYTES_MAX}")]
    BadLength {
        /// How long it is.
        bytes: usize,
    },
    /// A character that a DNS label does not have, or a hyphen at an end.
    #[error("the name is not a DNS label; use a-z, 0-9 and hyphens, none of them first or last")]
    NoLabel,
}

impl NodeName {
    /// Reads a name: a DNS label in lower case.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, NodeNameError> {
        if !(1..=NODE_NAME_BYTES_MAX).contains(&text.len()) {
            return Err(NodeNameError::BadLength { bytes: text.len() });
        }
        let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if !text.bytes().all(is_plain) || text.starts_with('-') || text.ends_with('-') {
            return Err(NodeNameError::NoLabel);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Which start of a node: greater at each start, and never used twice under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(pub u64);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A node: one process. A node that restarts is another one of the same name, and holds nothing of
/// what the earlier one held in memory (rule R3). Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// What it is called.
    pub name: NodeName,
    /// Which start of it.
    pub generation: Generation,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_dns_label() {
        for name in ["a", "starling-0", "9", &"x".repeat(63)] {
            assert_eq!(NodeName::parse(name).unwrap().as_str(), name);
        }
        assert_eq!(NodeName::parse(""), Err(NodeNameError::BadLength { bytes: 0 }));
        assert_eq!(
            NodeName::parse(&"x".repeat(64)),
            Err(NodeNameError::BadLength { bytes: 64 })
        );
        for name in ["-a", "a-", "A", "a.b", "a b", "ä"] {
            assert_eq!(NodeName::parse(name), Err(NodeNameError::NoLabel), "{name}");
        }
    }

    #[test]
    fn a_restarted_node_is_another_one() {
        let node = |generation| NodeId {
            name: NodeName::parse("a").unwrap(),
            generation: Generation(generation),
        };
        assert_ne!(node(1), node(2));
        assert!(node(1) < node(2));
        assert_eq!(node(2).to_string(), "a@2");
    }
}
