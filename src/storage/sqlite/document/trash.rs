//! The trash: documents that were deleted, and what snapshots took the place of.
//!
//! Nothing is moved to get there. A row is in the trash if it is in the newest snapshot, a snapshot if it is not the newest,
//! a document if it says so. The sweep deletes what has been there long enough, some rows in each transaction.

use rusqlite::{Connection, OptionalExtension as _};
use starling_core::id::ChannelName;
use starling_core::time::WallTime;

use super::super::row::Failure;
use super::after_trash;
use crate::storage::documents::{self, History, LOOSE_TIME, TRASH_TIME};
use crate::storage::sum::signed;

/// Rows deleted in one transaction. About a millisecond.
const SLICE_ROWS: i64 = 512;

/// Pieces deleted in one transaction: as many bytes as one brings.
const SLICE_PIECES: i64 = 4;

pub(super) fn delete(connection: &Connection, document: &ChannelName, time: WallTime) -> Result<(), Failure> {
    // A head that is damaged goes, too: that is how an operator gets rid of it.
    let mut delete =
        connection.prepare_cached("UPDATE document SET deleted = ?2, due = ?3 WHERE name = ?1 AND deleted IS NULL")?;
    let changed = delete.execute((document.as_str(), signed(time.0), signed(after_trash(time).0)))?;
    match changed {
        0 => Err(documents::Failure::NotFound.into()),
        _ => Ok(()),
    }
}

pub(super) fn restore(connection: &Connection, history: History, time: WallTime) -> Result<(), Failure> {
    let name: Option<String> = connection
        .prepare_cached("SELECT name FROM document WHERE id = ?1 AND deleted IS NOT NULL")?
        .query_row([history.0], |row| row.get(0))
        .optional()?;
    let name = name.ok_or(documents::Failure::NotFound)?;
    let is_taken = connection
        .prepare_cached("SELECT 1 FROM document WHERE name = ?1 AND deleted IS NULL")?
        .exists([name])?;
    if is_taken {
        return Err(documents::Failure::Exists.into());
    }
    // What it had in the trash before may have been there for long.
    let mut restore = connection.prepare_cached("UPDATE document SET deleted = NULL, due = ?2 WHERE id = ?1")?;
    restore.execute((history.0, signed(time.0)))?;
    Ok(())
}

/// Deletes some of what is due. Answers whether there may be more.
pub(super) fn sweep(connection: &Connection, now: WallTime) -> Result<bool, Failure> {
    let loose = sweep_loose(connection, before(now, LOOSE_TIME))?;
    let due: Option<(i64, Option<i64>)> = connection
        .prepare_cached("SELECT id, deleted FROM document WHERE due <= ?1 ORDER BY due LIMIT 1")?
        .query_row([signed(now.0)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match due {
        None => return Ok(loose),
        Some((id, Some(_))) => sweep_deleted(connection, id, now)?,
        Some((id, None)) => sweep_replaced(connection, id, before(now, TRASH_TIME))?,
    }
    Ok(true)
}

fn before(now: WallTime, time: std::time::Duration) -> WallTime {
    WallTime(
        now.0
            .saturating_sub(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
    )
}

/// Deletes some pieces that nothing names.
fn sweep_loose(connection: &Connection, until: WallTime) -> Result<bool, Failure> {
    let body: Option<i64> = connection
        .prepare_cached("SELECT body FROM document_loose WHERE since <= ?1 ORDER BY since LIMIT 1")?
        .query_row([signed(until.0)], |row| row.get(0))
        .optional()?;
    let Some(body) = body else {
        return Ok(false);
    };
    let mut pieces = connection.prepare_cached(
        "DELETE FROM document_piece WHERE body = ?1 AND n IN
             (SELECT n FROM document_piece WHERE body = ?1 ORDER BY n DESC LIMIT ?2)",
    )?;
    if pieces.execute((body, SLICE_PIECES))? == 0 {
        connection
            .prepare_cached("DELETE FROM document_loose WHERE body = ?1")?
            .execute([body])?;
    }
    Ok(true)
}

/// Deletes some of a document that was deleted: its rows, then all else at once, which is not much.
fn sweep_deleted(connection: &Connection, id: i64, now: WallTime) -> Result<(), Failure> {
    if delete_rows(connection, id, i64::MAX)? > 0 {
        return Ok(());
    }
    for table in ["document_snapshot", "document_version"] {
        let loosen =
            format!("INSERT INTO document_loose (body, since) SELECT body, ?2 FROM {table} WHERE document = ?1");
        connection.prepare_cached(&loosen)?.execute((id, signed(now.0)))?;
        let delete = format!("DELETE FROM {table} WHERE document = ?1");
        connection.prepare_cached(&delete)?.execute([id])?;
    }
    let mut delete = connection.prepare_cached("DELETE FROM document WHERE id = ?1")?;
    delete.execute([id])?;
    Ok(())
}

/// Deletes some of what snapshots took the place of that were made by `until`, and then says when to look again.
fn sweep_replaced(connection: &Connection, id: i64, until: WallTime) -> Result<(), Failure> {
    let base: Option<i64> = connection
        .prepare_cached("SELECT max(through) FROM document_snapshot WHERE document = ?1 AND time <= ?2")?
        .query_row((id, signed(until.0)), |row| row.get(0))?;
    let base = base.unwrap_or_default();
    if delete_rows(connection, id, base)? > 0 {
        return Ok(());
    }
    let mut loosen = connection.prepare_cached(
        "INSERT INTO document_loose (body, since)
         SELECT body, ?3 FROM document_snapshot WHERE document = ?1 AND through < ?2",
    )?;
    loosen.execute((id, base, signed(until.0)))?;
    let mut delete = connection.prepare_cached("DELETE FROM document_snapshot WHERE document = ?1 AND through < ?2")?;
    delete.execute((id, base))?;
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(time) FROM document_snapshot WHERE document = ?1 AND through > ?2")?
        .query_row((id, base), |row| row.get(0))?;
    let next = next.map(|time| signed(after_trash(WallTime(time.cast_unsigned())).0));
    let mut look = connection.prepare_cached("UPDATE document SET due = ?2 WHERE id = ?1")?;
    look.execute((id, next))?;
    Ok(())
}

/// Deletes some rows up to one.
fn delete_rows(connection: &Connection, id: i64, through: i64) -> Result<usize, Failure> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM document_row WHERE document = ?1 AND n IN
             (SELECT n FROM document_row WHERE document = ?1 AND n <= ?2 ORDER BY n LIMIT ?3)",
    )?;
    Ok(delete.execute((id, through, SLICE_ROWS))?)
}
