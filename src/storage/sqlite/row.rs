//! Rows of messages, their sums, and what an error of the database means.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{ErrorCode, Row};
use starling_core::channel::Message;
use starling_core::id::{Key, Seq, Term};
use starling_core::slot::StoreFailure;
use starling_core::time::WallTime;
use xxhash_rust::xxh3::Xxh3Default;

/// Adds up the columns of a row. Lengths are added too, so that no two rows read the same.
#[derive(Default)]
pub(super) struct Sum(Xxh3Default);

impl Sum {
    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let mut sum = self.number(bytes.len() as u64);
        sum.0.update(bytes);
        sum
    }

    pub(super) fn text(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.number(1).bytes(text.as_bytes()),
            None => self.number(0),
        }
    }

    /// As SQLite keeps it: its integers have a sign.
    pub(super) fn end(self) -> i64 {
        self.0.digest().cast_signed()
    }
}

/// The sum of a message of `channel`.
pub(super) fn sum_of(channel: i64, message: &Message) -> i64 {
    Sum::default()
        .number(channel.cast_unsigned())
        .number(message.seq.0)
        .number(message.term.0)
        .number(message.time.0)
        .number(u64::from(message.deleted))
        .text(message.key.as_ref().map(Key::as_str))
        .bytes(&message.payload)
        .end()
}

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
    match row.get::<_, i64>(4)? == sum_of(channel, &message) {
        true => Ok(Arc::new(message)),
        false => Err(Failure::Damaged("message")),
    }
}

/// A number that is never negative.
pub(super) fn number(row: &Row<'_>, column: usize) -> Result<u64, Failure> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| Failure::Damaged("number"))
}

/// A number as SQLite keeps it. Ours are counts and times: the upper half is never reached, and would not be read back.
pub(super) const fn signed(number: u64) -> i64 {
    number.cast_signed()
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
            Self::Conflict => StoreFailure::Conflict,
            Self::Fenced => StoreFailure::Fenced,
        }
    }
}
