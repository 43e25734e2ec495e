//! Where collaborative documents are kept: beside channels, in the same store.
//!
//! ```text
//!   append ─────▶ the store's writer: one transaction with all that waits, batches of channels too ──▶ told once synced
//!   snapshot ───▶ in pieces, and a last one that makes it count
//!   load, read ─▶ the store's readers, each as of one moment
//! ```
//!
//! A document is named as a channel is. It is its newest snapshot and the rows after it, keyed (document, n); its rules are
//! those of [`starling_core::document::log`], and what they ask for is carried out here. Who writes a document is not
//! fenced: two owners meet at the key of a row (rule D9), and each snapshot contains what the one before had.
//!
//! Nothing is deleted when a snapshot takes its place. Rows and snapshots that were replaced, and documents that were
//! deleted, are left where they are for a day: that is the trash (rule D1), out of which [`Documents::recall`] reads and
//! [`Documents::restore`] restores.
//!
//! * [`Documents`]: the handle; [`Tables`]: what a store does for it, `request`: in these words;
//! * `archive`: the rest of the handle, for versions, the trash and lists; `found`: what is read; `failure`: refusals;
//! * `head`: what may follow what is there, alike in every store; `body`: snapshots in pieces; [`sweep`]: emptying the trash;
//! * [`super::sqlite`] and [`super::postgres`] have a folder `document` each.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use starling_core::document::guard::Snapshot;
use starling_core::document::log::Row;
use starling_core::id::ChannelName;
use starling_core::id::name::NAME_BYTES_MAX;
use starling_core::time::WallTime;
use tokio::sync::oneshot;

use super::Answer;
use crate::metrics::Metrics;

mod archive;
pub(super) mod body;
mod failure;
mod found;
pub(super) mod head;
pub(super) mod request;
pub mod sweep;

pub use body::BODY_BYTES_MAX;
pub use failure::{Failure, Part};
pub use found::{Found, History, Listed, Stats, Trashed, Version};
pub use request::Made;

use body::{Body, Pieces};
use request::{Append, Base, Question, Reply, Write};

/// How long what was replaced or deleted is kept.
pub const TRASH_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Of the snapshots that were replaced, how far those that are kept are apart. What lies between them is in the rows. A
/// document that is written without a break makes one every few seconds: all of them would be gigabytes, these are five.
pub const REPLACED_APART: Duration = Duration::from_secs(6 * 60 * 60);

/// How long pieces of a body that nothing names are left alone: somebody may be writing the others.
pub(super) const LOOSE_TIME: Duration = Duration::from_secs(60 * 60);

/// Versions of a document that have a name. Beyond it another is refused.
pub const VERSIONS_NAMED_MAX: usize = 100;

/// Versions of a document that were made by themselves. Beyond it the oldest goes.
pub const VERSIONS_AUTOMATIC_MAX: usize = 50;

/// Documents or versions in one list. The rest is in the next.
pub const LIST_MAX: u32 = 1_000;

/// Bytes of rows that are read at once, but one row at least. The rest is read after it.
const PAGE_BYTES: u64 = 8 << 20;

/// What a store does for documents.
pub(super) trait Tables: Send + Sync {
    /// Writes, in the order of these calls; answers once it is synced. What comes of it is said with the kinds of [`Write`].
    fn write(&self, write: Write, reply: Reply<i64>);

    /// Reads, and answers. It sees what was answered before.
    fn ask(&self, question: Question);

    /// Whether a write may be sent.
    fn has_room(&self, write: &Write) -> bool;
}

/// Keeps documents. See the module.
#[derive(Clone)]
pub struct Documents {
    tables: Arc<dyn Tables>,
}

impl Documents {
    pub(super) fn new(tables: Arc<dyn Tables>) -> Self {
        Self { tables }
    }

    /// All of a document; `None` if there is none of this name.
    ///
    /// # Errors
    /// When it cannot be read, which never means that it is not there (rule D2).
    pub async fn load(&self, document: &ChannelName) -> Result<Option<Found>, Failure> {
        self.whole(document, Base::Newest).await
    }

    /// A document as it is without its newest snapshot: the one before, with the rows that were replaced and those after it.
    /// It is all there for [`TRASH_TIME`] after the snapshot was made.
    ///
    /// # Errors
    /// When it cannot be read, or [`Failure::NotFound`] when some of it has left the trash.
    pub async fn recall(&self, document: &ChannelName) -> Result<Option<Found>, Failure> {
        self.whole(document, Base::Previous).await
    }

    /// What is behind a row: what another owner has written. It may be only the beginning of it.
    ///
    /// # Errors
    /// When it cannot be read, or is not the document it was.
    pub async fn read(&self, document: &ChannelName, history: Option<History>, after: u64) -> Result<Found, Failure> {
        let found = self.page(document, history, after, Base::Newest).await?;
        found.ok_or(Failure::Gone)
    }

    /// Appends rows whose numbers follow each other, all or none. Without a `history` the document is begun by row 1.
    ///
    /// # Errors
    /// [`Failure::Taken`] if another owner has written the first number. [`Failure::Unavailable`] when it is not known what
    /// became of them; what was written is then found by [`Documents::read`].
    pub async fn append(
        &self,
        document: &ChannelName,
        history: Option<History>,
        rows: Vec<Row>,
        time: WallTime,
    ) -> Result<History, Failure> {
        let document = document.clone();
        let append = Append {
            document,
            history,
            rows,
            time,
        };
        self.write(Write::Append(append)).await.map(History)
    }

    /// Puts a snapshot in place of the rows up to `through`, each of which its maker has applied, and of the snapshot before,
    /// which has to end before that.
    ///
    /// All that is in it should be in rows by now, those behind `through` included: what is nowhere else, another owner that
    /// has read all rows never sees.
    ///
    /// # Errors
    /// [`Failure::Superseded`] if there is one that has as much: it stands for this one.
    pub async fn put_snapshot(
        &self,
        document: &ChannelName,
        history: History,
        through: u64,
        snapshot: &Snapshot,
        time: WallTime,
    ) -> Result<(), Failure> {
        let (body, last) = self.send_pieces(snapshot, time).await?;
        let document = document.clone();
        let write = Write::Snapshot {
            document,
            history,
            through,
            body,
            last,
            time,
        };
        self.write(write).await.map(drop)
    }

    /// Deletes some of what has been in the trash for [`TRASH_TIME`]. Answers whether there may be more.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn sweep(&self, now: WallTime) -> Result<bool, Failure> {
        self.write(Write::Sweep { now }).await.map(|more| more != 0)
    }

    /// All pages of a document.
    async fn whole(&self, document: &ChannelName, base: Base) -> Result<Option<Found>, Failure> {
        let Some(mut found) = self.page(document, None, 0, base).await? else {
            return Ok(None);
        };
        let history = Some(found.history);
        loop {
            let through = found.snapshot.as_ref().map_or(0, |(through, _)| *through);
            let end = found.rows.last().map_or(through, |row| row.n);
            if end >= found.last {
                return Ok(Some(found));
            }
            let page = self.page(document, history, end, base).await?;
            let page = page.ok_or(Failure::Gone)?;
            // Another owner has put what was read so far into a snapshot.
            if page.snapshot.is_some() {
                found = page;
            } else {
                found.rows.extend(page.rows);
                found.last = page.last;
            }
        }
    }

    async fn page(
        &self,
        document: &ChannelName,
        history: Option<History>,
        after: u64,
        base: Base,
    ) -> Result<Option<Found>, Failure> {
        let document = document.clone();
        self.ask(|reply| Question::Read {
            document,
            history,
            after,
            base,
            bytes_max: PAGE_BYTES,
            reply,
        })
        .await
    }

    /// Writes all pieces of a body but the last, one after the other: as many as wait for the store at once.
    async fn send_pieces(&self, snapshot: &Snapshot, time: WallTime) -> Result<(Body, Bytes), Failure> {
        let Pieces { body, first, last } = Pieces::of(snapshot)?;
        for (n, bytes) in (0..).zip(first) {
            let body = body.id;
            self.write(Write::Piece { body, n, bytes, time }).await?;
        }
        Ok((body, last))
    }

    fn write(&self, write: Write) -> Answer<Result<i64, Failure>> {
        if !self.tables.has_room(&write) {
            return Box::pin(async { Err(Failure::Busy) });
        }
        let (reply, answer) = oneshot::channel();
        self.tables.write(write, reply);
        Box::pin(async { answer.await.unwrap_or(Err(Failure::Unavailable)) })
    }

    fn ask<T: Send + 'static>(&self, question: impl FnOnce(Reply<T>) -> Question) -> Answer<Result<T, Failure>> {
        let (reply, answer) = oneshot::channel();
        self.tables.ask(question(reply));
        // A question that there is no room for is dropped with its reply.
        Box::pin(async { answer.await.unwrap_or(Err(Failure::Unavailable)) })
    }
}

/// Says what an operator has to know: that something cannot be read. That the store is away it says itself, and the rest is
/// the business of whoever asked.
pub(super) fn tell(metrics: &Metrics, document: Option<&ChannelName>, failure: Failure) {
    let document = document.map_or("", ChannelName::as_str);
    match failure {
        Failure::Unreadable(_) => {
            metrics.store_failed("document");
            // The name of a document may be a secret of its users, but an operator has to find it.
            tracing::error!(document, %failure, "a document could not be read from the store");
        }
        _ => tracing::debug!(document, %failure, "the store did not do what was asked of a document"),
    }
}

/// Above every name that begins with `prefix`, in the order of their bytes: no name is as long as this.
pub(super) fn names_end(prefix: &str) -> String {
    let mut end = prefix.to_owned();
    end.extend(std::iter::repeat_n(
        char::MAX,
        NAME_BYTES_MAX / char::MAX.len_utf8() + 1,
    ));
    end
}
