//! What a batch does to the tables.
//!
//! A batch is applied whole or not at all: it runs in a savepoint of the writer's transaction. What it
//! follows is compared first, so a batch that was built on another one that failed does not slip in.

use rusqlite::Connection;
use starling_core::channel::publishers::RESULTS_MAX;
use starling_core::channel::{Message, idempotency, terms};
use starling_core::id::{Author, IdempotencyKey, Key, Seq, Serial, Subject, Term};
use starling_core::slot::{Change, Origin};
use starling_core::time::WallTime;

use super::garbage;
use super::head::claimed;
use super::row::Failure;
use crate::storage::head::Head;
use crate::storage::sum::{self, signed};
use crate::storage::{Batch, Fence, Mark};

/// Refuses whoever is not the owner of the slot (rule R14).
pub(super) fn check(connection: &Connection, fence: &Fence) -> Result<(), Failure> {
    match claimed(connection, fence.slot)? {
        Some((term, owner, generation))
            if term == fence.term && owner == *fence.owner && generation == fence.generation =>
        {
            Ok(())
        }
        _ => Err(Failure::Fenced),
    }
}

/// Writes a batch down.
pub(super) fn apply(connection: &Connection, batch: &Batch) -> Result<(), Failure> {
    check(connection, &batch.fence)?;
    let channel = &batch.batch.channel;
    let mut writing = Writing {
        connection,
        head: Head::find(connection, channel)?,
        time: batch.time,
    };
    for entry in &batch.batch.entries {
        writing.change(batch, &entry.change)?;
    }
    let Some(mut head) = writing.head else {
        return Ok(()); // forgotten
    };
    head.save(connection, channel)?;
    if let Some(due) = batch.due
        && head.due.is_none_or(|known| due < known)
    {
        head.due = Some(due);
        head.save_due(connection)?;
    }
    Ok(())
}

/// Notes what is in no entry. A channel that is gone needs none.
pub(super) fn mark(connection: &Connection, mark: &Mark) -> Result<(), Failure> {
    check(connection, &mark.fence)?;
    let Some(mut head) = Head::find(connection, &mark.channel)? else {
        return Ok(());
    };
    if mark.used > head.used {
        head.used = mark.used;
        head.save(connection, &mark.channel)?;
    }
    head.due = mark.due;
    head.save_due(connection)
}

struct Writing<'a> {
    connection: &'a Connection,
    head: Option<Head>,
    time: WallTime,
}

impl Writing<'_> {
    fn change(&mut self, batch: &Batch, change: &Change) -> Result<(), Failure> {
        let (connection, time) = (self.connection, self.time);
        let Some(head) = &mut self.head else {
            let Change::Create { epoch, keyed } = change else {
                return Err(Failure::Conflict);
            };
            let (channel, slot) = (&batch.batch.channel, batch.fence.slot);
            self.head = Some(Head::begin(connection, channel, slot, epoch, *keyed, time)?);
            return Ok(());
        };
        match change {
            Change::Create { .. } => return Err(Failure::Conflict),
            Change::Publish { message, origin, floor } => {
                head.used = time;
                publish(connection, head, message, *floor)?;
                match origin {
                    Origin::Publisher { author, serial, .. } => {
                        let fate = Some((message.seq, message.term));
                        result(connection, head.id, author, *serial, fate, time)?;
                    }
                    Origin::Idempotency { subject, key } => {
                        request(connection, head.id, subject, key, message, time)?;
                    }
                    Origin::Anonymous => {}
                }
            }
            Change::Skip { author, serial } => {
                head.used = time;
                result(connection, head.id, author, *serial, None, time)?;
            }
            Change::Truncate { floor } => raise(connection, head, *floor)?,
            Change::ExpireKeys { through } => {
                let mut statement =
                    connection.prepare_cached("DELETE FROM value WHERE channel = ?1 AND deleted = 1 AND seq <= ?2")?;
                statement.execute((head.id, signed(through.0)))?;
                head.keys_floor = head.keys_floor.max(*through);
            }
            Change::ExpirePublishers { authors } => {
                let mut statement = connection
                    .prepare_cached("DELETE FROM result WHERE channel = ?1 AND subject = ?2 AND publisher = ?3")?;
                for Author { subject, publisher } in authors.iter() {
                    statement.execute((head.id, subject.as_str(), publisher.0.as_slice()))?;
                }
            }
            Change::ForgetHead => {
                connection
                    .prepare_cached("DELETE FROM channel WHERE id = ?1")?
                    .execute([head.id])?;
                garbage::forget(connection, head.id)?;
                self.head = None;
            }
        }
        Ok(())
    }
}

fn publish(connection: &Connection, head: &mut Head, message: &Message, floor: Seq) -> Result<(), Failure> {
    if message.seq != head.seq.next() || message.term < head.term || message.key.is_some() != head.keyed {
        return Err(Failure::Conflict);
    }
    if message.term > head.term {
        term(connection, head.id, message.seq, message.term)?;
    }
    (head.seq, head.term) = (message.seq, message.term);
    let sum = sum::of_message(head.id, message);
    if floor <= message.seq {
        let mut statement = connection.prepare_cached(
            "INSERT INTO message (channel, seq, term, time, weight, deleted, sum, key, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        statement.execute((
            head.id,
            signed(message.seq.0),
            signed(message.term.0),
            signed(message.time.0),
            signed(message.weight()),
            message.deleted,
            sum,
            message.key.as_ref().map(Key::as_str),
            message.payload.as_ref(),
        ))?;
    }
    raise(connection, head, floor)?;
    match &message.key {
        Some(key) => value(connection, head, key, message, sum),
        None => Ok(()),
    }
}

/// Moves the floor of the messages that are kept.
fn raise(connection: &Connection, head: &mut Head, floor: Seq) -> Result<(), Failure> {
    if floor < head.floor {
        return Err(Failure::Conflict);
    }
    let from = std::mem::replace(&mut head.floor, floor);
    garbage::raise(connection, head.id, from, floor)
}

/// Sets or removes a value, as [`starling_core::channel::keys`] does.
fn value(connection: &Connection, head: &mut Head, key: &Key, message: &Message, sum: i64) -> Result<(), Failure> {
    let known = connection
        .prepare_cached("SELECT 1 FROM value WHERE channel = ?1 AND key = ?2")?
        .exists((head.id, key.as_str()))?;
    if message.deleted && !known {
        if head.keys_floor > Seq(0) {
            head.keys_floor = message.seq;
        }
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO value (channel, key, seq, term, time, deleted, sum, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute((
        head.id,
        key.as_str(),
        signed(message.seq.0),
        signed(message.term.0),
        signed(message.time.0),
        message.deleted,
        sum,
        message.payload.as_ref(),
    ))?;
    Ok(())
}

fn term(connection: &Connection, channel: i64, first: Seq, term: Term) -> Result<(), Failure> {
    let mut statement =
        connection.prepare_cached("INSERT INTO term (channel, first, term, sum) VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute((
        channel,
        signed(first.0),
        signed(term.0),
        sum::of_term(channel, first, term),
    ))?;
    let mut statement = connection.prepare_cached(
        "DELETE FROM term WHERE channel = ?1 AND first <=
             (SELECT first FROM term WHERE channel = ?1 ORDER BY first DESC LIMIT 1 OFFSET ?2)",
    )?;
    statement.execute((channel, terms::RANGES_MAX as i64))?;
    Ok(())
}

fn result(
    connection: &Connection,
    channel: i64,
    author: &Author,
    serial: Serial,
    fate: Option<(Seq, Term)>,
    time: WallTime,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO result (channel, subject, publisher, serial, seq, term, time, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let (subject, publisher) = (author.subject.as_str(), author.publisher.0.as_slice());
    statement.execute((
        channel,
        subject,
        publisher,
        signed(serial.0),
        fate.map(|(seq, _)| signed(seq.0)),
        signed(fate.map_or(0, |(_, term)| term.0)),
        signed(time.0),
        sum::of_result(channel, author, serial, fate, time),
    ))?;
    // Serials follow each other: the one that falls out of the window is one row at most.
    if let Some(last) = serial.0.checked_sub(RESULTS_MAX as u64) {
        let mut statement = connection.prepare_cached(
            "DELETE FROM result WHERE channel = ?1 AND subject = ?2 AND publisher = ?3 AND serial = ?4",
        )?;
        statement.execute((channel, subject, publisher, signed(last)))?;
    }
    Ok(())
}

fn request(
    connection: &Connection,
    channel: i64,
    subject: &Subject,
    key: &IdempotencyKey,
    message: &Message,
    time: WallTime,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO request (channel, subject, key, seq, term, time, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let (seq, term) = (message.seq, message.term);
    statement.execute((
        channel,
        subject.as_str(),
        key.as_str(),
        signed(seq.0),
        signed(term.0),
        signed(time.0),
        sum::of_request(channel, subject, key, (seq, term), time),
    ))?;
    let mut statement = connection.prepare_cached(
        "DELETE FROM request WHERE channel = ?1 AND seq <=
             (SELECT seq FROM request WHERE channel = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
    )?;
    statement.execute((channel, idempotency::KEYS_MAX as i64))?;
    Ok(())
}
