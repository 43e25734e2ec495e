//! Sums of rows, alike in every store: a row that was damaged is not taken for what it was.
//!
//! Lengths are added too, so that no two rows read the same.

use starling_core::channel::Message;
use starling_core::id::{Author, ChannelName, IdempotencyKey, Key, Seq, Serial, Subject, Term};
use starling_core::time::WallTime;
use xxhash_rust::xxh3::Xxh3Default;

use super::documents::body::Body;
use super::documents::{self, History, Made};
use super::head::Head;

/// A head of `channel`.
pub(super) fn of_head(head: &Head, channel: &ChannelName) -> i64 {
    Sum::default()
        .number(head.id.cast_unsigned())
        .text(Some(channel.as_str()))
        .text(Some(head.epoch.as_str()))
        .number(u64::from(head.keyed))
        .number(head.seq.0)
        .number(head.term.0)
        .number(head.floor.0)
        .number(head.keys_floor.0)
        .number(head.used.0)
        .end()
}

/// A message of `channel`, also as a value.
pub(super) fn of_message(channel: i64, message: &Message) -> i64 {
    Sum::default()
        .number(channel.cast_unsigned())
        .number(message.seq.0)
        .number(message.term.0)
        .number(message.time.0)
        .number(u64::from(message.deleted))
        .text(message.key.as_ref().map(Key::as_str))
        .bytes(&message.payload)
        .end()
}

/// The first message of a term.
pub(super) fn of_term(channel: i64, first: Seq, term: Term) -> i64 {
    Sum::default()
        .number(channel.cast_unsigned())
        .number(first.0)
        .number(term.0)
        .end()
}

/// What became of a serial.
pub(super) fn of_result(
    channel: i64,
    author: &Author,
    serial: Serial,
    fate: Option<(Seq, Term)>,
    time: WallTime,
) -> i64 {
    let (seq, term) = fate.unwrap_or_default();
    Sum::default()
        .number(channel.cast_unsigned())
        .text(Some(author.subject.as_str()))
        .bytes(&author.publisher.0)
        .number(serial.0)
        .number(u64::from(fate.is_some()))
        .number(seq.0)
        .number(term.0)
        .number(time.0)
        .end()
}

/// What a request with an idempotency key published.
pub(super) fn of_request(
    channel: i64,
    subject: &Subject,
    key: &IdempotencyKey,
    (seq, term): (Seq, Term),
    time: WallTime,
) -> i64 {
    Sum::default()
        .number(channel.cast_unsigned())
        .text(Some(subject.as_str()))
        .text(Some(key.as_str()))
        .number(seq.0)
        .number(term.0)
        .number(time.0)
        .end()
}

/// A head of `document`.
pub(super) fn of_document(document: &str, head: &documents::head::Head) -> i64 {
    Sum::default()
        .text(Some(document))
        .number(head.made.0)
        .number(head.last)
        .number(head.snapshot)
        .number(head.versions)
        .end()
}

/// A row of the document with this history.
pub(super) fn of_row(history: History, n: u64, time: WallTime, update: &[u8]) -> i64 {
    Sum::default()
        .number(history.0.cast_unsigned())
        .number(n)
        .number(time.0)
        .bytes(update)
        .end()
}

/// A snapshot.
pub(super) fn of_snapshot(history: History, through: u64, time: WallTime, body: Body) -> i64 {
    Sum::default()
        .number(history.0.cast_unsigned())
        .number(through)
        .number(time.0)
        .body(body)
        .end()
}

/// A version.
pub(super) fn of_version(history: History, number: u64, made: &Made, body: Body) -> i64 {
    Sum::default()
        .number(history.0.cast_unsigned())
        .number(number)
        .text(made.name.as_deref())
        .text(Some(made.author.as_str()))
        .number(made.time.0)
        .number(made.through)
        .body(body)
        .end()
}

/// A piece of a body.
pub(super) fn of_piece(body: i64, n: u32, bytes: &[u8]) -> i64 {
    Sum::default()
        .number(body.cast_unsigned())
        .number(u64::from(n))
        .bytes(bytes)
        .end()
}

/// A number as databases keep it: their integers have a sign. Ours are counts and times: the upper half is never
/// reached, and would not be read back.
pub(super) const fn signed(number: u64) -> i64 {
    number.cast_signed()
}

#[derive(Default)]
struct Sum(Xxh3Default);

impl Sum {
    fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        let mut sum = self.number(bytes.len() as u64);
        sum.0.update(bytes);
        sum
    }

    fn body(self, body: Body) -> Self {
        self.number(body.id.cast_unsigned())
            .number(u64::from(body.pieces))
            .number(body.bytes)
    }

    fn text(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.number(1).bytes(text.as_bytes()),
            None => self.number(0),
        }
    }

    fn end(self) -> i64 {
        self.0.digest().cast_signed()
    }
}
