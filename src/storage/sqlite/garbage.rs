//! Deletion of what is no longer kept.
//!
//! A floor that moves by a few messages takes their rows along. When more go at once, or a channel is
//! forgotten, they are noted in `garbage`, and the writer deletes some of them whenever it commits or
//! has nothing to do: no publish waits for the deletion of a long history. Nobody reads such rows: they
//! are below the floor, or of a channel that is no more.

use rusqlite::{Connection, OptionalExtension as _};
use starling_core::id::Seq;

use super::row::Failure;
use crate::storage::sum::signed;

/// Rows deleted with the batch that moved the floor: a chunk's worth, by which floors move.
const AT_ONCE_MAX: u64 = 128;

/// Rows deleted in one transaction beside that. About a millisecond.
const SLICE_ROWS: i64 = 512;

/// The tables of a channel whose rows go when it is forgotten, and the columns beside `channel` that tell them apart.
const TABLES: [(&str, &str); 5] = [
    ("message", "seq"),
    ("term", "first"),
    ("value", "key"),
    ("result", "subject, publisher, serial"),
    ("request", "subject, key"),
];

/// The floor of a channel has moved.
pub(super) fn raise(connection: &Connection, channel: i64, from: Seq, floor: Seq) -> Result<(), Failure> {
    if from == floor {
        return Ok(());
    }
    if floor.0 - from.0 > AT_ONCE_MAX {
        let mut statement = connection.prepare_cached(
            "INSERT INTO garbage (channel, below) VALUES (?1, ?2)
             ON CONFLICT (channel) DO UPDATE SET below = excluded.below",
        )?;
        statement.execute((channel, signed(floor.0)))?;
        return Ok(());
    }
    let mut statement =
        connection.prepare_cached("DELETE FROM message WHERE channel = ?1 AND seq >= ?2 AND seq < ?3")?;
    statement.execute((channel, signed(from.0), signed(floor.0)))?;
    Ok(())
}

/// A channel is forgotten.
pub(super) fn forget(connection: &Connection, channel: i64) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO garbage (channel, below) VALUES (?1, NULL) ON CONFLICT (channel) DO UPDATE SET below = NULL",
    )?;
    statement.execute([channel])?;
    Ok(())
}

/// Deletes some rows. Answers whether there may be more.
pub(super) fn collect(connection: &Connection) -> Result<bool, Failure> {
    let next = connection
        .prepare_cached("SELECT channel, below FROM garbage LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((channel, below)): Option<(i64, Option<i64>)> = next else {
        return Ok(false);
    };
    let rows = match below {
        Some(below) => connection
            .prepare_cached(
                "DELETE FROM message WHERE channel = ?1 AND seq IN
                     (SELECT seq FROM message WHERE channel = ?1 AND seq < ?2 ORDER BY seq LIMIT ?3)",
            )?
            .execute((channel, below, SLICE_ROWS))?,
        None => {
            let mut rows = 0;
            for (table, key) in TABLES {
                let delete = format!(
                    "DELETE FROM {table} WHERE channel = ?1 AND ({key}) IN
                         (SELECT {key} FROM {table} WHERE channel = ?1 LIMIT ?2)"
                );
                rows += connection.prepare_cached(&delete)?.execute((channel, SLICE_ROWS))?;
            }
            rows
        }
    };
    if rows == 0 {
        connection
            .prepare_cached("DELETE FROM garbage WHERE channel = ?1")?
            .execute([channel])?;
    }
    Ok(true)
}
