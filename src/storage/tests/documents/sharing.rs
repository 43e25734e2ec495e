//! One transaction for all that waits, of documents and of channels; and what happens when too much waits.

use std::sync::mpsc;

use super::*;

/// What the store has counted under a name.
fn counted(kept: &Kept, metric: &str) -> u64 {
    let text = kept.metrics.render(0);
    let line = text.lines().find(|line| line.starts_with(metric));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or_default()
}

const COMMITS: &str = "starling_store_commit_duration_seconds_count";
const ENTRIES: &str = "starling_store_entries_total";

/// A store whose writer stands still until it is let go: it tells of a batch, and is not done with that.
async fn held(place: &Place, kept: &Kept) -> (Opened, mpsc::SyncSender<()>) {
    let store = Arc::clone(&kept.store);
    let claims = store.claim(&Arc::from("a"), 1).await.expect("claims");
    let claim = claims[0].clone();
    let opened = Opened { store, claim };
    let (go, gone) = mpsc::sync_channel::<()>(1);
    let (holds, held) = mpsc::sync_channel::<()>(1);
    let hold = move |_: Result<(), StoreFailure>| {
        holds.send(()).expect("the test waits");
        gone.recv().expect("it goes on");
    };
    opened.send_with("t:hold", vec![create()], None, Box::new(hold));
    // The writer of a database is a task on this thread, which stands still for as long as nobody waits here.
    if matches!(place, Place::File(_)) {
        held.recv().expect("it tells");
    } else {
        std::mem::forget(held);
    }
    (opened, go)
}

/// So many documents with three rows each.
async fn begun_documents(kept: &Kept, count: usize) -> Vec<(ChannelName, History)> {
    let mut documents = Vec::with_capacity(count);
    for number in 0..count {
        let name = name(&format!("d:{number}"));
        let history = kept.documents.append(&name, None, rows(1..=3), WallTime(NOW)).await;
        documents.push((name, history.expect("appends")));
    }
    documents
}

pub(in super::super) async fn what_waits_shares_one_transaction_with_channels(place: &Place) {
    let kept = kept(place).await;
    let documents = begun_documents(&kept, 40).await;
    let (opened, go) = held(place, &kept).await;
    let (commits, entries) = (counted(&kept, COMMITS), counted(&kept, ENTRIES));
    let append = |(name, history): &(ChannelName, History)| {
        let (documents, name, history) = (kept.documents.clone(), name.clone(), Some(*history));
        Box::pin(async move { documents.append(&name, history, rows(4..=6), WallTime(NOW)).await })
    };
    let mut appends = futures_util::future::join_all(documents.iter().map(append));
    begun(&mut appends).await;
    let batch = opened.send("t:a", vec![create(), publish(1, 1)], None);
    go.send(()).expect("it waits");
    assert!(appends.await.iter().all(Result::is_ok));
    assert_eq!(batch.await, Ok(Ok(())));
    // With a database the first is not on its way yet, so it is in the same.
    let more = counted(&kept, COMMITS) - commits;
    assert_eq!(more, 1, "forty-one writes, one commit");
    assert!(counted(&kept, ENTRIES) - entries >= 40 * 3 + 2);
}

pub(in super::super) async fn a_full_queue_refuses_and_a_full_transaction_leaves_the_rest(place: &Place) {
    let limits = Limits {
        writes: Bounds {
            jobs: 1_030,
            bytes: usize::MAX,
        },
        ..Limits::default()
    };
    let kept = kept_within(place, limits).await;
    let documents = begun_documents(&kept, 1_040).await;
    let (_opened, go) = held(place, &kept).await;
    let commits = counted(&kept, COMMITS);
    let append = |(name, history): &(ChannelName, History)| {
        let (documents, name, history) = (kept.documents.clone(), name.clone(), Some(*history));
        Box::pin(async move { documents.append(&name, history, rows(4..=4), WallTime(NOW)).await })
    };
    // Polled in their order, so it is the last that find no room.
    let mut appends = futures_util::future::join_all(documents.iter().map(append));
    begun(&mut appends).await;
    go.send(()).expect("it waits");
    let outcomes = appends.await;
    // Where the batch that holds the writer up is not on its way yet, it takes a place.
    let served = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(matches!(served, 1_029 | 1_030), "{served}");
    assert!(outcomes[..served].iter().all(Result::is_ok), "whoever was there before");
    assert!(outcomes[served..].iter().all(|outcome| *outcome == Err(Failure::Busy)));
    assert_eq!(
        counted(&kept, COMMITS) - commits,
        2,
        "a transaction takes 1,024 at most"
    );
}
