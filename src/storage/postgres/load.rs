//! A channel, but for the messages that stay in the store.

use std::sync::Arc;

use deadpool_postgres::Transaction;
use starling_core::channel::publishers::Fate;
use starling_core::channel::spilled::CHUNK_MESSAGES;
use starling_core::channel::stored::{Chunk, StoredRequest, StoredResult};
use starling_core::channel::{Memory, Message, Stored};
use starling_core::id::{Author, ChannelName, IdempotencyKey, PublisherId, Seq, Serial, Subject, Term};
use starling_core::time::WallTime;
use tokio_postgres::Row;

use super::row::{self, Failure, head_columns, message_columns, number, text};
use crate::storage::head::Head;
use crate::storage::sum::{self, signed};

const HEAD: &str = concat!("SELECT ", head_columns!(), " FROM starling.channel WHERE name = $1");

/// The newest messages that fit: their weights are added up before any payload is touched.
const NEWEST: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM (SELECT *, sum(weight) OVER (ORDER BY seq DESC) AS total FROM starling.message
         WHERE channel = $1 AND seq >= $2 ORDER BY seq DESC LIMIT $3) AS newest
     WHERE total <= $4::bigint ORDER BY seq"
);

const SPILLED: &str = "SELECT min(seq), max(seq), count(*), sum(weight)::bigint, max(time) FROM starling.message
     WHERE channel = $1 AND seq >= $2 AND seq < $3 GROUP BY (seq - 1) / $4 ORDER BY 1";

const TERMS: &str = "SELECT first, term, sum FROM starling.term WHERE channel = $1 ORDER BY first";

const VALUES: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM starling.value WHERE channel = $1 ORDER BY seq"
);

const RESULTS: &str = "SELECT subject, publisher, serial, seq, term, time, sum FROM starling.result WHERE channel = $1
     ORDER BY subject, publisher, serial";

const REQUESTS: &str =
    "SELECT subject, key, seq, term, time, sum FROM starling.request WHERE channel = $1 ORDER BY seq";

/// The head of `channel`, if there is one.
pub(super) async fn find(transaction: &Transaction<'_>, channel: &ChannelName) -> Result<Option<Head>, Failure> {
    let statement = transaction.prepare_cached(HEAD).await?;
    let row = transaction.query_opt(&statement, &[&channel.as_str()]).await?;
    row.map(|row| row::head(channel, &row)).transpose()
}

/// Everything that is kept of `channel`.
pub(super) async fn load(
    transaction: &Transaction<'_>,
    channel: &ChannelName,
    memory: Memory,
) -> Result<Option<Stored>, Failure> {
    let Some(head) = find(transaction, channel).await? else {
        return Ok(None);
    };
    let messages = newest(transaction, &head, memory).await?;
    let resident = messages.first().map_or_else(|| head.seq.next(), |first| first.seq);
    let id = head.id;
    // Together: one trip.
    let (spilled, terms, values, results, requests) = tokio::try_join!(
        spilled(transaction, &head, resident),
        collect(transaction, TERMS, id, |row| term(id, row)),
        values(transaction, &head),
        collect(transaction, RESULTS, id, |row| result(id, row)),
        collect(transaction, REQUESTS, id, |row| request(id, row)),
    )?;
    Ok(Some(Stored {
        terms,
        spilled,
        values,
        results,
        requests,
        messages,
        epoch: head.epoch,
        keyed: head.keyed,
        head: head.seq,
        floor: head.floor,
        keys_floor: head.keys_floor,
        used: head.used,
    }))
}

/// The newest messages that fit `memory`, in order.
async fn newest(transaction: &Transaction<'_>, head: &Head, memory: Memory) -> Result<Vec<Arc<Message>>, Failure> {
    let statement = transaction.prepare_cached(NEWEST).await?;
    let bytes = i64::try_from(memory.bytes).unwrap_or(i64::MAX);
    let rows = transaction
        .query(
            &statement,
            &[&head.id, &signed(head.floor.0), &i64::from(memory.messages), &bytes],
        )
        .await?;
    rows.iter().map(|row| row::message(head.id, row)).collect()
}

/// The sums of the messages below `resident`.
async fn spilled(transaction: &Transaction<'_>, head: &Head, resident: Seq) -> Result<Vec<Chunk>, Failure> {
    let statement = transaction.prepare_cached(SPILLED).await?;
    let (floor, resident, size) = (signed(head.floor.0), signed(resident.0), signed(CHUNK_MESSAGES));
    let rows = transaction
        .query(&statement, &[&head.id, &floor, &resident, &size])
        .await?;
    let chunk = |row: &Row| {
        let (first, last) = (number(row, 0)?, number(row, 1)?);
        sound(last - first + 1 == number(row, 2)?, "run of messages")?;
        Ok(Chunk {
            first: Seq(first),
            last: Seq(last),
            bytes: number(row, 3)?,
            time: WallTime(number(row, 4)?),
        })
    };
    rows.iter().map(chunk).collect()
}

async fn values(transaction: &Transaction<'_>, head: &Head) -> Result<Vec<Arc<Message>>, Failure> {
    if !head.keyed {
        return Ok(Vec::new());
    }
    collect(transaction, VALUES, head.id, |row| row::message(head.id, row)).await
}

fn term(channel: i64, row: &Row) -> Result<(Seq, Term), Failure> {
    let (first, term) = (Seq(number(row, 0)?), Term(number(row, 1)?));
    sound(row.try_get::<_, i64>(2)? == sum::of_term(channel, first, term), "term")?;
    Ok((first, term))
}

fn result(channel: i64, row: &Row) -> Result<StoredResult, Failure> {
    const DAMAGED: Failure = Failure::Damaged("result of a publisher");
    let publisher: &[u8] = row.try_get(1)?;
    let author = Author {
        subject: Subject::new(text(row.try_get(0)?).ok_or(DAMAGED)?),
        publisher: PublisherId(publisher.try_into().map_err(|_| DAMAGED)?),
    };
    let (serial, time) = (Serial(number(row, 2)?), WallTime(number(row, 5)?));
    let seq: Option<i64> = row.try_get(3)?;
    let term = Term(number(row, 4)?);
    let fate = seq.map(|seq| (Seq(seq.cast_unsigned()), term));
    let sum = sum::of_result(channel, &author, serial, fate, time);
    sound(row.try_get::<_, i64>(6)? == sum, "result of a publisher")?;
    Ok(StoredResult {
        author,
        serial,
        fate: fate.map_or(Fate::Skipped, |(seq, term)| Fate::Published { seq, term }),
        time,
    })
}

fn request(channel: i64, row: &Row) -> Result<StoredRequest, Failure> {
    const DAMAGED: Failure = Failure::Damaged("request");
    let key = text(row.try_get(1)?).and_then(|key| IdempotencyKey::parse(key).ok());
    let request = StoredRequest {
        subject: Subject::new(text(row.try_get(0)?).ok_or(DAMAGED)?),
        key: key.ok_or(DAMAGED)?,
        seq: Seq(number(row, 2)?),
        term: Term(number(row, 3)?),
        time: WallTime(number(row, 4)?),
    };
    let place = (request.seq, request.term);
    let sum = sum::of_request(channel, &request.subject, &request.key, place, request.time);
    sound(row.try_get::<_, i64>(5)? == sum, "request")?;
    Ok(request)
}

async fn collect<T>(
    transaction: &Transaction<'_>,
    select: &'static str,
    channel: i64,
    read: impl Fn(&Row) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let statement = transaction.prepare_cached(select).await?;
    let rows = transaction.query(&statement, &[&channel]).await?;
    rows.iter().map(read).collect()
}

const fn sound(holds: bool, what: &'static str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Damaged(what)) }
}
