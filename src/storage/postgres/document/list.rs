//! What an operator asks: which documents there are, and how much of each.

use deadpool_postgres::Transaction;
use starling_core::id::ChannelName;
use starling_core::time::WallTime;
use tokio_postgres::Row;

use super::super::row::{Failure, number};
use super::head::{document_columns, find, head};
use super::snapshot::{version, version_columns};
use crate::storage::documents::{self, History, Listed, Stats, Trashed, Version, names_end};
use crate::storage::sum::signed;

/// How much there is of a document, in one row: its last snapshot may be missing.
const STATS: &str = "SELECT tail.count, tail.bytes, old.count + replaced.count, old.bytes + replaced.bytes,
         version.count, version.bytes,
         coalesce((SELECT through FROM starling.document_snapshot WHERE document = $1 AND through = $2), 0),
         coalesce((SELECT bytes FROM starling.document_snapshot WHERE document = $1 AND through = $2), 0)
     FROM (SELECT count(*), coalesce(sum(length(change)), 0)::bigint AS bytes
             FROM starling.document_row WHERE document = $1 AND n > $2) AS tail,
         (SELECT count(*), coalesce(sum(length(change)), 0)::bigint AS bytes
             FROM starling.document_row WHERE document = $1 AND n <= $2) AS old,
         (SELECT count(*), coalesce(sum(bytes), 0)::bigint AS bytes
             FROM starling.document_snapshot WHERE document = $1 AND through < $2) AS replaced,
         (SELECT count(*), coalesce(sum(bytes), 0)::bigint AS bytes
             FROM starling.document_version WHERE document = $1) AS version";

pub(super) async fn stats(transaction: &Transaction<'_>, document: &ChannelName) -> Result<Option<Stats>, Failure> {
    let Some(head) = find(transaction, document).await? else {
        return Ok(None);
    };
    let statement = transaction.prepare_cached(STATS).await?;
    let row = transaction
        .query_one(&statement, &[&head.history.0, &signed(head.snapshot)])
        .await?;
    let pair = |column| Ok::<_, Failure>((number(&row, column)?, number(&row, column + 1)?));
    Ok(Some(Stats {
        history: head.history,
        made: head.made,
        last: head.last,
        tail: pair(0)?,
        snapshot: pair(6)?,
        versions: pair(4)?,
        trash: pair(2)?,
    }))
}

pub(super) async fn versions(
    transaction: &Transaction<'_>,
    document: &ChannelName,
    before: u64,
    max: u32,
) -> Result<Vec<Version>, Failure> {
    const VERSIONS: &str = concat!(
        "SELECT ",
        version_columns!(),
        " FROM starling.document_version WHERE document = $1 AND number < $2 ORDER BY number DESC LIMIT $3"
    );
    let head = find(transaction, document).await?.ok_or(documents::Failure::NotFound)?;
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let statement = transaction.prepare_cached(VERSIONS).await?;
    let rows = transaction
        .query(&statement, &[&head.history.0, &before, &i64::from(max)])
        .await?;
    rows.iter()
        .map(|row| version(head.history, row).map(|(version, _)| version))
        .collect()
}

pub(super) async fn documents(
    transaction: &Transaction<'_>,
    prefix: &str,
    after: &str,
    max: u32,
) -> Result<Vec<Listed>, Failure> {
    const LIST: &str = concat!(
        "SELECT ",
        document_columns!(),
        " FROM starling.document WHERE deleted IS NULL AND name >= $1 AND name < $2 AND name > $3
         ORDER BY name LIMIT $4"
    );
    let statement = transaction.prepare_cached(LIST).await?;
    let rows = transaction
        .query(&statement, &[&prefix, &names_end(prefix), &after, &i64::from(max)])
        .await?;
    let listed = rows.iter().filter_map(|row| {
        let document = name(row, 6)?;
        Some(head(row).map(|head| Listed {
            document,
            last: head.as_ref().map_or(0, |head| head.last),
            snapshot: head.as_ref().map_or(0, |head| head.snapshot),
            is_sound: head.is_some(),
        }))
    });
    listed.collect()
}

pub(super) async fn trash(transaction: &Transaction<'_>, after: i64, max: u32) -> Result<Vec<Trashed>, Failure> {
    const TRASH: &str = "SELECT id, name, deleted FROM starling.document WHERE deleted IS NOT NULL AND id > $1
         ORDER BY id LIMIT $2";
    let statement = transaction.prepare_cached(TRASH).await?;
    let rows = transaction.query(&statement, &[&after, &i64::from(max)]).await?;
    let trashed = rows.iter().filter_map(|row| {
        let document = name(row, 1)?;
        let read = || {
            Ok(Trashed {
                history: History(row.try_get(0)?),
                document,
                deleted: WallTime(number(row, 2)?),
            })
        };
        Some(read())
    });
    trashed.collect()
}

/// A name that is none any more is damaged; whoever opens it finds that out.
fn name(row: &Row, column: usize) -> Option<ChannelName> {
    ChannelName::parse(row.try_get(column).ok()?).ok()
}
