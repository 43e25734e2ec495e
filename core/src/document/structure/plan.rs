//! One update against a document: what of it can be applied, and what waits.

use super::{Flaw, HashMap, Kind, Limit, Limits, Link, NOWHERE, Outline, Place, PlaceId, Range, Structure};
use crate::document::lib0::put_uint;
use crate::document::scan::few_crowded;

/// What of an update can be applied, and what that adds to the structure.
#[derive(Debug, Default)]
pub struct Plan {
    /// What to remember, for each client in order: the clock after it, its place, what may be put into it.
    pub(super) placed: Vec<(u64, u32, PlaceId, Kind)>,
    pub(super) new_places: Vec<(Place, PlaceId)>,
    pub(super) new_depths: Vec<u16>,
    /// How many ranges the update deletes.
    pub(super) deleted: usize,
    /// For each section of the update how many of its blocks can be applied.
    taken: Vec<usize>,
    /// Deleted ranges of blocks that are not here.
    later: Vec<(u64, Range<u32>)>,
    /// It has a block that the document does not.
    pub has_news: bool,
    /// It deletes blocks that are here, or come with it.
    deletes_now: bool,
}

/// Blocks of one client that wait, each where the one before it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// The blocks, encoded one after the other.
    pub bytes: Vec<u8>,
    /// Whose they are.
    pub client: u64,
    /// Their clocks.
    pub clocks: Range<u32>,
    /// How many they are.
    pub blocks: usize,
}

impl Plan {
    /// Whether all of an update can be applied as it is.
    #[must_use]
    pub fn is_whole(&self, outline: &Outline) -> bool {
        let is_taken = |(section, taken): (&super::super::scan::Section, &usize)| section.blocks.len() == *taken;
        self.later.is_empty() && outline.sections.iter().zip(&self.taken).all(is_taken)
    }

    /// Whether nothing can be applied: no block is new, and all that it deletes is of blocks that are not here.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.has_news && !self.deletes_now
    }

    /// The part that can be applied.
    #[must_use]
    pub fn now(&self, update: &[u8], outline: &Outline) -> Vec<u8> {
        let mut out = Vec::with_capacity(update.len());
        let sections = || {
            outline
                .sections
                .iter()
                .zip(&self.taken)
                .filter(|(_, taken)| **taken > 0)
        };
        put_uint(&mut out, sections().count() as u64);
        for (section, taken) in sections() {
            let blocks = section.blocks.start..section.blocks.start + taken;
            put_section(&mut out, update, outline, section.client, blocks);
        }
        let mut later = self.later.iter().peekable();
        let now = outline.deletes.iter().filter_map(|(client, range)| {
            let cut = later.next_if(|(of, rest)| of == client && rest.end == range.end);
            let end = cut.map_or(range.end, |(_, rest)| rest.start);
            (range.start < end).then_some((*client, range.start..end))
        });
        put_deletes(&mut out, &now.collect::<Vec<_>>());
        out
    }

    /// The blocks that wait, in pieces without a gap.
    pub fn rest<'a>(&'a self, update: &'a [u8], outline: &'a Outline) -> impl Iterator<Item = Rest> + 'a {
        let sections = outline.sections.iter().zip(&self.taken);
        sections.flat_map(move |(section, taken)| {
            let waiting = &outline.blocks[section.blocks.start + taken..section.blocks.end];
            // What is only announced is nothing to wait for.
            let pieces = waiting.split(|block| block.link == Link::Skip);
            pieces.filter_map(move |blocks| {
                let (first, last) = (blocks.first()?, blocks.last()?);
                let bytes = blocks.iter().flat_map(|block| &update[block.bytes.clone()]);
                Some(Rest {
                    bytes: bytes.copied().collect(),
                    client: section.client,
                    clocks: first.clock..last.end,
                    blocks: blocks.len(),
                })
            })
        })
    }

    /// Deleted ranges of blocks that are not here.
    #[must_use]
    pub fn later(&self) -> &[(u64, Range<u32>)] {
        &self.later
    }
}

fn put_section(out: &mut Vec<u8>, update: &[u8], outline: &Outline, client: u64, blocks: Range<usize>) {
    let blocks = &outline.blocks[blocks];
    put_uint(out, blocks.len() as u64);
    put_uint(out, client);
    put_uint(out, blocks.first().map_or(0, |first| first.clock).into());
    for block in blocks {
        out.extend_from_slice(&update[block.bytes.clone()]);
    }
}

/// A delete set of ranges that are sorted by client.
pub(crate) fn put_deletes(out: &mut Vec<u8>, deletes: &[(u64, Range<u32>)]) {
    let clients = || deletes.chunk_by(|(one, _), (other, _)| one == other);
    put_uint(out, clients().count() as u64);
    for ranges in clients() {
        put_uint(out, ranges[0].0);
        put_uint(out, ranges.len() as u64);
        for (_, range) in ranges {
            put_uint(out, range.start.into());
            put_uint(out, (range.end - range.start).into());
        }
    }
}

pub(super) fn plan(known: &Structure, outline: &Outline, limits: &Limits) -> Result<Plan, Flaw> {
    let mut lookup = Lookup::new(known, outline, limits);
    for at in 0..outline.blocks.len() {
        lookup.follow(at)?;
    }
    let Lookup {
        found,
        new_places,
        new_depths,
        ..
    } = lookup;

    let mut plan = Plan {
        new_places: new_places.into_iter().collect(),
        new_depths,
        ..Plan::default()
    };
    let mut clients = known.clients();
    // Ranges may be deleted of blocks that come with them.
    let mut ends = HashMap::new();
    for section in &outline.sections {
        let mut end = known.end(section.client);
        clients += usize::from(end == 0);
        let taken = section.blocks.clone().take_while(|at| found[*at] != Found::Missing);
        let before = plan.placed.len();
        for at in taken.clone() {
            let block = &outline.blocks[at];
            if let (Found::At(place), true) = (found[at], block.end > end) {
                plan.placed.push((section.client, block.end, place, block.kind));
                end = block.end;
            }
        }
        plan.has_news |= plan.placed.len() > before;
        plan.taken.push(taken.count());
        ends.insert(section.client, end);
    }
    // Those who have written before go on.
    if clients > limits.clients && clients > known.clients() {
        return Err(Flaw::Limit {
            limit: Limit::Clients,
            max: limits.clients,
        });
    }
    if clients > limits.crowded_clients && clients > known.clients() {
        let new = outline.sections.iter().map(|section| section.client);
        let new = new.filter(|client| known.end(*client) == 0);
        few_crowded(&known.clients.keys().copied().chain(new).collect::<Vec<_>>(), limits)?;
    }
    plan.deleted = outline.deletes.len();
    for (client, range) in &outline.deletes {
        let end = ends.get(client).copied().unwrap_or_else(|| known.end(*client));
        let rest = range.start.max(end.min(range.end))..range.end;
        plan.deletes_now |= rest.start > range.start;
        if !rest.is_empty() {
            plan.later.push((*client, rest));
        }
    }
    Ok(plan)
}

/// The place of each block of an update.
struct Lookup<'a> {
    known: &'a Structure,
    outline: &'a Outline,
    limits: &'a Limits,
    /// Sections by client: where in the outline.
    sections: HashMap<u64, usize>,
    /// Whose each block is.
    owners: Vec<u64>,
    found: Vec<Found>,
    new_places: HashMap<Place, PlaceId>,
    new_depths: Vec<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Untouched,
    /// Its references are being followed: one that leads back here leads nowhere.
    Open,
    /// It is in the document, or can be.
    At(PlaceId),
    /// It refers to what is not here.
    Missing,
}

/// Where a reference leads.
enum Reference {
    To(PlaceId, Kind),
    Missing,
    /// To a block of the update that has to be looked up first.
    First(usize),
}

impl<'a> Lookup<'a> {
    fn new(known: &'a Structure, outline: &'a Outline, limits: &'a Limits) -> Self {
        let sections = outline
            .sections
            .iter()
            .enumerate()
            .map(|(at, section)| (section.client, at));
        let owners = outline
            .sections
            .iter()
            .flat_map(|section| section.blocks.clone().map(|_| section.client));
        Self {
            known,
            outline,
            limits,
            sections: sections.collect(),
            owners: owners.collect(),
            found: vec![Found::Untouched; outline.blocks.len()],
            new_places: HashMap::new(),
            new_depths: Vec::new(),
        }
    }

    /// Looks a block up, and first what it refers to: with a list in place of the stack.
    fn follow(&mut self, first: usize) -> Result<(), Flaw> {
        let mut open = vec![first];
        while let Some(&at) = open.last() {
            if let Found::At(_) | Found::Missing = self.found[at] {
                open.pop();
                continue;
            }
            match self.look(at)? {
                Ok(found) => {
                    self.found[at] = found;
                    open.pop();
                }
                Err(next) => {
                    self.found[at] = Found::Open;
                    open.push(next);
                }
            }
        }
        Ok(())
    }

    /// The place of a block, or which has to be looked up before.
    fn look(&mut self, at: usize) -> Result<Result<Found, usize>, Flaw> {
        let (block, client) = (&self.outline.blocks[at], self.owners[at]);
        let end = self.known.end(client);
        if block.end <= end {
            return Ok(Ok(Found::At(NOWHERE))); // it is here; nothing of it is looked at again
        }
        if block.link == Link::Skip {
            return Ok(Ok(Found::Missing));
        }
        // What is here of it already says where the rest belongs; and clocks come without a gap.
        let before = match block.clock.max(end).checked_sub(1) {
            Some(clock) => match self.reference(client, clock) {
                Reference::To(place, _) => (block.clock < end).then_some(place),
                Reference::Missing => return Ok(Ok(Found::Missing)),
                Reference::First(next) => return Ok(Err(next)),
            },
            None => None,
        };
        let clock = block.clock;
        let mut places = [before, None, None];
        match block.link {
            Link::Skip | Link::Collected => {}
            Link::Top(name) => places[1] = Some(self.place(Place::Top(name), NOWHERE)?),
            Link::Inside(of, parent, key) => match self.reference(of, parent) {
                Reference::To(_, Kind::Value) => return Err(Flaw::NoType { client, clock }),
                Reference::To(above, _) => places[1] = Some(self.place(Place::Inside(of, parent, key), above)?),
                Reference::Missing => return Ok(Ok(Found::Missing)),
                Reference::First(next) => return Ok(Err(next)),
            },
            Link::Beside(neighbours) => {
                for (neighbour, place) in neighbours.into_iter().zip(&mut places[1..]) {
                    let Some((of, clock)) = neighbour else {
                        continue;
                    };
                    match self.reference(of, clock) {
                        Reference::To(found, _) => *place = Some(found),
                        Reference::Missing => return Ok(Ok(Found::Missing)),
                        Reference::First(next) => return Ok(Err(next)),
                    }
                }
            }
        }
        let mut somewhere = places.into_iter().flatten().filter(|place| *place != NOWHERE);
        let place = somewhere.next().unwrap_or(NOWHERE);
        if somewhere.any(|other| other != place) {
            return Err(Flaw::Torn { client, clock });
        }
        Ok(Ok(Found::At(place)))
    }

    fn reference(&self, client: u64, clock: u32) -> Reference {
        if let Some(run) = self.known.run(client, clock) {
            return Reference::To(run.at, run.kind);
        }
        let Some(section) = self.sections.get(&client).map(|at| &self.outline.sections[*at]) else {
            return Reference::Missing;
        };
        let blocks = &self.outline.blocks[section.blocks.clone()];
        let after = blocks.partition_point(|block| block.end <= clock);
        let Some(block) = blocks.get(after).filter(|block| block.clock <= clock) else {
            return Reference::Missing;
        };
        let at = section.blocks.start + after;
        match self.found[at] {
            Found::Untouched => Reference::First(at),
            Found::Open | Found::Missing => Reference::Missing,
            Found::At(place) => Reference::To(place, block.kind),
        }
    }

    /// The number of a place below another.
    fn place(&mut self, place: Place, above: PlaceId) -> Result<PlaceId, Flaw> {
        if let Some(known) = self.known.places.get(&place).or_else(|| self.new_places.get(&place)) {
            return Ok(*known);
        }
        let first = self.known.depths.len().max(1);
        let above = match (above as usize).checked_sub(first) {
            Some(new) => self.new_depths[new],
            None => self.known.depth(above),
        };
        let max = self.limits.type_depth;
        if above >= max {
            return Err(Flaw::Limit {
                limit: Limit::TypeDepth,
                max: usize::from(max),
            });
        }
        let number = u32::try_from(first + self.new_depths.len()).unwrap_or(u32::MAX);
        self.new_depths.push(above + 1);
        self.new_places.insert(place, number);
        Ok(number)
    }
}
