//! The heads of documents: their rows in `document`.

use deadpool_postgres::Transaction;
use starling_core::id::ChannelName;
use starling_core::time::WallTime;
use tokio_postgres::Row;

use super::super::row::{Failure, number};
use crate::storage::documents::head::Head;
use crate::storage::documents::{self, History, Part};
use crate::storage::sum::{self, signed};

/// The columns a head is read from, in this order.
macro_rules! document_columns {
    () => {
        "id, made, last, snapshot, versions, sum, name"
    };
}
pub(in super::super) use document_columns;

const FIND: &str = concat!(
    "SELECT ",
    document_columns!(),
    " FROM starling.document WHERE name = $1 AND deleted IS NULL"
);

const HOLD: &str = concat!(
    "SELECT ",
    document_columns!(),
    " FROM starling.document WHERE name = $1 AND deleted IS NULL FOR UPDATE"
);

/// Reads a head; `None` if it is damaged.
pub(super) fn head(row: &Row) -> Result<Option<Head>, Failure> {
    let read = || {
        Ok(Head {
            history: History(row.try_get(0)?),
            made: WallTime(number(row, 1)?),
            last: number(row, 2)?,
            snapshot: number(row, 3)?,
            versions: number(row, 4)?,
        })
    };
    let head = match read() {
        Err(Failure::Damaged(_)) => return Ok(None),
        head => head?,
    };
    let is_sound = row.try_get::<_, i64>(5)? == sum::of_document(row.try_get(6)?, &head);
    Ok(is_sound.then_some(head))
}

/// The head of a document, if there is one.
pub(super) async fn find(transaction: &Transaction<'_>, document: &ChannelName) -> Result<Option<Head>, Failure> {
    one(transaction, FIND, document).await
}

/// The same, and nobody else changes it until the transaction has ended.
pub(super) async fn hold(transaction: &Transaction<'_>, document: &ChannelName) -> Result<Option<Head>, Failure> {
    one(transaction, HOLD, document).await
}

async fn one(transaction: &Transaction<'_>, select: &str, document: &ChannelName) -> Result<Option<Head>, Failure> {
    let statement = transaction.prepare_cached(select).await?;
    match transaction.query_opt(&statement, &[&document.as_str()]).await? {
        None => Ok(None),
        Some(row) => match head(&row)? {
            Some(head) => Ok(Some(head)),
            None => Err(documents::Failure::Unreadable(Part::Head).into()),
        },
    }
}

/// Writes the row of a document that begins. Another owner that begins it at the same moment is waited for.
pub(super) async fn begin(
    transaction: &Transaction<'_>,
    document: &ChannelName,
    made: WallTime,
) -> Result<(), Failure> {
    const BEGIN: &str = "INSERT INTO starling.document (name, made, last, snapshot, versions, sum)
         VALUES ($1, $2, 0, 0, 0, $3) ON CONFLICT (name) WHERE deleted IS NULL DO NOTHING";
    let statement = transaction.prepare_cached(BEGIN).await?;
    // The number of a document is not in its sum.
    let sum = sum::of_document(document.as_str(), &Head::new(History(0), made));
    transaction
        .execute(&statement, &[&document.as_str(), &signed(made.0), &sum])
        .await?;
    Ok(())
}

/// Writes the row as it is now.
pub(super) async fn save(transaction: &Transaction<'_>, head: &Head, document: &ChannelName) -> Result<(), Failure> {
    const SAVE: &str = "UPDATE starling.document SET last = $2, snapshot = $3, versions = $4, sum = $5 WHERE id = $1";
    let statement = transaction.prepare_cached(SAVE).await?;
    let (last, snapshot, versions) = (signed(head.last), signed(head.snapshot), signed(head.versions));
    let sum = sum::of_document(document.as_str(), head);
    transaction
        .execute(&statement, &[&head.history.0, &last, &snapshot, &versions, &sum])
        .await?;
    Ok(())
}

/// Has the sweep look at it then, or before.
pub(super) async fn look(transaction: &Transaction<'_>, head: &Head, at: WallTime) -> Result<(), Failure> {
    const LOOK: &str = "UPDATE starling.document SET due = least(due, $2) WHERE id = $1";
    let statement = transaction.prepare_cached(LOOK).await?;
    transaction
        .execute(&statement, &[&head.history.0, &signed(at.0)])
        .await?;
    Ok(())
}
