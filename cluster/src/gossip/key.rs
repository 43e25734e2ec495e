//! The keys that datagrams are sealed with.
//!
//! A ring holds one to four keys. The first seals, any opens, so a key is changed without a gap: add the new one behind
//! the old on every node, then move it to the front, then take the old one out. A datagram names its key by an id that
//! is derived from it and gives nothing away.
//!
//! No key seals by itself. Each start of a node draws a random sender id, and its datagrams are sealed with a key that is
//! derived for that id alone (HKDF-SHA256). A counter is then a nonce that never repeats, over restarts and clocks that
//! step back included.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use thiserror::Error;

/// Keys of a ring: an old one, a new one, and room for two nodes that are behind.
pub const KEYS_MAX: usize = 4;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Names a key in a datagram.
pub(super) type KeyId = [u8; 4];

/// Names a sender: drawn at each start.
pub(super) type SenderId = [u8; 16];

/// Why a text holds no ring. Never says what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// A line is not a key.
    #[error("line {0} is no key: write 64 hexadecimal digits, as `openssl rand -hex 32` prints them")]
    Line(usize),
    /// No key, or too many.
    #[error("holds {0} keys, and a ring has 1 to {KEYS_MAX}: the first seals, the others are only taken")]
    Count(usize),
    /// A key stands there twice.
    #[error("line {0} repeats a key; remove it")]
    Twice(usize),
}

/// See the module.
#[derive(Clone)]
pub struct KeyRing(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: KeyId,
    derive: Prk,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.0.len())
    }
}

impl KeyRing {
    /// Reads a file of keys: one a line in hexadecimal, the one that seals first; empty lines and lines that start with
    /// `#` say nothing.
    ///
    /// # Errors
    /// What is wrong with which line.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let mut keys: Vec<Key> = Vec::new();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let key = Key::new(&unhex(line).ok_or(KeyError::Line(number))?);
            if keys.iter().any(|one| one.id == key.id) {
                return Err(KeyError::Twice(number));
            }
            keys.push(key);
        }
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(KeyError::Count(keys.len()));
        }
        Ok(Self(keys))
    }

    /// The key that seals what `sender` sends, and its id.
    pub(super) fn sealing(&self, sender: &SenderId) -> (KeyId, LessSafeKey) {
        let first = &self.0[0];
        (first.id, first.of(sender))
    }

    /// The id of the key that seals.
    pub(super) fn sealing_id(&self) -> KeyId {
        self.0[0].id
    }

    /// The key of this id for what `sender` sent.
    pub(super) fn opening(&self, id: &KeyId, sender: &SenderId) -> Option<LessSafeKey> {
        self.0.iter().find(|key| key.id == *id).map(|key| key.of(sender))
    }
}

impl Key {
    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let derive = Salt::new(HKDF_SHA256, b"starling gossip").extract(bytes);
        let mut id = KeyId::default();
        derive
            .expand(&[b"key id"], IdLength)
            .and_then(|okm| okm.fill(&mut id))
            .expect("four bytes are within what HKDF gives");
        Self { id, derive }
    }

    fn of(&self, sender: &SenderId) -> LessSafeKey {
        let purpose: [&[u8]; 2] = [b"datagram", sender];
        let key = self
            .derive
            .expand(&purpose, &AES_256_GCM)
            .expect("32 bytes are within what HKDF gives");
        LessSafeKey::new(UnboundKey::from(key))
    }
}

struct IdLength;

impl KeyType for IdLength {
    fn len(&self) -> usize {
        size_of::<KeyId>()
    }
}

fn unhex(text: &str) -> Option<[u8; KEY_BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * KEY_BYTES {
        return None;
    }
    let mut bytes = [0; KEY_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_read_line_by_line() {
        let (one, two) = ("ab".repeat(32), "cd".repeat(32));
        let ring = KeyRing::parse(&format!("# the new one\n{one}\n\n  {two}\n")).expect("two keys");
        let knows = |ring: &KeyRing, id: &KeyId| ring.opening(id, &[0; 16]).is_some();
        assert!(knows(&ring, &ring.sealing_id()) && ring.0.len() == 2);
        let first = KeyRing::parse(&one).expect("one key");
        assert_eq!(first.sealing_id(), ring.sealing_id());
        assert!(!knows(&first, &ring.0[1].id));
        for (text, refused) in [
            (String::new(), KeyError::Count(0)),
            ("# nothing\n".to_owned(), KeyError::Count(0)),
            (format!("{one}\n{}", &two[1..]), KeyError::Line(2)),
            (format!("{one}\n{}", "xy".repeat(32)), KeyError::Line(2)),
            (format!("{one}\n{one}"), KeyError::Twice(2)),
            (
                (0..5).map(|at| format!("0{at}").repeat(32) + "\n").collect(),
                KeyError::Count(5),
            ),
        ] {
            assert_eq!(KeyRing::parse(&text).err(), Some(refused), "{text}");
        }
        assert_eq!(format!("{ring:?}"), "KeyRing(2 keys)");
    }
}
