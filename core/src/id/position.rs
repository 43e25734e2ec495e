//! Where in a channel, and in which history of it.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::counter;

/// Bytes of an epoch. Ours have at most 27; clients bring back what they were given.
pub const EPOCH_BYTES_MAX: usize = 64;

/// The name of one unbroken history of a channel. Clients compare it for equality only; what an
/// owner reads in its own epochs is in [`Lineage`]. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(Arc<str>);

/// A text cannot be an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EpochError {
    /// Empty, or longer than [`EPOCH_BYTES_MAX`].
    #[error("epoch has {bytes} bytes; send back the position as it was received")]
    BadLength {
        /// How long it is.
        bytes: usize,
    },
    /// It has a colon, which separates an epoch from what follows it.
    #[error("epoch contains a colon; send back the position as it was received")]
    Colon,
}

impl Epoch {
    /// Takes an epoch that a client brings back.
    ///
    /// # Errors
    /// When it is empty, too long, or has a colon.
    pub fn parse(text: &str) -> Result<Self, EpochError> {
        match text.len() {
            1..=EPOCH_BYTES_MAX if text.contains(':') => Err(EpochError::Colon),
            1..=EPOCH_BYTES_MAX => Ok(Self(text.into())),
            bytes => Err(EpochError::BadLength { bytes }),
        }
    }

    /// The epoch as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The slot log that an epoch was made by.
///
/// An epoch reads `{resets}-{16 hex digits}`. The digits are 64 random bits of which the upper 32
/// are drawn once per slot log, its *incarnation*, and the lower 32 once per epoch. So the owner of
/// a channel can tell, of an epoch that is not the channel's, what happened to it:
///
/// | the given epoch | what happened |
/// |---|---|
/// | has the log's incarnation | the channel was unused and its head was forgotten |
/// | another incarnation, other resets | every copy was lost and the slot was reset |
/// | another incarnation, the same resets | the node that kept the log in memory was restarted |
/// | cannot be read | it was never an epoch of ours |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lineage {
    /// How often the slot's history was given up.
    pub resets: u32,
    /// Random bits drawn once per slot log.
    pub incarnation: u32,
}

impl Lineage {
    /// A new epoch of this log, told apart from its others by `draw`, 32 random bits.
    #[must_use]
    pub fn epoch(self, draw: u32) -> Epoch {
        let Self { resets, incarnation } = self;
        Epoch(format!("{resets}-{incarnation:08x}{draw:08x}").into())
    }

    /// The log that made `epoch`; `None` if no log of ours writes epochs like this.
    #[must_use]
    pub fn of(epoch: &Epoch) -> Option<Self> {
        let (resets, digits) = epoch.0.split_once('-')?;
        let random = u64::from_str_radix(digits, 16).ok()?;
        let lineage = Self {
            resets: resets.parse().ok()?,
            incarnation: (random >> 32) as u32,
        };
        // Integers can be spelt in more ways than ours; only ours counts.
        (lineage.epoch(random as u32) == *epoch).then_some(lineage)
    }
}

counter! {
    /// The number of a message in its epoch: 1 for the first, without gaps; 0 stands before it.
    Seq
}

counter! {
    /// The fencing number of a slot's owner, one more at each change of owner; 0 when unknown.
    Term
}

/// Where a reader or a message stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    /// In which history.
    pub epoch: Epoch,
    /// After or at which message.
    pub seq: Seq,
    /// Who wrote that message; 0 when unknown.
    pub term: Term,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_tells_its_log() {
        let lineage = Lineage {
            resets: 3,
            incarnation: 0xab,
        };
        let epoch = lineage.epoch(0x1f);
        assert_eq!(epoch.as_str(), "3-000000ab0000001f");
        assert_eq!(Lineage::of(&epoch), Some(lineage));
    }

    #[test]
    fn what_no_log_writes_has_no_lineage() {
        for text in [
            "x",
            "3",
            "3-",
            "3-ab",
            "+3-000000ab0000001f",
            "03-000000ab0000001f",
            "3-000000AB0000001f",
            "3-+00000ab0000001f",
            "-3-000000ab0000001f",
            "3-000000ab0000001f0",
            "4294967296-000000ab0000001f",
        ] {
            assert_eq!(Lineage::of(&Epoch::parse(text).unwrap()), None, "{text}");
        }
    }

    #[test]
    fn an_epoch_has_bounds_and_no_colon() {
        assert_eq!(Epoch::parse(""), Err(EpochError::BadLength { bytes: 0 }));
        assert_eq!(Epoch::parse("a:b"), Err(EpochError::Colon));
        assert!(Epoch::parse(&"e".repeat(64)).is_ok());
        assert_eq!(Epoch::parse(&"e".repeat(65)), Err(EpochError::BadLength { bytes: 65 }));
    }

    #[test]
    fn counters_stop_at_their_ends() {
        assert_eq!(Seq(1).next(), Seq(2));
        assert_eq!(Seq(u64::MAX).next(), Seq(u64::MAX));
        assert_eq!(Seq(0).previous(), Seq(0));
    }
}
