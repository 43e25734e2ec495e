//! Entries of a slot's log.

use std::sync::Arc;

use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::channel::Message;
use starling_core::id::{Index, Seq, Serial, Term};
use starling_core::slot::{Change, Entry, Origin};
use starling_core::time::WallTime;

use super::WireError;
use super::name::{self, AuthorHead};

/// An entry without its payload.
#[derive(Debug, Encode, Decode)]
pub(super) struct EntryHead {
    term: u64,
    index: u64,
    channel: String,
    change: ChangeHead,
}

#[derive(Debug, Encode, Decode)]
enum ChangeHead {
    Create {
        epoch: String,
        keyed: bool,
    },
    Publish {
        message: MessageHead,
        origin: OriginHead,
        floor: u64,
    },
    Skip {
        author: AuthorHead,
        serial: u64,
    },
    Truncate {
        floor: u64,
    },
    ExpireKeys {
        through: u64,
    },
    ExpirePublishers {
        authors: Vec<AuthorHead>,
    },
    ForgetHead,
}

/// By what a publish is recognised.
#[derive(Debug, Encode, Decode)]
pub(super) enum OriginHead {
    Publisher { author: AuthorHead, serial: u64, base: u64 },
    Idempotency { subject: String, key: String },
    Anonymous,
}

/// A message without its payload.
#[derive(Debug, Encode, Decode)]
pub(super) struct MessageHead {
    seq: u64,
    term: u64,
    time: u64,
    key: Option<String>,
    deleted: bool,
}

impl MessageHead {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            seq: message.seq.0,
            term: message.term.0,
            time: message.time.0,
            key: message.key.as_ref().map(|key| key.as_str().into()),
            deleted: message.deleted,
        }
    }

    pub(super) fn with(self, payload: Bytes) -> Result<Arc<Message>, WireError> {
        Ok(Arc::new(Message {
            seq: Seq(self.seq),
            term: Term(self.term),
            time: WallTime(self.time),
            key: self.key.as_deref().map(name::key).transpose()?,
            deleted: self.deleted,
            payload,
        }))
    }
}

impl EntryHead {
    pub(super) fn of(entry: &Entry) -> Self {
        let change = match &entry.change {
            Change::Create { epoch, keyed } => ChangeHead::Create {
                epoch: epoch.as_str().into(),
                keyed: *keyed,
            },
            Change::Publish { message, origin, floor } => ChangeHead::Publish {
                message: MessageHead::of(message),
                origin: OriginHead::of(origin),
                floor: floor.0,
            },
            Change::Skip { author, serial } => ChangeHead::Skip {
                author: name::author_head(author),
                serial: serial.0,
            },
            Change::Truncate { floor } => ChangeHead::Truncate { floor: floor.0 },
            Change::ExpireKeys { through } => ChangeHead::ExpireKeys { through: through.0 },
            Change::ExpirePublishers { authors } => ChangeHead::ExpirePublishers {
                authors: authors.iter().map(name::author_head).collect(),
            },
            Change::ForgetHead => ChangeHead::ForgetHead,
        };
        Self {
            term: entry.term.0,
            index: entry.index.0,
            channel: entry.channel.as_str().into(),
            change,
        }
    }

    /// The entry, with the next of `payloads` if it has one.
    fn entry(self, payloads: &mut std::slice::Iter<'_, Bytes>) -> Result<Arc<Entry>, WireError> {
        let change = match self.change {
            ChangeHead::Create { epoch, keyed } => Change::Create {
                epoch: name::epoch(&epoch)?,
                keyed,
            },
            ChangeHead::Publish { message, origin, floor } => Change::Publish {
                message: message.with(payloads.next().ok_or(WireError::Payloads)?.clone())?,
                origin: origin.origin()?,
                floor: Seq(floor),
            },
            ChangeHead::Skip { author, serial } => Change::Skip {
                author: name::author(&author)?,
                serial: Serial(serial),
            },
            ChangeHead::Truncate { floor } => Change::Truncate { floor: Seq(floor) },
            ChangeHead::ExpireKeys { through } => Change::ExpireKeys { through: Seq(through) },
            ChangeHead::ExpirePublishers { authors } => Change::ExpirePublishers {
                authors: authors.iter().map(name::author).collect::<Result<_, _>>()?,
            },
            ChangeHead::ForgetHead => Change::ForgetHead,
        };
        Ok(Arc::new(Entry {
            term: Term(self.term),
            index: Index(self.index),
            channel: name::channel(&self.channel)?,
            change,
        }))
    }
}

impl OriginHead {
    pub(super) fn of(origin: &Origin) -> Self {
        match origin {
            Origin::Publisher { author, serial, base } => Self::Publisher {
                author: name::author_head(author),
                serial: serial.0,
                base: base.0,
            },
            Origin::Idempotency { subject, key } => Self::Idempotency {
                subject: subject.as_str().into(),
                key: key.as_str().into(),
            },
            Origin::Anonymous => Self::Anonymous,
        }
    }

    pub(super) fn origin(self) -> Result<Origin, WireError> {
        Ok(match self {
            Self::Publisher { author, serial, base } => Origin::Publisher {
                author: name::author(&author)?,
                serial: Serial(serial),
                base: Serial(base),
            },
            Self::Idempotency { subject, key } => Origin::Idempotency {
                subject: name::subject(&subject)?,
                key: name::idempotency_key(&key)?,
            },
            Self::Anonymous => Origin::Anonymous,
        })
    }
}

/// What stands beside the header of an entry.
pub(super) fn payload(entry: &Entry) -> Option<Bytes> {
    match &entry.change {
        Change::Publish { message, .. } => Some(message.payload.clone()),
        _ => None,
    }
}

/// The entries of `heads`, whose payloads are `payloads`, all of them.
pub(super) fn entries(heads: Vec<EntryHead>, payloads: &[Bytes]) -> Result<Vec<Arc<Entry>>, WireError> {
    let mut payloads = payloads.iter();
    let entries = heads
        .into_iter()
        .map(|head| head.entry(&mut payloads))
        .collect::<Result<_, _>>()?;
    match payloads.next() {
        None => Ok(entries),
        Some(_) => Err(WireError::Payloads),
    }
}
