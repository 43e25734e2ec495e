//! Looks at bytes from a client before any CRDT does.
//!
//! The library behind a document trusts what it decodes: it reserves what a count announces, recurses as deep as values are
//! nested, and wraps numbers that are too large. So everything is read here first, by code that does none of this. What
//! passes is exactly what Yjs 13 and yrs write, in the encoding's first version; all else is refused with the byte where
//! it goes wrong. The work is linear in the bytes (their count decides, never a number inside them), and the stack it
//! needs does not depend on them.
//!
//! * `update`: the blocks and deletions of an update, and an [`Outline`] of them for
//!   [`structure`](super::structure); `content`: what a block holds;
//! * here: the limits, what can be wrong, and the small messages.
//!
//! Refused although some version of Yjs could once read it, because yrs reads it differently than Yjs does, and whoever
//! comes second would see another document: `ContentJSON` (written by Yjs 12 and before), `YXmlHook`, weak links, and the
//! encoding's second version, which no provider puts on the wire.

use thiserror::Error;

use super::lib0::{ReadError, Reader, SAFE_INTEGER_MAX};

mod content;
mod crowded;
mod update;

pub(super) use update::SKIP;
pub use update::{Block, Kind, Link, Outline, Section, update};

/// The largest clock. Yjs counts further, but yrs compares clocks as signed 32-bit numbers.
pub const CLOCK_MAX: u64 = (1 << 31) - 1;

/// How much bytes may ask for. All are compared with what was really written, so that a short message costs little
/// whatever it announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an update.
    pub bytes: usize,
    /// Clients in an update, a state vector or a delete set; and in a document. Each page that edits is one more, for ever.
    pub clients: usize,
    /// Of these, clients whose ids are too close to those of others to be random.
    ///
    /// yrs keeps clients in a hash table keyed by their id as it is: ids chosen to collide cost the square of their number,
    /// 16,384 of them 0.1 s.
    pub crowded_clients: usize,
    /// Blocks of an update: the smallest has two bytes and takes up to 250 in memory.
    pub blocks: usize,
    /// Ranges of a delete set.
    pub deletes: usize,
    /// Subdocuments of an update.
    ///
    /// None are let through: when one is removed, yrs 0.28.1 reads and writes the block that it was in after that block was
    /// freed (`Doc::destroy` at the end of a transaction), in a document that nobody meant harm. And a document that has
    /// one is never freed.
    pub subdocuments: usize,
    /// How deep values (objects in arrays in objects) may be nested. They are decoded and printed recursively; JSON text
    /// has a limit of 128 of its own.
    pub value_depth: usize,
    /// How deep shared types may be nested. They are deleted and printed recursively.
    pub type_depth: u16,
    /// Blocks that wait for others which have not come.
    pub pending_blocks: usize,
    /// Bytes of a whole awareness message.
    pub awareness_bytes: usize,
    /// Clients that one awareness message speaks of.
    pub awareness_clients: usize,
    /// Bytes of one client's awareness state.
    pub awareness_state_bytes: usize,
}

impl Limits {
    /// For what a client sends.
    pub const CLIENT: Self = Self {
        bytes: 4 * 1024 * 1024,
        clients: 131_072,
        crowded_clients: 16_384,
        blocks: 262_144,
        deletes: 262_144,
        subdocuments: 0,
        value_depth: 100,
        type_depth: 100,
        pending_blocks: 4_096,
        awareness_bytes: 256 * 1024,
        awareness_clients: 1_024,
        awareness_state_bytes: 16 * 1024,
    };

    /// For what was admitted and merged before: a document in whole.
    pub const STORED: Self = Self {
        bytes: 64 * 1024 * 1024,
        clients: 262_144,
        // Each was looked at when it came.
        crowded_clients: usize::MAX,
        blocks: 4_194_304,
        deletes: 4_194_304,
        ..Self::CLIENT
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::CLIENT
    }
}

/// What there was too much of. The name goes into a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// [`Limits::bytes`].
    Bytes,
    /// [`Limits::clients`].
    Clients,
    /// [`Limits::blocks`].
    Blocks,
    /// [`Limits::deletes`].
    Deletes,
    /// [`Limits::subdocuments`].
    Subdocuments,
    /// [`Limits::value_depth`].
    ValueDepth,
    /// [`Limits::type_depth`].
    TypeDepth,
    /// [`Limits::pending_blocks`].
    PendingBlocks,
    /// [`Limits::awareness_bytes`].
    AwarenessBytes,
    /// [`Limits::awareness_clients`].
    AwarenessClients,
    /// [`Limits::awareness_state_bytes`].
    AwarenessStateBytes,
}

impl Limit {
    /// The name in a metric and in an error.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "document_update_bytes",
            Self::Clients => "document_clients",
            Self::Blocks => "document_update_blocks",
            Self::Deletes => "document_update_deletes",
            Self::Subdocuments => "document_subdocuments",
            Self::ValueDepth => "document_value_depth",
            Self::TypeDepth => "document_type_depth",
            Self::PendingBlocks => "document_pending_blocks",
            Self::AwarenessBytes => "awareness_bytes",
            Self::AwarenessClients => "awareness_clients",
            Self::AwarenessStateBytes => "awareness_state_bytes",
        }
    }
}

/// What is wrong with bytes. Reads after "the update ..".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Flaw {
    /// They cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A count announces more than could be in what is left.
    #[error("announces {count} entries at byte {at}, and {left} bytes are left")]
    Count {
        /// Where.
        at: usize,
        /// How many.
        count: u64,
        /// Bytes after it.
        left: usize,
    },
    /// There is no such kind of block, content, value or type.
    #[error("has something of the unknown kind {kind} at byte {at}; send the first version of the encoding")]
    Kind {
        /// Where.
        at: usize,
        /// Which.
        kind: u8,
    },
    /// It is well-formed, and read in two ways by Yjs and by yrs.
    #[error("has {what} at byte {at}, which only old versions of Yjs write; load and save it with Yjs 13")]
    Outdated {
        /// Where.
        at: usize,
        /// What.
        what: &'static str,
    },
    /// Looks like the second version of the encoding.
    #[error("is in the second version of the encoding; send the first (`encodeStateAsUpdate`)")]
    SecondVersion,
    /// A block or a range of nothing, or a client without blocks.
    #[error("has an entry without content at byte {at}")]
    Empty {
        /// Where.
        at: usize,
    },
    /// Ids of clients collide in a hash table.
    #[error("has {clients} clients whose ids are too close to be random; leave `clientID` to Yjs")]
    Crowded {
        /// How many of them.
        clients: usize,
    },
    /// A client comes twice.
    #[error("names client {client} twice")]
    Twice {
        /// Which.
        client: u64,
    },
    /// Deleted ranges overlap, or are not in order.
    #[error("has deleted ranges at byte {at} that overlap or are out of order")]
    Unordered {
        /// Where.
        at: usize,
    },
    /// A clock is larger than [`CLOCK_MAX`].
    #[error("has a clock at byte {at} beyond 2^31; no document has so many edits of one client")]
    Clock {
        /// Where.
        at: usize,
    },
    /// There is something after the end.
    #[error("ends at byte {at}, and more follows")]
    Trailing {
        /// Where.
        at: usize,
    },
    /// A block stands between two that are in different places.
    #[error("has a block of client {client} at clock {clock} between two that do not belong together")]
    Torn {
        /// Whose it is.
        client: u64,
        /// The first of its clocks.
        clock: u32,
    },
    /// A block is put into one that holds no others.
    #[error("puts a block of client {client} at clock {clock} into one that can hold none")]
    NoType {
        /// Whose it is.
        client: u64,
        /// The first of its clocks.
        clock: u32,
    },
    /// There is too much of something.
    #[error("is beyond the limit {}, which is {max}", .limit.name())]
    Limit {
        /// Of what.
        limit: Limit,
        /// How much there may be.
        max: usize,
    },
}

/// How many clients a state vector names.
///
/// # Errors
/// When it is not what Yjs writes, or is beyond a limit.
pub fn state_vector(bytes: &[u8], limits: &Limits) -> Result<usize, Flaw> {
    within(bytes.len(), limits.bytes, Limit::Bytes)?;
    let mut reader = Reader::new(bytes);
    let clients = count(&mut reader, 2)?;
    within(clients, limits.clients, Limit::Clients)?;
    let mut named = Vec::with_capacity(clients);
    for _ in 0..clients {
        named.push(reader.uint(SAFE_INTEGER_MAX)?);
        clock(&mut reader)?;
    }
    clients_of(named, limits)?;
    end(&reader)?;
    Ok(clients)
}

/// One client's entry in an awareness message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The Yjs client.
    pub client: u64,
    /// The version of its state.
    pub clock: u64,
    /// The state as JSON; `null` when it left.
    pub state: &'a str,
}

/// The entries of an awareness message. That a state is JSON is for its readers to find: the node keeps text.
///
/// # Errors
/// When it is not what y-protocols writes, or is beyond a limit.
pub fn awareness<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Vec<Entry<'a>>, Flaw> {
    within(bytes.len(), limits.awareness_bytes, Limit::AwarenessBytes)?;
    let mut reader = Reader::new(bytes);
    let clients = count(&mut reader, 3)?;
    within(clients, limits.awareness_clients, Limit::AwarenessClients)?;
    let mut entries = Vec::with_capacity(clients);
    for _ in 0..clients {
        let client = reader.uint(SAFE_INTEGER_MAX)?;
        let clock = reader.uint(u64::from(u32::MAX))?;
        let state = reader.text()?;
        within(state.len(), limits.awareness_state_bytes, Limit::AwarenessStateBytes)?;
        entries.push(Entry { client, clock, state });
    }
    once(entries.iter().map(|entry| entry.client).collect())?;
    end(&reader)?;
    Ok(entries)
}

/// A count of entries that have at least `bytes_min` bytes each.
fn count(reader: &mut Reader<'_>, bytes_min: usize) -> Result<usize, Flaw> {
    let at = reader.at();
    let count = reader.uint(SAFE_INTEGER_MAX)?;
    let left = reader.left();
    match usize::try_from(count) {
        Ok(count) if count <= left / bytes_min => Ok(count),
        _ => Err(Flaw::Count { at, count, left }),
    }
}

fn clock(reader: &mut Reader<'_>) -> Result<u32, Flaw> {
    let at = reader.at();
    let clock = reader.uint(SAFE_INTEGER_MAX)?;
    match u32::try_from(clock) {
        Ok(fits) if clock <= CLOCK_MAX => Ok(fits),
        _ => Err(Flaw::Clock { at }),
    }
}

/// The clock behind `length` more.
fn advance(clock: u32, length: u64, at: usize) -> Result<u32, Flaw> {
    let end = u64::from(clock).checked_add(length).filter(|end| *end <= CLOCK_MAX);
    end.and_then(|end| u32::try_from(end).ok()).ok_or(Flaw::Clock { at })
}

const fn within(count: usize, max: usize, limit: Limit) -> Result<(), Flaw> {
    if count > max {
        return Err(Flaw::Limit { limit, max });
    }
    Ok(())
}

/// Each client comes once, and few have ids that collide.
fn clients_of(clients: Vec<u64>, limits: &Limits) -> Result<(), Flaw> {
    few_crowded(&clients, limits)?;
    once(clients)
}

/// Whether a table of these clients is fast.
///
/// # Errors
/// When the ids of too many collide.
pub(super) fn few_crowded(clients: &[u64], limits: &Limits) -> Result<(), Flaw> {
    if clients.len() <= limits.crowded_clients {
        return Ok(());
    }
    match crowded::crowded(clients) {
        crowded if crowded <= limits.crowded_clients => Ok(()),
        clients => Err(Flaw::Crowded { clients }),
    }
}

fn once(mut clients: Vec<u64>) -> Result<(), Flaw> {
    clients.sort_unstable();
    match clients.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Flaw::Twice { client: pair[0] }),
        None => Ok(()),
    }
}

const fn end(reader: &Reader<'_>) -> Result<(), Flaw> {
    if reader.is_empty() {
        Ok(())
    } else {
        Err(Flaw::Trailing { at: reader.at() })
    }
}

#[cfg(test)]
mod tests;
