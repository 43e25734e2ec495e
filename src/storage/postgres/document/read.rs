//! A document, or a version of one, as of one moment.

use std::sync::Arc;

use bytes::Bytes;
use deadpool_postgres::Transaction;
use starling_core::document::guard::Snapshot;
use starling_core::document::log::Row;
use starling_core::id::ChannelName;
use starling_core::time::WallTime;
use tokio::sync::OwnedSemaphorePermit;

use super::super::row::{Failure, number};
use super::super::{Shared, reader};
use super::{body, head, list, snapshot};
use crate::storage::documents::body::Body;
use crate::storage::documents::head::Head;
use crate::storage::documents::request::{Base, Question, Reply};
use crate::storage::documents::{self, Found, History, Listed, Part, Stats, Trashed, Version};
use crate::storage::sum::{self, signed};

/// Reads, and answers.
pub(in super::super) fn start(shared: &Arc<Shared>, question: Question, permit: OwnedSemaphorePermit) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let found = reader::read(&shared, &question).await;
        let found = found.map_err(|failure| {
            let told = failure.of_document();
            documents::tell(&shared.metrics, question.document(), told);
            told
        });
        answer(question, found);
        drop(permit);
    });
}

/// What a question is answered with.
pub(in super::super) enum Answered {
    Read(Option<Found>),
    Stats(Option<Stats>),
    Versions(Vec<Version>),
    Version(Box<(Version, Snapshot)>),
    List(Vec<Listed>),
    Trash(Vec<Trashed>),
}

fn answer(question: Question, found: Result<Answered, documents::Failure>) {
    fn send<T>(reply: Reply<T>, found: Result<T, documents::Failure>) {
        let _ = reply.send(found); // whoever asked may have gone
    }
    match (question, found) {
        (Question::Read { reply, .. }, Ok(Answered::Read(found))) => send(reply, Ok(found)),
        (Question::Stats { reply, .. }, Ok(Answered::Stats(found))) => send(reply, Ok(found)),
        (Question::Versions { reply, .. }, Ok(Answered::Versions(found))) => send(reply, Ok(found)),
        (Question::Version { reply, .. }, Ok(Answered::Version(found))) => send(reply, Ok(*found)),
        (Question::List { reply, .. }, Ok(Answered::List(found))) => send(reply, Ok(found)),
        (Question::Trash { reply, .. }, Ok(Answered::Trash(found))) => send(reply, Ok(found)),
        (question, found) => {
            let failure = found.err().unwrap_or(documents::Failure::Unavailable);
            match question {
                Question::Read { reply, .. } => send(reply, Err(failure)),
                Question::Stats { reply, .. } => send(reply, Err(failure)),
                Question::Versions { reply, .. } => send(reply, Err(failure)),
                Question::Version { reply, .. } => send(reply, Err(failure)),
                Question::List { reply, .. } => send(reply, Err(failure)),
                Question::Trash { reply, .. } => send(reply, Err(failure)),
            }
        }
    }
}

impl reader::Question for Question {
    type Found = Answered;

    async fn read(&self, transaction: &Transaction<'_>) -> Result<Answered, Failure> {
        match self {
            Self::Read {
                document,
                history,
                after,
                base,
                bytes_max,
                ..
            } => read(transaction, document, *history, *after, *base, *bytes_max)
                .await
                .map(Answered::Read),
            Self::Stats { document, .. } => list::stats(transaction, document).await.map(Answered::Stats),
            Self::Versions {
                document, before, max, ..
            } => list::versions(transaction, document, *before, *max)
                .await
                .map(Answered::Versions),
            Self::Version { document, number, .. } => {
                let found = version(transaction, document, *number).await?;
                Ok(Answered::Version(Box::new(found)))
            }
            Self::List { prefix, after, max, .. } => list::documents(transaction, prefix, after, *max)
                .await
                .map(Answered::List),
            Self::Trash { after, max, .. } => list::trash(transaction, *after, *max).await.map(Answered::Trash),
        }
    }
}

async fn read(
    transaction: &Transaction<'_>,
    document: &ChannelName,
    history: Option<History>,
    after: u64,
    base: Base,
    bytes_max: u64,
) -> Result<Option<Found>, Failure> {
    let Some(head) = head::find(transaction, document).await? else {
        return Ok(None);
    };
    head.check(history)?;
    if after > head.last {
        return Err(documents::Failure::Forgotten { last: head.last }.into());
    }
    let snapshot = match head.snapshot > after {
        true => base_of(transaction, &head, base)
            .await?
            .filter(|(through, _)| *through > after),
        false => None,
    };
    let from = snapshot.as_ref().map_or(after, |(through, _)| *through);
    let rows = rows(transaction, &head, from, bytes_max).await?;
    if rows.is_empty() && from < head.last {
        return Err(match base {
            Base::Newest => documents::Failure::Unreadable(Part::Row(from + 1)),
            Base::Previous => documents::Failure::NotFound, // the sweep was there
        }
        .into());
    }
    let snapshot = match snapshot {
        Some((through, at)) => Some((through, body::get(transaction, at, Part::Snapshot(through)).await?)),
        None => None,
    };
    Ok(Some(Found {
        history: head.history,
        snapshot,
        rows,
        last: head.last,
    }))
}

/// The snapshot that a document is read from.
async fn base_of(transaction: &Transaction<'_>, head: &Head, base: Base) -> Result<Option<(u64, Body)>, Failure> {
    let through = match base {
        Base::Newest => head.snapshot,
        Base::Previous => head.snapshot - 1,
    };
    let found = snapshot::find(transaction, head.history, through).await?;
    // The head says that there is one.
    if base == Base::Newest && found.is_none_or(|(found, _)| found != through) {
        return Err(documents::Failure::Unreadable(Part::Snapshot(through)).into());
    }
    Ok(found)
}

/// Rows after one, up to the first that goes beyond so many bytes: the last of them may not fit.
const ROWS: &str = "SELECT n, time, sum, change
     FROM (SELECT *, sum(length(change)) OVER (ORDER BY n) AS total FROM starling.document_row
         WHERE document = $1 AND n > $2 AND n <= $3 ORDER BY n) AS tail
     WHERE total - length(change) <= $4::bigint ORDER BY n";

/// The rows after one, as many as fit: whole, in order and without a gap.
async fn rows(transaction: &Transaction<'_>, head: &Head, after: u64, bytes_max: u64) -> Result<Vec<Row>, Failure> {
    let statement = transaction.prepare_cached(ROWS).await?;
    let found = transaction
        .query(
            &statement,
            &[&head.history.0, &signed(after), &signed(head.last), &signed(bytes_max)],
        )
        .await?;
    let mut rows = Vec::with_capacity(found.len());
    let mut bytes = 0;
    for row in &found {
        let next = after + rows.len() as u64 + 1;
        let unreadable = documents::Failure::Unreadable(Part::Row(next));
        let update: &[u8] = row.try_get(3)?;
        let (n, time) = (number(row, 0)?, WallTime(number(row, 1)?));
        let is_sound = n == next && row.try_get::<_, i64>(2)? == sum::of_row(head.history, n, time, update);
        if !is_sound {
            // One that the sweep has deleted is not looked for here.
            return if rows.is_empty() && n > next {
                Ok(rows)
            } else {
                Err(unreadable.into())
            };
        }
        bytes += update.len() as u64;
        if bytes > bytes_max && !rows.is_empty() {
            return Ok(rows);
        }
        rows.push(Row {
            n,
            update: Bytes::copy_from_slice(update),
        });
    }
    let end = after + rows.len() as u64;
    match end < head.last && !rows.is_empty() && bytes <= bytes_max {
        true => Err(documents::Failure::Unreadable(Part::Row(end + 1)).into()),
        false => Ok(rows),
    }
}

async fn version(
    transaction: &Transaction<'_>,
    document: &ChannelName,
    number: u64,
) -> Result<(Version, Snapshot), Failure> {
    const VERSION: &str = concat!(
        "SELECT ",
        snapshot::version_columns!(),
        " FROM starling.document_version WHERE document = $1 AND number = $2"
    );
    let head = head::find(transaction, document)
        .await?
        .ok_or(documents::Failure::NotFound)?;
    let statement = transaction.prepare_cached(VERSION).await?;
    let row = transaction
        .query_opt(&statement, &[&head.history.0, &signed(number)])
        .await?;
    let (version, at) = snapshot::version(head.history, &row.ok_or(documents::Failure::NotFound)?)?;
    let found = body::get(transaction, at, Part::Version(number)).await?;
    Ok((version, found))
}
