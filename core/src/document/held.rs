//! What refers to something that has not come.
//!
//! It happens to honest editors: an update was lost on a change of owner, and what builds on it came. Whoever sent it is
//! asked for all that is missing (rule D4), and until that comes the blocks are kept here, outside of the CRDT, in a
//! bounded number. They are tried again, all at once, when something new was applied. If then one of them turns out to be
//! nothing that a client makes, all that is held is let go: those who sent it still have it, and are asked again.

use std::collections::BTreeMap;
use std::ops::Range;

use super::lib0::put_uint;
use super::scan::{Flaw, Limit, Limits, SKIP};
use super::structure::{Rest, put_deletes};

/// In how many ways the same clocks may be cut into blocks. Clients cut where their edits did: two or three ways are seen.
const LAYERS_MAX: usize = 8;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// By client and first clock.
    rests: BTreeMap<(u64, u32), Rest>,
    /// Deleted ranges of blocks that are not here.
    deletes: BTreeMap<(u64, u32), u32>,
}

impl Held {
    /// Keeps more.
    ///
    /// # Errors
    /// When that were too much; then nothing is kept that was not before.
    pub(super) fn hold(
        &mut self,
        rests: Vec<Rest>,
        deletes: &[(u64, Range<u32>)],
        limits: &Limits,
    ) -> Result<(), Flaw> {
        let of_new = |rest: &&Rest| !self.has(rest);
        let blocks: usize = rests.iter().filter(of_new).map(|rest| rest.blocks).sum();
        let bytes: usize = rests.iter().filter(of_new).map(|rest| rest.bytes.len()).sum();
        let ranges = deletes
            .iter()
            .filter(|(client, range)| !self.deletes.contains_key(&(*client, range.start)))
            .count();
        let max = limits.pending_blocks;
        if self.blocks() + blocks > max || self.deletes.len() + ranges > max {
            return Err(Flaw::Limit {
                limit: Limit::PendingBlocks,
                max,
            });
        }
        if self.bytes() + bytes > limits.bytes {
            return Err(Flaw::Limit {
                limit: Limit::Bytes,
                max: limits.bytes,
            });
        }
        for rest in rests {
            if !self.has(&rest) {
                self.rests.insert((rest.client, rest.clocks.start), rest);
            }
        }
        for (client, range) in deletes {
            let end = self.deletes.entry((*client, range.start)).or_insert(range.end);
            *end = range.end.max(*end);
        }
        Ok(())
    }

    /// Whether it is held, or more of it.
    fn has(&self, rest: &Rest) -> bool {
        let held = self.rests.get(&(rest.client, rest.clocks.start));
        held.is_some_and(|held| held.clocks.end >= rest.clocks.end)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rests.is_empty() && self.deletes.is_empty()
    }

    /// How many blocks and deleted ranges are held.
    pub(super) fn len(&self) -> usize {
        self.blocks() + self.deletes.len()
    }

    fn blocks(&self) -> usize {
        self.rests.values().map(|rest| rest.blocks).sum()
    }

    fn bytes(&self) -> usize {
        self.rests.values().map(|rest| rest.bytes.len()).sum()
    }

    /// All that is held, as updates of blocks that do not overlap: one, unless somebody sent the same blocks cut differently.
    /// What was sent in more than [`LAYERS_MAX`] ways is let go.
    pub(super) fn updates(&self) -> Vec<Vec<u8>> {
        let mut layers: Vec<BTreeMap<u64, Section>> = Vec::new();
        for rest in self.rests.values() {
            let overlaps = |layer: &BTreeMap<u64, Section>| {
                layer
                    .get(&rest.client)
                    .is_some_and(|section| section.end > rest.clocks.start)
            };
            let at = layers.iter().position(|layer| !overlaps(layer)).unwrap_or(layers.len());
            if at == LAYERS_MAX {
                continue;
            }
            if at == layers.len() {
                layers.push(BTreeMap::new());
            }
            layers[at]
                .entry(rest.client)
                .or_insert_with(|| Section::at(rest.clocks.start))
                .push(rest);
        }
        let deletes = self.merged_deletes();
        if layers.is_empty() && !deletes.is_empty() {
            layers.push(BTreeMap::new());
        }
        let mut updates: Vec<Vec<u8>> = layers.into_iter().map(encode).collect();
        let with_deletes = updates.len().saturating_sub(1);
        for (at, update) in updates.iter_mut().enumerate() {
            put_deletes(update, if at == with_deletes { &deletes } else { &[] });
        }
        updates
    }

    /// The deleted ranges in order, those that overlap as one.
    fn merged_deletes(&self) -> Vec<(u64, Range<u32>)> {
        let mut merged: Vec<(u64, Range<u32>)> = Vec::with_capacity(self.deletes.len());
        for ((client, start), end) in &self.deletes {
            match merged.last_mut() {
                Some((of, last)) if of == client && last.end >= *start => last.end = last.end.max(*end),
                _ => merged.push((*client, *start..*end)),
            }
        }
        merged
    }
}

/// The blocks of one client, with what is missing between them as skips.
struct Section {
    start: u32,
    end: u32,
    count: usize,
    bytes: Vec<u8>,
}

impl Section {
    const fn at(start: u32) -> Self {
        Self {
            start,
            end: start,
            count: 0,
            bytes: Vec::new(),
        }
    }

    fn push(&mut self, rest: &Rest) {
        if rest.clocks.start > self.end {
            self.count += 1;
            self.bytes.push(SKIP);
            put_uint(&mut self.bytes, (rest.clocks.start - self.end).into());
        }
        self.count += rest.blocks;
        self.end = rest.clocks.end;
        self.bytes.extend_from_slice(&rest.bytes);
    }
}

fn encode(sections: BTreeMap<u64, Section>) -> Vec<u8> {
    let mut out = Vec::new();
    put_uint(&mut out, sections.len() as u64);
    for (client, section) in sections {
        put_uint(&mut out, section.count as u64);
        put_uint(&mut out, client);
        put_uint(&mut out, section.start.into());
        out.extend(section.bytes);
    }
    out
}
