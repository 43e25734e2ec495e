//! A datagram on the wire, and the half that makes one.
//!
//! ```text
//! version 1 │ key id 4 │ sender 16 │ counter 8 │ time 8 │ generation 8 │ length 1, name │ message │ tag 16
//! └────────────── header ────────────────────┘ └───────────────────── sealed ─────────────────────────┘
//! ```
//!
//! AES-256-GCM: every machine that runs a server has instructions for it, and the links use it as well, so one
//! cipher is to be trusted rather than two. Numbers are little-endian. Header and the name of the cluster are associated
//! data; the name is not sent, and a datagram of another cluster does not open.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use starling_core::id::NodeId;

use super::key::{KeyId, KeyRing, SenderId};

/// What a datagram may hold: the largest payload of UDP over IPv4.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_507;

pub(super) const VERSION: u8 = 1;
pub(super) const HEADER_BYTES: usize = 1 + 4 + 16 + 8;
pub(super) const TAG_BYTES: usize = 16;

/// What stands before the message, without the name.
pub(super) const INNER_BYTES: usize = 8 + 8 + 1;

/// The half that seals: one for each start of a node, whatever becomes of its socket, so that no counter repeats.
pub(super) struct Sealer {
    me: NodeId,
    sender: SenderId,
    counter: u64,
    /// Derived for the ring's first key; derived again when that changes.
    key: Option<(KeyId, LessSafeKey)>,
    aad: AssociatedData,
}

/// A message that does not fit a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Oversize {
    pub(super) bytes: usize,
}

impl Sealer {
    pub(super) fn new(me: NodeId, cluster: &str, sender: SenderId) -> Self {
        Self {
            me,
            sender,
            counter: 0,
            key: None,
            aad: AssociatedData::new(cluster),
        }
    }

    /// Writes a sealed datagram into `out`; `message` writes what is in it.
    pub(super) fn seal(
        &mut self,
        ring: &KeyRing,
        now_ms: u64,
        message: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<(), Oversize> {
        if self.key.as_ref().is_none_or(|(id, _)| *id != ring.sealing_id()) {
            self.key = Some(ring.sealing(&self.sender));
        }
        let (id, key) = self.key.as_ref().expect("set above");
        self.counter += 1;
        out.clear();
        out.push(VERSION);
        out.extend_from_slice(id);
        out.extend_from_slice(&self.sender);
        out.extend_from_slice(&self.counter.to_le_bytes());
        out.extend_from_slice(&now_ms.to_le_bytes());
        out.extend_from_slice(&self.me.generation.0.to_le_bytes());
        let name = self.me.name.as_str().as_bytes();
        out.push(u8::try_from(name.len()).expect("a name has 64 bytes at most"));
        out.extend_from_slice(name);
        message(out);
        let bytes = out.len() + TAG_BYTES;
        if bytes > DATAGRAM_BYTES_MAX {
            return Err(Oversize { bytes });
        }
        let (header, sealed) = out.split_at_mut(HEADER_BYTES);
        let aad = Aad::from(self.aad.with(header));
        let tag = key
            .seal_in_place_separate_tag(nonce(self.counter), aad, sealed)
            .expect("64 KiB are within what the cipher takes");
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }
}

/// The counter, with four bytes of nothing before it.
pub(super) fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// A buffer that holds a header and the cluster's id, so that no datagram costs an allocation.
pub(super) struct AssociatedData {
    buffer: Vec<u8>,
}

impl AssociatedData {
    pub(super) fn new(cluster: &str) -> Self {
        let mut buffer = vec![0; HEADER_BYTES];
        buffer.extend_from_slice(cluster.as_bytes());
        Self { buffer }
    }

    pub(super) fn with(&mut self, header: &[u8]) -> &[u8] {
        self.buffer[..HEADER_BYTES].copy_from_slice(header);
        &self.buffer
    }
}
