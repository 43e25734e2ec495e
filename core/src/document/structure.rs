//! Where each block of a document belongs, known before an update is applied.
//!
//! A CRDT trusts its updates to be ones that a client could have made. Three kinds that no client makes are worse than
//! wrong:
//!
//! * Types nested in types without end. They are deleted and printed recursively, and a stack that overflows ends the
//!   process: there is nothing to catch.
//! * A block between two blocks of different types. It enters the list of one and is freed with the other: yrs then reads
//!   memory that is not its own.
//! * Blocks that wait for others which never come. They are tried again with each edit, and nobody bounds them.
//!
//! So each block is looked up first. It goes into a *place*: a type, and a key if that type is a map. What it says of its
//! neighbours has to agree, the types above it are counted, and all that it refers to has to be here: the clocks before
//! its own, its neighbours, its type. What refers to something that has not come is cut off, and [held](super::held)
//! outside of the CRDT, which never sees it.
//!
//! What is remembered are runs: clocks of one client in succession that are in one place. A text is one run for each
//! client and cut.

use std::collections::HashMap;
use std::ops::Range;

use super::scan::{Flaw, Kind, Limit, Limits, Link, Outline};

mod plan;

pub(super) use plan::put_deletes;
pub use plan::{Plan, Rest};

/// See the module.
#[derive(Debug, Default)]
pub struct Structure {
    /// For each client what it wrote, from clock 0 on without a gap.
    clients: HashMap<u64, Vec<Run>>,
    places: HashMap<Place, PlaceId>,
    /// How deep each place is.
    depths: Vec<u16>,
    blocks: u64,
}

/// Clocks in succession in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// The clock after its last; it begins where the one before it ends.
    end: u32,
    at: PlaceId,
    kind: Kind,
}

/// A type, and a key if it is a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    /// At the top of the document.
    Top(u128),
    /// In another block.
    Inside(u64, u32, u128),
}

/// A place by number. 0 is nowhere: what is there was collected.
type PlaceId = u32;

const NOWHERE: PlaceId = 0;

impl Structure {
    /// What of an update may be applied.
    ///
    /// # Errors
    /// When a block cannot be where it says, would be nested too deeply, or is of one client too many.
    pub fn plan(&self, outline: &Outline, limits: &Limits) -> Result<Plan, Flaw> {
        plan::plan(self, outline, limits)
    }

    /// Remembers what was planned: it is applied.
    pub fn remember(&mut self, plan: Plan) {
        // A range that is deleted cuts a block in three.
        self.blocks += plan.placed.len() as u64 + 2 * plan.deleted as u64;
        self.depths.resize(self.depths.len().max(1), 0);
        self.depths.extend(plan.new_depths);
        self.places.extend(plan.new_places);
        for (client, end, at, kind) in plan.placed {
            let runs = self.clients.entry(client).or_default();
            match runs.last_mut() {
                Some(last) if last.at == at && last.kind == kind => last.end = end,
                _ => runs.push(Run { end, at, kind }),
            }
        }
    }

    /// How many clients the document has.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// How many blocks it has at most: those that were put side by side in succession may be one.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Whether a client may write.
    ///
    /// # Errors
    /// When it never has, and the document takes no more clients.
    pub fn may_write(&self, client: u64, limits: &Limits) -> Result<(), Flaw> {
        match self.clients.contains_key(&client) || self.clients() < limits.clients {
            true => Ok(()),
            false => Err(Flaw::Limit {
                limit: Limit::Clients,
                max: limits.clients,
            }),
        }
    }

    /// The clock after the last that is here of a client.
    #[must_use]
    pub fn end(&self, client: u64) -> u32 {
        let last = self.clients.get(&client).and_then(|runs| runs.last());
        last.map_or(0, |run| run.end)
    }

    fn run(&self, client: u64, clock: u32) -> Option<Run> {
        let runs = self.clients.get(&client)?;
        runs.get(runs.partition_point(|run| run.end <= clock)).copied()
    }

    fn depth(&self, place: PlaceId) -> u16 {
        self.depths.get(place as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
