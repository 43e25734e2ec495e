//! Everything that can happen to the log of a document, and everything it can ask for.

use std::time::Instant;

use bytes::Bytes;
use thiserror::Error;

/// One row: an update, and its number in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number, from 1 on without a gap.
    pub n: u64,
    /// The update.
    pub update: Bytes,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<R> {
    /// An editor's update was taken in, and is new.
    Edit {
        /// Who made it.
        from: R,
        /// Its number among the edits of that editor.
        edit: u64,
        /// What it is.
        update: Bytes,
    },
    /// An editor's update had nothing that the document did not. It is saved once all that came before it is: that may be
    /// where it was from.
    Known {
        /// Who sent it.
        from: R,
        /// Its number among the edits of that editor.
        edit: u64,
    },
    /// The store has committed the batch.
    Appended,
    /// The store has refused the batch: its first number is taken, and nothing of it was written.
    Taken,
    /// The store did not answer, or failed. Whether it wrote the batch is not known.
    AppendFailed,
    /// What the store has after the row that was asked for.
    Read {
        /// The snapshot, as the updates that make it, and the last row in it, if that is behind the row that was asked for.
        snapshot: Option<(u64, Vec<Bytes>)>,
        /// The rows, in order.
        rows: Vec<Row>,
    },
    /// The store could not say.
    ReadFailed,
    /// A row cannot be read, or cannot be applied.
    Unreadable {
        /// Which.
        row: u64,
    },
    /// The snapshot is committed, and the rows that it took the place of are put away.
    Snapshotted,
    /// It is not: the store failed.
    SnapshotFailed,
    /// Look whether another owner has written something, unless the store is asked anyhow.
    Look,
    /// The last who had the document open has left.
    Left,
    /// Somebody has opened it.
    Opened,
    /// The time that was asked for has come.
    Wake,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect<R> {
    /// Append these rows in one transaction, all or none. A number that is taken is [`Input::Taken`].
    Append {
        /// The rows.
        rows: Vec<Row>,
    },
    /// Read what comes after a row.
    Read {
        /// That row.
        after: u64,
    },
    /// Apply an update that another owner wrote, and tell everybody what is new of it.
    Apply(Bytes),
    /// These edits are in the store.
    Saved {
        /// Whose they are.
        to: R,
        /// The number of the last.
        up_to: u64,
        /// How many they are.
        edits: usize,
    },
    /// An edit is not kept.
    Refuse {
        /// Whose it is.
        to: R,
        /// Its number.
        edit: u64,
        /// Why.
        refusal: Refusal,
    },
    /// Make a snapshot of what is in memory, check it ([`guard::check`](crate::document::guard::check)), and store it
    /// once all edits that are in it are saved. The snapshot before has to end before `through`, and the rows up to there, each
    /// of which was read here, go with it into the trash. A row behind `through` is not touched. Another snapshot that goes
    /// as far stands for this one: that is [`Input::Snapshotted`], too.
    Snapshot {
        /// The last row in the snapshot before, as far as it is known here; 0 without one.
        after: u64,
        /// The last row that the new one takes the place of.
        through: u64,
    },
    /// Set the document aside: it cannot be read from this row on.
    Quarantine {
        /// Which.
        row: u64,
    },
    /// Send [`Input::Wake`] then.
    Wake {
        /// When.
        at: Instant,
    },
}

/// Why an edit is not kept. Its editor keeps it, and sends it again when it syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Too much is unsaved already: the store is away.
    #[error("the store is away and too many edits are unsaved; go on when it is back")]
    UnsavedFull,
    /// The document is set aside.
    #[error("the document is set aside until it is repaired; ask whoever operates the node")]
    Quarantined,
}

impl Refusal {
    /// The code that clients are told.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnsavedFull => "unsaved_full",
            Self::Quarantined => "quarantined",
        }
    }
}
