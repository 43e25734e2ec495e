//! What a store says of a document.

use starling_core::document::guard::Snapshot;
use starling_core::document::log::Row;
use starling_core::id::ChannelName;
use starling_core::time::WallTime;

use super::Made;

/// One document of a name, new for each that is begun under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct History(pub(in crate::storage) i64);

/// What a store has of a document behind a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which document it is.
    pub history: History,
    /// A snapshot and the last row in it, if that is behind the row that was asked for.
    pub snapshot: Option<(u64, Snapshot)>,
    /// The rows after both, in order and without a gap.
    pub rows: Vec<Row>,
    /// The last row that there is. [`read`](super::Documents::read) may stop before it.
    pub last: u64,
}

/// A version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number, from 1 on; that of one that was deleted is not used again.
    pub number: u64,
    /// How it was made.
    pub made: Made,
    /// How large it is.
    pub bytes: u64,
}

/// What there is of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Which document it is.
    pub history: History,
    /// When it was begun.
    pub made: WallTime,
    /// The last row, which is the number of edits that were saved.
    pub last: u64,
    /// The rows after the snapshot, and the bytes of their updates.
    pub tail: (u64, u64),
    /// The last row in the snapshot and its bytes; zeros without one.
    pub snapshot: (u64, u64),
    /// Versions, and their bytes.
    pub versions: (u64, u64),
    /// Rows and snapshots that were replaced, and are kept for a while; and their bytes.
    pub trash: (u64, u64),
}

/// A document in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub document: ChannelName,
    /// Its last row.
    pub last: u64,
    /// The last row in its snapshot; 0 without one.
    pub snapshot: u64,
    /// Whether its head can be read.
    pub is_sound: bool,
}

/// A document in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    /// By which it is restored.
    pub history: History,
    /// The name it had.
    pub document: ChannelName,
    /// When it was deleted.
    pub deleted: WallTime,
}
