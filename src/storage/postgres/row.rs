//! Rows of messages, and what an error of the database means.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use starling_core::channel::Message;
use starling_core::id::{Epoch, Key, Seq, Term};
use starling_core::slot::StoreFailure;
use starling_core::time::WallTime;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use crate::storage::head::Head;
use crate::storage::{documents, sum};

/// The columns a message is read from, in this order.
macro_rules! message_columns {
    () => {
        "seq, term, time, deleted, sum, key, payload"
    };
}
pub(super) use message_columns;

/// The columns a head is read from, in this order.
macro_rules! head_columns {
    () => {
        "id, epoch, keyed, head, term, floor, keys_floor, used, due, sum, name"
    };
}
pub(super) use head_columns;

/// Reads a message of `channel`.
pub(super) fn message(channel: i64, row: &Row) -> Result<Arc<Message>, Failure> {
    let key = row.try_get::<_, Option<&[u8]>>(5)?.map(|key| {
        let key = text(key).and_then(|key| Key::parse(key).ok());
        key.ok_or(Failure::Damaged("key of a message"))
    });
    let message = Message {
        seq: Seq(number(row, 0)?),
        term: Term(number(row, 1)?),
        time: WallTime(number(row, 2)?),
        deleted: row.try_get(3)?,
        key: key.transpose()?,
        payload: Bytes::copy_from_slice(row.try_get(6)?),
    };
    match row.try_get::<_, i64>(4)? == sum::of_message(channel, &message) {
        true => Ok(Arc::new(message)),
        false => Err(Failure::Damaged("message")),
    }
}

/// Reads the head of `channel`.
pub(super) fn head(channel: &starling_core::id::ChannelName, row: &Row) -> Result<Head, Failure> {
    let due: Option<i64> = row.try_get(8)?;
    let head = Head {
        id: row.try_get(0)?,
        epoch: Epoch::parse(row.try_get(1)?).map_err(|_| Failure::Damaged("epoch"))?,
        keyed: row.try_get(2)?,
        seq: Seq(number(row, 3)?),
        term: Term(number(row, 4)?),
        floor: Seq(number(row, 5)?),
        keys_floor: Seq(number(row, 6)?),
        used: WallTime(number(row, 7)?),
        due: due.map(|due| WallTime(due.cast_unsigned())),
    };
    match row.try_get::<_, i64>(9)? == sum::of_head(&head, channel) {
        true => Ok(head),
        false => Err(Failure::Damaged("head of a channel")),
    }
}

/// A number that is never negative.
pub(super) fn number(row: &Row, column: usize) -> Result<u64, Failure> {
    u64::try_from(row.try_get::<_, i64>(column)?).map_err(|_| Failure::Damaged("number"))
}

/// Bytes that were text when they were written.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Why something in the database did not work out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{}", Self::text(.0))]
    Database(#[from] tokio_postgres::Error),
    #[error("{0}")]
    Pool(String),
    #[error("it did not answer in time")]
    Silent,
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
    /// What an error says, with the code of the database by which its manual is searched.
    pub(super) fn text(error: &tokio_postgres::Error) -> impl fmt::Display {
        fmt::from_fn(move |f| match error.as_db_error() {
            Some(said) => write!(f, "{} ({})", said.message(), said.code().code()),
            None => {
                write!(f, "{error}")?;
                let mut source = std::error::Error::source(error);
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
        })
    }

    /// What it means for the channel.
    pub(super) fn kind(&self) -> StoreFailure {
        match self {
            Self::Database(error) => match error.code() {
                // What is written breaks a constraint, or cannot be kept at all.
                Some(code) if class(code) == "23" || class(code) == "22" => StoreFailure::Conflict,
                Some(code) if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED => {
                    StoreFailure::Corrupt
                }
                _ => StoreFailure::Unavailable,
            },
            Self::Pool(_) | Self::Silent => StoreFailure::Unavailable,
            Self::Damaged(_) => StoreFailure::Corrupt,
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

    /// Whether it may be about one batch of several, which then are tried one by one. That the transaction was undone is
    /// certain: the database has said so, and was not asked to commit or has refused to.
    pub(super) fn is_of_one(&self) -> bool {
        match self {
            Self::Database(error) => error.code().is_some_and(|code| {
                // Undone because of others, or because something is too large to be kept.
                let is_undone =
                    matches!(class(code), "40" | "54") && *code != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN;
                self.kind() != StoreFailure::Unavailable || is_undone
            }),
            Self::Damaged(_) | Self::Conflict | Self::Fenced | Self::Refused(_) => true,
            Self::Pool(_) | Self::Silent => false,
        }
    }

    /// Whether the connection is of no use any more.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            // Class 57P: the database is stopping, or has ended the session; 25P03: it has done so for idleness.
            Self::Database(error) => {
                let code = error.code().map(SqlState::code);
                error.is_closed()
                    || error.as_db_error().is_none()
                    || code.is_some_and(|code| code.starts_with("57P") || code == "25P03")
            }
            Self::Silent => true,
            Self::Pool(_) | Self::Damaged(_) | Self::Conflict | Self::Fenced | Self::Refused(_) => false,
        }
    }
}

fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}
