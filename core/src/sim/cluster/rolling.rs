//! Every node drains, ends and returns, one after another, as an orchestrator does it.

use std::time::{Duration, Instant};

use super::event::Event;
use super::plan::Action;
use super::sight::Sight;
use super::truth::Rule;
use super::world::World;
use crate::id::SlotId;

/// How often the orchestrator looks.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// How long a node may take to drain, and to be ready again.
const DRAINED_WITHIN: Duration = Duration::from_secs(10);
const READY_WITHIN: Duration = Duration::from_secs(12);

/// What is left of the time to publish in then.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// How far it is.
#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Rolling {
    #[default]
    NotBegun,
    /// A node gives everything away.
    Drains {
        node: usize,
        until: Instant,
    },
    /// It has ended; the next follows when it is ready.
    Returns {
        node: usize,
        until: Option<Instant>,
    },
    Done,
}

impl World {
    /// The orchestrator looks, and goes on.
    pub(super) fn roll(&mut self) {
        self.agenda.after(LOOKS_EVERY, Event::Roll);
        let now = self.agenda.now().instant;
        match self.rolling {
            Rolling::NotBegun => self.drain(0),
            Rolling::Drains { node, .. } if self.is_drained(node) => {
                let back_after = self.dice.time((Duration::from_millis(50), Duration::from_secs(4)));
                self.act(Action::Crash { node, back_after });
                self.rolling = Rolling::Returns { node, until: None };
            }
            Rolling::Drains { node, until } => {
                self.truth.ensure(now < until, Rule::Liveness, || {
                    format!("node {node} does not get rid of its slots")
                });
            }
            Rolling::Returns { node, until } if self.nodes[node].is_up => {
                let until = until.unwrap_or(now + READY_WITHIN);
                self.rolling = Rolling::Returns {
                    node,
                    until: Some(until),
                };
                self.truth.ensure(now < until, Rule::Liveness, || {
                    format!("node {node} does not get ready")
                });
                if !self.is_ready(node) {
                    return;
                }
                match node + 1 < self.nodes.len() {
                    true => self.drain(node + 1),
                    false => {
                        self.coverage.saw(Sight::Rolled);
                        self.rolling = Rolling::Done;
                        self.plan.trouble = self.agenda.passed() + AFTERWARDS;
                    }
                }
            }
            Rolling::Returns { .. } | Rolling::Done => {}
        }
    }

    fn drain(&mut self, node: usize) {
        let until = self.agenda.now().instant + DRAINED_WITHIN;
        self.act(Action::Drain { node, drain: true });
        self.rolling = Rolling::Drains { node, until };
    }

    /// It owns nothing and no set needs it.
    fn is_drained(&self, node: usize) -> bool {
        let id = &self.nodes[node].id;
        self.table
            .records()
            .all(|(_, record)| record.owner.as_ref() != Some(id) && !record.isr.contains(id))
    }

    /// It is in the in-sync set of every slot that wants it.
    fn is_ready(&self, node: usize) -> bool {
        let there = &self.nodes[node];
        let is_in = |slot: SlotId| {
            let wanted = there.planner.wanted(slot)?;
            let is_member = self.table.record(slot)?.isr.contains(&there.id);
            Some(is_member || !wanted.copies.contains(&there.id))
        };
        (0..self.plan.slots).all(|slot| is_in(SlotId(slot)) == Some(true))
    }
}
