//! What this node wants of each slot, from what it knows of the other nodes.
//!
//! ```text
//!   slot table (who owns, who counts) ─┐
//!   gossip (who is there, zones) ──────┼─▶ Planner ──▶ replica::Wanted of the slots where it changed
//!   links (who does not answer) ───────┘
//! ```
//!
//! Every node plans by itself. What it wants takes effect where it owns a slot: only an owner brings
//! copies in, lets them go, and hands over. So two nodes with different views do not pull at one slot
//! from two sides. The table refuses what is unsafe; here it is about quiet:
//!
//! * the seats of a slot go by rank and zone to the nodes that are there, or whose place is kept;
//! * a slot left with fewer than two nodes that answer gets another copy at once;
//! * an owner keeps a slot until it drains, or until the one with the first seat is in sync and steady,
//!   and never gives away what it got a moment ago. It gives away a few at a time;
//! * what nobody ever owned, or all copies of which are proved dead, is for the first in the order;
//! * a node that is cut off changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::COPIES;
use super::moves::Moves;
use super::places::{Place, Places};
use super::seats::Seats;
use crate::id::{NodeId, SlotId};
use crate::replica::Wanted;
use crate::table::Table;
use crate::table::record::CLUSTER_COPIES_MIN;

/// The settings of a planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How long the place of a node that vanished or drains is kept. A pod that is restarted is back in
    /// less, also when its image has to be fetched.
    pub hold_down: Duration,
    /// How long a node waits until the others have come into sight, after its start or after it was cut
    /// off, before it plans and takes whom it never saw for gone. Gossip takes a second.
    pub gather: Duration,
    /// How long a node must have served before slots are moved to it, and an owner must have owned a
    /// slot before it moves it on. A node that comes and goes moves nothing.
    pub steady: Duration,
    /// Slots that an owner begins to give away in any one round, and waits for at a time. A move takes
    /// some milliseconds of one slot's publishes; a thousand slots over three owners take 20 s.
    pub moves_per_round: usize,
    /// See above.
    pub round: Duration,
    /// Slots that a draining owner gives away at a time. It has little time, and yet the nodes that take
    /// them must go on acknowledging for others.
    pub drain_batch: usize,
    /// How long a move that does not come about holds up others. The owner tries it again as often.
    pub move_patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hold_down: Duration::from_secs(60),
            gather: Duration::from_secs(2),
            steady: Duration::from_secs(10),
            moves_per_round: 16,
            round: Duration::from_secs(1),
            drain_batch: 64,
            move_patience: Duration::from_secs(5),
        }
    }
}

/// What gossip says of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    Serving,
    /// It is there, and hands over what it has, or is about to end.
    Draining,
    /// It is suspected to be gone.
    Silent,
}

/// Another node, as gossip knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which start of which.
    pub node: NodeId,
    /// What is thought of it.
    pub standing: Standing,
    /// The failure zone it stands in; empty for none.
    pub zone: Arc<str>,
}

/// All that a node knows when it plans.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Its copy of the slot table.
    pub table: &'a Table,
    /// The others.
    pub members: &'a [Member],
    /// Those that do not answer on their link.
    pub down: &'a BTreeSet<NodeId>,
    /// Whether this node itself is to give everything away.
    pub is_draining: bool,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Slots of which something else is wanted than before.
    pub changed: Vec<(SlotId, Wanted)>,
    /// When to plan again, if nothing becomes known before.
    pub again: Option<Instant>,
}

/// The soonest of several times to come.
#[derive(Debug, Default)]
pub(super) struct Soonest(Option<Instant>);

impl Soonest {
    pub(super) fn at(&mut self, at: Instant, now: Instant) {
        if at > now && self.0.is_none_or(|soonest| at < soonest) {
            self.0 = Some(at);
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Planner {
    me: NodeId,
    zone: Arc<str>,
    config: Config,
    places: Places,
    seats: Seats,
    moves: Moves,
    /// Since when this node is registered and not cut off, as far as it knows.
    sighted_since: Option<Instant>,
    /// What was wanted last; `None` of a slot that was never planned.
    wanted: Vec<Option<Wanted>>,
}

impl Planner {
    /// The planner of the node `me`, which stands in `zone`.
    #[must_use]
    pub fn new(me: NodeId, zone: Arc<str>, config: Config) -> Self {
        Self {
            me,
            zone,
            config,
            places: Places::default(),
            seats: Seats::default(),
            moves: Moves::default(),
            sighted_since: None,
            wanted: Vec::new(),
        }
    }

    /// The one entrance: to be asked when something of the view has changed, and when it said so.
    pub fn plan(&mut self, view: &View<'_>, now: Instant) -> Plan {
        let mut again = Soonest::default();
        let me = Place::serving(&self.me, Arc::clone(&self.zone), now);
        let is_sighted = self.places.look(&me, view, &self.config, now);
        self.places.expire(&self.config, now, &mut again);
        // What comes into sight again does so one by one.
        let since = is_sighted.then(|| self.sighted_since.unwrap_or(now));
        self.sighted_since = since;
        let acts_at = since.map(|since| since + self.config.gather);
        let changed = match acts_at {
            Some(at) if now >= at => self.change(view, now, &mut again),
            at => {
                at.into_iter().for_each(|at| again.at(at, now));
                Vec::new()
            }
        };
        let Soonest(again) = again;
        Plan { changed, again }
    }

    /// What is wanted of a slot; `None` before anything is.
    #[must_use]
    pub fn wanted(&self, slot: SlotId) -> Option<&Wanted> {
        self.wanted.get(usize::from(slot.0))?.as_ref()
    }

    fn change(&mut self, view: &View<'_>, now: Instant, again: &mut Soonest) -> Vec<(SlotId, Wanted)> {
        let places = self.places.kept(&self.config, now);
        let slots = view.table.records().count();
        let candidate = |place: &Place| (place.node.name.clone(), Arc::clone(&place.zone));
        self.seats.update(places.iter().map(candidate).collect(), slots);
        let goals = self.goals(view, &places, now, again);
        self.moves.settle(&goals, view.is_draining, &self.config, now, again);
        self.wanted.resize(slots, None);
        let mut changed = Vec::new();
        for (slot, record) in view.table.records() {
            let order = self.seats.order(slot);
            let lost = view.table.is_lost(slot);
            let owner = match &record.owner {
                Some(owner) if *owner == self.me => Some(self.moves.to(slot).unwrap_or(&self.me).clone()),
                Some(_) if !lost => None,
                // Whoever sees itself as the first claims it, and the table takes one of them.
                _ => first(order, &places, |_| true),
            };
            let copies = copies(order, &places);
            let wanted = Wanted { copies, owner, lost };
            let last = &mut self.wanted[usize::from(slot.0)];
            if last.as_ref() != Some(&wanted) {
                *last = Some(wanted.clone());
                changed.push((slot, wanted));
            }
        }
        changed
    }

    /// The slots that this node should give away, and to whom.
    fn goals(
        &mut self,
        view: &View<'_>,
        places: &[Place],
        now: Instant,
        again: &mut Soonest,
    ) -> BTreeMap<SlotId, NodeId> {
        let mut goals = BTreeMap::new();
        for (slot, record) in view.table.records() {
            if record.owner.as_ref() != Some(&self.me) {
                self.moves.owns_not(slot);
                continue;
            }
            let owned_since = self.moves.owns(slot, record.term, now);
            let order = self.seats.order(slot);
            let holds = |place: &Place| record.isr.contains(&place.node);
            let to = if view.is_draining {
                first(order, places, holds)
            } else {
                let place = order.first().map(|number| &places[*number]);
                let place = place.filter(|place| place.node != self.me && place.is_serving() && holds(place));
                place.and_then(|place| {
                    let steady = place.since.max(owned_since) + self.config.steady;
                    again.at(steady, now);
                    (now >= steady).then(|| place.node.clone())
                })
            };
            if let Some(to) = to {
                goals.insert(slot, to);
            }
        }
        goals
    }
}

/// The first in the order that takes slots and of which something else holds, too.
fn first(order: &[usize], places: &[Place], holds: impl Fn(&Place) -> bool) -> Option<NodeId> {
    let mut ordered = order.iter().map(|number| &places[*number]);
    let found = ordered.find(|place| place.is_serving() && holds(place));
    found.map(|place| place.node.clone())
}

/// Who should hold a slot: whoever has a seat and is meant to; and others at once, while fewer than
/// two of those answer.
fn copies(order: &[usize], places: &[Place]) -> Vec<NodeId> {
    let mut ordered = order.iter().map(|number| &places[*number]);
    let seated: Vec<_> = ordered.by_ref().take(COPIES).collect();
    let answering = seated.iter().filter(|place| place.is_serving()).count();
    let stand_ins = ordered.filter(|place| place.is_serving());
    let stand_ins = stand_ins.take(CLUSTER_COPIES_MIN.saturating_sub(answering));
    let meant = seated.into_iter().filter(|place| place.is_meant());
    meant.chain(stand_ins).map(|place| place.node.clone()).collect()
}

#[cfg(test)]
mod tests;
