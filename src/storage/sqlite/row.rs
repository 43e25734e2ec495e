//! Rows of messages, and what an error of the database means.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{ErrorCode, Row};
use starling_core::channel::Message;
use starling_core::id::{Key, Seq, Term};
use starling_core::slot::StoreFailure;
use starling_core::time::WallTime;

use crate::storage::{documents, sum};

/// The columns a message is read from, in this order.
pub(super) const MESSAGE: &str = "seq, term, time, deleted, sum, key, payload";

/// Reads a message of `channel` whose columns are [`MESSAGE`].
pub(super) fn message(channel: i64, row: &Row<'_>) -> Result<Arc<Message>, Failure> {
    let key: Option<String> = row.get(5)?;
    let key = key.map(|key| Key::parse(&key).map_err(|_| Failure::Damaged("key of a message")));
    let message = Message {
        seq: Seq(number(row, 0)?),
        term: Term(number(row, 1)?),
        time: WallTime(number(row, 2)?),
        deleted: row.get(3)?,
        key: key.transpose()?,
        payload: Bytes::from(row.get::<_, Vec<u8>>(6)?),
    };
    match row.get::<_, i64>(4)? == sum::of_message(channel, &message) {
        true => Ok(Arc::new(message)),
        false => Err(Failure::Damaged("message")),
    }
}

/// A number that is never negative.
pub(super) fn number(row: &Row<'_>, column: usize) -> Result<u64, Failure> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| Failure::Damaged("number"))
}

/// Why something in the database did not work out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Database(#[from] rusqlite::Error),
    #[error("a {0} is damaged")]
    Damaged(&'static str),
    #[error("the store holds something else than the batch follows")]
    Conflict,
    #[error("another owner has claimed the slot")]
    Fenced,
    /// Of a document: no fault of the store.
    #[error(transparent)]
    Refused(#[from] documents::Failure),
}

impl Failure {
    /// What it means for the channel.
    pub(super) fn kind(&self) -> StoreFailure {
        match self {
            Self::Database(rusqlite::Error::SqliteFailure(error, _)) => match error.code {
                ErrorCode::ConstraintViolation => StoreFailure::Conflict,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreFailure::Corrupt,
                _ => StoreFailure::Unavailable,
            },
            // A column that holds something else than was ever written to it.
            Self::Database(_) | Self::Damaged(_) => StoreFailure::Corrupt,
            Self::Conflict | Self::Refused(_) => StoreFailure::Conflict,
            Self::Fenced => StoreFailure::Fenced,
        }
    }

    /// What it means for a document.
    pub(super) fn of_document(&self) -> documents::Failure {
        match (self, self.kind()) {
            (Self::Refused(failure), _) => *failure,
            (_, StoreFailure::Unavailable) => documents::Failure::Unavailable,
            // Also when something has a place that is free by the head.
            _ => documents::Failure::Unreadable(documents::Part::Head),
        }
    }
}
