//! The head of a document: the row that says what there is of it, and what may follow it.
//!
//! Without it a last row that was lost would not be missed, and two owners that begin one document would not meet.

use starling_core::document::log::Row;
use starling_core::time::WallTime;

use super::{Failure, History};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::storage) struct Head {
    pub(in crate::storage) history: History,
    /// When it was begun.
    pub(in crate::storage) made: WallTime,
    /// The last row; 0 without one.
    pub(in crate::storage) last: u64,
    /// The last row in the newest snapshot; 0 without one.
    pub(in crate::storage) snapshot: u64,
    /// The number of the version that was made last; 0 without one.
    pub(in crate::storage) versions: u64,
}

impl Head {
    /// Of a document that begins.
    pub(in crate::storage) const fn new(history: History, made: WallTime) -> Self {
        Self {
            history,
            made,
            last: 0,
            snapshot: 0,
            versions: 0,
        }
    }

    /// Refuses whoever has loaded another document of the name.
    pub(in crate::storage) fn check(&self, history: Option<History>) -> Result<(), Failure> {
        match history.is_none_or(|history| history == self.history) {
            true => Ok(()),
            false => Err(Failure::Gone),
        }
    }

    /// Takes rows, which follow each other.
    pub(in crate::storage) fn append(&mut self, history: Option<History>, rows: &[Row]) -> Result<(), Failure> {
        self.check(history)?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(());
        };
        if first.n <= self.last {
            return Err(Failure::Taken);
        }
        if first.n != self.last + 1 {
            return Err(Failure::Forgotten { last: self.last });
        }
        self.last = last.n;
        Ok(())
    }

    /// Takes a snapshot in place of rows that are there.
    ///
    /// Whoever has written row `through`, or read it, has applied all rows before it. So has whoever made a snapshot of
    /// less than that, which this one therefore contains.
    pub(in crate::storage) fn replace(&mut self, history: History, through: u64) -> Result<(), Failure> {
        self.reaches(history, through)?;
        if through <= self.snapshot {
            return Err(Failure::Superseded { through: self.snapshot });
        }
        self.snapshot = through;
        Ok(())
    }

    /// Refuses what was made of rows that are not there.
    pub(in crate::storage) fn reaches(&self, history: History, through: u64) -> Result<(), Failure> {
        self.check(Some(history))?;
        match through <= self.last {
            true => Ok(()),
            false => Err(Failure::Forgotten { last: self.last }),
        }
    }
}
