//! What the application was not told yet, because its queue has no room.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::presence::{Certainty, ClientId, Present};

/// See the module. Bounded by those whom the application was told of and those who are there: the newest of each counts.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// Everybody.
    pub(super) whole: bool,
    /// Who may differ from what was told of them, and what that was; `None` if they were not there.
    pub(super) clients: BTreeMap<ClientId, Option<Arc<Present>>>,
    pub(super) ephemerals: BTreeMap<ClientId, Bytes>,
    /// How many there are.
    pub(super) occupancy: bool,
    /// What was told of how sure it is, if that may have changed.
    pub(super) certainty: Option<Certainty>,
    /// That the application is behind was counted.
    pub(super) is_counted: bool,
}

impl Due {
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            whole,
            clients,
            ephemerals,
            occupancy,
            certainty,
            is_counted: _,
        } = self;
        !whole && clients.is_empty() && ephemerals.is_empty() && !occupancy && certainty.is_none()
    }

    /// Nobody is named any more.
    pub(super) fn forget_clients(&mut self) {
        self.whole = false;
        self.clients.clear();
        self.ephemerals.clear();
    }
}
