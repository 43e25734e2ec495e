//! The threads that read.

use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};
use starling_core::channel::{Memory, Message, Stored};
use starling_core::id::ChannelName;
use starling_core::slot::StoreFailure;
use tokio::sync::oneshot;

use super::row::Failure;
use super::{Shared, document, load, page};
use crate::storage::documents::request::Question;
use crate::storage::queue::{Bounds, Taken};
use crate::storage::{PageFailure, Wanted};

/// Each takes one job at a time, so that two slow ones do not wait for each other.
const ONE: Bounds = Bounds {
    jobs: 1,
    bytes: usize::MAX,
};

/// Something to read.
pub(super) enum Job {
    Load {
        channel: ChannelName,
        memory: Memory,
        reply: oneshot::Sender<Result<Option<Box<Stored>>, StoreFailure>>,
    },
    Page {
        wanted: Wanted,
        reply: oneshot::Sender<Result<Vec<Arc<Message>>, PageFailure>>,
    },
    Document(Question),
}

/// Reads until the queue is closed and empty.
pub(super) fn run(connection: &Connection, shared: &Shared) {
    let mut jobs = Vec::new();
    while shared.reads.take(ONE, None, &mut jobs) != Taken::Closed {
        for job in jobs.drain(..) {
            match job {
                Job::Load { channel, memory, reply } => {
                    let found = snapshot(connection, |connection| load::load(connection, &channel, memory));
                    let found = found.map_err(|failure| told(shared, &channel, &failure));
                    let _ = reply.send(found.map(|found| found.map(Box::new))); // whoever asked may have gone
                }
                Job::Page { wanted, reply } => {
                    let found = snapshot(connection, |connection| page::page(connection, &wanted));
                    let found = match found {
                        Ok(Some(messages)) => Ok(messages),
                        Ok(None) => Err(PageFailure::Truncated),
                        Err(failure) => Err(told(shared, &wanted.channel, &failure).into()),
                    };
                    let _ = reply.send(found); // as above
                }
                Job::Document(question) => document::answer(connection, &shared.metrics, question),
            }
        }
    }
}

/// Reads everything as of one moment.
pub(super) fn snapshot<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Deferred)?;
    let found = read(&transaction)?;
    transaction.commit()?;
    Ok(found)
}

fn told(shared: &Shared, channel: &ChannelName, failure: &Failure) -> StoreFailure {
    shared.metrics.store_failed("read");
    // The name of a channel may be a secret of its users, but an operator has to find it.
    tracing::error!(%channel, %failure, "a channel could not be read from the store");
    failure.kind()
}
