//! What was damaged is told, with its place. It is never left out, nothing is shown without it, and nothing is empty for it.

use super::*;

pub(in super::super) async fn what_cannot_be_read_is_told_by_its_number(place: &Place) {
    for (statement, part) in [
        ("UPDATE document_row SET change = 'text' WHERE n = 5", Part::Row(5)),
        ("UPDATE document_row SET time = time + 1 WHERE n = 5", Part::Row(5)),
        ("UPDATE document_row SET n = 55 WHERE n = 5", Part::Row(5)),
        ("DELETE FROM document_row WHERE n = 5", Part::Row(5)),
        ("DELETE FROM document_row WHERE n >= 4", Part::Row(4)),
        ("DELETE FROM document_row WHERE n = 6", Part::Row(6)),
        ("DELETE FROM document_row", Part::Row(4)),
        ("DELETE FROM document_snapshot WHERE through = 3", Part::Snapshot(3)),
        ("DELETE FROM document_snapshot", Part::Snapshot(3)),
        ("UPDATE document_snapshot SET bytes = bytes + 1", Part::Snapshot(3)),
        ("UPDATE document_snapshot SET body = body + 1", Part::Snapshot(3)),
        ("UPDATE document_piece SET bytes = 'text'", Part::Snapshot(3)),
        ("UPDATE document_piece SET n = 1", Part::Snapshot(3)),
        ("DELETE FROM document_piece", Part::Snapshot(3)),
        ("UPDATE document SET last = 5", Part::Head),
        ("UPDATE document SET snapshot = 0", Part::Head),
        ("UPDATE document SET made = -1", Part::Head),
    ] {
        let told = OnPanic(statement);
        let place = place.another();
        let kept = kept(&place).await;
        let history = kept.filled(6).await;
        kept.put(history, 2, "two", NOW).await.expect("puts");
        kept.put(history, 3, "three", NOW).await.expect("puts");
        place.damage(statement);
        let unreadable = Failure::Unreadable(part);
        assert_eq!(kept.load().await, Err(unreadable));
        let counted = kept.metrics.render(0);
        assert!(
            counted.contains("starling_store_errors_total{kind=\"document\"} 1"),
            "an operator can see it"
        );
        // What lies behind it can still be read, and what lies before it is not shown as if it were all.
        let behind = kept.documents.read(&kept.name, Some(history), 5).await;
        match part {
            Part::Head => {
                assert_eq!(behind, Err(unreadable));
                let listed = kept.documents.list("", "", 9).await.expect("lists");
                assert_eq!(listed.len(), 1, "it is in the list");
                assert!(!listed[0].is_sound, "and told from others");
            }
            _ if place.rows("document_row WHERE n = 6") == 0 => {
                assert_eq!(behind, Err(Failure::Unreadable(Part::Row(6))));
            }
            _ => assert_eq!(behind, Ok(found(history, None, rows(6..=6), 6))),
        }
        drop(told);
    }
}

pub(in super::super) async fn a_damaged_snapshot_is_recalled_from_what_it_replaced(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(6).await;
    kept.put(history, 2, "two", NOW).await.expect("puts");
    kept.put(history, 5, "five", NOW).await.expect("puts");
    place.damage("UPDATE document_snapshot SET sum = 0 WHERE through = 5");
    assert_eq!(kept.load().await, Err(Failure::Unreadable(Part::Snapshot(5))));
    let whole = found(history, Some((2, snapshot("two"))), rows(3..=6), 6);
    assert_eq!(kept.documents.recall(&kept.name).await, Ok(Some(whole)));
    // And of what it replaced no row is left out either.
    place.damage("DELETE FROM document_row WHERE n = 4");
    let recalled = kept.documents.recall(&kept.name).await;
    assert_eq!(recalled, Err(Failure::Unreadable(Part::Row(4))));
}

pub(in super::super) async fn a_damaged_document_can_be_deleted_and_its_neighbour_goes_on(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(2).await;
    let beside = name("d:b");
    let other = kept.documents.append(&beside, None, rows(1..=1), WallTime(NOW));
    let other = other.await.expect("appends");
    place.damage("UPDATE document SET last = 1 WHERE name = 'd:a'");
    let unreadable = Err(Failure::Unreadable(Part::Head));
    let (one, neighbour) = tokio::join!(
        kept.append(Some(history), 3..=3),
        kept.documents.append(&beside, Some(other), rows(2..=2), WallTime(NOW)),
    );
    assert_eq!((one, neighbour), (unreadable, Ok(other)));
    let sound = kept.documents.list("d:", "", 9).await.expect("lists");
    assert_eq!(sound.iter().map(|one| one.is_sound).collect::<Vec<_>>(), [false, true]);
    kept.documents.delete(&kept.name, WallTime(NOW)).await.expect("deletes");
    assert_eq!(kept.load().await, Ok(None));
}
