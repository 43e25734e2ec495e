//! What the owner of a document asks of its store, off the turn: each question is a task that sends its answer back.
//!
//! Bringing a document into memory and checking a snapshot take as long as the document is large, so they go to threads that
//! may be blocked, a few at once.

use std::sync::Arc;
use std::time::Duration;

use starling_core::document::guard::{self, Loaded, Part, Quarantine, Snapshot, Stored};
use starling_core::document::log::{self, Row};
use starling_core::document::owner::{Effect, Found, Input};
use starling_core::document::scan::Limits;
use starling_core::document::yjs::YjsDocument;
use starling_core::id::{ChannelName, Subject};
use starling_core::time::WallTime;
use starling_runtime::mailbox::Address;

use super::owner::Message;
use crate::node::Services;
use crate::storage::documents::{self, Documents, Failure, History, LIST_MAX, Made};

/// What the store has done, as of an activation.
#[derive(Debug)]
pub struct Done {
    activation: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Loaded(Option<History>, Box<Found<YjsDocument>>),
    LoadFailed,
    Appended(Result<History, Failure>),
    Read(Result<documents::Found, Failure>),
    Snapshotted(Result<(), Failure>),
}

/// See the module.
pub(super) struct Storing {
    document: ChannelName,
    documents: Documents,
    services: Arc<Services>,
    owner: Address<Message>,
    /// Which document of its name it is, once there is one.
    history: Option<History>,
}

impl Storing {
    pub(super) fn new(
        document: ChannelName,
        documents: Documents,
        services: &Arc<Services>,
        owner: Address<Message>,
    ) -> Self {
        Self {
            document,
            documents,
            services: Arc::clone(services),
            owner,
            history: None,
        }
    }

    /// Begins what an effect asks of the store; gives back what is not for it.
    pub(super) fn start(&self, effect: Effect) -> Option<Effect> {
        let task = Task {
            document: self.document.clone(),
            documents: self.documents.clone(),
            services: Arc::clone(&self.services),
            history: self.history,
        };
        let owner = self.owner.clone();
        let answer = move |activation, what| {
            let done = Box::new(Done { activation, what });
            let _ = owner.post_single(Message::Done(done)); // it has ended with the node
        };
        match effect {
            Effect::Load { activation } => {
                tokio::spawn(async move { answer(activation, task.load().await) });
            }
            Effect::Append { activation, rows } => {
                tokio::spawn(async move { answer(activation, task.append(rows).await) });
            }
            Effect::Read { activation, after } => {
                tokio::spawn(async move { answer(activation, task.read(after).await) });
            }
            Effect::Snapshot {
                activation,
                through,
                snapshot,
                before,
            } => {
                tokio::spawn(async move { answer(activation, task.snapshot(through, snapshot, before).await) });
            }
            other => return Some(other),
        }
        None
    }

    /// What the rules are told of what was done.
    pub(super) fn input(&mut self, Done { activation, what }: Done) -> Input<YjsDocument> {
        let input = match what {
            What::Loaded(history, found) => {
                self.history = history;
                return Input::Loaded { activation, found };
            }
            What::LoadFailed => return Input::LoadFailed { activation },
            What::Appended(Ok(history)) => {
                self.history = Some(history);
                log::Input::Appended
            }
            What::Appended(Err(failure)) => match failure {
                Failure::Taken => log::Input::Taken,
                Failure::Gone | Failure::Forgotten { .. } => return Input::Lost { activation },
                Failure::Unreadable(part) => log::Input::Unreadable { row: row_of(part) },
                _ => log::Input::AppendFailed,
            },
            What::Read(Ok(found)) => {
                self.history = Some(found.history);
                read(found)
            }
            // Nobody has begun it yet.
            What::Read(Err(Failure::Gone)) if self.history.is_none() => log::Input::Read {
                snapshot: None,
                rows: Vec::new(),
            },
            What::Read(Err(failure)) => match failure {
                Failure::Gone | Failure::Forgotten { .. } => return Input::Lost { activation },
                Failure::Unreadable(part) => log::Input::Unreadable { row: row_of(part) },
                _ => log::Input::ReadFailed,
            },
            // Another owner's, that has as much, stands for it.
            What::Snapshotted(Ok(()) | Err(Failure::Superseded { .. })) => log::Input::Snapshotted,
            What::Snapshotted(Err(failure)) => match failure {
                Failure::Gone | Failure::Forgotten { .. } => return Input::Lost { activation },
                _ => log::Input::SnapshotFailed,
            },
        };
        Input::Store { activation, input }
    }
}

/// One question.
struct Task {
    document: ChannelName,
    documents: Documents,
    services: Arc<Services>,
    history: Option<History>,
}

impl Task {
    async fn load(self) -> What {
        let Ok(_turn) = self.services.document_loads.acquire().await else {
            return What::LoadFailed; // the node stops
        };
        let found = match self.documents.load(&self.document).await {
            Ok(found) => found,
            Err(Failure::Unreadable(part)) => {
                let found = Found {
                    document: Loaded::Damaged(Quarantine {
                        part: Part::Snapshot,
                        reason: part.to_string(),
                    }),
                    snapshot: None,
                    tail: Vec::new(),
                };
                return What::Loaded(None, Box::new(found));
            }
            Err(_) => return What::LoadFailed,
        };
        let dice = rand::random();
        let history = found.as_ref().map(|found| found.history);
        let loaded = tokio::task::spawn_blocking(move || bring(found, dice)).await;
        match loaded {
            Ok(found) => What::Loaded(history, Box::new(found)),
            Err(_) => What::LoadFailed, // its panic is in the log
        }
    }

    async fn append(self, rows: Vec<Row>) -> What {
        let time = self.services.clock.now().wall;
        let began = tokio::time::Instant::now();
        let (count, appended) = (
            rows.len(),
            self.documents.append(&self.document, self.history, rows, time).await,
        );
        if appended.is_ok() {
            self.services.metrics.edits_saved(count, began.elapsed());
        }
        What::Appended(appended)
    }

    async fn read(self, after: u64) -> What {
        What::Read(self.documents.read(&self.document, self.history, after).await)
    }

    async fn snapshot(self, through: u64, snapshot: Snapshot, before: Option<Vec<u8>>) -> What {
        // Rows up to `through` are there, so the document is.
        let Some(history) = self.history else {
            return What::Snapshotted(Err(Failure::Gone));
        };
        let Ok(_turn) = self.services.document_loads.acquire().await else {
            return What::Snapshotted(Err(Failure::Unavailable));
        };
        let checked = tokio::task::spawn_blocking(move || {
            guard::check::<YjsDocument>(&snapshot, before.as_deref()).map(|()| snapshot)
        });
        let snapshot = match checked.await {
            Ok(Ok(snapshot)) => snapshot,
            Ok(Err(error)) => {
                tracing::error!(document = %self.document, %error, "a snapshot of a document is not stored: it lacks something; report this");
                return What::Snapshotted(Err(Failure::Unavailable));
            }
            Err(_) => return What::Snapshotted(Err(Failure::Unavailable)), // its panic is in the log
        };
        let time = self.services.clock.now().wall;
        let put = self
            .documents
            .put_snapshot(&self.document, history, through, &snapshot, time)
            .await;
        if put.is_ok() {
            self.keep_version(history, through, &snapshot, time).await;
        }
        What::Snapshotted(put)
    }

    /// Keeps a snapshot as a version, too, if the last that was made by itself is old enough. Nobody waits for it: one that cannot
    /// be made is made of a later snapshot.
    async fn keep_version(&self, history: History, through: u64, snapshot: &Snapshot, time: WallTime) {
        let every = self.services.config.documents.version_every;
        if every.is_zero() {
            return;
        }
        // All there are: of those with a name there may be many since.
        let Ok(versions) = self.documents.versions(&self.document, u64::MAX, LIST_MAX).await else {
            return;
        };
        let last = versions.iter().find(|version| version.made.name.is_none());
        let age = last.map(|last| Duration::from_millis(time.0.saturating_sub(last.made.time.0)));
        if age.is_some_and(|age| age < every) {
            return;
        }
        let made = Made {
            name: None,
            author: Subject::new(""),
            time,
            through,
        };
        let kept = self
            .documents
            .make_version(&self.document, history, made, snapshot)
            .await;
        if let Err(failure) = kept {
            tracing::warn!(document = %self.document, %failure, "a version of a document was not kept; the next snapshot is tried");
        }
    }
}

/// Brings what the store has into memory.
fn bring(found: Option<documents::Found>, dice: u64) -> Found<YjsDocument> {
    let Some(found) = found else {
        return Found {
            document: guard::load(None, dice, Limits::CLIENT),
            snapshot: None,
            tail: Vec::new(),
        };
    };
    let tail = found.rows.iter().map(|row| (row.n, row.update.len())).collect();
    let (through, snapshot) = found.snapshot.unzip();
    let known = through.zip(snapshot.as_ref().map(|snapshot| snapshot.state_vector.clone()));
    let stored = Stored {
        snapshot,
        updates: found.rows.iter().map(|row| row.update.to_vec()).collect(),
    };
    Found {
        document: guard::load(Some(&stored), dice, Limits::CLIENT),
        snapshot: known,
        tail,
    }
}

/// What another owner has written, as the rules take it.
fn read(found: documents::Found) -> log::Input<starling_core::document::owner::Writer> {
    let snapshot = found.snapshot.map(|(through, snapshot)| {
        let parts = std::iter::once(snapshot.update).chain(snapshot.held);
        (through, parts.map(Into::into).collect())
    });
    log::Input::Read {
        snapshot,
        rows: found.rows,
    }
}

const fn row_of(part: documents::Part) -> u64 {
    match part {
        documents::Part::Snapshot(row) | documents::Part::Row(row) => row,
        documents::Part::Head | documents::Part::Version(_) => 0,
    }
}
