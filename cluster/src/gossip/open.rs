//! The half that opens datagrams: what is not sealed by a node of this cluster, now and for the first time, is refused.
//!
//! A refusal costs one derivation at most and no memory: nothing is remembered of a sender before a datagram of its has
//! opened. What opens is then held against what is known:
//!
//! * its time: older than [`AGE_MAX`], it may be a capture that a node which has just started could not know;
//! * its generation: the newest of a name is the name's, so the dead are not revived, and of two processes with one name
//!   the younger is heard;
//! * its counter: each is taken once ([`Window`]).

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{Aad, LessSafeKey};
use starling_core::id::NodeName;

use super::key::{KeyId, KeyRing, SenderId};
use super::seal::{AssociatedData, HEADER_BYTES, INNER_BYTES, TAG_BYTES, VERSION, nonce};
use super::window::Window;

/// How far the clocks of two nodes may differ, the way of a datagram included. NTP keeps them within a second; a node
/// whose clock is off by more than this is not heard, and the log of the others says so.
pub const AGE_MAX: Duration = Duration::from_secs(30);

/// Names that are remembered. Only holders of the key get in, so this is ten times the largest cluster. Beyond it the one
/// that was silent for longest is forgotten.
const NAMES_MAX: usize = 1_024;

/// Why a datagram is refused.
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
        }
    }

    /// How many kinds there are.
    pub(super) const COUNT: usize = Self::Malformed as usize + 1;

    /// What whoever reads the log should look at.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::Short | Self::Version | Self::Malformed => "something that is no node of this version sends here",
            Self::UnknownKey => "its key is not in this node's ring; compare the files of cluster.gossip_keys",
            Self::Forged => "it was made up or is of another cluster; compare cluster.id",
            Self::Reflected => "somebody sends this node's own datagrams back",
            Self::Stale => "it is a capture, or the clocks of two nodes differ by more than 30 s",
            Self::OldGeneration => {
                "two processes have one name, or a node restarted with its clock set back; stop the one that started first"
            }
            Self::DuplicateName => "two processes have one name and started together; give one another cluster.name",
            Self::Replayed => "it came before: somebody repeats what they captured",
        }
    }
}

/// See the module.
pub(super) struct Opener {
    me: SenderId,
    senders: HashMap<SenderId, Sender>,
    names: HashMap<NodeName, SenderId>,
    aad: AssociatedData,
}

/// The newest process of a name.
struct Sender {
    name: NodeName,
    generation: u64,
    window: Window,
    heard_ms: u64,
    key: OpeningKey,
}

/// A derived key, and which of the ring it is from.
type OpeningKey = (KeyId, Arc<LessSafeKey>);

impl Opener {
    /// `me` is the sender whose datagrams are this node's own.
    pub(super) fn new(cluster: &str, me: SenderId) -> Self {
        Self {
            me,
            senders: HashMap::new(),
            names: HashMap::new(),
            aad: AssociatedData::new(cluster),
        }
    }

    /// Opens a datagram in its place and yields the message.
    pub(super) fn open<'a>(
        &mut self,
        ring: &KeyRing,
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
        // A key that was taken out of the ring opens nothing, whatever was derived from it.
        if !ring.knows(&id) {
            return Err(Refused::UnknownKey);
        }
        let key = match self.senders.get(&sender) {
            Some(known) if known.key.0 == id => Arc::clone(&known.key.1),
            _ => Arc::new(ring.opening(&id, &sender).ok_or(Refused::UnknownKey)?),
        };
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
        self.admit(&inner, sender, counter, (id, key), now_ms)?;
        Ok(inner.message)
    }

    /// Holds what opened against what is known of its name, and remembers it.
    fn admit(
        &mut self,
        inner: &Inner<'_>,
        sender: SenderId,
        counter: u64,
        key: OpeningKey,
        now_ms: u64,
    ) -> Result<(), Refused> {
        let newest = self
            .names
            .get(&inner.name)
            .and_then(|id| self.senders.get_key_value(id));
        if let Some((id, known)) = newest {
            match (inner.generation.cmp(&known.generation), *id == sender) {
                (Ordering::Equal, true) | (Ordering::Greater, false) => {}
                (Ordering::Less, false) => return Err(Refused::OldGeneration),
                (Ordering::Equal, false) => return Err(Refused::DuplicateName),
                // One start of a node has one generation.
                (Ordering::Less | Ordering::Greater, true) => return Err(Refused::Malformed),
            }
        }
        if let Some(known) = self.senders.get_mut(&sender) {
            if known.name != inner.name {
                return Err(Refused::Malformed);
            }
            if !known.window.take(counter) {
                return Err(Refused::Replayed);
            }
            known.heard_ms = now_ms;
            if known.key.0 != key.0 {
                known.key = key;
            }
            return Ok(());
        }
        let mut window = Window::default();
        if !window.take(counter) {
            return Err(Refused::Malformed);
        }
        self.make_room(&inner.name);
        if let Some(older) = self.names.insert(inner.name.clone(), sender) {
            self.senders.remove(&older);
        }
        self.senders.insert(
            sender,
            Sender {
                name: inner.name.clone(),
                generation: inner.generation,
                window,
                heard_ms: now_ms,
                key,
            },
        );
        Ok(())
    }

    fn make_room(&mut self, name: &NodeName) {
        if self.names.len() < NAMES_MAX || self.names.contains_key(name) {
            return;
        }
        let silent = self.senders.iter().min_by_key(|(_, sender)| sender.heard_ms);
        if let Some((id, sender)) = silent.map(|(id, sender)| (*id, sender.name.clone())) {
            self.senders.remove(&id);
            self.names.remove(&sender);
        }
    }
}

/// What was sealed.
struct Inner<'a> {
    sent_ms: u64,
    generation: u64,
    name: NodeName,
    message: &'a [u8],
}

impl<'a> Inner<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
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
