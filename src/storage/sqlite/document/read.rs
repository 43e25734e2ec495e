//! A document, or a version of one, as of one moment.

use bytes::Bytes;
use rusqlite::Connection;
use starling_core::document::guard::Snapshot;
use starling_core::document::log::Row;
use starling_core::id::ChannelName;
use starling_core::time::WallTime;

use super::super::reader::snapshot as as_of_one_moment;
use super::super::row::{Failure, number};
use super::{body, list, snapshot};
use crate::metrics::Metrics;
use crate::storage::documents::head::Head;
use crate::storage::documents::request::{Base, Question, Reply};
use crate::storage::documents::{self, Found, History, Part, Version};
use crate::storage::sum::{self, signed};

/// Answers a question.
pub(in crate::storage::sqlite) fn answer(connection: &Connection, metrics: &Metrics, question: Question) {
    let asked = Asked {
        connection,
        metrics,
        document: question.document().cloned(),
    };
    match question {
        Question::Read {
            document,
            history,
            after,
            base,
            bytes_max,
            reply,
        } => asked.tell(reply, |it| read(it, &document, history, after, base, bytes_max)),
        Question::Stats { document, reply } => asked.tell(reply, |it| list::stats(it, &document)),
        Question::Versions {
            document,
            before,
            max,
            reply,
        } => asked.tell(reply, |it| list::versions(it, &document, before, max)),
        Question::Version {
            document,
            number,
            reply,
        } => asked.tell(reply, |it| version(it, &document, number)),
        Question::List {
            prefix,
            after,
            max,
            reply,
        } => asked.tell(reply, |it| list::documents(it, &prefix, &after, max)),
        Question::Trash { after, max, reply } => asked.tell(reply, |it| list::trash(it, after, max)),
    }
}

/// What a question is answered from.
struct Asked<'a> {
    connection: &'a Connection,
    metrics: &'a Metrics,
    document: Option<ChannelName>,
}

impl Asked<'_> {
    fn tell<T>(&self, reply: Reply<T>, read: impl FnOnce(&Connection) -> Result<T, Failure>) {
        let found = as_of_one_moment(self.connection, read).map_err(|failure| {
            let failure = failure.of_document();
            documents::tell(self.metrics, self.document.as_ref(), failure);
            failure
        });
        let _ = reply.send(found); // whoever asked may have gone
    }
}

fn read(
    connection: &Connection,
    document: &ChannelName,
    history: Option<History>,
    after: u64,
    base: Base,
    bytes_max: u64,
) -> Result<Option<Found>, Failure> {
    let Some(head) = Head::of(connection, document)? else {
        return Ok(None);
    };
    head.check(history)?;
    if after > head.last {
        return Err(documents::Failure::Forgotten { last: head.last }.into());
    }
    let snapshot = match head.snapshot > after {
        true => base_of(connection, &head, base)?.filter(|(through, _)| *through > after),
        false => None,
    };
    let from = snapshot.as_ref().map_or(after, |(through, _)| *through);
    let rows = rows(connection, &head, from, bytes_max)?;
    if rows.is_empty() && from < head.last {
        return Err(match base {
            Base::Newest => documents::Failure::Unreadable(Part::Row(from + 1)),
            Base::Previous => documents::Failure::NotFound, // the sweep was there
        }
        .into());
    }
    let snapshot = match snapshot {
        Some((through, at)) => Some((through, body::get(connection, at, Part::Snapshot(through))?)),
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
fn base_of(connection: &Connection, head: &Head, base: Base) -> Result<Option<(u64, documents::body::Body)>, Failure> {
    let through = match base {
        Base::Newest => head.snapshot,
        Base::Previous => head.snapshot - 1,
    };
    let found = snapshot::find(connection, head.history, through)?;
    // The head says that there is one.
    if base == Base::Newest && found.is_none_or(|(found, _)| found != through) {
        return Err(documents::Failure::Unreadable(Part::Snapshot(through)).into());
    }
    Ok(found)
}

/// The rows after one, as many as fit: whole, in order and without a gap.
fn rows(connection: &Connection, head: &Head, after: u64, bytes_max: u64) -> Result<Vec<Row>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT n, time, sum, change FROM document_row WHERE document = ?1 AND n > ?2 AND n <= ?3 ORDER BY n",
    )?;
    let mut found = statement.query((head.history.0, signed(after), signed(head.last)))?;
    let mut rows = Vec::new();
    let mut bytes = 0;
    while let Some(row) = found.next()? {
        let next = after + rows.len() as u64 + 1;
        let unreadable = documents::Failure::Unreadable(Part::Row(next));
        let update = row.get_ref(3)?.as_blob().map_err(|_| unreadable)?;
        let (n, time) = (number(row, 0)?, WallTime(number(row, 1)?));
        let is_sound = n == next && row.get::<_, i64>(2)? == sum::of_row(head.history, n, time, update);
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
    match end < head.last && !rows.is_empty() {
        true => Err(documents::Failure::Unreadable(Part::Row(end + 1)).into()),
        false => Ok(rows),
    }
}

fn version(connection: &Connection, document: &ChannelName, number: u64) -> Result<(Version, Snapshot), Failure> {
    let head = Head::of(connection, document)?.ok_or(documents::Failure::NotFound)?;
    let select = format!(
        "SELECT {} FROM document_version WHERE document = ?1 AND number = ?2",
        snapshot::VERSION
    );
    let mut statement = connection.prepare_cached(&select)?;
    let mut rows = statement.query((head.history.0, signed(number)))?;
    let row = rows.next()?.ok_or(documents::Failure::NotFound)?;
    let (version, at) = snapshot::version(head.history, row)?;
    let found = body::get(connection, at, Part::Version(number))?;
    Ok((version, found))
}
