//! Who a node is: its name, and the generation that each start gives it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// Longest name: a host name on Linux has no more bytes, and it stands in every datagram and certificate.
pub const NAME_BYTES_MAX: usize = 64;

/// The name of a node: what a certificate can name, so a host name in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

/// Why a text names no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a node's name has 1 to 64 characters of a-z, 0-9, \"-\" and \".\", and each part between dots starts and ends with a letter or a digit"
)]
pub struct NameError;

impl NodeName {
    /// Reads a name.
    ///
    /// # Errors
    /// When a certificate could not name it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let part = |part: &str| {
            let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let inside = |byte: u8| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let bytes = part.as_bytes();
            part.len() <= 63 && edge(bytes.first()) && edge(bytes.last()) && part.bytes().all(inside)
        };
        let holds = text.len() <= NAME_BYTES_MAX && text.split('.').all(part);
        holds.then(|| Self(text.into())).ok_or(NameError)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One process: a name, and its generation, which grows with each start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// Its name.
    pub name: NodeName,
    /// Which start of it.
    pub generation: u64,
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
            assert_eq!(NodeName::parse(bad), Err(NameError), "{bad:?}");
        }
    }
}
