//! A channel as its store holds it, and how it comes back from there.
//!
//! A store writes down what entries do to a channel (see [`Change`](crate::slot::Change)) and gives all of
//! it back here, except for the messages that stay in the store. What it gives is checked: a hole, a
//! serial out of turn or a value without a key means that the store is damaged, and the channel is set
//! aside rather than shown.
//!
//! Ages go on where they were: instants are made from the wall times that the store kept.

use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;

use super::history::History;
use super::idempotency::IdempotencyKeys;
use super::keys::Keys;
use super::learnt::Learnt;
use super::message::Message;
use super::publishers::{Fate, Publishers};
use super::spilled;
use super::state::State;
use super::terms::Terms;
use super::view::View;
use crate::id::{Author, Epoch, IdempotencyKey, Seq, Serial, Subject, Term};
use crate::time::{Now, WallTime};

/// Everything a store holds of one channel, but for the messages that stay there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Names its history.
    pub epoch: Epoch,
    /// Messages carry keys.
    pub keyed: bool,
    /// The newest message; 0 before the first.
    pub head: Seq,
    /// The first message that is kept; one after the head when none is.
    pub floor: Seq,
    /// The latest removal of a key that is forgotten.
    pub keys_floor: Seq,
    /// When the channel was last used.
    pub used: WallTime,
    /// Who wrote which messages: the first of each range, in order.
    pub terms: Vec<(Seq, Term)>,
    /// The kept messages that stay in the store, from the floor on.
    pub spilled: Vec<Chunk>,
    /// The newest messages, up to the head.
    pub messages: Vec<Arc<Message>>,
    /// The values and removals of a keyed channel, in the order of publication.
    pub values: Vec<Arc<Message>>,
    /// The results of its publishers, those of each in the order of their serials.
    pub results: Vec<StoredResult>,
    /// The requests that are known, oldest first.
    pub requests: Vec<StoredRequest>,
}

/// Consecutive messages that stay in the store; see [`spilled`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// The first of them.
    pub first: Seq,
    /// The last of them.
    pub last: Seq,
    /// The weight of all.
    pub bytes: u64,
    /// The time of the newest.
    pub time: WallTime,
}

/// What became of one serial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResult {
    /// Whose.
    pub author: Author,
    /// Which.
    pub serial: Serial,
    /// What.
    pub fate: Fate,
    /// When.
    pub time: WallTime,
}

/// What a request with an idempotency key published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequest {
    /// Whose key it is.
    pub subject: Subject,
    /// The key.
    pub key: IdempotencyKey,
    /// The message.
    pub seq: Seq,
    /// Who wrote it.
    pub term: Term,
    /// When.
    pub time: WallTime,
}

/// What a store holds of a channel does not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Damage {
    /// Messages are missing, or too many.
    #[error("the store has a hole in the messages of the channel; it has to be restored from a backup, or removed")]
    Messages,
    /// The ranges of terms are out of order.
    #[error("the store has the terms of the channel out of order; it has to be restored from a backup, or removed")]
    Terms,
    /// A value has no key, or a key has two.
    #[error(
        "the store has values of the channel that do not fit its keys; it has to be restored from a backup, or removed"
    )]
    Values,
    /// Serials of a publisher do not follow each other.
    #[error("the store has a hole in the serials of a publisher; it has to be restored from a backup, or removed")]
    Serials,
}

impl State {
    /// Takes a channel from its store.
    ///
    /// # Errors
    /// When what is stored does not fit together.
    pub fn restore(stored: &Stored, now: Now) -> Result<Self, Damage> {
        let at = |time: WallTime| instant_of(time, now);
        let terms = terms(stored)?;
        let history = history(stored, at)?;
        if !stored.keyed && !stored.values.is_empty() {
            return Err(Damage::Values);
        }
        let ordered = stored.values.iter().zip(stored.values.iter().skip(1));
        let fits = ordered.into_iter().all(|(one, next)| one.seq < next.seq);
        let within = stored.values.last().is_none_or(|last| last.seq <= stored.head);
        let keys = Keys::restored(stored.keys_floor, &stored.values, |message| at(message.time));
        let keys = keys.filter(|_| fits && within).ok_or(Damage::Values)?;
        let mut publishers = Publishers::default();
        for StoredResult {
            author,
            serial,
            fate,
            time,
        } in &stored.results
        {
            let known = publishers.restore(author, *serial, *fate, at(*time));
            known.map_err(|_| Damage::Serials)?;
        }
        let mut requests = IdempotencyKeys::default();
        for request in &stored.requests {
            let StoredRequest {
                subject,
                key,
                seq,
                term,
                time,
            } = request;
            requests.record(subject, key, *seq, *term, at(*time));
        }
        let epoch = stored.epoch.clone();
        let view = View::restored(epoch, stored.keyed, stored.head, terms, history, keys);
        Ok(Self::restored(view, publishers, requests, at(stored.used)))
    }
}

fn terms(stored: &Stored) -> Result<Terms, Damage> {
    let mut terms = Terms::default();
    let mut last = (Seq(0), Term(0));
    for &(first, term) in &stored.terms {
        if first <= last.0 || term <= last.1 || first > stored.head {
            return Err(Damage::Terms);
        }
        terms.record(first, term);
        last = (first, term);
    }
    Ok(terms)
}

fn history(stored: &Stored, at: impl Fn(WallTime) -> Instant) -> Result<History, Damage> {
    let Stored {
        head,
        floor,
        spilled,
        messages,
        keyed,
        ..
    } = stored;
    let mut history = History::beginning_at(*floor);
    let mut next = *floor;
    for chunk in spilled {
        if chunk.first != next || chunk.last < chunk.first {
            return Err(Damage::Messages);
        }
        next = chunk.last.next();
        history.add_spilled(spilled::Chunk {
            first: chunk.first,
            last: chunk.last,
            bytes: chunk.bytes,
            learnt: Learnt(at(chunk.time)),
        });
    }
    for message in messages {
        if message.seq != next || message.key.is_some() != *keyed {
            return Err(Damage::Messages);
        }
        next = next.next();
        history.append(message, *floor, at(message.time));
    }
    if next == head.next() {
        Ok(history)
    } else {
        Err(Damage::Messages)
    }
}

/// The instant of a wall time. What lies ahead, because the clock was stepped back, is now.
fn instant_of(time: WallTime, now: Now) -> Instant {
    let ago = std::time::Duration::from_millis(now.wall.0.saturating_sub(time.0));
    now.instant.checked_sub(ago).unwrap_or(now.instant)
}

impl State {
    /// What a store would hold of it, with as many messages as fit `memory`; also how a state goes to another node.
    #[must_use]
    pub fn to_stored(&self, memory: super::config::Memory, now: Now) -> Stored {
        let wall = |at: Instant| {
            let ago = now.instant.saturating_duration_since(at).as_millis();
            WallTime(now.wall.0.saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX)))
        };
        let view = self.view();
        let mut messages: Vec<_> = view.history().after(Seq(0)).cloned().collect();
        let mut bytes = 0;
        let fits = |message: &&Arc<Message>| {
            bytes += message.weight();
            bytes <= memory.bytes
        };
        let resident = messages
            .iter()
            .rev()
            .take(memory.messages as usize)
            .take_while(fits)
            .count();
        let newest = messages.split_off(messages.len() - resident);
        let chunks = messages.chunk_by(|one, next| {
            (one.seq.0 - 1) / spilled::CHUNK_MESSAGES == (next.seq.0 - 1) / spilled::CHUNK_MESSAGES
        });
        Stored {
            epoch: view.epoch().clone(),
            keyed: view.is_keyed(),
            head: view.head(),
            floor: view.history().floor(),
            keys_floor: view.keys().floor(),
            used: wall(self.used()),
            terms: view.terms().ranges().collect(),
            spilled: chunks
                .map(|chunk| Chunk {
                    first: chunk[0].seq,
                    last: chunk[chunk.len() - 1].seq,
                    bytes: chunk.iter().map(|message| message.weight()).sum(),
                    time: chunk[chunk.len() - 1].time,
                })
                .collect(),
            messages: newest,
            values: view.keys().select(|_| true),
            results: self
                .publishers()
                .results()
                .map(|(author, serial, fate, used)| StoredResult {
                    author: author.clone(),
                    serial,
                    fate,
                    time: wall(used),
                })
                .collect(),
            requests: self
                .idempotency()
                .requests()
                .map(|(subject, key, seq, term, at)| StoredRequest {
                    subject: subject.clone(),
                    key: key.clone(),
                    seq,
                    term,
                    time: wall(at),
                })
                .collect(),
        }
    }
}
