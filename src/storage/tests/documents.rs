//! One suite of documents for every store.
//!
//! * `cases`: rows, snapshots, lists;
//! * `versions`: their bounds; `trash`: what is kept for a day;
//! * `damage`: what cannot be read is told, and never left out;
//! * `sharing`: one transaction for all that waits;
//! * `migration`: stores of earlier versions; `owners`: two that write one document, in one database;
//! * `outage`: the database goes, and comes back.

use futures_util::FutureExt as _;
use starling_core::document::guard::Snapshot;
use starling_core::document::log::Row;

use super::*;
use crate::storage::documents::*;

mod cases;
mod damage;
mod migration;
mod outage;
mod owners;
mod sharing;
mod trash;
mod versions;

suite! {
    cases::what_was_appended_is_there_after_a_restart
    cases::rows_are_appended_whole_or_not_at_all
    cases::who_finds_its_number_taken_reads_what_is_there
    cases::what_was_written_without_an_answer_is_found
    cases::a_name_that_was_deleted_and_begun_again_is_another_document
    cases::a_store_that_was_set_back_is_noticed
    cases::a_snapshot_takes_the_place_of_what_is_in_it
    cases::an_older_snapshot_never_replaces_a_newer
    cases::a_large_snapshot_comes_back_and_holds_nobody_up
    cases::a_snapshot_beyond_the_bound_is_refused
    cases::a_long_tail_is_read_in_pages
    cases::documents_are_listed_by_prefix
    cases::a_document_says_how_much_there_is_of_it
    cases::a_closed_store_refuses
    damage::what_cannot_be_read_is_told_by_its_number
    damage::a_damaged_snapshot_is_recalled_from_what_it_replaced
    damage::a_damaged_document_can_be_deleted_and_its_neighbour_goes_on
    migration::a_store_of_an_earlier_version_is_brought_up_to_date
    sharing::what_waits_shares_one_transaction_with_channels
    sharing::a_full_queue_refuses_and_a_full_transaction_leaves_the_rest
    trash::what_a_snapshot_replaced_is_kept_for_a_day
    trash::of_many_snapshots_few_are_kept
    trash::a_deleted_document_comes_back_within_a_day
    trash::a_deleted_document_leaves_nothing
    trash::pieces_that_nothing_names_are_deleted
    trash::the_sweep_goes_on_by_itself
    versions::a_version_is_what_it_was
    versions::named_versions_are_bounded_and_automatic_ones_make_room
}

/// A day and an hour.
const DAY: u64 = 25 * 60 * 60 * 1_000;

const NOW: u64 = 1_000_000_000_000;

/// A store with documents, and the one that most tests are about.
struct Kept {
    store: Arc<dyn Store>,
    documents: Documents,
    metrics: Arc<Metrics>,
    name: ChannelName,
}

async fn kept(place: &Place) -> Kept {
    kept_within(place, Limits::default()).await
}

async fn kept_within(place: &Place, limits: Limits) -> Kept {
    let metrics = Arc::new(Metrics::new());
    let (store, documents) = place.open_both(limits, &metrics).await;
    Kept {
        store,
        documents,
        metrics,
        name: name("d:a"),
    }
}

fn row(n: u64) -> Row {
    Row {
        n,
        update: Bytes::from(format!("update {n}")),
    }
}

fn rows(numbers: std::ops::RangeInclusive<u64>) -> Vec<Row> {
    numbers.map(row).collect()
}

fn snapshot(text: &str) -> Snapshot {
    Snapshot {
        update: text.into(),
        state_vector: b"vector".to_vec(),
        held: vec![b"held".to_vec()],
    }
}

impl Kept {
    async fn append(
        &self,
        history: Option<History>,
        numbers: std::ops::RangeInclusive<u64>,
    ) -> Result<History, Failure> {
        let rows = rows(numbers);
        self.documents.append(&self.name, history, rows, WallTime(NOW)).await
    }

    /// A document with rows 1 to `last`.
    async fn filled(&self, last: u64) -> History {
        self.append(None, 1..=last).await.expect("appends")
    }

    async fn put(&self, history: History, through: u64, text: &str, at: u64) -> Result<(), Failure> {
        let snapshot = snapshot(text);
        self.documents
            .put_snapshot(&self.name, history, through, &snapshot, WallTime(at))
            .await
    }

    async fn load(&self) -> Result<Option<Found>, Failure> {
        self.documents.load(&self.name).await
    }

    /// Sweeps until there is nothing to do. Answers with how many steps that took.
    async fn sweep(&self, now: u64) -> usize {
        let mut steps = 0;
        while self.documents.sweep(WallTime(now)).await.expect("sweeps") {
            steps += 1;
        }
        steps
    }
}

fn found(history: History, snapshot: Option<(u64, Snapshot)>, rows: Vec<Row>, last: u64) -> Found {
    Found {
        history,
        snapshot,
        rows,
        last,
    }
}

/// Has a request on its way, without waiting for its answer.
async fn begun<F: Future + Unpin>(request: &mut F) {
    let polled = std::future::poll_fn(|context| std::task::Poll::Ready(request.poll_unpin(context).is_ready()));
    assert!(!polled.await, "nothing is answered at once");
}
