//! What an operator asks: which documents there are, and how much of each.

use rusqlite::{Connection, Row};
use starling_core::id::ChannelName;
use starling_core::time::WallTime;

use super::super::row::{Failure, number};
use super::head::{HEAD, head};
use super::snapshot::{VERSION, version};
use crate::storage::documents::head::Head;
use crate::storage::documents::{self, History, Listed, Stats, Trashed, Version, names_end};
use crate::storage::sum::signed;

pub(super) fn stats(connection: &Connection, document: &ChannelName) -> Result<Option<Stats>, Failure> {
    let Some(head) = Head::of(connection, document)? else {
        return Ok(None);
    };
    let (id, through) = (head.history.0, signed(head.snapshot));
    let sums = |select: &str, compared: i64| -> Result<(u64, u64), Failure> {
        let mut statement = connection.prepare_cached(select)?;
        let mut rows = statement.query((id, compared))?;
        match rows.next()? {
            Some(row) => Ok((number(row, 0)?, number(row, 1)?)),
            None => Ok((0, 0)),
        }
    };
    const ROWS: &str = "SELECT count(*), coalesce(sum(length(change)), 0) FROM document_row WHERE document = ?1";
    const SNAPSHOTS: &str = "SELECT count(*), coalesce(sum(bytes), 0) FROM document_snapshot WHERE document = ?1";
    let rows = sums(&format!("{ROWS} AND n <= ?2"), through)?;
    let snapshots = sums(&format!("{SNAPSHOTS} AND through < ?2"), through)?;
    Ok(Some(Stats {
        history: head.history,
        made: head.made,
        last: head.last,
        tail: sums(&format!("{ROWS} AND n > ?2"), through)?,
        snapshot: sums(
            "SELECT through, bytes FROM document_snapshot WHERE document = ?1 AND through = ?2",
            through,
        )?,
        versions: sums(
            "SELECT count(*), coalesce(sum(bytes), 0) FROM document_version WHERE document = ?1 AND number <= ?2",
            i64::MAX,
        )?,
        trash: (rows.0 + snapshots.0, rows.1 + snapshots.1),
    }))
}

pub(super) fn versions(
    connection: &Connection,
    document: &ChannelName,
    before: u64,
    max: u32,
) -> Result<Vec<Version>, Failure> {
    let history = Head::of(connection, document)?
        .ok_or(documents::Failure::NotFound)?
        .history;
    let select = format!(
        "SELECT {VERSION} FROM document_version WHERE document = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
    );
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&select)?;
    collect(statement.query((history.0, before, max))?, |row| {
        version(history, row).map(|(version, _)| Some(version))
    })
}

pub(super) fn documents(connection: &Connection, prefix: &str, after: &str, max: u32) -> Result<Vec<Listed>, Failure> {
    let select = format!(
        "SELECT {HEAD} FROM document WHERE deleted IS NULL AND name >= ?1 AND name < ?2 AND name > ?3
         ORDER BY name LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&select)?;
    collect(statement.query((prefix, names_end(prefix), after, max))?, |row| {
        let head = head(row)?;
        Ok(name(row, 6)?.map(|document| Listed {
            document,
            last: head.as_ref().map_or(0, |head| head.last),
            snapshot: head.as_ref().map_or(0, |head| head.snapshot),
            is_sound: head.is_some(),
        }))
    })
}

pub(super) fn trash(connection: &Connection, after: i64, max: u32) -> Result<Vec<Trashed>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, deleted FROM document WHERE deleted IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2",
    )?;
    collect(statement.query((after, max))?, |row| {
        let (history, deleted) = (History(row.get(0)?), WallTime(number(row, 2)?));
        Ok(name(row, 1)?.map(|document| Trashed {
            history,
            document,
            deleted,
        }))
    })
}

/// A name that is none any more is damaged; whoever opens it finds that out.
fn name(row: &Row<'_>, column: usize) -> Result<Option<ChannelName>, Failure> {
    Ok(ChannelName::parse(&row.get::<_, String>(column)?).ok())
}

fn collect<T>(
    mut rows: rusqlite::Rows<'_>,
    read: impl Fn(&Row<'_>) -> Result<Option<T>, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(read(row)?);
    }
    Ok(found)
}
