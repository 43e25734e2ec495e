//! Documents in the file: what each write does to the tables, and what is read of them.
//!
//! * here: appending rows, and which file has what else;
//! * `head`: the row that says what there is; `body`: pieces;
//! * `snapshot`: snapshots and versions; `trash`: deletion, and what comes back from it;
//! * `read`: a document or a version in whole; `list`: what an operator asks.

use rusqlite::Connection;
use starling_core::time::WallTime;

use super::row::Failure;
use crate::storage::documents::head::Head;
use crate::storage::documents::request::{Append, Write};
use crate::storage::documents::{self, TRASH_TIME};
use crate::storage::sum::{self, signed};

mod body;
mod head;
mod list;
mod read;
mod snapshot;
mod trash;

pub(super) use read::answer;

/// Does one write. What is refused has changed something already: the caller undoes it.
pub(super) fn write(connection: &Connection, write: &Write) -> Result<i64, Failure> {
    match write {
        Write::Append(rows) => append(connection, rows),
        Write::Piece { body, n, bytes, time } => body::put_first(connection, *body, *n, bytes, *time).map(|()| 0),
        Write::Snapshot {
            document,
            history,
            through,
            body,
            last,
            time,
        } => {
            let mut head = Head::of(connection, document)?.ok_or(documents::Failure::Gone)?;
            head.replace(*history, *through)?;
            body::put_last(connection, *body, last)?;
            snapshot::put(connection, &head, *body, *time)?;
            head.save(connection, document)?;
            head.look(connection, after_trash(*time))?;
            Ok(0)
        }
        Write::MakeVersion {
            document,
            history,
            made,
            body,
            last,
        } => {
            let mut head = Head::of(connection, document)?.ok_or(documents::Failure::Gone)?;
            head.reaches(*history, made.through)?;
            head.versions += 1;
            snapshot::make_room(connection, &head, made)?;
            body::put_last(connection, *body, last)?;
            snapshot::put_version(connection, &head, made, *body)?;
            head.save(connection, document)?;
            Ok(signed(head.versions))
        }
        Write::DeleteVersion { document, number, time } => {
            let head = Head::of(connection, document)?.ok_or(documents::Failure::NotFound)?;
            snapshot::delete_version(connection, head.history, *number, *time).map(|()| 0)
        }
        Write::Delete { document, time } => trash::delete(connection, document, *time).map(|()| 0),
        Write::Restore { history, time } => trash::restore(connection, *history, *time).map(|()| 0),
        Write::Sweep { now } => trash::sweep(connection, *now).map(i64::from),
    }
}

fn append(connection: &Connection, append: &Append) -> Result<i64, Failure> {
    let Append {
        document,
        history,
        rows,
        time,
    } = append;
    let mut head = match (Head::of(connection, document)?, history) {
        (Some(head), _) => head,
        (None, None) => Head::begin(connection, document, *time)?,
        (None, Some(_)) => return Err(documents::Failure::Gone.into()),
    };
    head.append(*history, rows)?;
    let mut insert = connection
        .prepare_cached("INSERT INTO document_row (document, n, time, sum, change) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for row in rows {
        let sum = sum::of_row(head.history, row.n, *time, &row.update);
        let id = head.history.0;
        insert.execute((id, signed(row.n), signed(time.0), sum, row.update.as_ref()))?;
    }
    head.save(connection, document)?;
    Ok(head.history.0)
}

/// When what goes into the trash now may leave it.
fn after_trash(time: WallTime) -> WallTime {
    let kept = u64::try_from(TRASH_TIME.as_millis()).unwrap_or(u64::MAX);
    WallTime(time.0.saturating_add(kept))
}
