//! Pieces of snapshots and versions.

use deadpool_postgres::Transaction;
use starling_core::document::guard::Snapshot;
use starling_core::time::WallTime;

use super::super::row::Failure;
use crate::storage::documents;
use crate::storage::documents::Part;
use crate::storage::documents::body::{BODY_BYTES_MAX, Body, decode};
use crate::storage::sum::{self, signed};

/// Pieces that are read in one trip.
const TRIP_PIECES: u32 = 8;

/// Writes a piece of a body whose last piece is to come.
pub(super) async fn put_first(
    transaction: &Transaction<'_>,
    body: i64,
    n: u32,
    bytes: &[u8],
    time: WallTime,
) -> Result<(), Failure> {
    if n == 0 {
        loosen(transaction, body, time).await?;
    }
    put(transaction, body, n, bytes).await
}

/// Writes the last piece of a body, which counts from then on. The others have to be there.
pub(super) async fn put_last(transaction: &Transaction<'_>, body: Body, last: &[u8]) -> Result<(), Failure> {
    const FASTEN: &str = "DELETE FROM starling.document_loose WHERE body = $1";
    put(transaction, body.id, body.pieces - 1, last).await?;
    if body.pieces > 1 {
        let fasten = transaction.prepare_cached(FASTEN).await?;
        // Whoever took so long that it was swept has nothing any more.
        if transaction.execute(&fasten, &[&body.id]).await? == 0 {
            return Err(documents::Failure::Unavailable.into());
        }
    }
    Ok(())
}

async fn put(transaction: &Transaction<'_>, body: i64, n: u32, bytes: &[u8]) -> Result<(), Failure> {
    const PUT: &str = "INSERT INTO starling.document_piece (body, n, sum, bytes) VALUES ($1, $2, $3, $4)";
    let insert = transaction.prepare_cached(PUT).await?;
    let sum = sum::of_piece(body, n, bytes);
    transaction
        .execute(&insert, &[&body, &i64::from(n), &sum, &bytes])
        .await?;
    Ok(())
}

/// Notes that nothing names a body.
pub(super) async fn loosen(transaction: &Transaction<'_>, body: i64, since: WallTime) -> Result<(), Failure> {
    const LOOSEN: &str = "INSERT INTO starling.document_loose (body, since) VALUES ($1, $2)";
    let insert = transaction.prepare_cached(LOOSEN).await?;
    transaction.execute(&insert, &[&body, &signed(since.0)]).await?;
    Ok(())
}

/// What is in a body, or that `part` cannot be read.
pub(super) async fn get(transaction: &Transaction<'_>, body: Body, part: Part) -> Result<Snapshot, Failure> {
    const GET: &str =
        "SELECT n, sum, bytes FROM starling.document_piece WHERE body = $1 AND n >= $2 AND n < $3 ORDER BY n";
    let unreadable = || Failure::from(documents::Failure::Unreadable(part));
    let capacity = usize::try_from(body.bytes.min(BODY_BYTES_MAX)).unwrap_or_default();
    let mut whole = Vec::with_capacity(capacity);
    let statement = transaction.prepare_cached(GET).await?;
    let mut next = 0;
    while next < body.pieces {
        let end = body.pieces.min(next + TRIP_PIECES);
        let rows = transaction
            .query(&statement, &[&body.id, &i64::from(next), &i64::from(end)])
            .await?;
        for row in &rows {
            let bytes: &[u8] = row.try_get(2)?;
            let is_sound = row.try_get::<_, i64>(0)? == i64::from(next)
                && row.try_get::<_, i64>(1)? == sum::of_piece(body.id, next, bytes);
            if !is_sound || whole.len() + bytes.len() > capacity {
                return Err(unreadable());
            }
            whole.extend_from_slice(bytes);
            next += 1;
        }
        if next != end {
            return Err(unreadable());
        }
    }
    match whole.len() == capacity {
        true => decode(whole).ok_or_else(unreadable),
        false => Err(unreadable()),
    }
}
