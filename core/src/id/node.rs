//! Names of nodes, and which start of a node is meant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// Longest name: a host name on Linux has no more bytes, and it stands in every datagram and certificate.
pub const NODE_NAME_BYTES_MAX: usize = 64;

/// The name of a node, the same over its restarts: what a certificate can name, so a host name in
/// lower case. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

/// A text names no node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a node's name has 1 to {NODE_NAME_BYTES_MAX} characters of a-z, 0-9, \"-\" and \".\", and each part between dots starts and ends with a letter or a digit"
)]
pub struct NodeNameError;

impl NodeName {
    /// Reads a name.
    ///
    /// # Errors
    /// When a certificate could not name it.
    pub fn parse(text: &str) -> Result<Self, NodeNameError> {
        let part = |part: &str| {
            let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let inside = |byte: u8| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let bytes = part.as_bytes();
            part.len() <= 63 && edge(bytes.first()) && edge(bytes.last()) && part.bytes().all(inside)
        };
        let holds = text.len() <= NODE_NAME_BYTES_MAX && text.split('.').all(part);
        holds.then(|| Self(text.into())).ok_or(NodeNameError)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NodeNameError;

    fn from_str(text: &str) -> Result<Self, NodeNameError> {
        Self::parse(text)
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
    fn a_name_is_what_a_certificate_can_name() {
        for good in ["a", "node-1", "starling-0.starling.prod", "7", &"a".repeat(63)] {
            assert_eq!(NodeName::parse(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        let long = ["a".repeat(40), "b".repeat(40)].join(".");
        for bad in [
            "",
            "A",
            "a_b",
            "a b",
            "-a",
            "a-",
            "a..b",
            ".a",
            "a.",
            "ä",
            &long,
            &"a".repeat(64),
        ] {
            assert_eq!(NodeName::parse(bad), Err(NodeNameError), "{bad:?}");
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
