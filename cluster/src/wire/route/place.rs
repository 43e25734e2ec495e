//! Positions.

use bincode::{Decode, Encode};
use starling_core::id::{Position, Seq, Term};

use crate::wire::{WireError, name};

#[derive(Debug, Encode, Decode)]
pub(in crate::wire) struct PositionHead {
    epoch: String,
    seq: u64,
    term: u64,
}

impl PositionHead {
    pub(super) fn of(position: &Position) -> Self {
        Self {
            epoch: position.epoch.as_str().into(),
            seq: position.seq.0,
            term: position.term.0,
        }
    }

    pub(super) fn position(&self) -> Result<Position, WireError> {
        Ok(Position {
            epoch: name::epoch(&self.epoch)?,
            seq: Seq(self.seq),
            term: Term(self.term),
        })
    }
}
