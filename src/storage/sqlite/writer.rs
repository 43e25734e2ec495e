//! The thread that writes.
//!
//! A turn: take all that waits; one transaction; tell everybody. A batch that does not fit is undone by
//! itself. When the transaction fails, as on a full disk, everybody in it is refused; then the thread
//! tries a small write each second until one succeeds, so that the node is ready again as soon as the
//! disk is.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use starling_core::id::ChannelName;
use starling_core::slot::StoreFailure;
use starling_core::time::WallTime;
use tokio::sync::oneshot;

use super::claim::Wanted;
use super::row::Failure;
use super::{Shared, batch, claim, document, garbage};
use crate::storage::documents;
use crate::storage::documents::request::{Reply, Write};
use crate::storage::promise::Promise;
use crate::storage::queue::{FRAME_BYTES, TRANSACTION, Taken};
use crate::storage::sum::signed;
use crate::storage::{Batch, Claim, Mark};

/// How long a store that fails is left alone before it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Something to write.
pub(super) enum Job {
    Commit {
        batch: Batch,
        done: Promise,
    },
    Mark(Mark),
    /// Something of a document.
    Document {
        write: Write,
        reply: Reply<i64>,
    },
    /// To be handed to the readers once all before it is committed.
    Read(super::reader::Job),
    Claim {
        wanted: Wanted,
        reply: oneshot::Sender<Result<Vec<Claim>, StoreFailure>>,
    },
    Due {
        now: WallTime,
        again: WallTime,
        max: u32,
        reply: oneshot::Sender<Result<Vec<ChannelName>, StoreFailure>>,
    },
}

/// A job that was looked at, and what it came to: told once the transaction has ended.
struct Told {
    job: Job,
    outcome: Outcome,
}

enum Outcome {
    Written(Result<(), StoreFailure>),
    Document(Result<i64, documents::Failure>),
    Claimed(Result<Vec<Claim>, StoreFailure>),
    Due(Vec<ChannelName>),
    Refused,
}

impl Job {
    /// What it counts for in the queue.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Commit { batch, .. } => FRAME_BYTES.saturating_add(batch.weight()),
            Self::Document { write, .. } => FRAME_BYTES.saturating_add(write.bytes()),
            _ => FRAME_BYTES,
        }
    }

    /// Entries of channels and rows of documents that it brings.
    const fn entries(&self) -> usize {
        match self {
            Self::Commit { batch, .. } => batch.batch.entries.len(),
            Self::Document { write, .. } => write.rows(),
            _ => 0,
        }
    }

    /// Tells whoever asked that it is not to be.
    pub(super) fn fail(self, failure: StoreFailure) {
        match self {
            Self::Commit { done, .. } => done.keep(Err(failure)),
            // Whoever asked may have gone.
            Self::Document { reply, .. } => drop(reply.send(Err(documents::Failure::Unavailable))),
            Self::Claim { reply, .. } => drop(reply.send(Err(failure))),
            Self::Due { reply, .. } => drop(reply.send(Err(failure))),
            // A reply that is dropped says the same.
            Self::Mark(_) | Self::Read(_) => {}
        }
    }
}

impl Told {
    fn tell(self, committed: Result<(), StoreFailure>, shared: &Shared) {
        match (self.job, self.outcome) {
            (Job::Commit { done, .. }, Outcome::Written(outcome)) => done.keep(committed.and(outcome)),
            // Whoever asked may have gone.
            (Job::Claim { reply, .. }, Outcome::Claimed(claims)) => drop(reply.send(committed.and(claims))),
            (Job::Document { reply, .. }, Outcome::Document(outcome)) => {
                let committed = committed.map_err(|_| documents::Failure::Unavailable);
                let _ = reply.send(committed.and(outcome)); // as above
            }
            (Job::Due { reply, .. }, Outcome::Due(due)) => drop(reply.send(committed.map(|()| due))),
            // Also when the transaction was lost: what is in the store can be read.
            (Job::Read(read), _) => drop(shared.reads.push(read, 0)),
            (job, _) => job.fail(StoreFailure::Unavailable),
        }
    }
}

/// Writes until the queue is closed and empty.
pub(super) fn run(mut connection: Connection, shared: &Shared) {
    let _told = OnPanic(shared);
    let mut jobs = Vec::new();
    let mut littered = true;
    loop {
        let writable = shared.writable.load(Ordering::Relaxed);
        let wait = match (littered, writable) {
            (_, false) => Some(TRY_AGAIN),
            (true, true) => Some(Duration::ZERO),
            (false, true) => None,
        };
        if shared.writes.take(TRANSACTION, wait, &mut jobs) == Taken::Closed {
            break;
        }
        shared.metrics.store_queue(shared.writes.len());
        littered = turn(&mut connection, shared, &mut jobs);
    }
    // What is in the log goes into the file, so that the directory can be copied as it is.
    if let Err(error) = connection.pragma_update(None, "wal_checkpoint", "TRUNCATE") {
        tracing::debug!(%error, "the write-ahead log stays; the next start reads it");
    }
}

/// Says that nothing is written any more, if the thread fails: the node is not ready, and nobody waits for it.
struct OnPanic<'a>(&'a Shared);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.0.writable.store(false, Ordering::Relaxed);
        self.0.metrics.store_writable(false);
        self.0.writes.close();
        let mut jobs = Vec::new();
        while self.0.writes.take(TRANSACTION, None, &mut jobs) == Taken::Some {
            jobs.drain(..).for_each(|job| job.fail(StoreFailure::Unavailable));
        }
    }
}

/// Makes one transaction of what waits. Answers whether there is more to delete.
fn turn(connection: &mut Connection, shared: &Shared, jobs: &mut Vec<Job>) -> bool {
    let began = Instant::now();
    let written = jobs.iter().filter(|job| job.entries() > 0);
    let (entries, bytes) = written.fold((0, 0), |(entries, bytes), job| {
        (entries + job.entries(), bytes + job.bytes())
    });
    let mut told = Vec::with_capacity(jobs.len());
    let outcome = transact(connection, shared, jobs, &mut told);
    let (committed, littered) = match outcome {
        Ok(littered) => (Ok(()), littered),
        Err(error) => {
            shared.metrics.store_failed("transaction");
            if shared.writable.swap(false, Ordering::Relaxed) {
                tracing::error!(%error, "the store cannot be written; publishes to persisted channels are refused until it can");
            }
            (Err(StoreFailure::Unavailable), false)
        }
    };
    if committed.is_ok() {
        if !shared.writable.swap(true, Ordering::Relaxed) {
            tracing::info!("the store can be written again");
        }
        if entries > 0 {
            shared.metrics.store_committed(entries, bytes, began.elapsed());
        }
        shared.measure();
    }
    shared.metrics.store_writable(committed.is_ok());
    for told in told {
        told.tell(committed, shared);
    }
    // The transaction could not even begin.
    for job in jobs.drain(..) {
        let outcome = Outcome::Refused;
        Told { job, outcome }.tell(committed, shared);
    }
    littered
}

/// Takes jobs out as they are done; those that are left when it fails were not looked at.
fn transact(
    connection: &mut Connection,
    shared: &Shared,
    jobs: &mut Vec<Job>,
    told: &mut Vec<Told>,
) -> Result<bool, Failure> {
    let probe = !shared.writable.load(Ordering::Relaxed);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut failed = None;
    for job in jobs.drain(..) {
        // A transaction that is lost takes everybody in it along, in their order.
        let outcome = match &failed {
            None => perform(&transaction, shared, &job),
            Some(_) => Ok(Outcome::Refused),
        };
        let outcome = outcome.unwrap_or_else(|error| {
            failed = Some(error);
            Outcome::Refused
        });
        told.push(Told { job, outcome });
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let littered = garbage::collect(&transaction)?;
    if probe {
        // A transaction that changes nothing writes nothing.
        transaction.execute("UPDATE store SET slots = slots", [])?;
    }
    transaction.commit()?;
    Ok(littered)
}

/// Does one job in a savepoint of its own. An error loses the transaction.
fn perform(connection: &Connection, shared: &Shared, job: &Job) -> Result<Outcome, Failure> {
    match job {
        Job::Commit { batch, .. } => {
            let outcome = attempt(connection, || batch::apply(connection, batch))?;
            Ok(Outcome::Written(outcome.map_err(|failure| {
                shared.metrics.store_failed("batch");
                tracing::warn!(channel = %batch.batch.channel, %failure, "a batch was not stored");
                failure.kind()
            })))
        }
        Job::Mark(mark) => {
            let outcome = attempt(connection, || batch::mark(connection, mark))?;
            Ok(Outcome::Written(outcome.map_err(|failure| {
                tracing::debug!(channel = %mark.channel, %failure, "a mark was not stored");
                failure.kind()
            })))
        }
        Job::Document { write, .. } => {
            let outcome = attempt(connection, || document::write(connection, write))?;
            let outcome = outcome.map_err(|failure| failure.of_document());
            if let Err(failure) = outcome {
                documents::tell(&shared.metrics, write.document(), failure);
            }
            Ok(Outcome::Document(outcome))
        }
        Job::Read(_) => Ok(Outcome::Written(Ok(()))),
        Job::Claim { wanted, .. } => Ok(Outcome::Claimed(claim::claim(connection, shared, wanted)?)),
        Job::Due { now, again, max, .. } => Ok(Outcome::Due(due(connection, *now, *again, *max)?)),
    }
}

/// Runs `write` whole or not at all. What is wrong with what is written comes back inside; what is wrong with the store
/// outside.
fn attempt<T>(
    connection: &Connection,
    write: impl FnOnce() -> Result<T, Failure>,
) -> Result<Result<T, Failure>, Failure> {
    connection.prepare_cached("SAVEPOINT one")?.execute([])?;
    let outcome = write();
    if let Err(failure) = &outcome {
        if failure.kind() == StoreFailure::Unavailable {
            return outcome.map(Ok);
        }
        connection.prepare_cached("ROLLBACK TO one")?.execute([])?;
    }
    connection.prepare_cached("RELEASE one")?.execute([])?;
    Ok(outcome)
}

/// Finds channels of which something is due, and moves them to the end of the line.
fn due(connection: &Connection, now: WallTime, again: WallTime, max: u32) -> Result<Vec<ChannelName>, Failure> {
    let mut statement = connection.prepare_cached(
        "UPDATE channel SET due = ?2 WHERE id IN (SELECT id FROM channel WHERE due <= ?1 ORDER BY due LIMIT ?3)
         RETURNING name",
    )?;
    let names = statement.query_map((signed(now.0), signed(again.0), max), |row| row.get(0))?;
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    // A name that is none any more is damaged; whoever opens it finds that out.
    Ok(names.iter().filter_map(|name| ChannelName::parse(name).ok()).collect())
}
