//! The rules of one watch: what the application is told of who is in a channel. No IO, no clock.
//!
//! ```text
//!   Roster, changes ──▶ known ──▶ has the queue room? ── yes ──▶ told, one event for each that came, changed or went
//!                                        │ no
//!                                        ▼
//!                                       due: of each client how it was told last ── room again ──▶ the difference
//! ```
//!
//! *Known* is what the node said last, and outlives the connection: another Roster, after a reconnect or because this client
//! could not keep up, is told as what it differs by. What the application is too slow for is merged in *due*, where the newest
//! of each kind and of each client counts, so it holds no more than the roster does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use starling_protocol::v1;

use self::due::Due;
use crate::channel::room::{Cost, Room, Taken};
use crate::presence::{Certainty, ClientId, Occupancy, Present};
use crate::queue::Item;
use crate::session::{Effect, SubscriptionId, Turn, Violation};
use crate::{PresenceError, WatchOptions};

mod due;

/// Bytes that an event, or a client in a roster, takes beside its names and its state, about.
const PRESENT_BYTES: usize = 160;

/// What the application is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Roster(Vec<Arc<Present>>),
    Joined(Arc<Present>),
    Updated(Arc<Present>),
    Left(Arc<Present>),
    Occupancy(Occupancy),
    Certainty(Certainty),
    Ephemeral(Arc<Present>, Bytes),
    Failed(PresenceError),
}

/// One watch.
#[derive(Debug)]
pub(crate) struct Roster {
    id: SubscriptionId,
    /// Who is there; `None` while nobody is named.
    known: Option<BTreeMap<ClientId, Arc<Present>>>,
    /// Parts of a roster whose last has not come.
    parts: Option<BTreeMap<ClientId, Arc<Present>>>,
    occupancy: Occupancy,
    certainty: Certainty,
    /// Of each client the number of its last ephemeral state.
    numbers: BTreeMap<ClientId, u64>,
    room: Room,
    due: Due,
}

impl Roster {
    pub(crate) fn new(id: SubscriptionId, options: &WatchOptions) -> Self {
        Self {
            id,
            known: None,
            parts: None,
            occupancy: Occupancy::default(),
            certainty: Certainty::default(),
            numbers: BTreeMap::new(),
            room: Room::new(options.queue_events, options.queue_bytes),
            due: Due::default(),
        }
    }

    /// A part of everybody who is there.
    pub(crate) fn part(&mut self, frame: v1::Roster, turn: &mut Turn<'_>) -> Result<(), Violation> {
        if frame.first {
            self.parts = Some(BTreeMap::new());
        }
        let Some(parts) = &mut self.parts else {
            return Err(Violation("a part of a roster that was not begun"));
        };
        for present in frame.clients {
            let present = parse(present)?;
            parts.insert(present.client, present);
        }
        if frame.last {
            let whole = self.parts.take().unwrap_or_default();
            self.whole(whole, turn);
        }
        Ok(())
    }

    /// Who has come, changed and gone.
    pub(crate) fn changes(&mut self, frame: v1::PresenceChanges, turn: &mut Turn<'_>) -> Result<(), Violation> {
        if self.parts.is_some() {
            return Err(Violation("presence changes between the parts of a roster"));
        }
        if self.known.is_none() {
            return Err(Violation("presence changes without a roster"));
        }
        for present in frame.joined.into_iter().chain(frame.updated) {
            let present = parse(present)?;
            self.put(present.client, Some(present), turn);
        }
        for absent in frame.left {
            let client = ClientId::from_wire(&absent.client).ok_or(NOBODY)?;
            self.put(client, None, turn);
        }
        Ok(())
    }

    /// How many are there. Nobody is named any more.
    pub(crate) fn occupancy(&mut self, frame: &v1::Occupancy, turn: &mut Turn<'_>) {
        self.parts = None;
        self.known = None;
        self.numbers.clear();
        self.occupancy = Occupancy {
            members: frame.members,
            clients: frame.clients,
        };
        self.due.forget_clients();
        self.due.occupancy = true;
        self.tell_due(turn);
    }

    /// How sure it is.
    pub(crate) fn certainty(&mut self, frame: v1::Certainty, turn: &mut Turn<'_>) {
        let v1::Certainty { stale, uncertain, .. } = frame;
        self.believe(Certainty { stale, uncertain }, turn);
    }

    /// The newest ephemeral states. Those of nobody who is known are worth nothing.
    pub(crate) fn ephemerals(&mut self, frame: v1::Ephemerals, turn: &mut Turn<'_>) -> Result<(), Violation> {
        for said in frame.states {
            let client = ClientId::from_wire(&said.client).ok_or(NOBODY)?;
            let is_known = self.known.as_ref().is_some_and(|known| known.contains_key(&client));
            let is_newer = self.numbers.get(&client).is_none_or(|last| said.number > *last);
            if is_known && is_newer {
                self.numbers.insert(client, said.number);
                self.due.ephemerals.insert(client, said.state);
                self.tell_due(turn);
            }
        }
        Ok(())
    }

    /// Nothing is heard of the channel any more: what is known may be old from now on.
    pub(crate) fn unheard(&mut self, turn: &mut Turn<'_>) {
        self.parts = None;
        let stale = Certainty {
            stale: true,
            ..self.certainty.clone()
        };
        self.believe(stale, turn);
    }

    /// The application took events from the queue.
    pub(crate) fn taken(&mut self, taken: Taken, turn: &mut Turn<'_>) {
        self.room.taken(taken);
        self.tell_due(turn);
    }

    /// The event that ends a watch. It needs no room: nothing follows it.
    pub(crate) fn fail(&mut self, error: PresenceError, turn: &mut Turn<'_>) {
        self.deliver(Told::Failed(error), turn);
    }

    /// Everybody who is there.
    fn whole(&mut self, whole: BTreeMap<ClientId, Arc<Present>>, turn: &mut Turn<'_>) {
        let Some(known) = &self.known else {
            self.known = Some(whole);
            self.due.occupancy = false;
            self.due.whole = true;
            return self.tell_due(turn);
        };
        let gone = known.keys().filter(|client| !whole.contains_key(client));
        let gone: BTreeSet<_> = gone.copied().collect();
        // Those who came first: a member whose tab was replaced was never away.
        for (client, present) in whole {
            self.put(client, Some(present), turn);
        }
        for client in gone {
            self.put(client, None, turn);
        }
    }

    /// A client is there like this, or is not.
    fn put(&mut self, client: ClientId, present: Option<Arc<Present>>, turn: &mut Turn<'_>) {
        let Some(known) = &mut self.known else { return };
        let before = match present {
            Some(present) => known.insert(client, present),
            None => {
                self.numbers.remove(&client);
                self.due.ephemerals.remove(&client);
                known.remove(&client)
            }
        };
        let now = known.get(&client);
        if self.due.whole || before.as_ref() == now {
            return;
        }
        let told = self.due.clients.entry(client).or_insert(before);
        // It looks as it was told: what happened in between is past.
        if told.as_ref() == now {
            self.due.clients.remove(&client);
        }
        self.tell_due(turn);
    }

    fn believe(&mut self, certainty: Certainty, turn: &mut Turn<'_>) {
        if self.certainty != certainty {
            self.due.certainty.get_or_insert_with(|| self.certainty.clone());
            self.certainty = certainty;
            self.tell_due(turn);
        }
    }

    /// Tells as much as has room of what the application was not told. Whoever makes something due calls it, so that it
    /// is told one by one as long as there is room.
    fn tell_due(&mut self, turn: &mut Turn<'_>) {
        while self.room.has_room() {
            match self.next_due() {
                Some(told) => self.deliver(told, turn),
                None => break,
            }
        }
        let is_behind = !self.due.is_empty();
        if is_behind && !self.due.is_counted {
            turn.common.stats.merged += 1;
        }
        self.due.is_counted = is_behind;
    }

    fn next_due(&mut self) -> Option<Told> {
        if std::mem::take(&mut self.due.whole) {
            let everybody = self.known.iter().flat_map(BTreeMap::values);
            return Some(Told::Roster(everybody.cloned().collect()));
        }
        if let Some((client, before)) = self.due.clients.pop_first() {
            let now = self.known.as_ref().and_then(|known| known.get(&client)).cloned();
            return match (before, now) {
                (None, now) => now.map(Told::Joined),
                (Some(_), Some(now)) => Some(Told::Updated(now)),
                (Some(before), None) => Some(Told::Left(before)),
            };
        }
        while let Some((client, state)) = self.due.ephemerals.pop_first() {
            if let Some(present) = self.known.as_ref().and_then(|known| known.get(&client)) {
                return Some(Told::Ephemeral(Arc::clone(present), state));
            }
        }
        if std::mem::take(&mut self.due.occupancy) {
            return Some(Told::Occupancy(self.occupancy));
        }
        let before = self.due.certainty.take()?;
        (before != self.certainty).then(|| Told::Certainty(self.certainty.clone()))
    }

    fn deliver(&mut self, told: Told, turn: &mut Turn<'_>) {
        let bytes = match &told {
            Told::Roster(everybody) => PRESENT_BYTES + everybody.iter().map(|present| bytes_of(present)).sum::<usize>(),
            Told::Joined(present) | Told::Updated(present) | Told::Left(present) => bytes_of(present),
            Told::Ephemeral(_, state) => PRESENT_BYTES + state.len(),
            Told::Occupancy(_) | Told::Certainty(_) | Told::Failed(_) => PRESENT_BYTES,
        };
        let cost = Cost {
            bytes,
            ..Cost::default()
        };
        self.room.queued(cost);
        turn.effects.push(Effect::Tell {
            to: self.id,
            item: Item {
                event: told,
                cost,
                place: None,
            },
        });
    }
}

/// What a client in presence is not.
const NOBODY: Violation = Violation("a client in presence without a name");

fn parse(present: v1::Present) -> Result<Arc<Present>, Violation> {
    Present::from_wire(present).map(Arc::new).ok_or(NOBODY)
}

fn bytes_of(present: &Present) -> usize {
    PRESENT_BYTES + present.member.as_ref().map_or(0, String::len) + present.node.len() + present.state.len()
}

#[cfg(test)]
mod tests;
