//! The half that opens datagrams: what is not sealed with a key of this cluster, now and for the first time, is refused.
//!
//! A refusal costs one derivation at most. What opens is then held against what is known:
//!
//! * its time: older than [`AGE_MAX`], it may be a capture that a node which has just started could not know;
//! * whether it came before ([`Replays`]);
//! * its generation: the newest of a name that has proven itself ([`Proven`]) is the name's, so the dead are not revived, and of two
//!   processes with one name the younger is heard.
//!
//! Nothing is decided by who says it sent a datagram: that can be made up with the key alone.

use std::time::Duration;

use aws_lc_rs::aead::Aad;
use starling_core::id::NodeName;

use super::key::{KeyId, KeyRing, SenderId};
use super::proven::Proven;
use super::replays::Replays;
use super::seal::{AssociatedData, HEADER_BYTES, INNER_BYTES, TAG_BYTES, VERSION, nonce};

/// How far the clocks of two nodes may differ, the way of a datagram included. NTP keeps them within a second; a node
/// whose clock is off by more than this is not heard, and the log of the others says so.
pub const AGE_MAX: Duration = Duration::from_secs(30);

/// Why a datagram is refused, or a statement in one that was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Shorter than what surrounds a message.
    Short,
    /// A format this version does not know.
    Version,
    /// No key of the ring has this id.
    UnknownKey,
    /// The seal does not hold: it was made up, changed on its way, or belongs to another cluster.
    Forged,
    /// Sealed by this node itself.
    Reflected,
    /// Sealed too long ago, or in the future.
    Stale,
    /// By a generation of its name that is not the newest.
    OldGeneration,
    /// By a second process of the same name and generation.
    DuplicateName,
    /// It has come before.
    Replayed,
    /// What is inside cannot be read.
    Malformed,
    /// A statement that is none, or is not signed.
    Statement,
    /// A statement by a certificate that is not believed.
    Untrusted,
    /// A statement that was not signed with the certificate it brings, or not as it is.
    Signature,
    /// One new statement more than are checked in a second.
    Busy,
}

impl Refused {
    /// As metrics and logs name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Version => "version",
            Self::UnknownKey => "unknown_key",
            Self::Forged => "forged",
            Self::Reflected => "reflected",
            Self::Stale => "stale",
            Self::OldGeneration => "old_generation",
            Self::DuplicateName => "duplicate_name",
            Self::Replayed => "replayed",
            Self::Malformed => "malformed",
            Self::Statement => "statement",
            Self::Untrusted => "untrusted",
            Self::Signature => "signature",
            Self::Busy => "busy",
        }
    }

    /// How many kinds there are.
    pub(super) const COUNT: usize = Self::Busy as usize + 1;

    /// What whoever reads the log should look at.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::Short | Self::Version | Self::Malformed | Self::Statement => {
                "something that is no node of this version sends here"
            }
            Self::UnknownKey => "its key is not in this node's ring; compare the files of cluster.gossip_keys",
            Self::Forged => "it was made up or is of another cluster; compare cluster.id",
            Self::Reflected => "somebody sends this node's own datagrams back",
            Self::Stale => "it is a capture, or the clocks of two nodes differ by more than 30 s",
            Self::OldGeneration => {
                "two processes have one name, or a node restarted with its clock set back; stop the one that started first"
            }
            Self::DuplicateName => "two processes have one name and started together; give one another node.name",
            Self::Replayed => "it came before: somebody repeats what they captured",
            Self::Untrusted => {
                "a node says something with a certificate of another authority, of another node or out of time; compare cluster.authority, and the clocks"
            }
            Self::Signature => {
                "what it says of a node was not said by that node: somebody has the gossip key, change it (docs/cluster-security.md)"
            }
            Self::Busy => {
                "more is said of nodes than is checked: somebody floods with the gossip key, change it (docs/cluster-security.md)"
            }
        }
    }
}

/// See the module.
pub(super) struct Opener {
    me: SenderId,
    replays: Replays,
    aad: AssociatedData,
    /// Whose datagram was refused last because a later start has proven that it has the name.
    outdated: Option<NodeName>,
}

impl Opener {
    /// `me` is the sender whose datagrams are this node's own.
    pub(super) fn new(cluster: &str, me: SenderId) -> Self {
        Self {
            me,
            replays: Replays::default(),
            aad: AssociatedData::new(cluster),
            outdated: None,
        }
    }

    /// The name that a process does not have any more whose datagram was refused; once.
    pub(super) const fn take_outdated(&mut self) -> Option<NodeName> {
        self.outdated.take()
    }

    /// Opens a datagram in its place and yields the message.
    pub(super) fn open<'a>(
        &mut self,
        ring: &KeyRing,
        proven: &Proven,
        now_ms: u64,
        datagram: &'a mut [u8],
    ) -> Result<&'a [u8], Refused> {
        if datagram.len() < HEADER_BYTES + INNER_BYTES + TAG_BYTES {
            return Err(Refused::Short);
        }
        let (header, sealed) = datagram.split_at_mut(HEADER_BYTES);
        if header[0] != VERSION {
            return Err(Refused::Version);
        }
        let id: KeyId = header[1..5].try_into().expect("four bytes");
        let sender: SenderId = header[5..21].try_into().expect("sixteen bytes");
        let counter = u64::from_le_bytes(header[21..29].try_into().expect("eight bytes"));
        let tag = sealed.last_chunk().copied().expect("it is longer than a tag");
        let key = ring.opening(&id, &sender).ok_or(Refused::UnknownKey)?;
        let aad = Aad::from(self.aad.with(header));
        let inner = key
            .open_in_place(nonce(counter), aad, sealed)
            .map_err(|_| Refused::Forged)?;
        if sender == self.me {
            return Err(Refused::Reflected);
        }
        let inner = Inner::parse(inner).ok_or(Refused::Malformed)?;
        if inner.sent_ms.abs_diff(now_ms) > AGE_MAX.as_millis() as u64 {
            return Err(Refused::Stale);
        }
        if let Err(refused) = proven.admit(&inner.name, inner.generation, &sender) {
            self.outdated = (refused == Refused::OldGeneration).then(|| inner.name.clone());
            return Err(refused);
        }
        if !self.replays.take(&tag, now_ms) {
            return Err(Refused::Replayed);
        }
        Ok(inner.message)
    }
}

/// What was sealed.
pub(super) struct Inner<'a> {
    sent_ms: u64,
    generation: u64,
    name: NodeName,
    pub(super) message: &'a [u8],
}

impl<'a> Inner<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (sent, rest) = bytes.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first()?;
        let (name, message) = rest.split_at_checked(usize::from(*length))?;
        Some(Self {
            sent_ms: u64::from_le_bytes(*sent),
            generation: u64::from_le_bytes(*generation),
            name: NodeName::parse(std::str::from_utf8(name).ok()?).ok()?,
            message,
        })
    }
}

#[cfg(test)]
mod tests;
