//! The task that writes what is no row: snapshots, versions, deletions.

use std::sync::Arc;

use deadpool_postgres::Object;

use super::super::Shared;
use super::super::row::Failure;
use super::super::transaction::TRANSACTION_TIME_MAX;
use crate::storage::documents;
use crate::storage::documents::request::{Reply, Write};
use crate::storage::queue::{Bounds, FRAME_BYTES, Queue, Taken};

/// What may wait. Few are sent at once, and each is tried again later by whoever sent it.
pub(in super::super) const WAITING: Bounds = Bounds {
    jobs: 1_024,
    bytes: 32 << 20,
};

/// Each in a transaction of its own.
const ONE: Bounds = Bounds {
    jobs: 1,
    bytes: usize::MAX,
};

/// A write, and who is told what it came to.
pub(in super::super) struct Chore {
    pub(in super::super) write: Write,
    pub(in super::super) reply: Reply<i64>,
}

impl Chore {
    /// What it counts for in the queue.
    pub(in super::super) fn bytes(&self) -> usize {
        FRAME_BYTES.saturating_add(self.write.bytes())
    }
}

/// Does what waits until the queue is closed and empty.
pub(in super::super) async fn run(shared: Arc<Shared>) {
    let _told = OnPanic(&shared.chores);
    let mut chores = Vec::new();
    while shared.chores.taken(ONE, &mut chores).await != Taken::Closed {
        for Chore { write, reply } in chores.drain(..) {
            let outcome = perform(&shared, &write).await.map_err(|failure| {
                let told = failure.of_document();
                if told == documents::Failure::Unavailable {
                    shared.metrics.store_failed("chore");
                    tracing::debug!(%failure, "a write of a document failed");
                }
                documents::tell(&shared.metrics, write.document(), told);
                told
            });
            let _ = reply.send(outcome); // it may have gone
        }
    }
}

/// Sees to it that nobody waits for a task that has failed: a reply that is dropped says so.
struct OnPanic<'a>(&'a Queue<Chore>);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        self.0.close();
        let mut chores = Vec::new();
        while self.0.try_take(WAITING, &mut chores) == Taken::Some {
            chores.clear();
        }
    }
}

async fn perform(shared: &Shared, write: &Write) -> Result<i64, Failure> {
    if !shared.is_connected() {
        return Err(Failure::Pool("the database cannot be reached".to_owned()));
    }
    let mut client = shared.reading().await?;
    let written = tokio::time::timeout(TRANSACTION_TIME_MAX, transact(&mut client, write)).await;
    let written = written.unwrap_or(Err(Failure::Silent));
    if written.as_ref().is_err_and(Failure::is_lost) {
        drop(Object::take(client));
    }
    written
}

async fn transact(client: &mut Object, write: &Write) -> Result<i64, Failure> {
    let transaction = client.transaction().await?;
    let outcome = super::write(&transaction, write).await?;
    transaction.commit().await?;
    Ok(outcome)
}
