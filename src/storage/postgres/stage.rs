//! Writes that may be made together: those to one table in one statement.
//!
//! The statements of a stage run in a fixed order, first what takes rows away and then what adds some. Most writes may be
//! gathered so: messages have seqs of their own, and of two values of a key the later stands. What would take away rows
//! that the stage adds itself begins the next stage.

use std::collections::BTreeMap;

use starling_core::channel::publishers::RESULTS_MAX;
use starling_core::channel::{Message, idempotency, terms};
use starling_core::id::{Author, ChannelName, IdempotencyKey, Key, Seq, Serial, SlotId, Subject, Term};
use starling_core::time::WallTime;
use tokio_postgres::types::ToSql;

use super::pipeline::{Column, Pipeline};
use super::statements::Statements;
use crate::storage::head::Head;
use crate::storage::sum::{self, signed};

/// Rows deleted with the batch that moved the floor: a chunk's worth, by which floors move. More are noted, and deleted a
/// few at a time.
const AT_ONCE_MAX: u64 = 128;

/// One thing to write of the channel with a number.
pub(super) enum Write<'a> {
    Forget {
        channel: i64,
    },
    ExpireKeys {
        channel: i64,
        through: Seq,
    },
    ExpirePublisher {
        channel: i64,
        author: &'a Author,
    },
    Begin {
        channel: i64,
        slot: SlotId,
    },
    Save {
        channel: &'a ChannelName,
        head: Head,
    },
    Due {
        channel: i64,
        due: Option<WallTime>,
    },
    Message {
        channel: i64,
        message: &'a Message,
    },
    Raise {
        channel: i64,
        from: Seq,
        to: Seq,
    },
    Term {
        channel: i64,
        first: Seq,
        term: Term,
    },
    Value {
        channel: i64,
        key: &'a Key,
        message: &'a Message,
    },
    Result {
        channel: i64,
        author: &'a Author,
        serial: Serial,
        fate: Option<(Seq, Term)>,
        time: WallTime,
    },
    Request {
        channel: i64,
        subject: &'a Subject,
        key: &'a IdempotencyKey,
        place: (Seq, Term),
        time: WallTime,
    },
}

/// See the module.
#[derive(Default)]
pub(super) struct Stage<'a> {
    /// Whether it adds rows.
    adds: bool,
    forgotten: Vec<i64>,
    keys: Vec<(i64, Seq)>,
    publishers: Vec<(i64, &'a Author)>,
    begun: BTreeMap<i64, SlotId>,
    heads: BTreeMap<i64, (&'a ChannelName, Head)>,
    due: BTreeMap<i64, Option<WallTime>>,
    messages: Vec<(i64, &'a Message)>,
    raised: Vec<(i64, Seq, Seq)>,
    raised_far: BTreeMap<i64, Seq>,
    terms: Vec<(i64, Seq, Term)>,
    values: BTreeMap<(i64, &'a Key), &'a Message>,
    results: Vec<ResultRow<'a>>,
    requests: BTreeMap<RequestKey<'a>, ((Seq, Term), WallTime)>,
}

impl<'a> Stage<'a> {
    /// Adds a write, or gives it back if it belongs to the next stage.
    pub(super) fn add(&mut self, write: Write<'a>) -> Result<(), Box<Write<'a>>> {
        let takes = matches!(
            write,
            Write::Forget { .. } | Write::ExpireKeys { .. } | Write::ExpirePublisher { .. }
        );
        if takes && self.adds {
            return Err(Box::new(write));
        }
        self.adds |= !takes;
        match write {
            Write::Forget { channel } => {
                self.begun.remove(&channel);
                self.forgotten.push(channel);
            }
            Write::ExpireKeys { channel, through } => self.keys.push((channel, through)),
            Write::ExpirePublisher { channel, author } => self.publishers.push((channel, author)),
            Write::Begin { channel, slot } => drop(self.begun.insert(channel, slot)),
            Write::Save { channel, head } => drop(self.heads.insert(head.id, (channel, head))),
            Write::Due { channel, due } => drop(self.due.insert(channel, due)),
            Write::Message { channel, message } => self.messages.push((channel, message)),
            Write::Raise { channel, from, to } => self.raise(channel, from, to),
            Write::Term { channel, first, term } => self.terms.push((channel, first, term)),
            Write::Value { channel, key, message } => drop(self.values.insert((channel, key), message)),
            Write::Result {
                channel,
                author,
                serial,
                fate,
                time,
            } => self.results.push((channel, author, serial, fate, time)),
            Write::Request {
                channel,
                subject,
                key,
                place,
                time,
            } => drop(self.requests.insert((channel, subject, key), (place, time))),
        }
        Ok(())
    }

    /// Whether it leaves rows behind that are no longer kept.
    pub(super) fn litters(&self) -> bool {
        !self.forgotten.is_empty() || !self.raised_far.is_empty()
    }

    /// The one that follows. A channel that has begun and is not saved yet is its business.
    pub(super) fn next(&mut self) -> Self {
        let (saved, begun) = std::mem::take(&mut self.begun)
            .into_iter()
            .partition(|(channel, _)| self.heads.contains_key(channel));
        self.begun = saved;
        Self {
            begun,
            ..Self::default()
        }
    }

    fn raise(&mut self, channel: i64, from: Seq, to: Seq) {
        if to.0 - from.0 > AT_ONCE_MAX {
            self.raised_far.insert(channel, to);
            return;
        }
        match self.raised.last_mut() {
            Some((last, _, end)) if *last == channel && *end == from => *end = to,
            _ => self.raised.push((channel, from, to)),
        }
    }

    /// Sends it.
    pub(super) async fn send<'c>(self, statements: &'c Statements, pipeline: &mut Pipeline<'c>)
    where
        'a: 'c,
    {
        if !self.forgotten.is_empty() {
            let columns = || vec![boxed(self.forgotten.clone())];
            pipeline.send(&statements.forget, columns()).await;
            pipeline.send(&statements.forget_rest, columns()).await;
        }
        if !self.keys.is_empty() {
            let through = self.keys.iter().map(|(_, through)| signed(through.0));
            let columns = vec![channels(&self.keys, |row| row.0), boxed(through.collect())];
            pipeline.send(&statements.expire_keys, columns).await;
        }
        if !self.publishers.is_empty() {
            let columns = vec![
                channels(&self.publishers, |row| row.0),
                of_subjects(&self.publishers, |row| &row.1.subject),
                of_publishers(&self.publishers, |row| row.1),
            ];
            pipeline.send(&statements.expire_publishers, columns).await;
        }
        send_heads(self.begun, self.heads, self.due, statements, pipeline).await;
        send_messages(&self.messages, statements, pipeline).await;
        if !self.raised.is_empty() {
            let columns = vec![
                channels(&self.raised, |row| row.0),
                numbers(&self.raised, |row| row.1.0),
                numbers(&self.raised, |row| row.2.0),
            ];
            pipeline.send(&statements.raise, columns).await;
        }
        if !self.raised_far.is_empty() {
            let rows: Vec<_> = self.raised_far.into_iter().collect();
            let columns = vec![channels(&rows, |row| row.0), numbers(&rows, |row| row.1.0)];
            pipeline.send(&statements.raise_far, columns).await;
        }
        if !self.terms.is_empty() {
            let rows = &self.terms;
            let columns = vec![
                channels(rows, |row| row.0),
                numbers(rows, |row| row.1.0),
                numbers(rows, |row| row.2.0),
                channels(rows, |row| sum::of_term(row.0, row.1, row.2)),
            ];
            pipeline.send(&statements.terms, columns).await;
            let columns = vec![channels(rows, |row| row.0), boxed_one(terms::RANGES_MAX as i64)];
            pipeline.send(&statements.trim_terms, columns).await;
        }
        send_values(self.values, statements, pipeline).await;
        send_results(&self.results, statements, pipeline).await;
        send_requests(self.requests, statements, pipeline).await;
    }
}

async fn send_heads<'a: 'c, 'c>(
    begun: BTreeMap<i64, SlotId>,
    heads: BTreeMap<i64, (&'a ChannelName, Head)>,
    due: BTreeMap<i64, Option<WallTime>>,
    statements: &'c Statements,
    pipeline: &mut Pipeline<'c>,
) {
    let (new, old): (Vec<_>, Vec<_>) = heads.into_values().partition(|(_, head)| begun.contains_key(&head.id));
    if !new.is_empty() {
        let slots = new
            .iter()
            .map(|(_, head)| begun.get(&head.id).map_or(0, |slot| i32::from(slot.0)));
        let names = new.iter().map(|(name, _)| name.as_str());
        let epochs = new.iter().map(|(_, head)| head.epoch.as_str().to_owned());
        let keyed = new.iter().map(|(_, head)| head.keyed);
        let mut columns = vec![
            channels(&new, |(_, head)| head.id),
            boxed(names.collect::<Vec<_>>()),
            boxed(slots.collect::<Vec<_>>()),
            boxed(epochs.collect::<Vec<_>>()),
            boxed(keyed.collect::<Vec<_>>()),
        ];
        columns.extend(of_heads(&new));
        pipeline.send(&statements.begin, columns).await;
    }
    if !old.is_empty() {
        let mut columns = vec![channels(&old, |(_, head)| head.id)];
        columns.extend(of_heads(&old));
        pipeline.send(&statements.save, columns).await;
    }
    if !due.is_empty() {
        let rows: Vec<_> = due.into_iter().collect();
        let due = rows.iter().map(|(_, due)| due.map(|due| signed(due.0)));
        let columns = vec![channels(&rows, |row| row.0), boxed(due.collect::<Vec<_>>())];
        pipeline.send(&statements.save_due, columns).await;
    }
}

/// What of a head changes.
fn of_heads<'c>(heads: &[(&ChannelName, Head)]) -> [Column<'c>; 6] {
    [
        numbers(heads, |(_, head)| head.seq.0),
        numbers(heads, |(_, head)| head.term.0),
        numbers(heads, |(_, head)| head.floor.0),
        numbers(heads, |(_, head)| head.keys_floor.0),
        numbers(heads, |(_, head)| head.used.0),
        channels(heads, |(name, head)| sum::of_head(head, name)),
    ]
}

async fn send_messages<'a: 'c, 'c>(
    rows: &[(i64, &'a Message)],
    statements: &'c Statements,
    pipeline: &mut Pipeline<'c>,
) {
    if rows.is_empty() {
        return;
    }
    let keys = rows
        .iter()
        .map(|(_, message)| message.key.as_ref().map(|key| key.as_str().as_bytes()));
    let columns = vec![
        channels(rows, |row| row.0),
        numbers(rows, |row| row.1.seq.0),
        numbers(rows, |row| row.1.term.0),
        numbers(rows, |row| row.1.time.0),
        numbers(rows, |row| row.1.weight()),
        boxed(rows.iter().map(|(_, message)| message.deleted).collect::<Vec<_>>()),
        channels(rows, |row| sum::of_message(row.0, row.1)),
        boxed(keys.collect::<Vec<_>>()),
        boxed(rows.iter().map(|(_, message)| &*message.payload).collect::<Vec<_>>()),
    ];
    pipeline.send(&statements.messages, columns).await;
}

async fn send_values<'a: 'c, 'c>(
    values: BTreeMap<(i64, &'a Key), &'a Message>,
    statements: &'c Statements,
    pipeline: &mut Pipeline<'c>,
) {
    if values.is_empty() {
        return;
    }
    let rows: Vec<_> = values.into_iter().collect();
    let keys = rows.iter().map(|((_, key), _)| key.as_str().as_bytes());
    let columns = vec![
        channels(&rows, |row| row.0.0),
        boxed(keys.collect::<Vec<_>>()),
        numbers(&rows, |row| row.1.seq.0),
        numbers(&rows, |row| row.1.term.0),
        numbers(&rows, |row| row.1.time.0),
        boxed(rows.iter().map(|(_, message)| message.deleted).collect::<Vec<_>>()),
        channels(&rows, |row| sum::of_message(row.0.0, row.1)),
        boxed(rows.iter().map(|(_, message)| &*message.payload).collect::<Vec<_>>()),
    ];
    pipeline.send(&statements.values, columns).await;
}

/// A row of results: of which channel, whose, which, what became of it, when.
type ResultRow<'a> = (i64, &'a Author, Serial, Option<(Seq, Term)>, WallTime);

async fn send_results<'a: 'c, 'c>(rows: &[ResultRow<'a>], statements: &'c Statements, pipeline: &mut Pipeline<'c>) {
    if rows.is_empty() {
        return;
    }
    let seqs = rows.iter().map(|row| row.3.map(|(seq, _)| signed(seq.0)));
    let columns = vec![
        channels(rows, |row| row.0),
        of_subjects(rows, |row| &row.1.subject),
        of_publishers(rows, |row| row.1),
        numbers(rows, |row| row.2.0),
        boxed(seqs.collect::<Vec<_>>()),
        numbers(rows, |row| row.3.map_or(0, |(_, term)| term.0)),
        numbers(rows, |row| row.4.0),
        channels(rows, |row| sum::of_result(row.0, row.1, row.2, row.3, row.4)),
    ];
    pipeline.send(&statements.results, columns).await;
    let old: Vec<_> = rows
        .iter()
        .copied()
        .filter(|row| row.2.0 >= RESULTS_MAX as u64)
        .collect();
    if !old.is_empty() {
        let columns = vec![
            channels(&old, |row| row.0),
            of_subjects(&old, |row| &row.1.subject),
            of_publishers(&old, |row| row.1),
            numbers(&old, |row| row.2.0 - RESULTS_MAX as u64),
        ];
        pipeline.send(&statements.trim_results, columns).await;
    }
}

/// A request: of which channel, whose, under which key.
type RequestKey<'a> = (i64, &'a Subject, &'a IdempotencyKey);

async fn send_requests<'a: 'c, 'c>(
    requests: BTreeMap<RequestKey<'a>, ((Seq, Term), WallTime)>,
    statements: &'c Statements,
    pipeline: &mut Pipeline<'c>,
) {
    if requests.is_empty() {
        return;
    }
    let rows: Vec<_> = requests.into_iter().collect();
    let keys = rows.iter().map(|row| row.0.2.as_str().as_bytes());
    let columns = vec![
        channels(&rows, |row| row.0.0),
        of_subjects(&rows, |row| row.0.1),
        boxed(keys.collect::<Vec<_>>()),
        numbers(&rows, |row| row.1.0.0.0),
        numbers(&rows, |row| row.1.0.1.0),
        numbers(&rows, |row| row.1.1.0),
        channels(&rows, |row| {
            sum::of_request(row.0.0, row.0.1, row.0.2, row.1.0, row.1.1)
        }),
    ];
    pipeline.send(&statements.requests, columns).await;
    let mut of_channels: Vec<i64> = rows.iter().map(|row| row.0.0).collect();
    of_channels.dedup();
    let columns = vec![boxed(of_channels), boxed_one(idempotency::KEYS_MAX as i64)];
    pipeline.send(&statements.trim_requests, columns).await;
}

fn boxed<'c, T: ToSql + Sync + Send + 'c>(column: Vec<T>) -> Column<'c> {
    Box::new(column)
}

fn boxed_one<'c>(number: i64) -> Column<'c> {
    Box::new(number)
}

/// A column of numbers that may have a sign, such as those of channels, and sums.
fn channels<'c, R>(rows: &[R], number: impl Fn(&R) -> i64) -> Column<'c> {
    boxed(rows.iter().map(number).collect())
}

fn numbers<'c, R>(rows: &[R], number: impl Fn(&R) -> u64) -> Column<'c> {
    boxed(rows.iter().map(|row| signed(number(row))).collect())
}

fn of_subjects<'a: 'c, 'c, R: 'a>(rows: &[R], subject: impl Fn(&R) -> &'a Subject) -> Column<'c> {
    boxed(rows.iter().map(|row| subject(row).as_str().as_bytes()).collect())
}

fn of_publishers<'a: 'c, 'c, R: 'a>(rows: &[R], author: impl Fn(&R) -> &'a Author) -> Column<'c> {
    boxed(rows.iter().map(|row| author(row).publisher.0.as_slice()).collect())
}
