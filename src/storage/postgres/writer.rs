//! The task that writes.
//!
//! A turn: take all that waits; one transaction; tell everybody. What queued while the last transaction was synced goes
//! into the next, so the more is published at once, the less each publish costs.
//!
//! ```text
//!   connecting ──▶ serving ──lost──▶ connecting       what comes meanwhile is refused at once
//! ```
//!
//! When a connection is lost with a transaction on its way nobody knows what became of it: everybody in it is told so,
//! and the channels are loaded anew once the database is back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use starling_core::id::ChannelName;
use starling_core::slot::StoreFailure;
use tokio::sync::oneshot;

use super::Shared;
use super::document::chores::Chore;
use super::error::DatabaseError;
use super::reader;
use super::row::Failure;
use super::transaction::{Done, Due, Extras, Outcome, Session, Task};
use crate::storage::documents;
use crate::storage::documents::request::{Append, Reply, Write};
use crate::storage::promise::Promise;
use crate::storage::queue::{FRAME_BYTES, TRANSACTION, Taken};
use crate::storage::{Batch, Mark};

/// How long a database that cannot be used is left alone before it is tried again, and how often one that is not used is
/// looked at.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How often it is said again that a database cannot be used.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Something to do on the connection that writes.
pub(super) enum Job {
    Commit {
        batch: Batch,
        done: Promise,
    },
    Mark(Mark),
    /// Rows of a document.
    Append {
        append: Append,
        reply: Reply<i64>,
    },
    /// To be read once all before it is committed.
    Read(reader::Load),
    Due {
        wanted: Due,
        reply: oneshot::Sender<Result<Vec<ChannelName>, StoreFailure>>,
    },
}

impl Job {
    /// What it counts for in the queue.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Commit { batch, .. } => FRAME_BYTES.saturating_add(batch.weight()),
            Self::Append { append, .. } => FRAME_BYTES.saturating_add(append.bytes()),
            _ => FRAME_BYTES,
        }
    }

    /// Entries of channels and rows of documents that it brings.
    const fn entries(&self) -> usize {
        match self {
            Self::Commit { batch, .. } => batch.batch.entries.len(),
            Self::Append { append, .. } => append.rows.len(),
            _ => 0,
        }
    }

    /// What the transaction has to do.
    const fn task(&self) -> Task<'_> {
        match self {
            Self::Commit { batch, .. } => Task::Batch(batch),
            Self::Mark(mark) => Task::Mark(mark),
            Self::Append { append, .. } => Task::Append(append),
            Self::Read(_) => Task::Nothing,
            Self::Due { wanted, .. } => Task::Due(wanted),
        }
    }

    /// Tells whoever asked that it is not to be.
    pub(super) fn fail(self, failure: StoreFailure) {
        match self {
            Self::Commit { done, .. } => done.keep(Err(failure)),
            // Whoever asked may have gone.
            Self::Append { reply, .. } => drop(reply.send(Err(documents::Failure::Unavailable))),
            Self::Due { reply, .. } => drop(reply.send(Err(failure))),
            // A reply that is dropped says the same.
            Self::Mark(_) | Self::Read(_) => {}
        }
    }

    fn tell(self, outcome: Outcome, shared: &Arc<Shared>) {
        match (self, outcome) {
            (Self::Commit { batch, done }, Outcome::Written(outcome)) => done.keep(outcome.map_err(|failure| {
                shared.metrics.store_failed("batch");
                tracing::warn!(channel = %batch.batch.channel, %failure, "a batch was not stored");
                failure.kind()
            })),
            (Self::Mark(mark), Outcome::Written(Err(failure))) => {
                tracing::debug!(channel = %mark.channel, %failure, "a mark was not stored");
            }
            (Self::Append { append, reply }, Outcome::Appended(None)) => {
                let write = Write::Append(append);
                shared.push(Chore { write, reply });
            }
            (Self::Append { append, reply }, Outcome::Appended(Some(outcome))) => {
                let _ = reply.send(told(shared, &append, outcome)); // as above
            }
            // By itself, and still it did not fit.
            (Self::Append { append, reply }, Outcome::Written(Err(failure))) => {
                let _ = reply.send(told(shared, &append, Err(failure))); // as above
            }
            (Self::Read(load), _) => load.start(shared),
            (Self::Due { reply, .. }, Outcome::Due(due)) => drop(reply.send(Ok(due))), // as above
            (job, _) => job.fail(StoreFailure::Unavailable),
        }
    }
}

fn told(shared: &Shared, append: &Append, outcome: Result<i64, Failure>) -> Result<i64, documents::Failure> {
    outcome.map_err(|failure| {
        let failure = failure.of_document();
        documents::tell(&shared.metrics, Some(&append.document), failure);
        failure
    })
}

/// Writes until the queue is closed and empty.
pub(super) async fn run(shared: Arc<Shared>, first: Option<Session>) {
    let _told = OnPanic(Arc::clone(&shared));
    let mut next = first;
    loop {
        let session = match next.take() {
            Some(session) => session,
            None => match connect(&shared).await {
                Some(session) => session,
                None => return,
            },
        };
        if serve(&shared, &session).await == Ended::Closed {
            return;
        }
        shared.unusable();
    }
}

/// Says that nothing is written any more, if the task fails: the node is not ready, and nobody waits for it.
struct OnPanic(Arc<Shared>);

impl Drop for OnPanic {
    fn drop(&mut self) {
        self.0.unusable();
        self.0.writes.close();
        let mut jobs = Vec::new();
        while self.0.writes.take(TRANSACTION, None, &mut jobs) == Taken::Some {
            jobs.drain(..).for_each(|job| job.fail(StoreFailure::Unavailable));
        }
    }
}

/// Why a connection is served no more.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// The store is closed.
    Closed,
    /// The connection is of no use.
    Lost,
}

/// Reaches the database, however often that takes. Who wants something meanwhile is told no. `None` if the store is closed.
async fn connect(shared: &Arc<Shared>) -> Option<Session> {
    let mut jobs = Vec::new();
    let mut said: Option<Instant> = None;
    loop {
        let attempt = async {
            let began = tokio::time::Instant::now();
            let outcome = shared.connect().await;
            if outcome.is_err() {
                tokio::time::sleep_until(began + TRY_AGAIN).await;
            }
            outcome
        };
        tokio::pin!(attempt);
        let outcome = loop {
            tokio::select! {
                outcome = &mut attempt => break outcome,
                taken = shared.writes.taken(TRANSACTION, &mut jobs) => {
                    if taken == Taken::Closed {
                        return None;
                    }
                    jobs.drain(..).for_each(|job| job.fail(StoreFailure::Unavailable));
                }
            }
        };
        match outcome {
            Ok(session) => return Some(session),
            Err(error) => {
                if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
                    tell(&error);
                    said = Some(Instant::now());
                }
            }
        }
    }
}

fn tell(error: &DatabaseError) {
    tracing::error!(%error, "the store cannot be used; persisted channels are refused until it can");
}

/// Does what is wanted, until the connection is lost.
async fn serve(shared: &Arc<Shared>, session: &Session) -> Ended {
    let mut jobs = Vec::new();
    let mut littered = true;
    loop {
        let writable = shared.writable.load(Ordering::Relaxed);
        if !littered || !writable {
            let taken = tokio::time::timeout(TRY_AGAIN, shared.writes.taken(TRANSACTION, &mut jobs)).await;
            if taken == Ok(Taken::Closed) {
                return Ended::Closed;
            }
        } else if shared.writes.try_take(TRANSACTION, &mut jobs) == Taken::Closed {
            return Ended::Closed;
        }
        if session.client.is_closed() {
            jobs.drain(..).for_each(|job| job.fail(StoreFailure::Unavailable));
            return Ended::Lost;
        }
        let extras = Extras {
            collect: littered,
            probe: !writable,
        };
        if jobs.is_empty() && !extras.collect && !extras.probe {
            continue;
        }
        shared.metrics.store_queue(shared.writes.len());
        match turn(shared, session, &mut jobs, extras).await {
            Ok(more) => littered = more,
            Err(failure) if failure.is_lost() => return Ended::Lost,
            Err(_) => littered = false,
        }
    }
}

/// Makes one transaction of what was taken, and tells everybody. Answers whether there is more to delete.
async fn turn(shared: &Arc<Shared>, session: &Session, jobs: &mut Vec<Job>, extras: Extras) -> Result<bool, Failure> {
    let began = Instant::now();
    let written = jobs.iter().filter(|job| job.entries() > 0);
    let (entries, bytes) = written.fold((0, 0), |(entries, bytes), job| {
        (entries + job.entries(), bytes + job.bytes())
    });
    let tasks: Vec<_> = jobs.iter().map(Job::task).collect();
    match session.transact(&tasks, extras).await {
        Ok(Done {
            outcomes,
            littered,
            size,
        }) => {
            shared.usable();
            if entries > 0 {
                shared.metrics.store_committed(entries, bytes, began.elapsed());
            }
            if let Some(size) = size {
                shared.metrics.store_bytes(size);
            }
            for (job, outcome) in jobs.drain(..).zip(outcomes) {
                job.tell(outcome, shared);
            }
            Ok(littered)
        }
        Err(failure) if failure.is_of_one() && !jobs.is_empty() => {
            tracing::debug!(%failure, jobs = jobs.len(), "a transaction was undone; its batches are tried one by one");
            one_by_one(shared, session, jobs).await
        }
        Err(failure) => {
            shared.failed(&failure);
            jobs.drain(..).for_each(|job| job.fail(StoreFailure::Unavailable));
            Err(failure)
        }
    }
}

/// Does each job in a transaction of its own, so that the one that does not fit spoils no other.
async fn one_by_one(shared: &Arc<Shared>, session: &Session, jobs: &mut Vec<Job>) -> Result<bool, Failure> {
    let mut lost = None;
    for job in jobs.drain(..) {
        if lost.is_some() {
            job.fail(StoreFailure::Unavailable);
            continue;
        }
        match session.transact(&[job.task()], Extras::default()).await {
            Ok(Done { mut outcomes, .. }) => match outcomes.pop() {
                Some(outcome) => job.tell(outcome, shared),
                None => job.fail(StoreFailure::Unavailable),
            },
            Err(failure) if failure.is_of_one() => job.tell(Outcome::Written(Err(failure)), shared),
            Err(failure) => {
                shared.failed(&failure);
                job.fail(StoreFailure::Unavailable);
                lost = Some(failure);
            }
        }
    }
    lost.map_or(Ok(true), Err)
}
