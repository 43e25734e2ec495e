//! An update: for each client its blocks, and after them what is deleted.

use std::ops::Range;

use super::content;
use super::{Flaw, Limit, Limits, advance, clients_of, clock, count, end, within};
use xxhash_rust::xxh3::Xxh3Default;

use crate::document::lib0::{Reader, SAFE_INTEGER_MAX};

/// What an update consists of, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    /// The clients that have blocks in it, in the order they come.
    pub sections: Vec<Section>,
    /// The blocks of all sections.
    pub blocks: Vec<Block>,
    /// What it deletes: a client, its first clock and the one after the last; in order for each client.
    pub deletes: Vec<(u64, Range<u32>)>,
    /// How many subdocuments it has.
    pub subdocuments: usize,
}

/// The blocks of one client. Each begins where the one before it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Whose they are.
    pub client: u64,
    /// Where they are in [`Outline::blocks`].
    pub blocks: Range<usize>,
}

/// One block: clocks in succession that one client gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The first of its clocks.
    pub clock: u32,
    /// The clock after its last.
    pub end: u32,
    /// Where it belongs.
    pub link: Link,
    /// What may be put into it.
    pub kind: Kind,
    /// Where its bytes are in the update.
    pub bytes: Range<usize>,
}

/// Where a block says that it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Nowhere: it stands for clocks that are not in the update.
    Skip,
    /// Nowhere: what it was is collected.
    Collected,
    /// Into a type at the top of the document: a hash of its name, and of the key if it is an entry of a map.
    Top(u128),
    /// Into a type that is a block itself: its client and clock, and a hash of the key.
    Inside(u64, u32, u128),
    /// Beside another block, or between two: in the same type, under the same key.
    Beside([Option<(u64, u32)>; 2]),
}

/// What may be put into a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Other blocks.
    Type,
    /// Whatever was in it once: it is deleted, and nobody knows what it was.
    Gone,
    /// Nothing.
    Value,
}

/// Skips in succession: yrs passes over them recursively. Nobody writes two, since they are merged.
const SKIPS_MAX: usize = 16;

/// The first byte of a block that stands for clocks which are not here.
pub(crate) const SKIP: u8 = 10;
const COLLECTED: u8 = 0;
const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_KEY: u8 = 0x20;
/// The flags leave five bits for the kind; none takes the fifth.
const KIND: u8 = 0x1f;

/// Reads an update of the encoding's first version to its end.
///
/// # Errors
/// When it is not what Yjs 13 and yrs write, or is beyond a limit.
pub fn update(bytes: &[u8], limits: &Limits) -> Result<Outline, Flaw> {
    within(bytes.len(), limits.bytes, Limit::Bytes)?;
    read(bytes, limits).map_err(|flaw| {
        // No document in the first version begins like this and fails: no clients, and then ranges in such a number.
        match flaw {
            Flaw::Limit { .. } => flaw,
            _ if looks_like_second_version(bytes) => Flaw::SecondVersion,
            _ => flaw,
        }
    })
}

/// Whether bytes are framed like the second version: a flag, and nine buffers with their lengths before them.
fn looks_like_second_version(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    reader.byte() == Ok(0) && (0..9).all(|_| reader.buffer().is_ok()) && !reader.is_empty()
}

fn read(bytes: &[u8], limits: &Limits) -> Result<Outline, Flaw> {
    let mut reader = Reader::new(bytes);
    let mut outline = Outline::default();
    // A section has four bytes at least: a count, a client, a clock, and a block of no less than two.
    let sections = count(&mut reader, 5)?;
    within(sections, limits.clients, Limit::Clients)?;
    outline.sections.reserve_exact(sections);
    for _ in 0..sections {
        section(&mut reader, &mut outline, limits)?;
    }
    clients_of(outline.sections.iter().map(|section| section.client).collect(), limits)?;
    outline.deletes = deletes(&mut reader, limits)?;
    end(&reader)?;
    Ok(outline)
}

fn section(reader: &mut Reader<'_>, outline: &mut Outline, limits: &Limits) -> Result<(), Flaw> {
    let at = reader.at();
    let blocks = count(reader, 2)?;
    let first = outline.blocks.len();
    within(first.saturating_add(blocks), limits.blocks, Limit::Blocks)?;
    let client = reader.uint(SAFE_INTEGER_MAX)?;
    let mut clock = clock(reader)?;
    let mut skips = 0;
    for _ in 0..blocks {
        let at = reader.at();
        let (link, kind, length) = block(reader, outline, limits)?;
        let end = advance(clock, length, at)?;
        skips = if link == Link::Skip { skips + 1 } else { 0 };
        if skips > SKIPS_MAX {
            return Err(Flaw::Empty { at });
        }
        if length > 0 {
            outline.blocks.push(Block {
                clock,
                end,
                link,
                kind,
                bytes: at..reader.at(),
            });
        }
        clock = end;
    }
    // yrs passes over clients without a block recursively. Nobody writes one.
    if outline.blocks.len() == first {
        return Err(Flaw::Empty { at });
    }
    outline.sections.push(Section {
        client,
        blocks: first..outline.blocks.len(),
    });
    Ok(())
}

/// One block, and how many clocks it takes. Old versions of Yjs wrote some that take none; yrs passes over them.
fn block(reader: &mut Reader<'_>, outline: &mut Outline, limits: &Limits) -> Result<(Link, Kind, u64), Flaw> {
    let at = reader.at();
    let info = reader.byte()?;
    if info == SKIP || info == COLLECTED {
        let length = reader.uint(SAFE_INTEGER_MAX)?;
        if length == 0 {
            return Err(Flaw::Empty { at });
        }
        let link = if info == SKIP { Link::Skip } else { Link::Collected };
        return Ok((link, Kind::Gone, length));
    }
    let origin = (info & HAS_ORIGIN != 0).then(|| id(reader)).transpose()?;
    let right = (info & HAS_RIGHT_ORIGIN != 0).then(|| id(reader)).transpose()?;
    let link = if origin.is_some() || right.is_some() {
        Link::Beside([origin, right])
    } else {
        // The name or id of the type it goes into, and its key there.
        let top = match reader.uint(1)? {
            1 => Ok(reader.text()?),
            _ => Err(id(reader)?),
        };
        let key = (info & HAS_KEY != 0).then(|| reader.text()).transpose()?;
        match top {
            Ok(name) => Link::Top(hash(name, key)),
            Err((client, clock)) => Link::Inside(client, clock, hash("", key)),
        }
    };
    let content = content::read(reader, info & KIND, at, limits)?;
    if content.is_subdocument {
        outline.subdocuments += 1;
        within(outline.subdocuments, limits.subdocuments, Limit::Subdocuments)?;
    }
    Ok((link, content.kind, content.length))
}

/// A name and a key told apart from every other pair.
fn hash(name: &str, key: Option<&str>) -> u128 {
    let mut hash = Xxh3Default::new();
    hash.update(&(name.len() as u64).to_le_bytes());
    hash.update(name.as_bytes());
    if let Some(key) = key {
        hash.update(b"k");
        hash.update(key.as_bytes());
    }
    hash.digest128()
}

fn id(reader: &mut Reader<'_>) -> Result<(u64, u32), Flaw> {
    Ok((reader.uint(SAFE_INTEGER_MAX)?, clock(reader)?))
}

/// The delete set at the end, in the order that Yjs writes: yrs merges ranges as if they were sorted.
fn deletes(reader: &mut Reader<'_>, limits: &Limits) -> Result<Vec<(u64, Range<u32>)>, Flaw> {
    let clients = count(reader, 2)?;
    within(clients, limits.clients, Limit::Clients)?;
    let mut named = Vec::with_capacity(clients);
    let mut deletes = Vec::new();
    for _ in 0..clients {
        let client = reader.uint(SAFE_INTEGER_MAX)?;
        named.push(client);
        let ranges = count(reader, 2)?;
        within(deletes.len().saturating_add(ranges), limits.deletes, Limit::Deletes)?;
        let mut before = 0;
        for _ in 0..ranges {
            let at = reader.at();
            let first = clock(reader)?;
            let length = reader.uint(SAFE_INTEGER_MAX)?;
            if first < before {
                return Err(Flaw::Unordered { at });
            }
            if length == 0 {
                return Err(Flaw::Empty { at });
            }
            before = advance(first, length, at)?;
            deletes.push((client, first..before));
        }
    }
    clients_of(named, limits)?;
    Ok(deletes)
}
