//! An editor's copy of its document, and what became of each of its edits.
//!
//! A node gives an editor its own update back once it is committed. Each thing that is sent over a connection is noted with the
//! edits that are in it, and given back it settles them. The answer to a node's question for what it lacks has every edit so
//! far, or the node had it.
//!
//! Such an answer may have nothing new in it: then another's update may look the same, and being given it back proves nothing.
//! What was sent before counts as saved as soon as something later over the same connection is: a node settles in order.

use std::collections::VecDeque;

use fastrand::Rng;
use tokio::time::Instant;
use yrs::updates::decoder::Decode as _;
use yrs::{
    ClientID, Doc, GetString as _, OffsetKind, Options, ReadTxn as _, Snapshot, StateVector, Text as _, TextRef,
    Transact as _, Update,
};

/// The text of each document.
const TEXT: &str = "text";

/// Letters of one, two and three bytes, each of which is one unit of UTF-16.
const LETTERS: [char; 12] = ['a', 'e', 'i', 'n', 'r', 's', 't', ' ', '\n', 'é', 'ß', '漢'];

/// Outside of the phases in which saves are timed.
pub(super) const UNTIMED: u64 = 0;

/// See the module.
pub(super) struct Draft {
    doc: Doc,
    text: TextRef,
    rng: Rng,
    cursor: u32,
    made: u64,
    /// Edits made after a connection was lost, and before there was another.
    made_offline: u64,
    /// Not told as saved, in order.
    pending: VecDeque<Edit>,
    /// Over the present connection, and not given back, in order.
    sent: VecDeque<Sent>,
    /// What each edit was that is told as saved.
    saved: Vec<Saved>,
    save_nanos: Vec<u64>,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Without a connection, after one was lost.
    Away,
    /// Not given yet what its node has.
    Asking,
    /// It has what its node has.
    Synced,
}

#[derive(Debug)]
struct Edit {
    number: u64,
    update: Vec<u8>,
    at: Instant,
    phase: u64,
}

#[derive(Debug)]
struct Sent {
    update: Vec<u8>,
    /// The edit that it is, or the last of all that are in it.
    edits: std::ops::RangeInclusive<u64>,
    is_ambiguous: bool,
}

/// An edit that was told as saved.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub(super) number: u64,
    pub(super) update: Vec<u8>,
}

/// What a copy is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    pub(super) text: String,
    /// Its state vector, and what is deleted.
    pub(super) snapshot: Snapshot,
}

impl Draft {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let options = Options {
            offset_kind: OffsetKind::Utf16,
            ..Options::with_guid_and_client_id("".into(), ClientID::new(u64::from(rng.u32(1..))))
        };
        let doc = Doc::with_options(options);
        let text = doc.get_or_insert_text(TEXT);
        Self {
            doc,
            text,
            rng,
            cursor: 0,
            made: 0,
            made_offline: 0,
            pending: VecDeque::new(),
            sent: VecDeque::new(),
            saved: Vec::new(),
            save_nanos: Vec::new(),
            standing: Standing::Asking,
        }
    }

    /// Who it is to the others.
    pub(super) fn client(&self) -> ClientID {
        self.doc.client_id()
    }

    /// Types a few letters where the cursor is, deletes a few, or goes elsewhere and types there. Gives the edit's number and
    /// its update.
    pub(super) fn edit(&mut self, phase: u64) -> (u64, Vec<u8>) {
        let mut transaction = self.doc.transact_mut();
        let length = self.text.len(&transaction);
        self.cursor = self.cursor.min(length);
        if self.rng.u8(..8) == 0 {
            self.cursor = self.rng.u32(..=length);
        }
        let deletes = self.rng.u32(1..=3).min(self.cursor);
        if deletes > 0 && self.rng.u8(..6) == 0 {
            self.cursor -= deletes;
            self.text.remove_range(&mut transaction, self.cursor, deletes);
        } else {
            let run = self.rng.usize(1..=8);
            let run: String = (0..run).map(|_| LETTERS[self.rng.usize(..LETTERS.len())]).collect();
            self.text.insert(&mut transaction, self.cursor, &run);
            self.cursor += u32::try_from(run.chars().count()).unwrap_or(u32::MAX); // a unit each
        }
        let update = transaction.encode_update_v1();
        drop(transaction);
        self.made += 1;
        self.made_offline += u64::from(self.standing == Standing::Away);
        self.pending.push_back(Edit {
            number: self.made,
            update: update.clone(),
            at: Instant::now(),
            phase,
        });
        (self.made, update)
    }

    /// There is a new connection: what was sent over the one before is not given back any more.
    pub(super) fn connected(&mut self) {
        self.sent.clear();
        self.standing = Standing::Asking;
    }

    pub(super) const fn synced(&mut self) {
        self.standing = Standing::Synced;
    }

    pub(super) const fn lost(&mut self) {
        self.standing = Standing::Away;
    }

    pub(super) const fn standing(&self) -> Standing {
        self.standing
    }

    /// An edit is sent as it was made.
    pub(super) fn sends(&mut self, number: u64, update: Vec<u8>) {
        self.sent.push_back(Sent {
            update,
            edits: number..=number,
            is_ambiguous: false,
        });
    }

    /// What somebody lacks who has so much. It is noted as sent.
    pub(super) fn answer(&mut self, state_vector: &StateVector) -> Vec<u8> {
        let update = self.doc.transact().encode_state_as_update_v1(state_vector);
        self.sent.push_back(Sent {
            // It begins with how many clients have written something.
            is_ambiguous: update.first() == Some(&0),
            update: update.clone(),
            edits: 1..=self.made,
        });
        update
    }

    pub(super) fn state_vector(&self) -> StateVector {
        self.doc.transact().state_vector()
    }

    /// An update came that is no edit of ours; an error is one that cannot be applied.
    pub(super) fn apply(&mut self, update: &[u8]) -> Result<(), String> {
        apply(&self.doc, update)
    }

    /// An update came. If it is one of ours that is given back, gives the edits that it settles.
    pub(super) fn given_back(&mut self, update: &[u8], phase: u64) -> Option<Vec<u64>> {
        let at = self.sent.iter().position(|sent| sent.update == update)?;
        if self.sent[at].is_ambiguous {
            return Some(Vec::new());
        }
        let sent = self.sent.remove(at)?;
        // Ambiguous ones before it are settled with it, the last of them has what the others have.
        let mut before: VecDeque<_> = self.sent.drain(..at).collect();
        let answered = before.iter().rev().find(|sent| sent.is_ambiguous);
        let answered = answered.map(|sent| sent.edits.clone());
        before.retain(|sent| !sent.is_ambiguous);
        before.append(&mut self.sent);
        self.sent = before;
        let mut settled = answered.map_or_else(Vec::new, |edits| self.settle(&edits, UNTIMED));
        settled.extend(self.settle(&sent.edits, phase));
        Some(settled)
    }

    /// Takes note that edits are saved, and of the time that this took.
    fn settle(&mut self, edits: &std::ops::RangeInclusive<u64>, phase: u64) -> Vec<u64> {
        let mut settled = Vec::new();
        let mut index = 0;
        while index < self.pending.len() {
            if !edits.contains(&self.pending[index].number) {
                index += 1;
                continue;
            }
            let Some(edit) = self.pending.remove(index) else {
                break;
            };
            if edit.phase == phase && phase != UNTIMED {
                let took = u64::try_from(edit.at.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.save_nanos.push(took);
            }
            settled.push(edit.number);
            self.saved.push(Saved {
                number: edit.number,
                update: edit.update,
            });
        }
        settled
    }

    /// Since when the oldest edit waits that is not told as saved, and which it is.
    pub(super) fn waits(&self) -> Option<(u64, Instant)> {
        self.pending.front().map(|edit| (edit.number, edit.at))
    }

    /// Since when the newest edit waits that is not told as saved.
    pub(super) fn newest(&self) -> Option<Instant> {
        self.pending.back().map(|edit| edit.at)
    }

    pub(super) const fn made(&self) -> u64 {
        self.made
    }

    pub(super) const fn made_offline(&self) -> u64 {
        self.made_offline
    }

    pub(super) fn unsaved(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn saved(&self) -> &[Saved] {
        &self.saved
    }

    pub(super) fn save_nanos(&self) -> &[u64] {
        &self.save_nanos
    }

    pub(super) fn content(&self) -> Content {
        content(&self.doc)
    }
}

pub(super) fn apply(doc: &Doc, update: &[u8]) -> Result<(), String> {
    let update = Update::decode_v1(update).map_err(|error| error.to_string())?;
    doc.transact_mut()
        .apply_update(update)
        .map_err(|error| error.to_string())
}

pub(super) fn content(doc: &Doc) -> Content {
    let text = doc.get_or_insert_text(TEXT);
    let transaction = doc.transact();
    Content {
        text: text.get_string(&transaction),
        snapshot: transaction.snapshot(),
    }
}

#[cfg(test)]
mod tests;
