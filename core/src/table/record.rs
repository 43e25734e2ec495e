//! What stands about one slot.

use std::collections::BTreeSet;

use crate::id::{NodeId, Term};

/// Nodes an acknowledgement needs in a cluster, the owner among them. Fixed by mode and never by
/// who is alive (`reliability` 3.0a, copies).
pub const CLUSTER_COPIES_MIN: usize = 2;

/// One slot's line in the table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Who orders the slot; `None` until it is claimed for the first time.
    pub owner: Option<NodeId>,
    /// The owner's fencing number; 0 until the slot is claimed.
    pub term: Term,
    /// Who must hold what is acknowledged: the in-sync set, with the owner.
    pub isr: BTreeSet<NodeId>,
    /// While the in-sync set is below two: the last set of two or more. Nothing is acknowledged
    /// meanwhile, so each of them holds all that ever was (rule R6b).
    pub heirs: BTreeSet<NodeId>,
    /// One more at each change.
    pub version: u64,
    /// How often the slot's history was given up.
    pub resets: u32,
}

impl Record {
    /// Every node that could hold all that was acknowledged.
    pub fn holders(&self) -> impl Iterator<Item = &NodeId> {
        self.isr.union(&self.heirs)
    }

    /// Whether `node` may take the slot over: it holds all that was acknowledged.
    #[must_use]
    pub fn may_claim(&self, node: &NodeId) -> bool {
        self.owner.is_none() || self.isr.contains(node) || self.heirs.contains(node)
    }

    /// The next version, with another in-sync set.
    pub(super) fn with_isr(&self, isr: BTreeSet<NodeId>) -> Self {
        let heirs = match (isr.len() < CLUSTER_COPIES_MIN, self.isr.len() < CLUSTER_COPIES_MIN) {
            (false, _) => BTreeSet::new(),
            (true, false) => self.isr.clone(),
            (true, true) => self.heirs.clone(),
        };
        Self {
            isr,
            heirs,
            version: self.version.saturating_add(1),
            ..self.clone()
        }
    }

    /// The next version, under another owner.
    pub(super) fn owned_by(&self, owner: &NodeId, isr: BTreeSet<NodeId>) -> Self {
        Self {
            owner: Some(owner.clone()),
            term: self.term.next(),
            ..self.with_isr(isr)
        }
    }
}
