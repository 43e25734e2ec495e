//! Rows and snapshots, and the lists of them.

use super::*;

pub(in super::super) async fn what_was_appended_is_there_after_a_restart(place: &Place) {
    let before = kept(place).await;
    assert_eq!(before.load().await, Ok(None), "that nobody made it is no error");
    let history = before.filled(3).await;
    assert_eq!(before.append(Some(history), 4..=5).await, Ok(history));
    before.store.close().await;
    drop(before);
    let after = kept(place).await;
    assert_eq!(after.load().await, Ok(Some(found(history, None, rows(1..=5), 5))));
    assert_eq!(after.append(Some(history), 6..=6).await, Ok(history));
}

pub(in super::super) async fn rows_are_appended_whole_or_not_at_all(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(3).await;
    assert_eq!(kept.append(Some(history), 3..=4).await, Err(Failure::Taken));
    assert_eq!(kept.append(Some(history), 2..=2).await, Err(Failure::Taken));
    assert_eq!(
        kept.append(Some(history), 5..=6).await,
        Err(Failure::Forgotten { last: 3 }),
        "no gap is ever written"
    );
    let twice = kept
        .documents
        .append(&kept.name, Some(history), vec![row(4), row(4)], WallTime(NOW));
    assert!(
        matches!(twice.await, Err(Failure::Unreadable(Part::Head))),
        "the key decides"
    );
    assert_eq!(
        kept.append(Some(history), 4..=4).await,
        Ok(history),
        "nothing of it was written"
    );
    assert_eq!(kept.load().await.expect("loads").expect("is there").rows, rows(1..=4));
}

pub(in super::super) async fn who_finds_its_number_taken_reads_what_is_there(place: &Place) {
    let kept = kept(place).await;
    // Two that begin one document do not know of each other, nor do two that write its fourth row.
    let history = kept.filled(3).await;
    assert_eq!(kept.append(None, 1..=1).await, Err(Failure::Taken));
    let both = tokio::join!(kept.append(Some(history), 4..=4), kept.append(Some(history), 4..=5));
    let outcomes = [both.0, both.1];
    assert!(
        outcomes.contains(&Ok(history)) && outcomes.contains(&Err(Failure::Taken)),
        "{outcomes:?}"
    );
    let read = kept.documents.read(&kept.name, None, 2).await.expect("reads");
    assert_eq!((read.history, read.rows[0].n, read.snapshot), (history, 3, None));
    let nothing = kept.documents.read(&kept.name, Some(history), read.last).await;
    assert_eq!(nothing, Ok(found(history, None, vec![], read.last)));
}

/// A node dies between the commit and its answer: the next owner, or the same one, sends the rows again.
pub(in super::super) async fn what_was_written_without_an_answer_is_found(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(2).await;
    let mut sent = Box::pin(kept.append(Some(history), 3..=4));
    begun(&mut sent).await;
    drop(sent);
    assert_eq!(kept.append(Some(history), 3..=4).await, Err(Failure::Taken));
    let read = kept.documents.read(&kept.name, Some(history), 2).await.expect("reads");
    assert_eq!(read.rows, rows(3..=4), "the same bytes, once");
}

pub(in super::super) async fn a_name_that_was_deleted_and_begun_again_is_another_document(place: &Place) {
    let kept = kept(place).await;
    let first = kept.filled(3).await;
    kept.documents.delete(&kept.name, WallTime(NOW)).await.expect("deletes");
    assert_eq!(kept.load().await, Ok(None));
    assert_eq!(kept.append(Some(first), 4..=4).await, Err(Failure::Gone));
    assert_eq!(
        kept.documents.read(&kept.name, Some(first), 3).await,
        Err(Failure::Gone)
    );
    assert_eq!(kept.put(first, 3, "first", NOW).await, Err(Failure::Gone));
    let second = kept.filled(3).await;
    assert_ne!(first, second);
    // As many rows, and yet not those that were written.
    assert_eq!(kept.append(Some(first), 4..=4).await, Err(Failure::Gone));
    assert_eq!(
        kept.documents.read(&kept.name, Some(first), 1).await,
        Err(Failure::Gone)
    );
    assert_eq!(kept.put(first, 3, "first", NOW).await, Err(Failure::Gone));
    assert_eq!(kept.load().await, Ok(Some(found(second, None, rows(1..=3), 3))));
}

pub(in super::super) async fn a_store_that_was_set_back_is_noticed(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(3).await;
    let forgotten = Failure::Forgotten { last: 3 };
    assert_eq!(kept.append(Some(history), 9..=9).await, Err(forgotten));
    assert_eq!(kept.documents.read(&kept.name, Some(history), 8).await, Err(forgotten));
    assert_eq!(kept.put(history, 8, "more than there is", NOW).await, Err(forgotten));
}

pub(in super::super) async fn a_snapshot_takes_the_place_of_what_is_in_it(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(5).await;
    kept.put(history, 3, "three", NOW).await.expect("puts");
    let three = Some((3, snapshot("three")));
    // A row that its maker has not read is not touched.
    let whole = found(history, three.clone(), rows(4..=5), 5);
    assert_eq!(kept.load().await, Ok(Some(whole.clone())));
    let read = async |after| kept.documents.read(&kept.name, Some(history), after).await;
    assert_eq!(read(2).await, Ok(whole), "some of what it lacks is in the snapshot");
    assert_eq!(read(3).await, Ok(found(history, None, rows(4..=5), 5)));
    kept.append(Some(history), 6..=6).await.expect("appends");
    kept.put(history, 6, "six", NOW).await.expect("puts");
    let whole = found(history, Some((6, snapshot("six"))), vec![], 6);
    assert_eq!(kept.load().await, Ok(Some(whole)));
    // What it took the place of is in the trash.
    let recalled = kept.documents.recall(&kept.name).await;
    assert_eq!(recalled, Ok(Some(found(history, three, rows(4..=6), 6))));
}

pub(in super::super) async fn an_older_snapshot_never_replaces_a_newer(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(9).await;
    kept.put(history, 7, "seven", NOW).await.expect("puts");
    for through in [1, 6, 7] {
        let outcome = kept.put(history, through, "late", NOW).await;
        assert_eq!(outcome, Err(Failure::Superseded { through: 7 }));
    }
    let both = tokio::join!(kept.put(history, 8, "eight", NOW), kept.put(history, 9, "nine", NOW));
    assert_eq!(both.1, Ok(()), "whatever became of the other: {:?}", both.0);
    let found = kept.load().await.expect("loads").expect("is there");
    assert_eq!(found.snapshot, Some((9, snapshot("nine"))));
}

pub(in super::super) async fn a_large_snapshot_comes_back_and_holds_nobody_up(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(2).await;
    let mut large = snapshot("");
    // No two pieces alike.
    large.update = (0..(64u32 << 20) / 4).flat_map(u32::to_le_bytes).collect();
    let put = kept
        .documents
        .put_snapshot(&kept.name, history, 1, &large, WallTime(NOW));
    let mut between = 0;
    let appends = async {
        for n in 3..=30 {
            kept.append(Some(history), n..=n).await.expect("appends");
            between += 1;
        }
    };
    // Each append waits for a few pieces at most, so that all are through before the last piece is.
    let put = async {
        put.await.expect("puts");
        kept.documents
            .stats(&kept.name)
            .await
            .expect("says")
            .expect("is there")
            .last
    };
    let (last_by_then, ()) = tokio::join!(put, appends);
    assert_eq!((last_by_then, between), (30, 28));
    let found = kept.load().await.expect("loads").expect("is there");
    assert!(found.snapshot == Some((1, large)), "byte by byte");
    assert_eq!(found.rows, rows(2..=30));
    assert_eq!((place.rows("document_piece"), place.rows("document_loose")), (65, 0));
}

pub(in super::super) async fn a_snapshot_beyond_the_bound_is_refused(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(1).await;
    let mut large = snapshot("");
    large.held = vec![Vec::new(); 3];
    large.update = vec![0; usize::try_from(BODY_BYTES_MAX).expect("fits") - 50];
    let refused = kept
        .documents
        .put_snapshot(&kept.name, history, 1, &large, WallTime(NOW));
    let (bytes, max) = (BODY_BYTES_MAX + 4, BODY_BYTES_MAX);
    assert_eq!(refused.await, Err(Failure::TooLarge { bytes, max }));
    assert_eq!(place.rows("document_piece"), 0, "before anything is written");
}

pub(in super::super) async fn a_long_tail_is_read_in_pages(place: &Place) {
    let kept = kept(place).await;
    // Five megabytes each: one and a half fit a page.
    let large = |n| Row {
        n,
        update: Bytes::from(vec![u8::try_from(n).expect("a few"); 5 << 20]),
    };
    let mut history = None;
    for n in 1..=4 {
        let appended = kept
            .documents
            .append(&kept.name, history, vec![large(n)], WallTime(NOW))
            .await;
        history = Some(appended.expect("appends"));
    }
    let page = kept.documents.read(&kept.name, history, 1).await.expect("reads");
    assert_eq!((page.rows.len(), page.last), (1, 4));
    let whole = kept.load().await.expect("loads").expect("is there");
    assert!(whole.rows == (1..=4).map(large).collect::<Vec<_>>(), "all of it");
}

pub(in super::super) async fn documents_are_listed_by_prefix(place: &Place) {
    let kept = kept(place).await;
    for text in ["a:1", "b:1", "b:2", "b:2:3", "b:\u{10ffff}", "c:1"] {
        let one = &name(text);
        let one = kept.documents.append(one, None, rows(1..=2), WallTime(NOW));
        one.await.expect("appends");
    }
    kept.documents
        .delete(&name("b:1"), WallTime(NOW))
        .await
        .expect("deletes");
    let list = async |prefix, after, max| {
        let listed = kept.documents.list(prefix, after, max).await.expect("lists");
        assert!(
            listed
                .iter()
                .all(|one| one.is_sound && one.last == 2 && one.snapshot == 0)
        );
        listed
            .into_iter()
            .map(|one| one.document.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(list("b:", "", 9).await, ["b:2", "b:2:3", "b:\u{10ffff}"]);
    assert_eq!(list("", "", 2).await, ["a:1", "b:2"]);
    assert_eq!(list("", "b:2", 9).await, ["b:2:3", "b:\u{10ffff}", "c:1"]);
    assert_eq!(list("x", "", 9).await, [""; 0]);
}

pub(in super::super) async fn a_document_says_how_much_there_is_of_it(place: &Place) {
    let kept = kept(place).await;
    assert_eq!(kept.documents.stats(&kept.name).await, Ok(None));
    let history = kept.filled(5).await;
    kept.put(history, 2, "two", NOW).await.expect("puts");
    kept.put(history, 4, "four", NOW).await.expect("puts");
    // "update 1" is eight bytes; a snapshot has its parts, and the length of each.
    let (small, large) = (3 + 6 + 4 + 4 * 8, 4 + 6 + 4 + 4 * 8);
    let expected = Stats {
        history,
        made: WallTime(NOW),
        last: 5,
        tail: (1, 8),
        snapshot: (4, large),
        versions: (0, 0),
        trash: (5, 4 * 8 + small),
    };
    assert_eq!(kept.documents.stats(&kept.name).await, Ok(Some(expected)));
}

pub(in super::super) async fn a_closed_store_refuses(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(1).await;
    kept.store.close().await;
    assert_eq!(kept.append(Some(history), 2..=2).await, Err(Failure::Unavailable));
    assert_eq!(kept.put(history, 1, "one", NOW).await, Err(Failure::Unavailable));
    assert_eq!(kept.load().await, Err(Failure::Unavailable));
}
