//! The sessions that are told when something moves.

use std::sync::Arc;

use starling_core::session::Place;

use crate::session::Mailbox;

/// A reader's entry; hand it back to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener(usize);

/// See the module. An entry keeps its number as long as its reader is there.
#[derive(Debug, Default)]
pub(super) struct Readers {
    entries: Vec<Option<(Arc<Mailbox>, Place)>>,
    vacant: Vec<usize>,
}

impl Readers {
    /// Adds a reader: its mailbox is marked with `place`.
    pub(super) fn join(&mut self, mailbox: Arc<Mailbox>, place: Place) -> Listener {
        let at = self.vacant.pop().unwrap_or(self.entries.len());
        let entry = Some((mailbox, place));
        match self.entries.get_mut(at) {
            Some(vacant) => *vacant = entry,
            None => self.entries.push(entry),
        }
        Listener(at)
    }

    /// Removes a reader.
    pub(super) fn leave(&mut self, listener: Listener) {
        self.entries[listener.0] = None;
        self.vacant.push(listener.0);
        if self.vacant.len() == self.entries.len() {
            *self = Self::default();
        }
    }

    /// Tells all of them.
    pub(super) fn mark(&self) {
        for (mailbox, place) in self.entries.iter().flatten() {
            mailbox.mark(*place);
        }
    }

    /// Where each of them can be reached.
    pub(super) fn mailboxes(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        self.entries.iter().flatten().map(|(mailbox, _)| mailbox)
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }
}
