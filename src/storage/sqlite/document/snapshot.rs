//! Snapshots and versions: the rows that name their bodies.

use rusqlite::{Connection, OptionalExtension as _, Row};
use starling_core::id::Subject;
use starling_core::time::WallTime;

use super::super::row::{Failure, number};
use super::body;
use crate::storage::documents::body::Body;
use crate::storage::documents::head::Head;
use crate::storage::documents::{
    self, History, Made, Part, REPLACED_APART, VERSIONS_AUTOMATIC_MAX, VERSIONS_NAMED_MAX, Version,
};
use crate::storage::sum::{self, signed};

/// Puts the snapshot that `head` says is the newest. The one before is kept if the one before that is far enough from it;
/// the rows that it took the place of stay, and say what was between.
pub(super) fn put(connection: &Connection, head: &Head, body: Body, time: WallTime) -> Result<(), Failure> {
    let mut replaced = connection.prepare_cached(
        "SELECT through, time, body FROM document_snapshot WHERE document = ?1 ORDER BY through DESC LIMIT 2",
    )?;
    let replaced = replaced.query_map([head.history.0], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    let replaced: Vec<_> = replaced.collect::<Result<_, _>>()?;
    if let [(through, at, its_body), (_, before, _)] = replaced[..]
        && i128::from(at) - i128::from(before) < REPLACED_APART.as_millis().cast_signed()
    {
        let mut delete =
            connection.prepare_cached("DELETE FROM document_snapshot WHERE document = ?1 AND through = ?2")?;
        delete.execute((head.history.0, through))?;
        body::loosen(connection, its_body, time)?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO document_snapshot (document, through, time, body, pieces, bytes, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute((
        head.history.0,
        signed(head.snapshot),
        signed(time.0),
        body.id,
        body.pieces,
        signed(body.bytes),
        sum::of_snapshot(head.history, head.snapshot, time, body),
    ))?;
    Ok(())
}

/// Where the newest snapshot of a document up to row `through` is, and its last row.
pub(super) fn find(connection: &Connection, history: History, through: u64) -> Result<Option<(u64, Body)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT through, time, body, pieces, bytes, sum FROM document_snapshot
         WHERE document = ?1 AND through <= ?2 ORDER BY through DESC LIMIT 1",
    )?;
    let mut rows = statement.query((history.0, signed(through)))?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let (through, time) = (number(row, 0)?, WallTime(number(row, 1)?));
    let body = body_at(row, 2)?;
    match row.get::<_, i64>(5)? == sum::of_snapshot(history, through, time, body) {
        true => Ok(Some((through, body))),
        false => Err(documents::Failure::Unreadable(Part::Snapshot(through)).into()),
    }
}

fn body_at(row: &Row<'_>, column: usize) -> Result<Body, Failure> {
    Ok(Body {
        id: row.get(column)?,
        pieces: row.get(column + 1)?,
        bytes: number(row, column + 2)?,
    })
}

/// Sees to it that another version fits.
pub(super) fn make_room(connection: &Connection, head: &Head, made: &Made) -> Result<(), Failure> {
    if made.name.is_some() {
        let mut count = connection
            .prepare_cached("SELECT count(*) FROM document_version WHERE document = ?1 AND name IS NOT NULL")?;
        let count: i64 = count.query_row([head.history.0], |row| row.get(0))?;
        let max = VERSIONS_NAMED_MAX;
        return match count < max as i64 {
            true => Ok(()),
            false => Err(documents::Failure::VersionsFull { max }.into()),
        };
    }
    let mut oldest = connection.prepare_cached(
        "SELECT number FROM document_version WHERE document = ?1 AND name IS NULL
         ORDER BY number DESC LIMIT -1 OFFSET ?2",
    )?;
    let oldest = oldest.query_map((head.history.0, VERSIONS_AUTOMATIC_MAX as i64 - 1), |row| {
        row.get::<_, i64>(0)
    })?;
    for number in oldest.collect::<Result<Vec<_>, _>>()? {
        delete_version(connection, head.history, number.cast_unsigned(), made.time)?;
    }
    Ok(())
}

/// Writes the version that `head` says is the last.
pub(super) fn put_version(connection: &Connection, head: &Head, made: &Made, body: Body) -> Result<(), Failure> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO document_version (document, number, name, author, time, through, body, pieces, bytes, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    insert.execute((
        head.history.0,
        signed(head.versions),
        made.name.as_deref(),
        made.author.as_str(),
        signed(made.time.0),
        signed(made.through),
        body.id,
        body.pieces,
        signed(body.bytes),
        sum::of_version(head.history, head.versions, made, body),
    ))?;
    Ok(())
}

pub(super) fn delete_version(
    connection: &Connection,
    history: History,
    number: u64,
    time: WallTime,
) -> Result<(), Failure> {
    let body: Option<i64> = connection
        .prepare_cached("DELETE FROM document_version WHERE document = ?1 AND number = ?2 RETURNING body")?
        .query_row((history.0, signed(number)), |row| row.get(0))
        .optional()?;
    body::loosen(connection, body.ok_or(documents::Failure::NotFound)?, time)
}

/// The columns a version is read from, in this order.
pub(super) const VERSION: &str = "number, name, author, time, through, body, pieces, bytes, sum";

/// Reads a version whose columns are [`VERSION`].
pub(super) fn version(history: History, row: &Row<'_>) -> Result<(Version, Body), Failure> {
    let (number, author): (u64, String) = (number(row, 0)?, row.get(2)?);
    let made = Made {
        name: row.get(1)?,
        author: Subject::new(&author),
        time: WallTime(self::number(row, 3)?),
        through: self::number(row, 4)?,
    };
    let body = body_at(row, 5)?;
    if row.get::<_, i64>(8)? != sum::of_version(history, number, &made, body) {
        return Err(documents::Failure::Unreadable(Part::Version(number)).into());
    }
    let bytes = body.bytes;
    Ok((Version { number, made, bytes }, body))
}
