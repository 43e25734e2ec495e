//! Which nodes there are to place slots on: who is there, and whose place is kept.
//!
//! A place belongs to a name and outlives a restart. A node that vanished usually returns within a
//! minute, so its place is kept that long (`hold_down`): moving its copies to another node would cost
//! their whole content twice, and its slots have their other copies meanwhile.
//!
//! A node that sees fewer than half of the others is itself the one that is cut off, more likely than
//! not: what it believes of them then says nothing, and is not noted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::planner::{Config, Member, Soonest, Standing, View};
use crate::id::{NodeId, NodeName};

/// What is known of a node that the table knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// It was never seen here.
    Unseen,
    Serving,
    Draining,
    /// It served, and is not seen.
    Away,
    /// It drained, and is not seen.
    Left,
}

/// One name's place.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The start that counts.
    pub(super) node: NodeId,
    /// Where it stands, or stood.
    pub(super) zone: Arc<str>,
    presence: Presence,
    /// Since when it is present in that way.
    pub(super) since: Instant,
}

impl Place {
    /// A node that was not seen yet.
    fn unseen(node: &NodeId, now: Instant) -> Self {
        Self {
            node: node.clone(),
            zone: Arc::from(""),
            presence: Presence::Unseen,
            since: now,
        }
    }

    /// This node itself.
    pub(super) fn serving(node: &NodeId, zone: Arc<str>, now: Instant) -> Self {
        Self {
            node: node.clone(),
            zone,
            presence: Presence::Serving,
            since: now,
        }
    }

    /// Whether it takes slots.
    pub(super) fn is_serving(&self) -> bool {
        self.presence == Presence::Serving
    }

    /// Whether copies are wanted of it. One that is away is still meant: its copy is not replaced, and
    /// brought in as soon as it answers. One that drains is to be let go.
    pub(super) fn is_meant(&self) -> bool {
        matches!(self.presence, Presence::Unseen | Presence::Serving | Presence::Away)
    }

    /// Whether it served when it was seen last.
    fn has_served(&self) -> bool {
        matches!(self.presence, Presence::Serving | Presence::Away)
    }

    /// Until when its place is kept; `None` for as long as it serves.
    fn kept_until(&self, config: &Config) -> Option<Instant> {
        match self.presence {
            Presence::Serving => None,
            Presence::Unseen => Some(self.since + config.gather),
            Presence::Draining | Presence::Away | Presence::Left => Some(self.since + config.hold_down),
        }
    }

    fn is_kept(&self, config: &Config, now: Instant) -> bool {
        self.kept_until(config).is_none_or(|until| now < until)
    }

    /// What it is from now on, seen so or not at all.
    fn pass(&mut self, seen: Option<Standing>, config: &Config, now: Instant) {
        let next = match (self.presence, seen) {
            (_, Some(Standing::Serving)) => Presence::Serving,
            (_, Some(Standing::Draining)) => Presence::Draining,
            (Presence::Unseen, _) => Presence::Unseen,
            (Presence::Serving | Presence::Away, _) => Presence::Away,
            (Presence::Draining | Presence::Left, _) => Presence::Left,
        };
        // A place that was given away is not kept anew because its node, still of no use, is seen once
        // more, or no longer.
        if next != self.presence && (next == Presence::Serving || self.is_kept(config, now)) {
            self.since = now;
        }
        self.presence = next;
    }
}

/// What is seen of a node just now: how it stands, and where.
type Glimpse = (Standing, Arc<str>);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<NodeName, Place>);

impl Places {
    /// Takes note of what is seen; `false` if that is too little to mean anything.
    pub(super) fn look(&mut self, me: &Place, view: &View<'_>, config: &Config, now: Instant) -> bool {
        let registry = view.table.nodes();
        let counts = |node: &NodeId| registry.current(&node.name).as_ref() == Some(node);
        if !counts(&me.node) {
            return false;
        }
        let answers = |member: &&Member| member.standing != Standing::Silent && !view.down.contains(&member.node);
        let members = view
            .members
            .iter()
            .filter(|member| counts(&member.node))
            .filter(answers);
        let glimpse = |member: &Member| (member.node.name.clone(), (member.standing, Arc::clone(&member.zone)));
        let mut seen: BTreeMap<_, Glimpse> = members.map(glimpse).collect();
        let standing = match view.is_draining {
            true => Standing::Draining,
            false => Standing::Serving,
        };
        seen.insert(me.node.name.clone(), (standing, Arc::clone(&me.zone)));
        if self.is_cut_off(&seen, view, config, now) {
            return false;
        }
        let current: BTreeMap<_, _> = registry.nodes().map(|node| (node.name.clone(), node)).collect();
        self.0.retain(|name, _| current.contains_key(name));
        for (name, node) in current {
            let place = self.0.entry(name.clone()).or_insert_with(|| Place::unseen(&node, now));
            if place.node != node {
                // Another start is registered: it is about to be seen.
                *place = Place {
                    node,
                    presence: Presence::Away,
                    since: now,
                    ..place.clone()
                };
            }
            let glimpse = seen.get(&name);
            place.pass(glimpse.map(|(standing, _)| *standing), config, now);
            if let Some((_, zone)) = glimpse {
                place.zone = Arc::clone(zone);
            }
        }
        true
    }

    /// Whether fewer than half of the nodes that count are seen: those that served a moment ago, and
    /// those that are in the in-sync set of a slot. One that has left, or is gone for good, and holds
    /// nothing does not count, or a cluster that has shrunk would never place anything again.
    fn is_cut_off(&self, seen: &BTreeMap<NodeName, Glimpse>, view: &View<'_>, config: &Config, now: Instant) -> bool {
        let is_known = |name: &NodeName| {
            let served = self.0.get(name).filter(|place| place.has_served());
            seen.contains_key(name) || served.is_some_and(|place| place.is_kept(config, now))
        };
        let names = view.table.nodes().nodes().map(|node| node.name);
        let (known, others): (BTreeSet<_>, BTreeSet<_>) = names.partition(is_known);
        let too_few = |count: usize| seen.len() * 2 < count;
        // The table is only gone through when that decides.
        if too_few(known.len()) || !too_few(known.len() + others.len()) {
            return too_few(known.len());
        }
        let members = view.table.records().flat_map(|(_, record)| &record.isr);
        let holding: BTreeSet<_> = members
            .map(|node| &node.name)
            .filter(|name| others.contains(*name))
            .collect();
        too_few(known.len() + holding.len())
    }

    /// The places that are kept, in the order of their names.
    pub(super) fn kept(&self, config: &Config, now: Instant) -> Vec<Place> {
        self.0
            .values()
            .filter(|place| place.is_kept(config, now))
            .cloned()
            .collect()
    }

    /// When the next place is given away.
    pub(super) fn expire(&self, config: &Config, now: Instant, again: &mut Soonest) {
        for until in self.0.values().filter_map(|place| place.kept_until(config)) {
            again.at(until, now);
        }
    }
}
