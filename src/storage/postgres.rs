//! The store that the nodes of a cluster share: a PostgreSQL database.
//!
//! ```text
//!   batches ──▶ queue ──▶ writer: one connection, one transaction for all that waited
//!   loads  ──────┘ └────▶ behind what was sent before them, on one of a few connections that read
//!   pages  ─────────────▶ at once, on one of those
//!   claims ──▶ queue ───▶ on one of those, so that a claim that waits holds up nobody
//!   chores ──▶ queue ───▶ on one of those: what is written of documents beside rows, which the writer appends
//! ```
//!
//! What holds of the embedded store ([`super::sqlite`]) holds here: the same tables, the same suite. Beside that the
//! database may go and come back while the node runs. What is not known then is refused, not guessed.
//!
//! * `connect`: reaching the database, and what it has to be like; `error`: what an operator is told;
//! * `schema`: making it and bringing it up to date;
//! * `claim`: who may write which slot;
//! * `writer`, `transaction`: turns and transactions; `plan`, `stage`: what batches do to the tables;
//! * `document`: collaborative documents;
//! * `statements`, `pipeline`: their text, and how they are sent together;
//! * `reader`, `load`, `page`: what is read; `row`: rows, and what errors mean.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use starling_core::channel::{Memory, Message, Stored};
use starling_core::id::ChannelName;
use starling_core::slot::StoreFailure;
use starling_core::time::WallTime;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::documents::request::{Question, Reply, Write};
use super::documents::{Documents, Tables};
use super::promise::Promise;
use super::queue::Queue;
use super::{Answer, Batch, Claim, Done, Limits, Mark, Owned, PageFailure, Store, Wanted};
use crate::config;
use crate::metrics::Metrics;

mod claim;
mod connect;
mod document;
mod error;
mod load;
mod page;
mod pipeline;
mod plan;
mod reader;
mod row;
mod schema;
mod stage;
mod statements;
mod transaction;
mod writer;

use connect::Connector;
use document::chores::Chore;
pub use error::DatabaseError;
use row::Failure;
use transaction::Session;

/// Connections that read and claim. A page through the past, a channel that is opened and a slot that is claimed are in
/// nobody's way; a database has a hundred connections for all that use it.
const READERS: usize = 4;

/// See the module.
pub struct Postgres {
    shared: Arc<Shared>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the tasks share.
struct Shared {
    writes: Queue<writer::Job>,
    claims: Queue<claim::Job>,
    chores: Queue<Chore>,
    /// Loads and pages that may wait.
    reads: Arc<Semaphore>,
    pool: Pool,
    connector: Connector,
    slots: u16,
    incarnation: OnceLock<u32>,
    /// Whoever claimed last.
    me: Mutex<Option<(Arc<str>, u64)>>,
    connected: AtomicBool,
    writable: AtomicBool,
    metrics: Arc<Metrics>,
}

impl Postgres {
    /// Reaches the database, and makes the store in it if there is none, for channels spread over `slots`.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn open(
        storage: &config::Storage,
        slots: u16,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Result<Self, DatabaseError> {
        let shared = Shared::new(storage, slots, limits, metrics)?;
        let session = shared.connect().await?;
        Ok(Self::start(shared, Some(session)))
    }

    /// The same, but a database that cannot be used yet is waited for; nothing is kept or read until then.
    ///
    /// # Errors
    /// When the URL or a file that it needs cannot be read.
    pub fn wait(
        storage: &config::Storage,
        slots: u16,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Result<Self, DatabaseError> {
        let shared = Shared::new(storage, slots, limits, metrics)?;
        shared.unusable();
        Ok(Self::start(shared, None))
    }

    fn start(shared: Arc<Shared>, session: Option<Session>) -> Self {
        let writing = tokio::spawn(writer::run(Arc::clone(&shared), session));
        let claiming = tokio::spawn(claim::run(Arc::clone(&shared)));
        let chores = tokio::spawn(document::chores::run(Arc::clone(&shared)));
        Self {
            shared,
            tasks: Mutex::new(vec![writing, claiming, chores]),
        }
    }

    /// The documents in the same database. Their rows share the transactions of channels.
    #[must_use]
    pub fn documents(self: &Arc<Self>) -> Documents {
        Documents::new(Arc::clone(self) as Arc<dyn Tables>)
    }

    fn write(&self, job: writer::Job) {
        let bytes = job.bytes();
        // A store that is closed answers, too: whoever asks is told that it cannot be used.
        if let Err(job) = self.shared.writes.push(job, bytes) {
            job.fail(StoreFailure::Unavailable);
        }
        self.shared.metrics.store_queue(self.shared.writes.len());
    }

    fn claimed(&self, job: claim::Job, owner: &Arc<str>, generation: u64) {
        *self.shared.me.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(owner), generation));
        if !self.shared.claims.has_room() {
            return job.fail(StoreFailure::Unavailable);
        }
        if let Err(job) = self.shared.claims.push(job, 0) {
            job.fail(StoreFailure::Unavailable);
        }
    }
}

impl Store for Postgres {
    fn claim(&self, owner: &Arc<str>, generation: u64) -> Answer<Result<Vec<Claim>, StoreFailure>> {
        let (reply, answer) = oneshot::channel();
        let job = claim::Job::All {
            owner: Arc::clone(owner),
            generation,
            reply,
        };
        self.claimed(job, owner, generation);
        Box::pin(async { answer.await.unwrap_or(Err(StoreFailure::Unavailable)) })
    }

    fn claim_slot(&self, owned: Owned) -> Answer<Result<Claim, StoreFailure>> {
        let (reply, answer) = oneshot::channel();
        let (owner, generation) = (Arc::clone(&owned.owner), owned.generation);
        self.claimed(claim::Job::One { owned, reply }, &owner, generation);
        Box::pin(async { answer.await.unwrap_or(Err(StoreFailure::Unavailable)) })
    }

    fn commit(&self, batch: Batch, done: Done) {
        let done = Promise::new(done);
        self.write(writer::Job::Commit { batch, done });
    }

    fn mark(&self, mark: Mark) {
        self.write(writer::Job::Mark(mark));
    }

    fn load(&self, channel: &ChannelName, memory: Memory) -> Answer<Result<Option<Box<Stored>>, StoreFailure>> {
        let (reply, answer) = oneshot::channel();
        if let Ok(permit) = Arc::clone(&self.shared.reads).try_acquire_owned() {
            // The writer hands it on once everything before it is committed.
            self.write(writer::Job::Read(reader::Load {
                channel: channel.clone(),
                memory,
                reply,
                permit,
            }));
        }
        Box::pin(async { answer.await.unwrap_or(Err(StoreFailure::Unavailable)) })
    }

    fn page(&self, wanted: Wanted) -> Answer<Result<Vec<Arc<Message>>, PageFailure>> {
        let shared = Arc::clone(&self.shared);
        let permit = Arc::clone(&shared.reads).try_acquire_owned();
        Box::pin(async move {
            let _permit = permit.map_err(|_| PageFailure::Busy)?;
            reader::page(&shared, &wanted).await
        })
    }

    fn due(&self, now: WallTime, again: WallTime, max: u32) -> Answer<Result<Vec<ChannelName>, StoreFailure>> {
        let (reply, answer) = oneshot::channel();
        let me = self.shared.me.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((owner, generation)) = me else {
            return Box::pin(async { Ok(Vec::new()) }); // nothing is this node's yet
        };
        let wanted = transaction::Due {
            now,
            again,
            max,
            owner,
            generation,
        };
        self.write(writer::Job::Due { wanted, reply });
        Box::pin(async { answer.await.unwrap_or(Err(StoreFailure::Unavailable)) })
    }

    fn has_room(&self) -> bool {
        self.shared.writes.has_room()
    }

    fn is_writable(&self) -> bool {
        self.shared.writable.load(Ordering::Relaxed)
    }

    fn is_ready(&self) -> bool {
        self.shared.incarnation.get().is_some()
    }

    fn close(&self) -> Answer<()> {
        self.shared.writes.close();
        self.shared.claims.close();
        self.shared.chores.close();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            for task in tasks {
                if task.await.is_err() {
                    tracing::error!("a task of the store has failed; report this");
                }
            }
            shared.pool.close();
        })
    }
}

impl Tables for Postgres {
    fn write(&self, write: Write, reply: Reply<i64>) {
        match write {
            Write::Append(append) => self.write(writer::Job::Append { append, reply }),
            write => self.shared.push(Chore { write, reply }),
        }
    }

    fn ask(&self, question: Question) {
        if let Ok(permit) = Arc::clone(&self.shared.reads).try_acquire_owned() {
            document::answer(&self.shared, question, permit);
        }
    }

    fn has_room(&self, write: &Write) -> bool {
        match write {
            Write::Append(_) => self.shared.writes.has_room(),
            _ => self.shared.chores.has_room(),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.shared.writes.close();
        self.shared.claims.close();
        self.shared.chores.close();
    }
}

impl Shared {
    fn new(
        storage: &config::Storage,
        slots: u16,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, DatabaseError> {
        let connector = Connector::new(storage)?;
        let settings = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_connect(connector.config().clone(), connector.clone(), settings);
        let pool = Pool::builder(manager)
            .max_size(READERS)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool without time-outs of its own needs no runtime");
        Ok(Arc::new(Self {
            writes: Queue::new(limits.writes),
            claims: Queue::new(claim::WAITING),
            chores: Queue::new(document::chores::WAITING),
            reads: Arc::new(Semaphore::new(limits.reads.jobs.min(Semaphore::MAX_PERMITS))),
            pool,
            connector,
            slots,
            incarnation: OnceLock::new(),
            me: Mutex::new(None),
            connected: AtomicBool::new(false),
            writable: AtomicBool::new(false),
            metrics,
        }))
    }

    /// Has a chore done in its turn.
    fn push(&self, chore: Chore) {
        let bytes = chore.bytes();
        let _ = self.chores.push(chore, bytes); // a reply that is dropped says so
    }

    /// A connection that writes, to a store that is fit for this node.
    async fn connect(&self) -> Result<Session, DatabaseError> {
        let mut client = self.connector.connect().await?;
        let made = schema::prepare(&mut client, &self.connector, self.slots).await?;
        let incarnation = *self.incarnation.get_or_init(|| made.incarnation);
        if incarnation != made.incarnation {
            // The epochs of what is open here are made from the other.
            let database = Arc::clone(&self.connector.shown);
            return Err(DatabaseError::Replaced { database });
        }
        let session = Session::new(client)
            .await
            .map_err(|error| self.connector.unreachable(error))?;
        self.connected.store(true, Ordering::Relaxed);
        self.usable();
        Ok(session)
    }

    /// One of the connections that read, or claim.
    async fn reading(&self) -> Result<deadpool_postgres::Object, Failure> {
        let waited = tokio::time::timeout(reader::READ_TIME_MAX, self.pool.get()).await;
        let client = waited.map_err(|_| Failure::Silent)?;
        client.map_err(|error| Failure::Pool(error.to_string()))
    }

    fn incarnation(&self) -> Option<u32> {
        self.incarnation.get().copied().filter(|_| self.is_connected())
    }

    fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// The connection that writes is gone.
    fn unusable(&self) {
        self.connected.store(false, Ordering::Relaxed);
        self.writable.store(false, Ordering::Relaxed);
        self.metrics.store_writable(false);
    }

    /// The last thing that was written was synced.
    fn usable(&self) {
        if !self.writable.swap(true, Ordering::Relaxed) {
            tracing::info!(database = &*self.connector.shown, "the store can be written");
        }
        self.metrics.store_writable(true);
    }

    /// A transaction was lost.
    fn failed(&self, failure: &Failure) {
        self.metrics.store_failed("transaction");
        if self.writable.swap(false, Ordering::Relaxed) {
            tracing::error!(%failure, "the store cannot be written; publishes to persisted channels are refused until it can");
        }
        self.metrics.store_writable(false);
    }
}
