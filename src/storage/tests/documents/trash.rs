//! What was replaced or deleted is kept for a day, and then gone.

use super::super::outage::until;
use super::*;
use crate::storage::documents::sweep::run as empty_trash;

const HOUR: u64 = 60 * 60 * 1_000;

pub(in super::super) async fn what_a_snapshot_replaced_is_kept_for_a_day(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(1_200).await;
    kept.put(history, 600, "first", NOW).await.expect("puts");
    kept.put(history, 1_100, "second", NOW + 7 * HOUR).await.expect("puts");
    assert_eq!(kept.sweep(NOW + 23 * HOUR).await, 0);
    assert_eq!(
        (place.rows("document_row"), place.rows("document_snapshot")),
        (1_200, 2)
    );
    // The first has stood for a day: what it replaced goes, a slice at a time, and what the second replaced stays.
    assert!(kept.documents.sweep(WallTime(NOW + DAY)).await.expect("sweeps"));
    assert_eq!(place.rows("document_row"), 1_200 - 512, "no write waits for all of it");
    kept.sweep(NOW + DAY).await;
    assert_eq!((place.rows("document_row"), place.rows("document_snapshot")), (600, 2));
    let recalled = kept
        .documents
        .recall(&kept.name)
        .await
        .expect("recalls")
        .expect("is there");
    assert_eq!(
        (recalled.snapshot, recalled.rows),
        (Some((600, snapshot("first"))), rows(601..=1_200))
    );
    // A day after the second only that is left, and the rows that it does not have.
    kept.sweep(NOW + 7 * HOUR + DAY).await;
    assert_eq!((place.rows("document_row"), place.rows("document_snapshot")), (100, 1));
    assert_eq!(kept.documents.recall(&kept.name).await, Err(Failure::NotFound));
    let whole = found(history, Some((1_100, snapshot("second"))), rows(1_101..=1_200), 1_200);
    assert_eq!(kept.load().await, Ok(Some(whole)));
    kept.sweep(NOW + 9 * DAY).await;
    assert_eq!((place.rows("document_row"), place.rows("document_piece")), (100, 1));
    assert_eq!(kept.sweep(NOW + 9 * DAY).await, 0, "there is nothing more to look at");
}

pub(in super::super) async fn of_many_snapshots_few_are_kept(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(100).await;
    // Twenty-four hours, a snapshot each half hour.
    for through in 1..=48 {
        let text = format!("at {through}");
        kept.put(history, through, &text, NOW + through * HOUR / 2)
            .await
            .expect("puts");
    }
    assert_eq!(
        place.rows("document_snapshot"),
        5,
        "the newest, and four that are six hours apart"
    );
    // What is between them is in the rows.
    let recalled = kept
        .documents
        .recall(&kept.name)
        .await
        .expect("recalls")
        .expect("is there");
    let (through, _) = recalled.snapshot.expect("one before it");
    assert!((36..48).contains(&through), "{through}");
    assert_eq!(recalled.rows, rows(through + 1..=100));
    kept.sweep(NOW + 9 * DAY).await;
    let tables = ["document_snapshot", "document_piece", "document_loose", "document_row"];
    assert_eq!(tables.map(|table| place.rows(table)), [1, 1, 0, 52]);
}

pub(in super::super) async fn a_deleted_document_comes_back_within_a_day(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(4).await;
    kept.put(history, 2, "two", NOW).await.expect("puts");
    let whole = kept.load().await;
    assert_eq!(
        kept.documents.delete(&name("d:none"), WallTime(NOW)).await,
        Err(Failure::NotFound)
    );
    assert_eq!(
        kept.documents.restore(history, WallTime(NOW)).await,
        Err(Failure::NotFound)
    );
    let later = NOW + 2 * DAY;
    kept.documents
        .delete(&kept.name, WallTime(later))
        .await
        .expect("deletes");
    let trashed = Trashed {
        history,
        document: kept.name.clone(),
        deleted: WallTime(later),
    };
    assert_eq!(kept.documents.trash(None, 9).await, Ok(vec![trashed]));
    assert_eq!(kept.documents.trash(Some(history), 9).await, Ok(vec![]));
    assert_eq!(kept.sweep(later + 23 * HOUR).await, 0);
    // Its name is free, and as long as somebody has it the document stays where it is.
    let other = kept.filled(1).await;
    assert_eq!(
        kept.documents.restore(history, WallTime(later)).await,
        Err(Failure::Exists)
    );
    kept.documents
        .delete(&kept.name, WallTime(later))
        .await
        .expect("deletes");
    kept.documents
        .restore(history, WallTime(later))
        .await
        .expect("restores");
    assert_eq!(kept.load().await, whole);
    assert_eq!(kept.append(Some(history), 5..=5).await, Ok(history));
    kept.sweep(later + DAY).await;
    assert_eq!(
        kept.documents.restore(other, WallTime(later)).await,
        Err(Failure::NotFound)
    );
    assert_eq!(kept.load().await.expect("loads").expect("is there").rows, rows(3..=5));
}

pub(in super::super) async fn a_deleted_document_leaves_nothing(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(1_100).await;
    kept.put(history, 9, "nine", NOW).await.expect("puts");
    let (made, text) = (versions::made(None), snapshot("a version"));
    let version = kept.documents.make_version(&kept.name, history, made, &text);
    version.await.expect("makes");
    kept.documents.delete(&kept.name, WallTime(NOW)).await.expect("deletes");
    kept.sweep(NOW + DAY).await;
    kept.sweep(NOW + DAY + 2 * HOUR).await;
    let tables = [
        "document",
        "document_row",
        "document_snapshot",
        "document_version",
        "document_piece",
        "document_loose",
    ];
    assert_eq!(tables.map(|table| place.rows(table)), [0; 6]);
}

pub(in super::super) async fn pieces_that_nothing_names_are_deleted(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(1).await;
    let mut large = snapshot("");
    large.update = vec![7; 9 << 20];
    // Its row is not there, so the last piece is refused, as it is when a node dies before it.
    let put = kept
        .documents
        .put_snapshot(&kept.name, history, 2, &large, WallTime(NOW));
    assert_eq!(put.await, Err(Failure::Forgotten { last: 1 }));
    assert_eq!((place.rows("document_piece"), place.rows("document_loose")), (9, 1));
    assert_eq!(kept.sweep(NOW + HOUR / 2).await, 0, "somebody may be writing the rest");
    assert_eq!(
        kept.sweep(NOW + 2 * HOUR).await,
        4,
        "four pieces at a time, and what named them"
    );
    assert_eq!((place.rows("document_piece"), place.rows("document_loose")), (0, 0));
}

pub(in super::super) async fn the_sweep_goes_on_by_itself(place: &Place) {
    let kept = kept(place).await;
    kept.filled(1_200).await;
    kept.documents.delete(&kept.name, WallTime(NOW)).await.expect("deletes");
    let sweep = tokio::spawn(empty_trash(kept.documents.clone(), || WallTime(NOW + DAY)));
    until("it is swept", async || place.rows("document") == 0).await;
    assert_eq!(place.rows("document_row"), 0);
    sweep.abort();
}
