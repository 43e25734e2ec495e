//! What the nodes that hold a slot say to each other, as messages of a link: the one place where core's types become
//! bytes and come back.
//!
//! A header holds everything but payloads, which stand beside it as they are. A part of a snapshot may hold more than
//! one frame does, so it goes as several messages of the same lane, which arrive in order: whoever reads them keeps the
//! last part that has begun, of each slot and peer.
//!
//! * `entry`: entries of a slot's log; `state`: channels of a snapshot; `name`: texts that are checked;
//! * `route`: gateways and owners of channels; `document`: those of documents; `presence`: who is where.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::channel::State;
use starling_core::document::message::Join;
use starling_core::id::{ChannelName, Index, Lineage, SlotId, Term};
use starling_core::relay::{Asked, Told};
use starling_core::replica::Message;
use starling_core::replica::message::Part;
use starling_core::slot::Place;
use starling_core::time::Now;
use thiserror::Error;

use crate::link::{CodecError, Incoming, Lane, Outgoing};

mod document;
mod entry;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod name;
mod presence;
mod route;
mod state;

pub use document::{Said, encode_document};
pub use presence::encode_presence;
pub use route::{encode_asked, encode_told};

use document::{DocumentHead, PieceHead, Pieces};
use entry::EntryHead;
use route::{AskedHead, Gather, ToldHead};
use state::{Building, Record};

/// The versions that this node speaks, the least and the most: of everything that travels in lanes.
pub const VERSIONS: (u16, u16) = (1, 1);

/// A peer's message is none.
#[derive(Debug, Error)]
pub enum WireError {
    /// Its header is no header.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A text in it breaks its rule.
    #[error("a {0} in it breaks the rule for one")]
    Text(&'static str),
    /// Payloads and header do not belong together.
    #[error("it has another number of payloads than its header says")]
    Payloads,
    /// Records of a snapshot are out of order.
    #[error("a part of a snapshot is not what was begun")]
    Snapshot,
}

/// The header of every message about a slot.
#[derive(Debug, Encode, Decode)]
enum Header {
    Append {
        term: u64,
        lineage: (u32, u32),
        previous: (u64, u64),
        entries: Vec<EntryHead>,
        committed: u64,
    },
    Appended {
        term: u64,
        through: u64,
    },
    Behind {
        term: u64,
        last: u64,
    },
    Snapshot(Record),
    Taken {
        term: u64,
        at: (u64, u64),
        next: u32,
    },
    Fenced {
        term: u64,
    },
    Probe {
        term: u64,
        number: u64,
    },
    Probed {
        term: u64,
        number: u64,
    },
    /// A gateway asks something about a channel.
    Asked(String, AskedHead),
    /// An owner tells a gateway something about a channel.
    Told(String, ToldHead),
    /// Something about presence, in the payload.
    Presence,
    /// A gateway and an owner of a document.
    Document(DocumentHead),
    /// A piece of what such a message carries.
    Piece(PieceHead),
}

/// What a peer has said about a slot.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// As a node that holds it.
    Replica(Message),
    /// As a gateway whose clients use one of its channels.
    Asked(ChannelName, Asked),
    /// As the owner, to such a gateway.
    Told(ChannelName, Told),
    /// As a node whose clients are present in channels of the shard that this lane leads to, or watch there, or as their owner.
    Presence(starling_core::presence::Message),
    /// About a document, under a join.
    Document(ChannelName, Join, Said),
}

const fn pair(place: Place) -> (u64, u64) {
    (place.index.0, place.term.0)
}

const fn place((index, term): (u64, u64)) -> Place {
    Place {
        index: Index(index),
        term: Term(term),
    }
}

const fn lineage((resets, incarnation): (u32, u32)) -> Lineage {
    Lineage { resets, incarnation }
}

/// The messages of a link that carry `message`, about `slot`, in order.
///
/// # Errors
/// When a header is longer than one may be; core's bounds see to it that none is.
pub fn encode(slot: SlotId, message: &Message, now: Now) -> Result<Vec<Outgoing>, CodecError> {
    let lane = Lane::Slot(slot.0);
    let one = |header: Header, payloads: Vec<Bytes>| Ok(vec![Outgoing::new(lane, &header, payloads)?]);
    let plain = |header| one(header, Vec::new());
    match message {
        Message::Append {
            term,
            lineage: Lineage { resets, incarnation },
            previous,
            entries,
            committed,
        } => {
            let header = Header::Append {
                term: term.0,
                lineage: (*resets, *incarnation),
                previous: pair(*previous),
                entries: entries.iter().map(|entry| EntryHead::of(entry)).collect(),
                committed: committed.0,
            };
            one(
                header,
                entries.iter().filter_map(|entry| entry::payload(entry)).collect(),
            )
        }
        Message::Appended { term, through } => plain(Header::Appended {
            term: term.0,
            through: through.0,
        }),
        Message::Behind { term, last } => plain(Header::Behind {
            term: term.0,
            last: last.0,
        }),
        Message::Snapshot(part) => {
            let records = state::records(part, now).into_iter();
            let records = records.map(|(record, payloads)| Outgoing::new(lane, &Header::Snapshot(record), payloads));
            records.collect()
        }
        Message::Taken { term, at, next } => plain(Header::Taken {
            term: term.0,
            at: pair(*at),
            next: *next,
        }),
        Message::Fenced { term } => plain(Header::Fenced { term: term.0 }),
        Message::Probe { term, number } => plain(Header::Probe {
            term: term.0,
            number: *number,
        }),
        Message::Probed { term, number } => plain(Header::Probed {
            term: term.0,
            number: *number,
        }),
    }
}

/// Makes messages of what arrives from one peer.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The part of a snapshot that is under way, of each slot. A peer sends one part of a slot at a time.
    building: BTreeMap<u16, Building>,
    /// Answers of which all messages have not arrived.
    gather: Gather,
    /// Pieces of what is said of documents.
    pieces: Pieces,
}

impl Decoder {
    /// The message that `incoming` completes; `None` if more belongs to it.
    ///
    /// # Errors
    /// When it is none. Nothing else of the peer can be trusted to be in order then.
    pub fn decode(&mut self, incoming: &Incoming, now: Now) -> Result<Option<(SlotId, Received)>, WireError> {
        let Lane::Slot(slot) = incoming.lane else {
            return Err(WireError::Snapshot);
        };
        let header = incoming.decode()?;
        let message = self.read(slot, header, &incoming.payloads, now)?;
        Ok(message.map(|message| (SlotId(slot), message)))
    }

    fn read(&mut self, slot: u16, header: Header, payloads: &[Bytes], now: Now) -> Result<Option<Received>, WireError> {
        match header {
            Header::Asked(channel, asked) => {
                let asked = asked.asked(payloads)?;
                Ok(Some(Received::Asked(name::channel(&channel)?, asked)))
            }
            Header::Told(channel, told) => {
                let channel = name::channel(&channel)?;
                let told = told.told(&channel, payloads, &mut self.gather)?;
                Ok(told.map(|told| Received::Told(channel, told)))
            }
            Header::Presence => Ok(Some(Received::Presence(presence::decode(payloads)?))),
            Header::Document(head) => {
                let said = head.said(payloads, &mut self.pieces)?;
                Ok(said.map(|(document, join, said)| Received::Document(document, join, said)))
            }
            Header::Piece(head) => {
                head.add(payloads, &mut self.pieces)?;
                Ok(None)
            }
            header => Ok(self.replica(slot, header, payloads, now)?.map(Received::Replica)),
        }
    }

    fn replica(
        &mut self,
        slot: u16,
        header: Header,
        payloads: &[Bytes],
        now: Now,
    ) -> Result<Option<Message>, WireError> {
        if !matches!(header, Header::Append { .. } | Header::Snapshot(_)) && !payloads.is_empty() {
            return Err(WireError::Payloads);
        }
        let message = match header {
            Header::Asked(..) | Header::Told(..) | Header::Presence | Header::Document(_) | Header::Piece(_) => {
                return Ok(None); // no replica's
            }
            Header::Append {
                term,
                lineage: given,
                previous,
                entries,
                committed,
            } => Message::Append {
                term: Term(term),
                lineage: lineage(given),
                previous: place(previous),
                entries: entry::entries(entries, payloads)?,
                committed: Index(committed),
            },
            Header::Appended { term, through } => Message::Appended {
                term: Term(term),
                through: Index(through),
            },
            Header::Behind { term, last } => Message::Behind {
                term: Term(term),
                last: Index(last),
            },
            Header::Taken { term, at, next } => Message::Taken {
                term: Term(term),
                at: place(at),
                next,
            },
            Header::Fenced { term } => Message::Fenced { term: Term(term) },
            Header::Probe { term, number } => Message::Probe {
                term: Term(term),
                number,
            },
            Header::Probed { term, number } => Message::Probed {
                term: Term(term),
                number,
            },
            Header::Snapshot(Record::Begin(begin)) => {
                if !payloads.is_empty() {
                    return Err(WireError::Payloads);
                }
                self.building.insert(slot, Building::new(begin));
                return Ok(None);
            }
            Header::Snapshot(Record::End) => {
                let building = self.building.remove(&slot).ok_or(WireError::Snapshot)?;
                Message::Snapshot(building.finish(now)?)
            }
            Header::Snapshot(record) => {
                let building = self.building.get_mut(&slot).ok_or(WireError::Snapshot)?;
                building.add(record, payloads)?;
                return Ok(None);
            }
        };
        Ok(Some(message))
    }
}

/// A part as it is put together.
fn part(begin: state::Begin, channels: Vec<(ChannelName, State)>) -> Part {
    Part {
        term: Term(begin.term),
        lineage: lineage(begin.lineage),
        at: place(begin.at),
        number: begin.number,
        is_last: begin.is_last,
        channels,
    }
}

#[cfg(test)]
mod tests;
