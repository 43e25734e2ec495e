//! The trash: documents that were deleted, and what snapshots took the place of.
//!
//! Nothing is moved to get there. A row is in the trash if it is in the newest snapshot, a snapshot if it is not the newest,
//! a document if it says so. The sweep deletes what has been there long enough, some rows in each transaction. Every node
//! sweeps: what one has in hand the others pass by.

use std::time::Duration;

use deadpool_postgres::Transaction;
use starling_core::id::ChannelName;
use starling_core::time::WallTime;
use tokio_postgres::error::SqlState;

use super::super::row::Failure;
use super::after_trash;
use crate::storage::documents::{self, History, LOOSE_TIME, TRASH_TIME};
use crate::storage::sum::signed;

/// Rows deleted in one transaction.
const SLICE_ROWS: i64 = 512;

/// Pieces deleted in one transaction.
const SLICE_PIECES: i64 = 4;

pub(super) async fn delete(
    transaction: &Transaction<'_>,
    document: &ChannelName,
    time: WallTime,
) -> Result<i64, Failure> {
    // A head that is damaged goes, too: that is how an operator gets rid of it.
    const DELETE: &str = "UPDATE starling.document SET deleted = $2, due = $3 WHERE name = $1 AND deleted IS NULL";
    let delete = transaction.prepare_cached(DELETE).await?;
    let (deleted, due) = (signed(time.0), signed(after_trash(time).0));
    let changed = transaction
        .execute(&delete, &[&document.as_str(), &deleted, &due])
        .await?;
    match changed {
        0 => Err(documents::Failure::NotFound.into()),
        _ => Ok(0),
    }
}

pub(super) async fn restore(transaction: &Transaction<'_>, history: History, time: WallTime) -> Result<i64, Failure> {
    // What it had in the trash before may have been there for long.
    const RESTORE: &str = "UPDATE starling.document SET deleted = NULL, due = $2 WHERE id = $1 AND deleted IS NOT NULL";
    let restore = transaction.prepare_cached(RESTORE).await?;
    match transaction.execute(&restore, &[&history.0, &signed(time.0)]).await {
        Ok(0) => Err(documents::Failure::NotFound.into()),
        Ok(_) => Ok(0),
        // Of two documents with one name the index allows one.
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Err(documents::Failure::Exists.into()),
        Err(error) => Err(error.into()),
    }
}

/// Deletes some of what is due. Answers whether there may be more.
pub(super) async fn sweep(transaction: &Transaction<'_>, now: WallTime) -> Result<bool, Failure> {
    const DUE: &str = "SELECT id, deleted FROM starling.document WHERE due <= $1 ORDER BY due LIMIT 1
         FOR UPDATE SKIP LOCKED";
    let loose = sweep_loose(transaction, before(now, LOOSE_TIME)).await?;
    let statement = transaction.prepare_cached(DUE).await?;
    let Some(row) = transaction.query_opt(&statement, &[&signed(now.0)]).await? else {
        return Ok(loose);
    };
    let id: i64 = row.try_get(0)?;
    match row.try_get::<_, Option<i64>>(1)? {
        Some(_) => sweep_deleted(transaction, id, now).await?,
        None => sweep_replaced(transaction, id, before(now, TRASH_TIME)).await?,
    }
    Ok(true)
}

fn before(now: WallTime, time: Duration) -> WallTime {
    WallTime(
        now.0
            .saturating_sub(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
    )
}

/// Deletes some pieces that nothing names.
async fn sweep_loose(transaction: &Transaction<'_>, until: WallTime) -> Result<bool, Failure> {
    const LOOSE: &str = "SELECT body FROM starling.document_loose WHERE since <= $1 ORDER BY since LIMIT 1
         FOR UPDATE SKIP LOCKED";
    const PIECES: &str = "DELETE FROM starling.document_piece WHERE body = $1 AND n = ANY (ARRAY(
             SELECT n FROM starling.document_piece WHERE body = $1 ORDER BY n DESC LIMIT $2))";
    const DONE: &str = "DELETE FROM starling.document_loose WHERE body = $1";
    let statement = transaction.prepare_cached(LOOSE).await?;
    let Some(row) = transaction.query_opt(&statement, &[&signed(until.0)]).await? else {
        return Ok(false);
    };
    let body: i64 = row.try_get(0)?;
    let pieces = transaction.prepare_cached(PIECES).await?;
    if transaction.execute(&pieces, &[&body, &SLICE_PIECES]).await? == 0 {
        let done = transaction.prepare_cached(DONE).await?;
        transaction.execute(&done, &[&body]).await?;
    }
    Ok(true)
}

/// Deletes some of a document that was deleted: its rows, then all else at once, which is not much.
async fn sweep_deleted(transaction: &Transaction<'_>, id: i64, now: WallTime) -> Result<(), Failure> {
    const LOOSEN: &str = "INSERT INTO starling.document_loose (body, since)
         SELECT body, $2::bigint FROM starling.document_snapshot WHERE document = $1
         UNION ALL SELECT body, $2 FROM starling.document_version WHERE document = $1";
    const REST: [&str; 3] = [
        "DELETE FROM starling.document_snapshot WHERE document = $1",
        "DELETE FROM starling.document_version WHERE document = $1",
        "DELETE FROM starling.document WHERE id = $1",
    ];
    if delete_rows(transaction, id, i64::MAX).await? > 0 {
        return Ok(());
    }
    let loosen = transaction.prepare_cached(LOOSEN).await?;
    transaction.execute(&loosen, &[&id, &signed(now.0)]).await?;
    for delete in REST {
        let delete = transaction.prepare_cached(delete).await?;
        transaction.execute(&delete, &[&id]).await?;
    }
    Ok(())
}

/// Deletes some of what snapshots took the place of that were made by `until`, and then says when to look again.
async fn sweep_replaced(transaction: &Transaction<'_>, id: i64, until: WallTime) -> Result<(), Failure> {
    const BASE: &str = "SELECT max(through) FROM starling.document_snapshot WHERE document = $1 AND time <= $2";
    const LOOSEN: &str = "INSERT INTO starling.document_loose (body, since)
         SELECT body, $3::bigint FROM starling.document_snapshot WHERE document = $1 AND through < $2";
    const DELETE: &str = "DELETE FROM starling.document_snapshot WHERE document = $1 AND through < $2";
    const NEXT: &str = "SELECT min(time) FROM starling.document_snapshot WHERE document = $1 AND through > $2";
    const LOOK: &str = "UPDATE starling.document SET due = $2 WHERE id = $1";
    let until = signed(until.0);
    let base = transaction.prepare_cached(BASE).await?;
    let base: Option<i64> = transaction.query_one(&base, &[&id, &until]).await?.try_get(0)?;
    let base = base.unwrap_or_default();
    if delete_rows(transaction, id, base).await? > 0 {
        return Ok(());
    }
    let loosen = transaction.prepare_cached(LOOSEN).await?;
    transaction.execute(&loosen, &[&id, &base, &until]).await?;
    let delete = transaction.prepare_cached(DELETE).await?;
    transaction.execute(&delete, &[&id, &base]).await?;
    let next = transaction.prepare_cached(NEXT).await?;
    let next: Option<i64> = transaction.query_one(&next, &[&id, &base]).await?.try_get(0)?;
    let next = next.map(|time| signed(after_trash(WallTime(time.cast_unsigned())).0));
    let look = transaction.prepare_cached(LOOK).await?;
    transaction.execute(&look, &[&id, &next]).await?;
    Ok(())
}

/// Deletes some rows up to one.
async fn delete_rows(transaction: &Transaction<'_>, id: i64, through: i64) -> Result<u64, Failure> {
    const DELETE: &str = "DELETE FROM starling.document_row WHERE document = $1 AND n = ANY (ARRAY(
             SELECT n FROM starling.document_row WHERE document = $1 AND n <= $2 ORDER BY n LIMIT $3))";
    let delete = transaction.prepare_cached(DELETE).await?;
    Ok(transaction.execute(&delete, &[&id, &through, &SLICE_ROWS]).await?)
}
