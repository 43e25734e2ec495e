//! The values of a keyed channel: the newest message of each key.
//!
//! A removed key leaves a *tombstone*, so that a reader that comes back can be told what was
//! removed. When tombstones are forgotten, the *tombstone floor* rises to the last of them: a reader
//! below it cannot be told all, and gets the whole state instead.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::Config;
use super::learnt::Learnt;
use super::message::Message;
use crate::id::{Key, Seq};

/// The values and tombstones of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys {
    rows: BTreeMap<Key, Row>,
    /// The keys that are removed, by when.
    tombstones: BTreeMap<Seq, Key>,
    /// The weight of the values.
    bytes: u64,
    floor: Seq,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    message: Arc<Message>,
    learnt: Learnt,
}

/// Whether there is room for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// There is.
    Fits,
    /// There is, once the tombstones up to this one are forgotten.
    Behind(Seq),
    /// There is none.
    Full,
}

impl Keys {
    /// The seq of the latest removal that is no longer remembered; 0 when all are.
    #[must_use]
    pub const fn floor(&self) -> Seq {
        self.floor
    }

    /// How many keys have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() - self.tombstones.len()
    }

    /// Whether no key has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every value, in the order of publication.
    #[must_use]
    pub fn values(&self) -> Vec<Arc<Message>> {
        self.select(|message| !message.deleted)
    }

    /// Every value set and every key removed after `seq`, in the order of publication.
    #[must_use]
    pub fn changed_since(&self, seq: Seq) -> Vec<Arc<Message>> {
        self.select(|message| message.seq > seq)
    }

    /// The message of each value whose key comes after the bound, in the order of keys.
    pub(super) fn values_after(&self, after: Bound<&Key>) -> impl Iterator<Item = &Arc<Message>> {
        let rows = self.rows.range::<Key, _>((after, Bound::Unbounded));
        rows.map(|(_, row)| &row.message).filter(|message| !message.deleted)
    }

    pub(super) fn select(&self, wanted: impl Fn(&Message) -> bool) -> Vec<Arc<Message>> {
        let rows = self.rows.values().map(|row| &row.message);
        let mut messages: Vec<_> = rows.filter(|message| wanted(message)).cloned().collect();
        messages.sort_unstable_by_key(|message| message.seq);
        messages
    }

    /// Whether a value of `weight` (key included) can be set for `key`.
    pub(super) fn room(&self, key: &Key, weight: u64, config: &Config) -> Room {
        let row = self.rows.get(key);
        let replaced = row
            .filter(|row| !row.message.deleted)
            .map_or(0, |row| row.message.weight());
        if self.bytes - replaced + weight > config.values_bytes_max {
            return Room::Full;
        }
        if row.is_some() || self.rows.len() < config.keys_max {
            return Room::Fits;
        }
        // Half of them at once: forgetting costs an entry, and readers below it the whole state.
        let half = self.tombstones.keys().nth(self.tombstones.len().saturating_sub(1) / 2);
        match half {
            Some(through) if self.len() < config.keys_max => Room::Behind(*through),
            _ => Room::Full,
        }
    }

    /// The latest tombstone of at least `age`, if there is one.
    pub(super) fn expired(&self, age: Duration, now: Instant) -> Option<Seq> {
        let old = |key: &Key| self.rows[key].learnt.is_older(age, now);
        let through = self.tombstones.iter().take_while(|(_, key)| old(key)).last();
        through.map(|(seq, _)| *seq)
    }

    /// When the oldest tombstone was learnt of.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let (_, key) = self.tombstones.first_key_value()?;
        Some(self.rows[key].learnt.0)
    }

    /// Sets or removes the value of `key`.
    ///
    /// Removing what has no value changes no value, and still counts as the latest removal: a reader
    /// that was spared the earlier one, because this one replaces it, may come back from between them.
    pub(super) fn apply(&mut self, key: &Key, message: &Arc<Message>, now: Instant) {
        let before = self.rows.get(key).map(|row| Arc::clone(&row.message));
        let row = Row {
            message: Arc::clone(message),
            learnt: Learnt(now),
        };
        match (before, message.deleted) {
            (None, true) => {
                // It may have been known, and its removal forgotten: then so is this one.
                if self.floor > Seq(0) {
                    self.floor = message.seq;
                }
                return;
            }
            (Some(tombstone), true) if tombstone.deleted => {
                self.tombstones.remove(&tombstone.seq);
                self.tombstones.insert(message.seq, key.clone());
            }
            (Some(value), true) => {
                self.bytes -= value.weight();
                self.tombstones.insert(message.seq, key.clone());
            }
            (None, false) => self.bytes += message.weight(),
            (Some(tombstone), false) if tombstone.deleted => {
                self.tombstones.remove(&tombstone.seq);
                self.bytes += message.weight();
            }
            (Some(value), false) => {
                self.bytes -= value.weight();
                self.bytes += message.weight();
            }
        }
        self.rows.insert(key.clone(), row);
    }

    /// Forgets the tombstones up to `through`.
    pub(super) fn expire(&mut self, through: Seq) {
        let kept = self.tombstones.split_off(&through.next());
        for key in std::mem::replace(&mut self.tombstones, kept).into_values() {
            self.rows.remove(&key);
        }
        self.floor = self.floor.max(through);
    }

    /// The values and removals of a store, in the order of publication, none of which is below
    /// `floor`. `learnt` says when each was.
    pub(super) fn restored(
        floor: Seq,
        messages: &[Arc<Message>],
        learnt: impl Fn(&Message) -> Instant,
    ) -> Option<Self> {
        let mut keys = Self::default();
        for message in messages {
            let key = message.key.clone()?;
            if message.deleted {
                keys.tombstones.insert(message.seq, key.clone());
            } else {
                keys.bytes += message.weight();
            }
            let row = Row {
                message: Arc::clone(message),
                learnt: Learnt(learnt(message)),
            };
            if keys.rows.insert(key, row).is_some() {
                return None;
            }
        }
        keys.floor = floor;
        Some(keys)
    }

    /// Takes everything for learnt of now.
    pub(super) fn restamp(&mut self, now: Instant) {
        for row in self.rows.values_mut() {
            row.learnt = Learnt(now);
        }
    }
}
