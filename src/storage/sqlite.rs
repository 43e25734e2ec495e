//! The embedded store: one SQLite file in the node's data directory.
//!
//! One thread writes. It takes all that waited while the last transaction was synced and makes one
//! transaction of it, so the more is published at once, the less each publish costs; a publish by
//! itself waits for one sync and for nobody. Two threads read, each with a snapshot of its own: a reader
//! that pages through a long history is in nobody's way.
//!
//! Writes go to the write-ahead log with `synchronous=FULL`: a transaction that was committed was synced
//! before that.
//!
//! * `schema`: making and checking the file;
//! * `writer`: the thread that writes, and `batch`: what a batch does to the tables;
//! * `claim`: who may write which slot;
//! * `reader`: the threads that read, with `load` and `page`;
//! * `head`, `row`: the rows that are read and written in more than one place;
//! * `garbage`: deletion, a few rows at a time;
//! * `document`: collaborative documents, which the same threads write and read.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use starling_core::channel::{Memory, Message, Stored};
use starling_core::id::ChannelName;
use starling_core::slot::StoreFailure;
use starling_core::time::WallTime;
use tokio::sync::oneshot;

use super::documents::request::{Question, Reply, Write};
use super::documents::{Documents, Tables};
use super::promise::Promise;
use super::queue::Queue;
use super::{Answer, Batch, Claim, Done, Mark, OpenError, Owned, PageFailure, Store, Wanted};
use crate::directory::{DataDirectory, DirectoryError};
use crate::metrics::Metrics;

mod batch;
mod claim;
mod document;
mod garbage;
mod head;
mod load;
mod page;
mod reader;
mod row;
mod schema;
mod writer;

pub use super::{Bounds, Limits};
pub use schema::FILE;

/// Threads that read. One pages through the past while the other opens a channel.
const READERS: usize = 2;

/// See the module.
pub struct Sqlite {
    shared: Arc<Shared>,
    /// Held as long as the store is: another node is refused by it.
    directory: Mutex<Option<DataDirectory>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads share.
struct Shared {
    writes: Queue<writer::Job>,
    reads: Queue<reader::Job>,
    incarnation: u32,
    slots: u16,
    writable: AtomicBool,
    metrics: Arc<Metrics>,
    directory: std::path::PathBuf,
}

impl Sqlite {
    /// Opens the store in `directory`, or makes one, for channels spread over `slots`.
    ///
    /// # Errors
    /// When the directory, the lock or the file cannot be had, or the file is not one of ours.
    pub fn open(directory: &Path, slots: u16, limits: Limits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let taken = DataDirectory::take(directory)?;
        let (writing, incarnation) = schema::open(directory, slots)?;
        let shared = Arc::new(Shared {
            writes: Queue::new(limits.writes),
            reads: Queue::new(limits.reads),
            incarnation,
            slots,
            writable: AtomicBool::new(true),
            metrics,
            directory: directory.to_owned(),
        });
        shared.measure();
        let failed = |source| DirectoryError::Unusable {
            directory: directory.to_owned(),
            source,
        };
        let mut threads = Vec::new();
        for number in 0..READERS {
            let reading = schema::reader(directory)?;
            let shared = Arc::clone(&shared);
            let named = std::thread::Builder::new().name(format!("store-read-{number}"));
            threads.push(named.spawn(move || reader::run(&reading, &shared)).map_err(failed)?);
        }
        let writers = Arc::clone(&shared);
        let named = std::thread::Builder::new().name("store-write".to_owned());
        threads.push(named.spawn(move || writer::run(writing, &writers)).map_err(failed)?);
        Ok(Self {
            shared,
            directory: Mutex::new(Some(taken)),
            threads: Mutex::new(threads),
        })
    }

    /// The documents in the same file. Their rows share the transactions of channels.
    #[must_use]
    pub fn documents(self: &Arc<Self>) -> Documents {
        Documents::new(Arc::clone(self) as Arc<dyn Tables>)
    }

    fn claimed(&self, wanted: claim::Wanted) -> Answer<Result<Vec<Claim>, StoreFailure>> {
        let (reply, answer) = oneshot::channel();
        self.write(writer::Job::Claim { wanted, reply });
        Box::pin(async { answer.await.unwrap_or(Err(StoreFailure::Unavailable)) })
    }

    fn write(&self, job: writer::Job) {
        let bytes = job.bytes();
        // A store that is closed answers, too: whoever asks is told that it cannot be used.
        if let Err(job) = self.shared.writes.push(job, bytes) {
            job.fail(StoreFailure::Unavailable);
        }
        self.shared.metrics.store_queue(self.shared.writes.len());
    }
}

impl Store for Sqlite {
    fn claim(&self, owner: &Arc<str>, generation: u64) -> Answer<Result<Vec<Claim>, StoreFailure>> {
        let owner = Arc::clone(owner);
        self.claimed(claim::Wanted::All { owner, generation })
    }

    fn claim_slot(&self, owned: Owned) -> Answer<Result<Claim, StoreFailure>> {
        let claims = self.claimed(claim::Wanted::One(owned));
        Box::pin(async { claims.await?.pop().ok_or(StoreFailure::Unavailable) })
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
        let job = reader::Job::Load {
            channel: channel.clone(),
            memory,
            reply,
        };
        if self.shared.reads.has_room() {
            // The writer hands it on once everything before it is committed.
            self.write(writer::Job::Read(job));
        }
        Box::pin(async { answer.await.unwrap_or(Err(StoreFailure::Unavailable)) })
    }

    fn page(&self, wanted: Wanted) -> Answer<Result<Vec<Arc<Message>>, PageFailure>> {
        let (reply, answer) = oneshot::channel();
        if self.shared.reads.has_room() {
            let _ = self.shared.reads.push(reader::Job::Page { wanted, reply }, 0); // as above
        }
        Box::pin(async { answer.await.unwrap_or(Err(PageFailure::Busy)) })
    }

    fn due(&self, now: WallTime, again: WallTime, max: u32) -> Answer<Result<Vec<ChannelName>, StoreFailure>> {
        let (reply, answer) = oneshot::channel();
        self.write(writer::Job::Due { now, again, max, reply });
        Box::pin(async { answer.await.unwrap_or(Err(StoreFailure::Unavailable)) })
    }

    fn has_room(&self) -> bool {
        self.shared.writes.has_room()
    }

    fn is_writable(&self) -> bool {
        self.shared.writable.load(Ordering::Relaxed)
    }

    fn is_ready(&self) -> bool {
        self.is_writable()
    }

    fn close(&self) -> Answer<()> {
        self.shared.writes.close();
        self.shared.reads.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async {
            let joined = tokio::task::spawn_blocking(move || {
                for thread in threads {
                    if thread.join().is_err() {
                        tracing::error!("a thread of the store has failed; report this");
                    }
                }
                drop(directory);
            });
            let _ = joined.await; // it only joins
        })
    }
}

impl Tables for Sqlite {
    fn write(&self, write: Write, reply: Reply<i64>) {
        self.write(writer::Job::Document { write, reply });
    }

    fn ask(&self, question: Question) {
        if self.shared.reads.has_room() {
            let _ = self.shared.reads.push(reader::Job::Document(question), 0); // a reply that is dropped says so
        }
    }

    fn has_room(&self, _: &Write) -> bool {
        self.shared.writes.has_room()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.shared.writes.close();
        self.shared.reads.close();
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            let _ = thread.join(); // it has nobody left to tell
        }
    }
}

impl Shared {
    /// Notes how large the files are.
    fn measure(&self) {
        let size = |file: &str| std::fs::metadata(self.directory.join(file)).map_or(0, |meta| meta.len());
        self.metrics.store_bytes(size(FILE) + size("starling.db-wal"));
    }
}
