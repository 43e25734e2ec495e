//! Whose awareness the editors here were shown.
//!
//! An owner tells who goes, but one that has just become it does not know who was there: those of a node that died with the
//! old owner it has never heard of. So whoever is not announced again within a while of joining is
//! gone: the owner is told, and tells all.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::document::scan::Entry;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// By client: its clock, and in how many changes of owner it was announced.
    clients: BTreeMap<u64, (u64, u64)>,
    beginnings: u64,
    settles: Option<Instant>,
}

impl Shown {
    pub(super) fn has(&self, client: u64) -> bool {
        self.clients.contains_key(&client)
    }

    pub(super) fn show(&mut self, entries: &[Entry<'_>]) {
        for entry in entries {
            match entry.state {
                "null" => self.clients.remove(&entry.client),
                _ => self.clients.insert(entry.client, (entry.clock, self.beginnings)),
            };
        }
    }

    /// An owner was joined: what is not announced until then is gone.
    pub(super) fn begin_anew(&mut self, settles: Instant) {
        self.beginnings += 1;
        self.settles = (!self.clients.is_empty()).then_some(settles);
    }

    /// When it is clear who is gone.
    pub(super) const fn settles_at(&self) -> Option<Instant> {
        self.settles
    }

    /// Those who are gone, with their clocks, once that is clear.
    pub(super) fn settle(&mut self, now: Instant) -> Vec<(u64, u64)> {
        if self.settles.take_if(|at| *at <= now).is_none() {
            return Vec::new();
        }
        let clients = self.clients.iter();
        let gone = clients.filter(|(_, (_, told))| *told < self.beginnings);
        gone.map(|(client, (clock, _))| (*client, *clock)).collect()
    }
}
