//! Why a store does not do what is asked of a document.

use std::fmt;

use thiserror::Error;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Failure {
    /// It cannot now: the disk is full or fails, the database is away. What became of a write is not known.
    #[error("the store cannot be used now; what was not acknowledged may or may not be in it")]
    Unavailable,
    /// Too much waits for it. Nothing was written.
    #[error("too much waits for the store, and nothing was written; try again shortly")]
    Busy,
    /// The first number of the rows is not free (rule D9). Nothing was written.
    #[error("another owner has written a row under this number; read what follows, and write after it")]
    Taken,
    /// The document that was loaded is not there any more. Nothing was written.
    #[error("the document was deleted, and perhaps begun anew; load it again")]
    Gone,
    /// The store does not have what was written before: a database that took the place of another has less (rule D5).
    #[error("the store was set back and ends with row {last}; load the document again")]
    Forgotten {
        /// Its last row.
        last: u64,
    },
    /// Another snapshot is there that has as much, or more. It stands for this one.
    #[error("a snapshot up to row {through} is there already")]
    Superseded {
        /// Its last row.
        through: u64,
    },
    /// Something cannot be read. It is never left out, and the document never shown without it.
    #[error("{0} cannot be read; the document is set aside until an operator has looked")]
    Unreadable(Part),
    /// A document larger than what is kept.
    #[error("the document has {bytes} bytes, and at most {max} are kept; go on in a new one")]
    TooLarge {
        /// How many.
        bytes: u64,
        /// The bound.
        max: u64,
    },
    /// No more versions are kept under a name.
    #[error("the document has {max} named versions, which is the most; delete one first")]
    VersionsFull {
        /// The bound.
        max: usize,
    },
    /// No such document or version, or nothing of it in the trash.
    #[error("there is no such document or version, or it has left the trash")]
    NotFound,
    /// What would come back from the trash has a successor.
    #[error("a document of this name was begun meanwhile; delete it first, if it is not wanted")]
    Exists,
}

/// A part of a document in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The row that says what there is of it, or the table it is in.
    Head,
    /// The snapshot up to a row.
    Snapshot(u64),
    /// A row.
    Row(u64),
    /// A version.
    Version(u64),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("the head of the document"),
            Self::Snapshot(through) => write!(f, "the snapshot up to row {through}"),
            Self::Row(n) => write!(f, "row {n}"),
            Self::Version(number) => write!(f, "version {number}"),
        }
    }
}
