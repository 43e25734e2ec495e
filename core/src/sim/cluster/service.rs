//! Whether the cluster is of use: how long publishes take, and slots are without a node that could
//! acknowledge them. Safety alone is kept by a cluster that refuses everything.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::plan::{Course, QUIET};
use super::truth::Rule;
use super::world::World;
use crate::id::{NodeId, SlotId};

/// What is promised of one publish, from when it begins until it is acknowledged, and of a slot: for
/// how long nobody owns it and has a second copy.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    publish: Duration,
    unserved: Duration,
}

/// How long after everything was healed it is as good as if nothing had been: two seconds for gossip, two
/// after a node was cut off.
const SETTLED: Duration = Duration::from_secs(4);

// Publishes take as long as the clients here need to send again what came out of order, at links of up to
// 400 ms. In 2,000 runs the slowest took 2.1 s, 4.2 s and 2.4 s; slots were without service for 0.12 s,
// 1.5 s and 0.42 s.

/// Nothing is wrong. Slots go back to who should own them.
const CALM: Bounds = Bounds {
    publish: Duration::from_secs(4),
    unserved: Duration::from_millis(500),
};

/// One node at a time crashes, stands still, is cut off, drains. Silence is noticed after 0.9 s here.
const LONE: Bounds = Bounds {
    publish: Duration::from_secs(6),
    unserved: Duration::from_millis(2_500),
};

/// Nodes are restarted one by one. An ask of the table takes up to 0.8 s here, and so does its answer.
const ROLLING: Bounds = Bounds {
    publish: Duration::from_secs(4),
    unserved: Duration::from_secs(1),
};

/// What was seen of the service, as far as something was promised.
#[derive(Debug, Clone, Copy, Default)]
pub struct Service {
    /// The slowest publish.
    pub slowest: Duration,
    /// The longest time for which a slot was not served.
    pub unserved: Duration,
}

impl Service {
    /// The worse of both.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        Self {
            slowest: self.slowest.max(other.slowest),
            unserved: self.unserved.max(other.unserved),
        }
    }
}

/// Since when slots are not served, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    unserved: BTreeMap<SlotId, Instant>,
    pub(super) worst: Service,
}

impl World {
    /// What is promised of what begins at some time; nothing amid several troubles.
    fn promised(&self, at: Instant) -> Option<Bounds> {
        let since_start = at - (self.agenda.now().instant - self.agenda.passed());
        match self.plan.course {
            _ if since_start >= self.plan.trouble + SETTLED => Some(CALM),
            Course::Lone if since_start >= QUIET => Some(LONE),
            Course::Rolling if since_start >= QUIET => Some(ROLLING),
            _ => None,
        }
    }

    /// Whether every slot is served, after each event.
    pub(super) fn watch_slots(&mut self) {
        let now = self.agenda.now().instant;
        if self.promised(now).is_none() {
            return;
        }
        for slot in (0..self.plan.slots).map(SlotId) {
            let is_served = self.is_served(slot);
            let since = match is_served {
                true => self.watch.unserved.remove(&slot),
                false => Some(*self.watch.unserved.entry(slot).or_insert(now)),
            };
            let Some((since, bounds)) = since.and_then(|since| Some((since, self.promised(since)?))) else {
                continue;
            };
            let worst = &mut self.watch.worst.unserved;
            *worst = (*worst).max(now - since);
            self.truth.ensure(now - since <= bounds.unserved, Rule::Service, || {
                format!("slot {slot} is not served for {:?}", now - since)
            });
        }
    }

    /// Whether a node that can be reached owns it, and so can all whose acks it needs, another at least.
    fn is_served(&self, slot: SlotId) -> bool {
        let Some(record) = self.table.record(slot).filter(|record| record.isr.len() >= 2) else {
            return false;
        };
        let there = |node: &NodeId| Some(self.index_of(node)).filter(|index| self.nodes[*index].id == *node);
        let mut members = record.isr.iter().map(there);
        let owner = record.owner.as_ref().and_then(there);
        let owns = owner.is_some_and(|node| self.nodes[node].replicas[&slot].owned_under() == Some(record.term));
        owns && members.all(|member| member.is_some_and(|member| self.is_reachable(member)))
    }

    /// A publish that began then is answered now, with an acknowledgement or not, or still waits.
    pub(super) fn judge_publish(&mut self, publisher: usize, serial: u64, began: Instant, answer: Option<bool>) {
        let now = self.agenda.now().instant;
        let Some(bounds) = self.promised(began) else {
            return;
        };
        let worst = &mut self.watch.worst.slowest;
        *worst = (*worst).max(now - began);
        self.truth.ensure(answer != Some(false), Rule::Service, || {
            format!("publish {serial} of {publisher} is refused for good")
        });
        self.truth.ensure(now - began <= bounds.publish, Rule::Service, || {
            format!("publish {serial} of {publisher} takes {:?}", now - began)
        });
    }

    /// Whether clients reach a node.
    pub(super) fn is_reachable(&self, node: usize) -> bool {
        let there = &self.nodes[node];
        there.is_up && !there.is_paused && !self.isolated.contains(&node)
    }

    /// A node for a client to go to: one that is there and stays, as far as a client can tell.
    pub(super) fn gateway(&mut self) -> usize {
        let drawn = self.dice.index(self.nodes.len());
        if self.is_good_gateway(drawn) {
            return drawn;
        }
        let good: Vec<_> = (0..self.nodes.len())
            .filter(|node| self.is_good_gateway(*node))
            .collect();
        if good.is_empty() { drawn } else { *self.dice.pick(&good) }
    }

    /// One that is down refuses a connection, and one that drains sends its clients away. That one stands
    /// still or is cut off takes a client a while to find out; where something is promised, it is of
    /// those that have.
    pub(super) fn is_good_gateway(&self, node: usize) -> bool {
        let there = &self.nodes[node];
        match self.plan.course {
            Course::Storm => there.is_up && !there.is_draining,
            Course::Lone | Course::Rolling => self.is_reachable(node) && !there.is_draining,
        }
    }
}
