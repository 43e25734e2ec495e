//! One message of a channel.

use bytes::Bytes;

use crate::id::{Key, Seq, Term};
use crate::time::WallTime;

/// A message with its place in the order. Shared behind an `Arc` by everyone who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its number in the epoch.
    pub seq: Seq,
    /// The term of the owner that first appended it; later owners never rewrite it (rule R15).
    pub term: Term,
    /// When the owner took it.
    pub time: WallTime,
    /// Which value it sets, on a keyed channel.
    pub key: Option<Key>,
    /// Removes the value instead of setting it.
    pub deleted: bool,
    /// What the publisher sent.
    pub payload: Bytes,
}

impl Message {
    /// Bytes of payload and key: what the bounds of history and of keyed values count.
    #[must_use]
    pub fn weight(&self) -> u64 {
        weight(self.key.as_ref(), &self.payload)
    }
}

/// The weight of a message of this key and payload.
pub(super) fn weight(key: Option<&Key>, payload: &Bytes) -> u64 {
    (payload.len() + key.map_or(0, |key| key.as_str().len())) as u64
}
