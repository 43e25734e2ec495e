//! What must hold.

use std::fmt;
use std::time::Duration;

use super::watcher::{Shown, Watcher};
use super::world::World;
use crate::id::{NodeId, SlotId};
use crate::presence::roster::Standing;

/// Which promise was broken. The names in brackets are those of docs/presence.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// After quiet time, presence on every node is the truth (P1).
    Truth,
    /// Nobody is shown who has been away for longer than the bound (P2).
    Ghost,
    /// Nobody is not shown who has been here for longer than the bound (P3).
    Missing,
    /// Each join and leave is told once, and not without one (P4).
    Flap,
    /// Watchers are told everything, in order.
    Order,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// The first promise that was broken.
#[derive(Debug, Default)]
pub(super) struct Check {
    pub(super) violation: Option<Violation>,
    /// Joins, updates and leaves that were told.
    pub(super) told: u64,
}

impl Check {
    pub(super) fn ensure(&mut self, holds: bool, rule: Rule, what: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            self.violation = Some(Violation { rule, what: what() });
        }
    }
}

/// Within which everything is known after a crash or a change of owner: detection, grace, a second.
const CHANGED_BOUND: Duration = Duration::from_millis(8_500);
/// Within which everything is repaired after links are healed: two comparisons, and what they take.
pub(super) const ROUGH_BOUND: Duration = Duration::from_secs(13);
/// Within which whoever begins to watch is shown something.
const BEGIN_BOUND: Duration = Duration::from_millis(1_500);

impl World {
    /// Whether anybody is shown too long, or not shown for too long.
    pub(super) fn sweep(&mut self) {
        let now = self.agenda.passed();
        if self.links.is_rough() {
            self.rough_at = Some(now);
            self.links.note(now);
        }
        let err = if self.plan.clocks_err { 1.15 } else { 1.0 };
        let rough = self.rough_at.map_or(Duration::ZERO, |at| at + ROUGH_BOUND.mul_f64(err));
        let settled = rough.max(self.changed_at + CHANGED_BOUND.mul_f64(err));
        if now < settled {
            return;
        }
        let mut found = None;
        for watcher in self.watchers.values() {
            if let Some(Shown::Count(_)) = watcher.shown {
                continue;
            }
            let of_channel = self
                .truth
                .all
                .iter()
                .filter(|((channel, _), _)| *channel == watcher.channel);
            for ((channel, client), presence) in of_channel {
                let known_by = presence.known_by().max(watcher.since + BEGIN_BOUND);
                let is_here = !presence.here.is_empty();
                if now > known_by.max(settled) && watcher.shows(client) != is_here {
                    let rule = if is_here { Rule::Missing } else { Rule::Ghost };
                    let late = now - known_by;
                    let node = &watcher.node;
                    found = Some((
                        rule,
                        format!("{client} in {channel}, at {node}, {late:.1?} after it must be known"),
                    ));
                }
            }
        }
        if let Some((rule, what)) = found {
            self.check.ensure(false, rule, || what);
        }
    }

    /// Lets watchers be told that those left who are at a node that others had to take for dead.
    pub(super) fn excuse(&mut self, index: usize) {
        let now = self.agenda.passed();
        if !self.nodes[index].has_quorum {
            return;
        }
        for other in 0..self.nodes.len() {
            if let Some(past) = self.nodes[index].peers[other].past_gone(now) {
                self.excuse_at(index, &past);
            }
            let peer = &mut self.nodes[index].peers[other];
            let Some((node, standing)) = peer.told.clone() else {
                continue;
            };
            let is_purged = peer.is_gone(now);
            if is_purged != peer.is_excused && standing != Standing::Suspect {
                peer.is_excused = is_purged;
                self.excuse_at(index, &node);
            }
        }
    }

    /// Lets watchers be told that those left whom an owner has only from a node that it takes for dead.
    pub(super) fn excuse_at(&mut self, owner: usize, node: &NodeId) {
        let now = self.agenda.passed();
        let owned: Vec<_> = self
            .channels
            .iter()
            .filter(|channel| {
                let record = &self.places[usize::from(self.slot_of(channel).0)];
                record.owner.as_ref() == Some(&self.nodes[owner].id)
            })
            .cloned()
            .collect();
        self.truth.excuse(node, &owned, now);
    }

    /// What must hold once everything has come to rest.
    pub(super) fn rest(&mut self) {
        let mut wrong = Vec::new();
        for watcher in self.watchers.values() {
            wrong.extend(self.wrong_of(watcher));
        }
        for (slot, record) in self.places.iter().enumerate() {
            let id = SlotId(u16::try_from(slot).unwrap_or(0));
            let Some(owner) = record.owner.as_ref().map(|owner| self.index_of(owner)) else {
                wrong.push(format!("slot {slot} has no owner"));
                continue;
            };
            for node in record.replicas.iter().copied().chain([owner]) {
                let mut held: Vec<_> = self.nodes[node].shard.roster().entries(id).collect();
                held.sort();
                let mut here = Vec::new();
                for ((channel, client), presence) in &self.truth.all {
                    if self.slot_of(channel) == id {
                        here.extend(presence.here.iter().map(|((at, connection), here)| {
                            (
                                at.clone(),
                                channel.clone(),
                                client.clone(),
                                *connection,
                                here.state.clone(),
                            )
                        }));
                    }
                }
                here.sort();
                if held != here {
                    let node = &self.nodes[node].id;
                    wrong.push(format!(
                        "{node} holds in slot {slot}: {held:?}\nand there are: {here:?}"
                    ));
                }
            }
        }
        for what in wrong {
            self.check.ensure(false, Rule::Truth, || what);
        }
    }

    fn wrong_of(&self, watcher: &Watcher) -> Option<String> {
        let of_channel = self
            .truth
            .all
            .iter()
            .filter(|((channel, _), _)| *channel == watcher.channel);
        let here: Vec<_> = of_channel.filter(|(_, presence)| !presence.here.is_empty()).collect();
        let node = &watcher.node;
        let channel = &watcher.channel;
        if watcher.is_stale {
            return Some(format!("what {node} shows of {channel} is stale at rest"));
        }
        match &watcher.shown {
            None => Some(format!("{node} shows nothing of {channel}")),
            Some(Shown::Count(count)) => {
                let mut members: Vec<_> = here.iter().map(|((_, client), _)| client.member()).collect();
                members.sort();
                members.dedup();
                let is_right = (count.members, count.clients) == (members.len() as u64, here.len() as u64);
                (!is_right).then(|| format!("{node} counts {count:?} in {channel}: {} are there", here.len()))
            }
            Some(Shown::Roster(rows)) => {
                let is_right = rows.len() == here.len()
                    && here.iter().all(|((_, client), presence)| {
                        let row = rows.get(client);
                        row.is_some_and(|row| {
                            let at = (row.gateway.clone(), row.connection);
                            presence.here.get(&at).is_some_and(|here| here.state == row.state)
                        })
                    });
                (!is_right).then(|| format!("{node} shows of {channel}: {rows:?}\nand there are: {here:?}"))
            }
        }
    }
}
