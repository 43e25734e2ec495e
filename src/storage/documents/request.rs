//! All that a store is asked for of documents.

use bytes::Bytes;
use starling_core::document::guard::Snapshot;
use starling_core::document::log::Row;
use starling_core::id::{ChannelName, Subject};
use starling_core::time::WallTime;
use tokio::sync::oneshot;

use super::body::Body;
use super::{Failure, Found, History, Listed, Stats, Trashed, Version};

/// One thing to write, whole or not at all.
pub(in crate::storage) enum Write {
    /// Rows, in order. Answers with the [`History`].
    Append(Append),
    /// A piece of a body that is not the last: it is nothing yet.
    Piece {
        body: i64,
        n: u32,
        bytes: Bytes,
        time: WallTime,
    },
    /// A snapshot in place of the rows up to `through`.
    Snapshot {
        document: ChannelName,
        history: History,
        through: u64,
        body: Body,
        last: Bytes,
        time: WallTime,
    },
    /// A version. Answers with its number.
    MakeVersion {
        document: ChannelName,
        history: History,
        made: Made,
        body: Body,
        last: Bytes,
    },
    DeleteVersion {
        document: ChannelName,
        number: u64,
        time: WallTime,
    },
    /// The document goes into the trash.
    Delete { document: ChannelName, time: WallTime },
    /// It comes back from there.
    Restore { history: History, time: WallTime },
    /// One step of emptying the trash. Answers 1 if there may be more to do.
    Sweep { now: WallTime },
}

/// Rows to append.
pub(in crate::storage) struct Append {
    pub(in crate::storage) document: ChannelName,
    pub(in crate::storage) history: Option<History>,
    pub(in crate::storage) rows: Vec<Row>,
    pub(in crate::storage) time: WallTime,
}

/// What a version is called, and of what it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its name, whose length was checked before; `None` for one that was made by itself.
    pub name: Option<String>,
    /// By whom.
    pub author: Subject,
    /// When.
    pub time: WallTime,
    /// The last row that is in it.
    pub through: u64,
}

/// Told what a write came to.
pub(in crate::storage) type Reply<T> = oneshot::Sender<Result<T, Failure>>;

/// One thing to read, as of one moment.
pub(in crate::storage) enum Question {
    /// See [`Found`]: no more rows than make `bytes_max`, but one.
    Read {
        document: ChannelName,
        history: Option<History>,
        after: u64,
        base: Base,
        bytes_max: u64,
        reply: Reply<Option<Found>>,
    },
    Stats {
        document: ChannelName,
        reply: Reply<Option<Stats>>,
    },
    /// The latest first, those before a number.
    Versions {
        document: ChannelName,
        before: u64,
        max: u32,
        reply: Reply<Vec<Version>>,
    },
    Version {
        document: ChannelName,
        number: u64,
        reply: Reply<(Version, Snapshot)>,
    },
    /// By name, those after one.
    List {
        prefix: String,
        after: String,
        max: u32,
        reply: Reply<Vec<Listed>>,
    },
    /// In the order they were begun, those after one.
    Trash {
        after: i64,
        max: u32,
        reply: Reply<Vec<Trashed>>,
    },
}

/// From which snapshot a document is read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum Base {
    Newest,
    /// The one before the newest, with the rows that the newest took the place of.
    Previous,
}

impl Append {
    /// What it counts for in a queue.
    pub(in crate::storage) fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.update.len() + ROW_BYTES).sum()
    }
}

impl Write {
    /// What it counts for in a queue.
    pub(in crate::storage) fn bytes(&self) -> usize {
        match self {
            Self::Append(append) => append.bytes(),
            Self::Piece { bytes, .. } => bytes.len(),
            Self::Snapshot { last, .. } | Self::MakeVersion { last, .. } => last.len(),
            Self::DeleteVersion { .. } | Self::Delete { .. } | Self::Restore { .. } | Self::Sweep { .. } => 0,
        }
    }

    /// How many rows of documents it adds.
    pub(in crate::storage) const fn rows(&self) -> usize {
        match self {
            Self::Append(append) => append.rows.len(),
            _ => 0,
        }
    }

    /// What it is about, to be told to an operator.
    pub(in crate::storage) fn document(&self) -> Option<&ChannelName> {
        match self {
            Self::Append(Append { document, .. })
            | Self::Snapshot { document, .. }
            | Self::MakeVersion { document, .. }
            | Self::DeleteVersion { document, .. }
            | Self::Delete { document, .. } => Some(document),
            Self::Piece { .. } | Self::Restore { .. } | Self::Sweep { .. } => None,
        }
    }
}

impl Question {
    /// What it is about, to be told to an operator.
    pub(in crate::storage) const fn document(&self) -> Option<&ChannelName> {
        match self {
            Self::Read { document, .. }
            | Self::Stats { document, .. }
            | Self::Versions { document, .. }
            | Self::Version { document, .. } => Some(document),
            Self::List { .. } | Self::Trash { .. } => None,
        }
    }
}

/// What a row counts for beside its update.
const ROW_BYTES: usize = 64;
