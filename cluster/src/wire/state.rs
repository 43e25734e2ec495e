//! Channels of a snapshot: a record for each, and records for what is in it, a few hundred at a time.

use std::sync::Arc;

use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::channel::publishers::Fate;
use starling_core::channel::stored::{StoredRequest, StoredResult};
use starling_core::channel::{Memory, Message, State, Stored};
use starling_core::id::{ChannelName, Seq, Serial, Term};
use starling_core::replica::message::Part;
use starling_core::time::{Now, WallTime};

use super::entry::MessageHead;
use super::name::{self, AuthorHead};
use super::{WireError, part};

/// Messages, results or requests of one record: their heads are at most 40 KiB.
const RECORD_ITEMS_MAX: usize = 128;

/// Payloads of one record: half a frame, so that the largest message fits beside what is there.
const RECORD_BYTES_MAX: u64 = 512 * 1024;

/// One message of a link about a part of a snapshot.
#[derive(Debug, Encode, Decode)]
pub(super) enum Record {
    Begin(Begin),
    Channel(ChannelHead),
    /// Messages of the history, in order.
    Messages(Vec<MessageHead>),
    /// Values and removals of a keyed channel.
    Values(Vec<MessageHead>),
    Results(Vec<ResultHead>),
    Requests(Vec<RequestHead>),
    End,
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(super) struct Begin {
    pub(super) term: u64,
    pub(super) lineage: (u32, u32),
    pub(super) at: (u64, u64),
    pub(super) number: u32,
    pub(super) is_last: bool,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct ChannelHead {
    channel: String,
    epoch: String,
    keyed: bool,
    head: u64,
    floor: u64,
    keys_floor: u64,
    used: u64,
    terms: Vec<(u64, u64)>,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct ResultHead {
    author: AuthorHead,
    serial: u64,
    /// Seq and term of what was published; `None` if the serial was skipped.
    published: Option<(u64, u64)>,
    time: u64,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct RequestHead {
    subject: String,
    key: String,
    seq: u64,
    term: u64,
    time: u64,
}

/// A record, and the payloads beside it.
pub(super) type Carried = (Record, Vec<Bytes>);

/// The records that carry a part.
pub(super) fn records(part: &Part, now: Now) -> Vec<Carried> {
    let begin = Begin {
        term: part.term.0,
        lineage: (part.lineage.resets, part.lineage.incarnation),
        at: (part.at.index.0, part.at.term.0),
        number: part.number,
        is_last: part.is_last,
    };
    let mut records = vec![(Record::Begin(begin), Vec::new())];
    for (channel, state) in &part.channels {
        records_of(channel, state, now, &mut records);
    }
    records.push((Record::End, Vec::new()));
    records
}

fn records_of(channel: &ChannelName, state: &State, now: Now, records: &mut Vec<Carried>) {
    const ALL: Memory = Memory {
        messages: u32::MAX,
        bytes: u64::MAX,
    };
    let stored = state.to_stored(ALL, now);
    let head = ChannelHead {
        channel: channel.as_str().into(),
        epoch: stored.epoch.as_str().into(),
        keyed: stored.keyed,
        head: stored.head.0,
        floor: stored.floor.0,
        keys_floor: stored.keys_floor.0,
        used: stored.used.0,
        terms: stored.terms.iter().map(|(seq, term)| (seq.0, term.0)).collect(),
    };
    records.push((Record::Channel(head), Vec::new()));
    messages(&stored.messages, Record::Messages, records);
    messages(&stored.values, Record::Values, records);
    for results in stored.results.chunks(RECORD_ITEMS_MAX) {
        let heads = results.iter().map(ResultHead::of).collect();
        records.push((Record::Results(heads), Vec::new()));
    }
    for requests in stored.requests.chunks(RECORD_ITEMS_MAX) {
        let heads = requests.iter().map(RequestHead::of).collect();
        records.push((Record::Requests(heads), Vec::new()));
    }
}

fn messages(of: &[Arc<Message>], record: fn(Vec<MessageHead>) -> Record, records: &mut Vec<Carried>) {
    let mut rest = of;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |message: &&Arc<Message>| {
            bytes += message.weight();
            bytes <= RECORD_BYTES_MAX
        };
        let count = rest.iter().take(RECORD_ITEMS_MAX).take_while(fits).count().max(1);
        let (batch, after) = rest.split_at(count);
        rest = after;
        let heads = batch.iter().map(|message| MessageHead::of(message)).collect();
        records.push((
            record(heads),
            batch.iter().map(|message| message.payload.clone()).collect(),
        ));
    }
}

impl ResultHead {
    fn of(result: &StoredResult) -> Self {
        Self {
            author: name::author_head(&result.author),
            serial: result.serial.0,
            published: match result.fate {
                Fate::Published { seq, term } => Some((seq.0, term.0)),
                Fate::Skipped => None,
            },
            time: result.time.0,
        }
    }

    fn result(&self) -> Result<StoredResult, WireError> {
        Ok(StoredResult {
            author: name::author(&self.author)?,
            serial: Serial(self.serial),
            fate: self.published.map_or(Fate::Skipped, |(seq, term)| Fate::Published {
                seq: Seq(seq),
                term: Term(term),
            }),
            time: WallTime(self.time),
        })
    }
}

impl RequestHead {
    fn of(request: &StoredRequest) -> Self {
        Self {
            subject: request.subject.as_str().into(),
            key: request.key.as_str().into(),
            seq: request.seq.0,
            term: request.term.0,
            time: request.time.0,
        }
    }

    fn request(&self) -> Result<StoredRequest, WireError> {
        Ok(StoredRequest {
            subject: name::subject(&self.subject)?,
            key: name::idempotency_key(&self.key)?,
            seq: Seq(self.seq),
            term: Term(self.term),
            time: WallTime(self.time),
        })
    }
}

/// A part that is being put together.
#[derive(Debug)]
pub(super) struct Building {
    begin: Begin,
    channels: Vec<(ChannelName, Stored)>,
}

impl Building {
    pub(super) const fn new(begin: Begin) -> Self {
        Self {
            begin,
            channels: Vec::new(),
        }
    }

    /// Takes the next record.
    pub(super) fn add(&mut self, record: Record, payloads: &[Bytes]) -> Result<(), WireError> {
        let carries = matches!(record, Record::Messages(_) | Record::Values(_));
        if !carries && !payloads.is_empty() {
            return Err(WireError::Payloads);
        }
        if let Record::Channel(head) = record {
            let entry = (name::channel(&head.channel)?, head.stored()?);
            self.channels.push(entry);
            return Ok(());
        }
        let (_, stored) = self.channels.last_mut().ok_or(WireError::Snapshot)?;
        match record {
            Record::Messages(heads) => stored.messages.extend(taken(heads, payloads)?),
            Record::Values(heads) => stored.values.extend(taken(heads, payloads)?),
            Record::Results(heads) => {
                for head in &heads {
                    stored.results.push(head.result()?);
                }
            }
            Record::Requests(heads) => {
                for head in &heads {
                    stored.requests.push(head.request()?);
                }
            }
            Record::Begin(_) | Record::Channel(_) | Record::End => return Err(WireError::Snapshot),
        }
        Ok(())
    }

    /// The part, if all that is in it fits together.
    pub(super) fn finish(self, now: Now) -> Result<Part, WireError> {
        let restored = self.channels.into_iter().map(|(channel, stored)| {
            let state = State::restore(&stored, now).map_err(|_| WireError::Snapshot)?;
            Ok((channel, state))
        });
        let channels = restored.collect::<Result<_, WireError>>()?;
        Ok(part(self.begin, channels))
    }
}

impl ChannelHead {
    fn stored(&self) -> Result<Stored, WireError> {
        Ok(Stored {
            epoch: name::epoch(&self.epoch)?,
            keyed: self.keyed,
            head: Seq(self.head),
            floor: Seq(self.floor),
            keys_floor: Seq(self.keys_floor),
            used: WallTime(self.used),
            terms: self.terms.iter().map(|(seq, term)| (Seq(*seq), Term(*term))).collect(),
            spilled: Vec::new(),
            messages: Vec::new(),
            values: Vec::new(),
            results: Vec::new(),
            requests: Vec::new(),
        })
    }
}

fn taken(heads: Vec<MessageHead>, payloads: &[Bytes]) -> Result<Vec<Arc<Message>>, WireError> {
    if heads.len() != payloads.len() {
        return Err(WireError::Payloads);
    }
    let messages = heads.into_iter().zip(payloads);
    messages.map(|(head, payload)| head.with(payload.clone())).collect()
}
