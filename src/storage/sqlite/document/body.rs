//! Pieces of snapshots and versions.

use rusqlite::Connection;
use starling_core::document::guard::Snapshot;
use starling_core::time::WallTime;

use super::super::row::Failure;
use crate::storage::documents;
use crate::storage::documents::Part;
use crate::storage::documents::body::{BODY_BYTES_MAX, Body, decode};
use crate::storage::sum::{self, signed};

/// Writes a piece of a body whose last piece is to come.
pub(super) fn put_first(
    connection: &Connection,
    body: i64,
    n: u32,
    bytes: &[u8],
    time: WallTime,
) -> Result<(), Failure> {
    if n == 0 {
        loosen(connection, body, time)?;
    }
    put(connection, body, n, bytes)
}

/// Writes the last piece of a body, which counts from then on. The others have to be there.
pub(super) fn put_last(connection: &Connection, body: Body, last: &[u8]) -> Result<(), Failure> {
    put(connection, body.id, body.pieces - 1, last)?;
    if body.pieces > 1 {
        let mut fasten = connection.prepare_cached("DELETE FROM document_loose WHERE body = ?1")?;
        // Whoever took so long that it was swept has nothing any more.
        if fasten.execute([body.id])? == 0 {
            return Err(documents::Failure::Unavailable.into());
        }
    }
    Ok(())
}

fn put(connection: &Connection, body: i64, n: u32, bytes: &[u8]) -> Result<(), Failure> {
    let mut insert =
        connection.prepare_cached("INSERT INTO document_piece (body, n, sum, bytes) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute((body, n, sum::of_piece(body, n, bytes), bytes))?;
    Ok(())
}

/// Notes that nothing names a body.
pub(super) fn loosen(connection: &Connection, body: i64, since: WallTime) -> Result<(), Failure> {
    let mut insert = connection.prepare_cached("INSERT INTO document_loose (body, since) VALUES (?1, ?2)")?;
    insert.execute((body, signed(since.0)))?;
    Ok(())
}

/// What is in a body, or that `part` cannot be read.
pub(super) fn get(connection: &Connection, body: Body, part: Part) -> Result<Snapshot, Failure> {
    let unreadable = || Failure::from(documents::Failure::Unreadable(part));
    let capacity = usize::try_from(body.bytes.min(BODY_BYTES_MAX)).unwrap_or_default();
    let mut whole = Vec::with_capacity(capacity);
    let mut statement =
        connection.prepare_cached("SELECT n, sum, bytes FROM document_piece WHERE body = ?1 ORDER BY n")?;
    let mut rows = statement.query([body.id])?;
    for n in 0..body.pieces {
        let row = rows.next()?.ok_or_else(unreadable)?;
        let bytes = row.get_ref(2)?.as_blob().map_err(|_| unreadable())?;
        let is_sound =
            row.get::<_, i64>(0)? == i64::from(n) && row.get::<_, i64>(1)? == sum::of_piece(body.id, n, bytes);
        if !is_sound || whole.len() + bytes.len() > capacity {
            return Err(unreadable());
        }
        whole.extend_from_slice(bytes);
    }
    match whole.len() == capacity {
        true => decode(whole).ok_or_else(unreadable),
        false => Err(unreadable()),
    }
}
