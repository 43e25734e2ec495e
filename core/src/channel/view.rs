//! What readers of a channel may be shown.

use std::sync::Arc;
use std::time::Instant;

use super::config::Memory;
use super::history::History;
use super::keys::Keys;
use super::message::Message;
use super::state::{Misfit, Replicated};
use super::terms::Terms;
use crate::id::{Epoch, Position, Seq, Term};
use crate::slot::entry::Change;

/// One history of a channel: its head, its messages, its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    epoch: Epoch,
    keyed: bool,
    head: Seq,
    terms: Terms,
    history: History,
    keys: Keys,
}

impl View {
    /// Names this history.
    #[must_use]
    pub const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Whether messages carry keys.
    #[must_use]
    pub const fn is_keyed(&self) -> bool {
        self.keyed
    }

    /// The newest message; 0 before the first.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// The messages that can be read back.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The values of a keyed channel.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Who wrote which messages.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The position after message `seq`, which is at most the head.
    #[must_use]
    pub fn position(&self, seq: Seq) -> Position {
        Position {
            epoch: self.epoch.clone(),
            seq,
            term: self.terms.at(seq).unwrap_or_default(),
        }
    }

    /// The position after the newest message.
    #[must_use]
    pub fn head_position(&self) -> Position {
        self.position(self.head)
    }

    pub(super) fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    pub(super) fn keys_mut(&mut self) -> &mut Keys {
        &mut self.keys
    }

    /// Lets go of messages that the store has, beyond what stays in memory.
    pub(crate) fn spill(&mut self, memory: Option<Memory>) {
        if let Some(memory) = memory {
            self.history.spill(memory);
        }
    }

    /// A history as a store holds it.
    pub(super) const fn restored(
        epoch: Epoch,
        keyed: bool,
        head: Seq,
        terms: Terms,
        history: History,
        keys: Keys,
    ) -> Self {
        Self {
            epoch,
            keyed,
            head,
            terms,
            history,
            keys,
        }
    }

    fn publish(&mut self, message: &Arc<Message>, floor: Seq, now: Instant) -> Result<(), Misfit> {
        if message.seq != self.head.next() || message.term < self.last_term() {
            return Err(Misfit::Seq);
        }
        if message.key.is_some() != self.keyed || (message.deleted && !self.keyed) {
            return Err(Misfit::Key);
        }
        if !(self.history.floor()..=message.seq.next()).contains(&floor) {
            return Err(Misfit::Floor);
        }
        self.head = message.seq;
        self.terms.record(message.seq, message.term);
        self.history.append(message, floor, now);
        if let Some(key) = &message.key {
            self.keys.apply(key, message, now);
        }
        Ok(())
    }

    fn last_term(&self) -> Term {
        self.terms.at(self.head).unwrap_or_default()
    }
}

impl Replicated for View {
    fn create(epoch: &Epoch, keyed: bool, _: Instant) -> Self {
        Self {
            epoch: epoch.clone(),
            keyed,
            head: Seq(0),
            terms: Terms::default(),
            history: History::default(),
            keys: Keys::default(),
        }
    }

    fn apply(&mut self, change: &Change, now: Instant) -> Result<(), Misfit> {
        match change {
            Change::Publish { message, floor, .. } => self.publish(message, *floor, now)?,
            Change::Truncate { floor } => {
                if !(self.history.floor()..=self.head.next()).contains(floor) {
                    return Err(Misfit::Floor);
                }
                self.history.truncate(*floor);
            }
            Change::ExpireKeys { through } => {
                if *through > self.head {
                    return Err(Misfit::Floor);
                }
                self.keys.expire(*through);
            }
            Change::Skip { .. } | Change::ExpirePublishers { .. } => {}
            Change::Create { .. } | Change::ForgetHead => return Err(Misfit::Lifetime),
        }
        Ok(())
    }
}
