//! Snapshots and versions: the rows that name their bodies.

use deadpool_postgres::Transaction;
use starling_core::id::Subject;
use starling_core::time::WallTime;
use tokio_postgres::Row;

use super::super::row::{Failure, number, text};
use super::body;
use crate::storage::documents::body::Body;
use crate::storage::documents::head::Head;
use crate::storage::documents::{
    self, History, Made, Part, REPLACED_APART, VERSIONS_AUTOMATIC_MAX, VERSIONS_NAMED_MAX, Version,
};
use crate::storage::sum::{self, signed};

/// Puts the snapshot that `head` says is the newest. The one before is kept if the one before that is far enough from it;
/// the rows that it took the place of stay, and say what was between.
pub(super) async fn put(transaction: &Transaction<'_>, head: &Head, body: Body, time: WallTime) -> Result<(), Failure> {
    const REPLACED: &str = "SELECT through, time, body FROM starling.document_snapshot WHERE document = $1
         ORDER BY through DESC LIMIT 2";
    const DELETE: &str = "DELETE FROM starling.document_snapshot WHERE document = $1 AND through = $2";
    const PUT: &str = "INSERT INTO starling.document_snapshot (document, through, time, body, pieces, bytes, sum)
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let id = head.history.0;
    let statement = transaction.prepare_cached(REPLACED).await?;
    let replaced = transaction.query(&statement, &[&id]).await?;
    if let [last, before] = &replaced[..] {
        let apart = i128::from(last.try_get::<_, i64>(1)?) - i128::from(before.try_get::<_, i64>(1)?);
        if apart < REPLACED_APART.as_millis().cast_signed() {
            let delete = transaction.prepare_cached(DELETE).await?;
            transaction
                .execute(&delete, &[&id, &last.try_get::<_, i64>(0)?])
                .await?;
            body::loosen(transaction, last.try_get(2)?, time).await?;
        }
    }
    let insert = transaction.prepare_cached(PUT).await?;
    let (through, at) = (signed(head.snapshot), signed(time.0));
    let sum = sum::of_snapshot(head.history, head.snapshot, time, body);
    let (pieces, bytes) = (i64::from(body.pieces), signed(body.bytes));
    transaction
        .execute(&insert, &[&id, &through, &at, &body.id, &pieces, &bytes, &sum])
        .await?;
    Ok(())
}

/// Where the newest snapshot of a document up to row `through` is, and its last row.
pub(super) async fn find(
    transaction: &Transaction<'_>,
    history: History,
    through: u64,
) -> Result<Option<(u64, Body)>, Failure> {
    const FIND: &str = "SELECT through, time, body, pieces, bytes, sum FROM starling.document_snapshot
         WHERE document = $1 AND through <= $2 ORDER BY through DESC LIMIT 1";
    let statement = transaction.prepare_cached(FIND).await?;
    let row = transaction
        .query_opt(&statement, &[&history.0, &signed(through)])
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let (through, time) = (number(&row, 0)?, WallTime(number(&row, 1)?));
    let body = body_at(&row, 2)?;
    match row.try_get::<_, i64>(5)? == sum::of_snapshot(history, through, time, body) {
        true => Ok(Some((through, body))),
        false => Err(documents::Failure::Unreadable(Part::Snapshot(through)).into()),
    }
}

fn body_at(row: &Row, column: usize) -> Result<Body, Failure> {
    Ok(Body {
        id: row.try_get(column)?,
        pieces: u32::try_from(number(row, column + 1)?).map_err(|_| Failure::Damaged("number of pieces"))?,
        bytes: number(row, column + 2)?,
    })
}

/// Sees to it that another version fits.
pub(super) async fn make_room(transaction: &Transaction<'_>, head: &Head, made: &Made) -> Result<(), Failure> {
    const COUNT: &str = "SELECT count(*) FROM starling.document_version WHERE document = $1 AND name IS NOT NULL";
    const OLDEST: &str = "SELECT number FROM starling.document_version WHERE document = $1 AND name IS NULL
         ORDER BY number DESC OFFSET $2";
    let id = head.history.0;
    if made.name.is_some() {
        let count = transaction.prepare_cached(COUNT).await?;
        let count: i64 = transaction.query_one(&count, &[&id]).await?.try_get(0)?;
        let max = VERSIONS_NAMED_MAX;
        return match count < max as i64 {
            true => Ok(()),
            false => Err(documents::Failure::VersionsFull { max }.into()),
        };
    }
    let oldest = transaction.prepare_cached(OLDEST).await?;
    let kept = VERSIONS_AUTOMATIC_MAX as i64 - 1;
    for row in transaction.query(&oldest, &[&id, &kept]).await? {
        delete_version(transaction, head.history, row.try_get(0)?, made.time).await?;
    }
    Ok(())
}

/// Writes the version that `head` says is the last.
pub(super) async fn put_version(
    transaction: &Transaction<'_>,
    head: &Head,
    made: &Made,
    body: Body,
) -> Result<(), Failure> {
    const PUT: &str = "INSERT INTO starling.document_version
             (document, number, name, author, time, through, body, pieces, bytes, sum)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let insert = transaction.prepare_cached(PUT).await?;
    transaction
        .execute(
            &insert,
            &[
                &head.history.0,
                &signed(head.versions),
                &made.name.as_ref().map(String::as_bytes),
                &made.author.as_str().as_bytes(),
                &signed(made.time.0),
                &signed(made.through),
                &body.id,
                &i64::from(body.pieces),
                &signed(body.bytes),
                &sum::of_version(head.history, head.versions, made, body),
            ],
        )
        .await?;
    Ok(())
}

pub(super) async fn delete_version(
    transaction: &Transaction<'_>,
    history: History,
    number: i64,
    time: WallTime,
) -> Result<(), Failure> {
    const DELETE: &str = "DELETE FROM starling.document_version WHERE document = $1 AND number = $2 RETURNING body";
    let delete = transaction.prepare_cached(DELETE).await?;
    let row = transaction.query_opt(&delete, &[&history.0, &number]).await?;
    let body = row.ok_or(documents::Failure::NotFound)?.try_get(0)?;
    body::loosen(transaction, body, time).await
}

/// The columns a version is read from, in this order.
macro_rules! version_columns {
    () => {
        "number, name, author, time, through, body, pieces, bytes, sum"
    };
}
pub(super) use version_columns;

/// Reads a version.
pub(super) fn version(history: History, row: &Row) -> Result<(Version, Body), Failure> {
    let number = number(row, 0)?;
    let unreadable = documents::Failure::Unreadable(Part::Version(number));
    let name = row
        .try_get::<_, Option<&[u8]>>(1)?
        .map(|name| text(name).ok_or(unreadable));
    let made = Made {
        name: name.transpose()?.map(ToOwned::to_owned),
        author: Subject::new(text(row.try_get(2)?).ok_or(unreadable)?),
        time: WallTime(self::number(row, 3)?),
        through: self::number(row, 4)?,
    };
    let body = body_at(row, 5)?;
    if row.try_get::<_, i64>(8)? != sum::of_version(history, number, &made, body) {
        return Err(unreadable.into());
    }
    let bytes = body.bytes;
    Ok((Version { number, made, bytes }, body))
}
