//! The slot table: which node owns which slot, and who holds copies that count.
//!
//! It is the one authority. In a cluster it is replicated by Raft among the voters; a node alone
//! applies commands to it directly. It changes by [`Command`]s only, each a compare-and-set on the
//! version of one slot's [`Record`], so of two nodes that act on the same knowledge one is refused.
//! It reads no clock and knows no suspicion: safety rests on versions and terms alone.
//!
//! ```text
//!           Claim (virgin)      Grow           Claim (by an in-sync member, or an heir)
//!   nobody ───────────────▶ {A} ────▶ {A,B,C} ─────────────────────────────────────▶ term + 1
//!                            ▲           │ Shrink        HandOver ─────────────────▶ term + 1
//!                            └───────────┘ below two: the last set of two stays as heirs
//!   every member and heir proved dead ──Reset──▶ term + 1, resets + 1, history given up
//! ```
//!
//! In steady state there are no commands at all.
//!
//! * [`record`]: what stands about one slot;
//! * [`command`]: what may be done to it, and why it is refused;
//! * [`registry`]: which start of each node counts, and which are proved dead.

use std::collections::BTreeSet;

pub mod command;
pub mod record;
pub mod registry;

pub use command::{Answer, Change, Command, Refusal};
pub use record::Record;
pub use registry::Registry;

use crate::fault::Faults;
use crate::id::{NodeId, NodeName, SlotId};

/// The whole table. Copies that applied the same commands are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    slots: Vec<Record>,
    nodes: Registry,
    faults: Faults,
}

impl Table {
    /// A table of `slots` slots that nobody owns yet.
    #[must_use]
    pub fn new(slots: u16) -> Self {
        Self {
            slots: vec![Record::default(); usize::from(slots)],
            nodes: Registry::default(),
            faults: Faults::default(),
        }
    }

    /// A table as it was written down.
    #[must_use]
    pub fn restore(slots: Vec<Record>, nodes: Registry) -> Self {
        Self {
            slots,
            nodes,
            faults: Faults::default(),
        }
    }

    /// The same, with planted faults.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// What stands about a slot; `None` if there is no such slot.
    #[must_use]
    pub fn record(&self, slot: SlotId) -> Option<&Record> {
        self.slots.get(usize::from(slot.0))
    }

    /// Every slot and what stands about it.
    pub fn records(&self) -> impl Iterator<Item = (SlotId, &Record)> {
        (0..).map(SlotId).zip(&self.slots)
    }

    /// The nodes that were ever registered.
    #[must_use]
    pub const fn nodes(&self) -> &Registry {
        &self.nodes
    }

    /// Whether the history of a slot may be given up: there was an owner, and every node that could
    /// hold what was acknowledged is proved dead (rule R13).
    #[must_use]
    pub fn is_lost(&self, slot: SlotId) -> bool {
        self.record(slot).is_some_and(|record| {
            record.owner.is_some() && record.holders().all(|holder| self.nodes.is_proved_dead(holder))
        })
    }

    /// Applies a command, whole or not at all. The same command twice is refused the second time,
    /// for the version it expects has passed.
    ///
    /// # Errors
    /// When the table has moved on, or the one who asks may not.
    pub fn apply(&mut self, command: &Command) -> Result<Answer, Refusal> {
        match command {
            Command::Register { node } => self.nodes.register(node).map(|()| Answer::Done),
            Command::Bury { name } => self.bury(name),
            Command::Change {
                slot,
                version,
                by,
                change,
            } => {
                let record = self.record(*slot).ok_or(Refusal::NoSuchSlot)?;
                if record.version != *version {
                    return Err(Refusal::Passed {
                        version: record.version,
                    });
                }
                self.nodes.admit(by)?;
                let next = self.changed(*slot, record, by, change)?;
                let version = next.version;
                self.slots[usize::from(slot.0)] = next;
                Ok(Answer::Changed { version })
            }
        }
    }

    fn bury(&mut self, name: &NodeName) -> Result<Answer, Refusal> {
        self.nodes.bury(name).map(|()| Answer::Done)
    }

    fn changed(&self, slot: SlotId, record: &Record, by: &NodeId, change: &Change) -> Result<Record, Refusal> {
        let owned = || match &record.owner {
            Some(owner) if owner == by => Ok(()),
            _ => Err(Refusal::NotOwner),
        };
        match change {
            Change::Claim => self.claimed(record, by),
            Change::Shrink { without } => {
                owned()?;
                if without.contains(by) {
                    return Err(Refusal::NotAMember);
                }
                Ok(record.with_isr(record.isr.difference(without).cloned().collect()))
            }
            Change::Grow { with } => {
                owned()?;
                with.iter().try_for_each(|node| self.nodes.admit(node))?;
                Ok(record.with_isr(record.isr.union(with).cloned().collect()))
            }
            Change::HandOver { to } => {
                owned()?;
                self.nodes.admit(to)?;
                if !record.isr.contains(to) || to == by {
                    return Err(Refusal::NotAMember);
                }
                Ok(record.owned_by(to, record.isr.clone()))
            }
            Change::Reset => {
                let doubted = self.faults.reset_after_silence() && record.owner.is_some();
                if !self.is_lost(slot) && !doubted {
                    return Err(Refusal::NotProvedDead);
                }
                let mut next = record.owned_by(by, BTreeSet::from([by.clone()]));
                next.heirs.clear();
                next.resets = next.resets.saturating_add(1);
                Ok(next)
            }
            Change::Confirm => owned().map(|()| record.clone()),
        }
    }

    /// R4 and R13: an in-sync member or an heir takes over; a slot that nobody ever owned is free.
    fn claimed(&self, record: &Record, by: &NodeId) -> Result<Record, Refusal> {
        let Some(owner) = &record.owner else {
            return Ok(record.owned_by(by, BTreeSet::from([by.clone()])));
        };
        if owner == by {
            return Err(Refusal::Owned);
        }
        let namesake = |node: &NodeId| self.faults.no_generation() && node.name == by.name;
        if record.isr.contains(by) || record.isr.iter().any(namesake) {
            let mut isr = record.isr.clone();
            isr.remove(owner);
            isr.insert(by.clone());
            return Ok(record.owned_by(by, isr));
        }
        if record.heirs.contains(by) || self.faults.claim_by_anyone() {
            return Ok(record.owned_by(by, BTreeSet::from([by.clone()])));
        }
        Err(Refusal::NotAMember)
    }
}

#[cfg(test)]
mod tests;
