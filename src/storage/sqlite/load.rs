//! A channel, but for the messages that stay in the store.

use std::sync::Arc;

use rusqlite::{Connection, Row};
use starling_core::channel::publishers::Fate;
use starling_core::channel::spilled::CHUNK_MESSAGES;
use starling_core::channel::stored::{Chunk, StoredRequest, StoredResult};
use starling_core::channel::{Memory, Message, Stored};
use starling_core::id::{Author, ChannelName, IdempotencyKey, PublisherId, Seq, Serial, Subject, Term};
use starling_core::time::WallTime;

use super::row::{Failure, MESSAGE, message, number};
use crate::storage::head::Head;
use crate::storage::sum::{self, signed};

/// Everything that is kept of `channel`.
pub(super) fn load(connection: &Connection, channel: &ChannelName, memory: Memory) -> Result<Option<Stored>, Failure> {
    let Some(head) = Head::find(connection, channel)? else {
        return Ok(None);
    };
    let messages = newest(connection, &head, memory)?;
    let resident = messages.first().map_or_else(|| head.seq.next(), |first| first.seq);
    Ok(Some(Stored {
        terms: terms(connection, head.id)?,
        spilled: spilled(connection, &head, resident)?,
        values: values(connection, &head)?,
        results: results(connection, head.id)?,
        requests: requests(connection, head.id)?,
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
fn newest(connection: &Connection, head: &Head, memory: Memory) -> Result<Vec<Arc<Message>>, Failure> {
    let select = format!("SELECT {MESSAGE} FROM message WHERE channel = ?1 AND seq >= ?2 ORDER BY seq DESC LIMIT ?3");
    let mut statement = connection.prepare_cached(&select)?;
    let mut rows = statement.query((head.id, signed(head.floor.0), memory.messages))?;
    let (mut messages, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let message = message(head.id, row)?;
        bytes += message.weight();
        if bytes > memory.bytes {
            break;
        }
        messages.push(message);
    }
    messages.reverse();
    Ok(messages)
}

/// The sums of the messages below `resident`.
fn spilled(connection: &Connection, head: &Head, resident: Seq) -> Result<Vec<Chunk>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT min(seq), max(seq), count(*), sum(weight), max(time) FROM message
         WHERE channel = ?1 AND seq >= ?2 AND seq < ?3 GROUP BY (seq - 1) / ?4 ORDER BY 1",
    )?;
    let mut rows = statement.query((
        head.id,
        signed(head.floor.0),
        signed(resident.0),
        signed(CHUNK_MESSAGES),
    ))?;
    let mut chunks = Vec::new();
    while let Some(row) = rows.next()? {
        let (first, last) = (number(row, 0)?, number(row, 1)?);
        if last - first + 1 != number(row, 2)? {
            return Err(Failure::Damaged("run of messages"));
        }
        chunks.push(Chunk {
            first: Seq(first),
            last: Seq(last),
            bytes: number(row, 3)?,
            time: WallTime(number(row, 4)?),
        });
    }
    Ok(chunks)
}

fn terms(connection: &Connection, channel: i64) -> Result<Vec<(Seq, Term)>, Failure> {
    let select = "SELECT first, term, sum FROM term WHERE channel = ?1 ORDER BY first";
    collect(connection, select, channel, |row| {
        let (first, term) = (Seq(number(row, 0)?), Term(number(row, 1)?));
        sound(row.get::<_, i64>(2)? == sum::of_term(channel, first, term), "term")?;
        Ok((first, term))
    })
}

fn values(connection: &Connection, head: &Head) -> Result<Vec<Arc<Message>>, Failure> {
    if !head.keyed {
        return Ok(Vec::new());
    }
    let select = format!("SELECT {MESSAGE} FROM value WHERE channel = ?1 ORDER BY seq");
    collect(connection, &select, head.id, |row| message(head.id, row))
}

fn results(connection: &Connection, channel: i64) -> Result<Vec<StoredResult>, Failure> {
    let select = "SELECT subject, publisher, serial, seq, term, time, sum FROM result WHERE channel = ?1
                  ORDER BY subject, publisher, serial";
    collect(connection, select, channel, |row| {
        let subject: String = row.get(0)?;
        let author = Author {
            subject: Subject::new(&subject),
            publisher: PublisherId(row.get(1)?),
        };
        let (serial, time) = (Serial(number(row, 2)?), WallTime(number(row, 5)?));
        let seq: Option<i64> = row.get(3)?;
        let term = Term(number(row, 4)?);
        let fate = seq.map(|seq| (Seq(seq.cast_unsigned()), term));
        let sum = sum::of_result(channel, &author, serial, fate, time);
        sound(row.get::<_, i64>(6)? == sum, "result of a publisher")?;
        Ok(StoredResult {
            author,
            serial,
            fate: fate.map_or(Fate::Skipped, |(seq, term)| Fate::Published { seq, term }),
            time,
        })
    })
}

fn requests(connection: &Connection, channel: i64) -> Result<Vec<StoredRequest>, Failure> {
    let select = "SELECT subject, key, seq, term, time, sum FROM request WHERE channel = ?1 ORDER BY seq";
    collect(connection, select, channel, |row| {
        let (subject, key): (String, String) = (row.get(0)?, row.get(1)?);
        let request = StoredRequest {
            subject: Subject::new(&subject),
            key: IdempotencyKey::parse(&key).map_err(|_| Failure::Damaged("key of a request"))?,
            seq: Seq(number(row, 2)?),
            term: Term(number(row, 3)?),
            time: WallTime(number(row, 4)?),
        };
        let place = (request.seq, request.term);
        let sum = sum::of_request(channel, &request.subject, &request.key, place, request.time);
        sound(row.get::<_, i64>(5)? == sum, "request")?;
        Ok(request)
    })
}

fn collect<T>(
    connection: &Connection,
    select: &str,
    channel: i64,
    mut read: impl FnMut(&Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(select)?;
    let mut rows = statement.query([channel])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

const fn sound(holds: bool, what: &'static str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Damaged(what)) }
}
