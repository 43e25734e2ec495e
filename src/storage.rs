//! Where persisted channels are kept.
//!
//! ```text
//!   slot actor ──commit──▶ queue ──▶ writer ── one transaction for all that waited ──▶ done ──▶ slot actor
//!   channel actor ──page──▶ queue ──▶ readers ──▶ the page
//! ```
//!
//! A [`Store`] commits batches in the order they come and says when each is synced; it gives back
//! channels and pages. It decides nothing: what a batch does was decided by the rules, and what the
//! store finds against it (another owner, another head) closes the channel, which is then loaded anew.
//!
//! * [`sqlite`]: the embedded store of a node that stands alone;
//! * [`postgres`]: a database, which the nodes of a cluster share;
//! * `queue`, `promise`: what waits for the store, with its bounds, and the answer it is owed;
//! * `head`, `sum`: what rows hold in every store;
//! * [`documents`]: collaborative documents, which are kept beside channels;
//! * `sweep`: asks what is due of channels that nobody has open.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use starling_core::channel::{Memory, Message, Stored};
use starling_core::id::{ChannelName, Epoch, Lineage, Seq, SlotId, Term};
use starling_core::slot::{self, StoreFailure};
use starling_core::time::WallTime;
use thiserror::Error;

use crate::directory::DirectoryError;

pub mod documents;
mod head;
pub mod postgres;
mod promise;
mod queue;
pub mod sqlite;
mod sum;
pub mod sweep;

pub use queue::Bounds;

/// An answer that comes later.
pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Told once what became of a batch.
pub type Done = Box<dyn FnOnce(Result<(), StoreFailure>) + Send>;

/// Keeps persisted channels. See the module.
pub trait Store: Send + Sync {
    /// Takes every slot over for a node that stands alone, whoever had them. Later batches of earlier owners are refused.
    fn claim(&self, owner: &Arc<str>, generation: u64) -> Answer<Result<Vec<Claim>, StoreFailure>>;

    /// Takes a slot over for the node that owns it in the slot table. An owner of an earlier term there is refused as
    /// fenced, and so is another one of the same term. The owner itself may ask again.
    fn claim_slot(&self, owned: Owned) -> Answer<Result<Claim, StoreFailure>>;

    /// Commits a batch. Batches are committed, and their `done` called, in the order of these calls.
    fn commit(&self, batch: Batch, done: Done);

    /// Notes what is in no entry. If that fails it is noted another time.
    fn mark(&self, mark: Mark);

    /// Everything that is kept of a channel but older messages than fit `memory`; `None` if there is no such channel.
    /// It comes behind every batch that was sent before.
    fn load(&self, channel: &ChannelName, memory: Memory) -> Answer<Result<Option<Box<Stored>>, StoreFailure>>;

    /// Messages of a channel, in order and without a gap.
    fn page(&self, wanted: Wanted) -> Answer<Result<Vec<Arc<Message>>, PageFailure>>;

    /// Channels of which something may be due by `now`, at most `max`; they count as due at `again` then.
    fn due(&self, now: WallTime, again: WallTime, max: u32) -> Answer<Result<Vec<ChannelName>, StoreFailure>>;

    /// Whether another batch may be sent. When not, publishes are refused as `busy`.
    fn has_room(&self) -> bool;

    /// Whether the last thing that was written was synced. It finds out by itself when it can write again.
    fn is_writable(&self) -> bool;

    /// Whether clients may be sent to this node, as far as the store is concerned. A disk is the node's own; a database that
    /// all nodes share must not take all of them out of service at once, so it has to be there only when the node starts.
    fn is_ready(&self) -> bool;

    /// Commits what waits and lets go of the files or connections.
    fn close(&self) -> Answer<()>;
}

/// A slot, and who owns it by the slot table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Which.
    pub slot: SlotId,
    /// The term of its owner in the slot table. The store counts by itself beside it: see [`Fence::term`].
    pub term: Term,
    /// The node.
    pub owner: Arc<str>,
    /// Which start of it.
    pub generation: u64,
}

/// A slot that was claimed.
#[derive(Debug, Clone)]
pub struct Claim {
    /// What every batch of the slot carries.
    pub fence: Fence,
    /// What the slot's rules need.
    pub lease: slot::Lease,
}

/// Who writes a slot (rule R14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Which slot.
    pub slot: SlotId,
    /// One more at each claim, so that it grows for as long as the store is there, also when nodes that stood alone join
    /// into a cluster or a slot table begins anew.
    pub term: Term,
    /// The node.
    pub owner: Arc<str>,
    /// Which start of it.
    pub generation: u64,
}

/// Changes of one channel, to be committed together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Who sends it.
    pub fence: Fence,
    /// The changes.
    pub batch: slot::Batch,
    /// When it is sent.
    pub time: WallTime,
    /// When something of the channel may be due.
    pub due: Option<WallTime>,
}

impl Batch {
    /// Bytes of its entries.
    fn weight(&self) -> usize {
        let weight: u64 = self.batch.entries.iter().map(|entry| entry.weight()).sum();
        usize::try_from(weight).unwrap_or(usize::MAX)
    }
}

/// What is in no entry.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Who sends it.
    pub fence: Fence,
    /// Of which channel.
    pub channel: ChannelName,
    /// When it was last used.
    pub used: WallTime,
    /// When something of it is due.
    pub due: Option<WallTime>,
}

/// A page that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of which channel.
    pub channel: ChannelName,
    /// In which history.
    pub epoch: Epoch,
    /// The messages after this one,
    pub after: Seq,
    /// up to this one.
    pub through: Seq,
    /// No more bytes than this, but always one message.
    pub bytes_max: u32,
    /// No more messages than this.
    pub messages_max: u32,
}

/// What may wait for a store.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the one transaction at a time that writes.
    pub writes: Bounds,
    /// For those that read.
    pub reads: Bounds,
}

impl Default for Limits {
    /// One commit takes some milliseconds: four thousand batches are a few commits' worth, and a store that has so many
    /// waiting has stopped; publishes are then refused. A load or a page takes a millisecond or two: a thousand are a
    /// second's, and whoever comes then is told to ask again.
    fn default() -> Self {
        Self {
            writes: Bounds {
                jobs: 4_096,
                bytes: 32 << 20,
            },
            reads: Bounds {
                jobs: 1_024,
                bytes: usize::MAX,
            },
        }
    }
}

/// Why there is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PageFailure {
    /// The messages are no longer kept.
    #[error("the messages are no longer kept; go on from the head")]
    Truncated,
    /// Too many pages are wanted at once.
    #[error("too many pages are wanted at once; try again shortly")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Why a store cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory cannot be had.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// It is no store of ours.
    #[error("{file} is not a store of starling; move it away, or set another node.data_dir")]
    Foreign {
        /// Which.
        file: PathBuf,
    },
    /// A later version has written it.
    #[error(
        "{file} was written by a later version (schema {found}, this one knows {known}); run that version, or restore a backup"
    )]
    Newer {
        /// Which.
        file: PathBuf,
        /// Its schema.
        found: u32,
        /// The latest this version knows.
        known: u32,
    },
    /// Its channels are spread over another number of slots.
    #[error(
        "{file} holds channels spread over {found} slots and the configuration says {configured}; set slots.count = {found}"
    )]
    Slots {
        /// Which.
        file: PathBuf,
        /// As it was made.
        found: u16,
        /// As configured.
        configured: u16,
    },
    /// The database that the nodes share cannot be used.
    #[error(transparent)]
    Shared(#[from] postgres::DatabaseError),
    /// The file says no.
    #[error("cannot open {file}: {source}; is the disk full, or the file damaged?")]
    Database {
        /// Which.
        file: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
}

/// The lineage of a store's channels: it has no resets, for losing it loses the incarnation too.
const fn lineage(incarnation: u32) -> Lineage {
    Lineage { resets: 0, incarnation }
}

#[cfg(test)]
pub(crate) mod tests;
