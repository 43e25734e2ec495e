//! One suite for every store, and what is particular to each.
//!
//! * `cases`: batches, claims, pages, marks;
//! * `rules`: a channel that is driven by the rules comes back as it was;
//! * `damage`: rows that were damaged are found;
//! * `retention`: what is not kept is deleted;
//! * `files`: opening the file of SQLite, and what is refused;
//! * `documents`: the same of collaborative documents;
//! * `database`: reaching PostgreSQL, and what is refused; `outage`: it goes, and comes back;
//! * `place`: where a store under test keeps what it keeps.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use starling_core::channel::Message;
use starling_core::id::{Author, Index, PublisherId, Serial, Subject};
use starling_core::slot::{Change, Entry, Origin};
use tokio::sync::oneshot;

use super::sqlite::Sqlite;
use super::*;
use crate::metrics::Metrics;

mod cases;
mod damage;
mod database;
mod documents;
mod files;
mod outage;
mod place;
mod retention;
mod rules;

use place::Place;

const SLOTS: u16 = 4;

/// Runs each case with SQLite as a test of its own, and all with PostgreSQL in one: a server is started for them.
macro_rules! suite {
    ($($file:ident::$case:ident)+) => {
        mod sqlite {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                $file::$case(&Place::file()).await;
            })+
        }

        mod postgres {
            use super::*;

            #[tokio::test]
            async fn every_case() {
                let server = Place::server();
                $({
                    eprintln!(stringify!($case)); // shown when it fails, or takes too long
                    let told = OnPanic(stringify!($case));
                    $file::$case(&Place::database(&server)).await;
                    drop(told);
                })+
            }
        }
    };
}

use suite;

suite! {
    cases::what_was_committed_is_there_after_a_restart
    cases::a_batch_is_taken_whole_or_not_at_all
    cases::batches_are_answered_in_order_and_a_bad_one_spoils_no_other
    cases::a_failure_of_the_thread_that_writes_leaves_no_batch_unanswered
    cases::an_earlier_owner_is_fenced
    cases::a_slot_goes_to_the_owner_of_the_later_term
    cases::pages_are_read_up_to_their_bounds
    cases::memory_takes_the_newest_and_chunks_stand_for_the_rest
    cases::a_mark_says_when_to_look
    cases::a_closed_store_commits_what_waits_and_refuses_the_rest
    damage::a_damaged_row_is_no_message
    damage::a_page_stops_before_what_is_damaged_and_never_leaves_it_out
    damage::a_hole_among_the_messages_that_stay_in_the_store_is_found
    damage::nothing_is_written_behind_a_damaged_head_and_others_go_on
    retention::what_is_not_kept_is_deleted_a_slice_at_a_time
    retention::a_forgotten_channel_leaves_nothing
    retention::results_and_requests_are_bounded
    rules::a_channel_comes_back_as_the_rules_have_it
}

/// Says what was going on.
struct OnPanic<T: std::fmt::Display>(T);

impl<T: std::fmt::Display> Drop for OnPanic<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}", self.0);
        }
    }
}

/// All of any channel here.
const ALL: Memory = Memory {
    messages: u32::MAX,
    bytes: u64::MAX,
};

/// A directory that is gone when the test is over.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("starling-store-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // the system clears it some day
    }
}

/// A store, and the claim of slot 0.
struct Opened {
    store: Arc<dyn Store>,
    claim: Claim,
}

async fn opened(place: &Place, generation: u64) -> Opened {
    let store = place.open().await;
    let claims = store.claim(&Arc::from("a"), generation).await.expect("claims");
    let claim = claims[0].clone();
    Opened { store, claim }
}

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("valid")
}

fn epoch() -> Epoch {
    Epoch::parse("0-0000000100000002").expect("valid")
}

fn author() -> Author {
    Author {
        subject: Subject::new("anna"),
        publisher: PublisherId([7; 16]),
    }
}

fn create() -> Change {
    Change::Create {
        epoch: epoch(),
        keyed: false,
    }
}

fn publish(seq: u64, floor: u64) -> Change {
    let message = Message {
        seq: Seq(seq),
        term: Term(1),
        time: WallTime(1_000 + seq),
        key: None,
        deleted: false,
        payload: Bytes::from(format!("message {seq}")),
    };
    Change::Publish {
        message: Arc::new(message),
        origin: Origin::Publisher {
            author: author(),
            serial: Serial(seq),
            base: Serial(seq),
        },
        floor: Seq(floor),
    }
}

impl Opened {
    /// Commits changes of a channel in one batch.
    async fn commit(&self, channel: &str, changes: Vec<Change>) -> Result<(), StoreFailure> {
        self.send(channel, changes, None)
            .await
            .expect("no batch goes unanswered")
    }

    fn send(
        &self,
        channel: &str,
        changes: Vec<Change>,
        due: Option<u64>,
    ) -> oneshot::Receiver<Result<(), StoreFailure>> {
        let (told, outcome) = oneshot::channel();
        let done = move |outcome| _ = told.send(outcome);
        self.send_with(channel, changes, due, Box::new(done));
        outcome
    }

    fn send_with(&self, channel: &str, changes: Vec<Change>, due: Option<u64>, done: Done) {
        let entries = changes.into_iter().map(|change| {
            Arc::new(Entry {
                term: self.claim.fence.term,
                index: Index(1),
                channel: name(channel),
                change,
            })
        });
        let batch = Batch {
            fence: self.claim.fence.clone(),
            batch: slot::Batch {
                channel: name(channel),
                through: Index(1),
                entries: entries.collect(),
                due: None,
            },
            time: WallTime(5_000),
            due: due.map(WallTime),
        };
        self.store.commit(batch, done);
    }

    async fn load(&self, channel: &str) -> Result<Option<Box<Stored>>, StoreFailure> {
        self.store.load(&name(channel), ALL).await
    }

    /// The seqs of the page after `after`.
    async fn page(&self, after: u64, through: u64, messages_max: u32) -> Result<Vec<u64>, PageFailure> {
        let wanted = Wanted {
            channel: name("t:a"),
            epoch: epoch(),
            after: Seq(after),
            through: Seq(through),
            bytes_max: 100_000,
            messages_max,
        };
        let page = self.store.page(wanted).await?;
        Ok(page.iter().map(|message| message.seq.0).collect())
    }
}

/// A channel `t:a` with messages 1 to `messages`, all kept.
async fn filled(place: &Place, messages: u64) -> Opened {
    let opened = opened(place, 1).await;
    let changes = std::iter::once(create()).chain((1..=messages).map(|seq| publish(seq, 1)));
    opened.commit("t:a", changes.collect()).await.expect("commits");
    opened
}
