//! The head of a channel: its row in the table of channels, as any store keeps it.

use starling_core::id::{Epoch, Seq, Term};
use starling_core::time::WallTime;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// New for each history of a name, and never used again.
    pub(super) id: i64,
    pub(super) epoch: Epoch,
    pub(super) keyed: bool,
    pub(super) seq: Seq,
    pub(super) term: Term,
    pub(super) floor: Seq,
    pub(super) keys_floor: Seq,
    pub(super) used: WallTime,
    /// Not in the sum: it is a hint that [`super::Store::due`] moves.
    pub(super) due: Option<WallTime>,
}

impl Head {
    /// Of a channel that begins.
    pub(super) fn new(id: i64, epoch: &Epoch, keyed: bool, used: WallTime) -> Self {
        Self {
            id,
            epoch: epoch.clone(),
            keyed,
            seq: Seq(0),
            term: Term(0),
            floor: Seq(1),
            keys_floor: Seq(0),
            used,
            due: None,
        }
    }
}
