//! Where a reader or a message stands in a channel.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use starling_protocol::{limits, v1};
use thiserror::Error;

/// Where a reader or a message stands in a channel.
///
/// Opaque to applications: keep it, and hand it back with [`From::Position`](crate::From::Position) to go on after it.
/// As text it reads `epoch:seq:term`, or `epoch:seq` where the term is not known; [`str::parse`] takes both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Name of one unbroken history of the channel. Compare for equality only.
    pub epoch: Arc<str>,
    /// Number of the message in that history: 1 for the first, no gaps. 0 stands before the first.
    pub seq: u64,
    /// Fencing number of the owner that wrote the message; 0 when unknown.
    pub term: u64,
}

impl Position {
    pub(crate) fn to_wire(&self) -> v1::Position {
        v1::Position {
            epoch: self.epoch.as_ref().to_owned(),
            seq: self.seq,
            term: self.term,
        }
    }

    pub(crate) fn from_wire(position: v1::Position) -> Self {
        Self {
            epoch: position.epoch.into(),
            seq: position.seq,
            term: position.term,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)?;
        if self.term == 0 {
            Ok(())
        } else {
            write!(f, ":{}", self.term)
        }
    }
}

/// Why a text is not a position.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a position; write it as epoch:seq or epoch:seq:term, as it was printed")]
pub struct BadPosition {
    text: String,
}

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let parse = || {
            let mut parts = text.split(':');
            let epoch = parts
                .next()
                .filter(|epoch| (1..=limits::EPOCH_BYTES_MAX).contains(&epoch.len()))?;
            let seq = parts.next()?.parse().ok()?;
            let term = parts.next().map_or(Ok(0), str::parse).ok()?;
            parts.next().is_none().then(|| Self {
                epoch: epoch.into(),
                seq,
                term,
            })
        };
        parse().ok_or_else(|| BadPosition { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(epoch: &str, seq: u64, term: u64) -> Position {
        Position {
            epoch: epoch.into(),
            seq,
            term,
        }
    }

    #[test]
    fn text_leads_back_to_the_position() {
        for position in [
            position("0-ab12", 7, 3),
            position("0-ab12", 0, 0),
            position("x", u64::MAX, u64::MAX),
        ] {
            assert_eq!(position.to_string().parse(), Ok(position.clone()));
            assert_eq!(Position::from_wire(position.to_wire()), position);
        }
    }

    #[test]
    fn what_is_not_a_position_is_refused() {
        let long = format!("{}:1", "e".repeat(limits::EPOCH_BYTES_MAX + 1));
        for text in ["", ":", "e", "e:", ":1", "e:-1", "e:1:", "e:1:x", "e:1:2:3", &long] {
            assert!(text.parse::<Position>().is_err(), "{text:?}");
        }
    }
}
