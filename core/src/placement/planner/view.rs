//! What a planner is told, and what it answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::id::{NodeId, SlotId};
use crate::replica::Wanted;
use crate::table::Table;

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
pub(in crate::placement) struct Soonest(pub(super) Option<Instant>);

impl Soonest {
    pub(in crate::placement) fn at(&mut self, at: Instant, now: Instant) {
        if at > now && self.0.is_none_or(|soonest| at < soonest) {
            self.0 = Some(at);
        }
    }
}
