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
//! * a node that is cut off moves nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::COPIES;
use super::moves::Moves;
use super::places::{Place, Places};
use super::seats::Seats;
use crate::id::{NodeId, SlotId};
use crate::replica::Wanted;

mod config;
mod view;

use crate::table::record::CLUSTER_COPIES_MIN;
pub use config::Config;
pub(super) use view::Soonest;
pub use view::{Member, Plan, Standing, View};

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
    /// When that was so for the first time.
    first_sighted: Option<Instant>,
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
            first_sighted: None,
            wanted: Vec::new(),
        }
    }

    /// The one entrance: to be asked when something of the view has changed, and when it said so.
    pub fn plan(&mut self, view: &View<'_>, now: Instant) -> Plan {
        let mut again = Soonest::default();
        let me = Place::serving(&self.me, Arc::clone(&self.zone), now);
        let is_sighted = self.places.look(&me, view, &self.config, now);
        self.places.expire(&self.config, now, &mut again);
        let since = is_sighted.then(|| self.sighted_since.unwrap_or(now));
        self.sighted_since = since;
        let changed = match since {
            Some(since) if self.may_act(since, now, &mut again) => self.change(view, now, &mut again),
            _ => self.renew(view),
        };
        let Soonest(again) = again;
        Plan { changed, again }
    }

    /// What is wanted of a slot; `None` before anything is.
    #[must_use]
    pub fn wanted(&self, slot: SlotId) -> Option<&Wanted> {
        self.wanted.get(usize::from(slot.0))?.as_ref()
    }

    /// Whether what is in sight can be relied on: after the node was cut off, the others come into sight
    /// again one by one.
    fn may_act(&mut self, since: Instant, now: Instant, again: &mut Soonest) -> bool {
        let first = *self.first_sighted.get_or_insert(since);
        let gathered = since + self.config.gather;
        again.at(gathered, now);
        since == first || now >= gathered
    }

    /// Copies are wanted of the starts of nodes that count by now. Nobody moves by that, and the table
    /// says it: so a node that sees nobody wants it, too.
    fn renew(&mut self, view: &View<'_>) -> Vec<(SlotId, Wanted)> {
        let current: BTreeMap<_, _> = view
            .table
            .nodes()
            .nodes()
            .map(|node| (node.name.clone(), node))
            .collect();
        let mut changed = Vec::new();
        if current.get(&self.me.name) != Some(&self.me) {
            return changed;
        }
        for (slot, wanted) in (0..).map(SlotId).zip(&mut self.wanted) {
            let Some(wanted) = wanted else {
                continue;
            };
            let mut is_new = false;
            for copy in &mut wanted.copies {
                if let Some(node) = current.get(&copy.name).filter(|node| *node != copy) {
                    *copy = node.clone();
                    is_new = true;
                }
            }
            if is_new {
                changed.push((slot, wanted.clone()));
            }
        }
        changed
    }

    fn change(&mut self, view: &View<'_>, now: Instant, again: &mut Soonest) -> Vec<(SlotId, Wanted)> {
        let places = self.places.kept(&self.config, now);
        let slots = view.table.records().count();
        let candidate = |place: &Place| (place.node.name.clone(), Arc::clone(&place.zone));
        self.seats.update(places.iter().map(candidate).collect(), slots);
        let first_sighted = self.first_sighted.unwrap_or(now);
        let may_found = now >= first_sighted + self.config.gather;
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
                _ if may_found => first(order, &places, |_| true),
                _ => None,
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
