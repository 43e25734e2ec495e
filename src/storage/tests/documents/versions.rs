//! Versions, and how many are kept.

use starling_core::id::Subject;

use super::*;

pub(super) fn made(name: Option<&str>) -> Made {
    Made {
        name: name.map(ToOwned::to_owned),
        author: Subject::new("anna\0"),
        time: WallTime(NOW),
        through: 2,
    }
}

pub(in super::super) async fn a_version_is_what_it_was(place: &Place) {
    let kept = kept(place).await;
    let missing = kept.documents.versions(&kept.name, u64::MAX, 9).await;
    assert_eq!(missing, Err(Failure::NotFound));
    let history = kept.filled(2).await;
    let make = async |name, text: &str| {
        let snapshot = snapshot(text);
        kept.documents
            .make_version(&kept.name, history, made(name), &snapshot)
            .await
    };
    assert_eq!(make(Some("draft \0"), "first").await, Ok(1));
    assert_eq!(make(None, "second").await, Ok(2));
    let (version, content) = kept.documents.version(&kept.name, 1).await.expect("reads");
    assert_eq!((version.number, &version.made), (1, &made(Some("draft \0"))));
    assert_eq!(content, snapshot("first"));
    let numbers = async |before, max| {
        let versions = kept.documents.versions(&kept.name, before, max).await.expect("lists");
        versions.iter().map(|version| version.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(u64::MAX, 9).await, [2, 1]);
    assert_eq!((numbers(u64::MAX, 1).await, numbers(2, 9).await), (vec![2], vec![1]));
    let delete = async |number| kept.documents.delete_version(&kept.name, number, WallTime(NOW)).await;
    assert_eq!((delete(2).await, delete(2).await), (Ok(()), Err(Failure::NotFound)));
    assert_eq!(kept.documents.version(&kept.name, 2).await, Err(Failure::NotFound));
    assert_eq!(make(None, "third").await, Ok(3), "a number is not used again");
    let more = snapshot("more");
    let beyond = Made {
        through: 3,
        ..made(None)
    };
    let beyond = kept.documents.make_version(&kept.name, history, beyond, &more);
    assert_eq!(beyond.await, Err(Failure::Forgotten { last: 2 }));
    place.damage("UPDATE document_version SET through = 1 WHERE number = 3");
    let unreadable = Failure::Unreadable(Part::Version(3));
    assert_eq!(kept.documents.version(&kept.name, 3).await, Err(unreadable));
    assert_eq!(kept.documents.versions(&kept.name, 9, 9).await, Err(unreadable));
    place.damage("DELETE FROM document_piece");
    let unreadable = Failure::Unreadable(Part::Version(1));
    assert_eq!(kept.documents.version(&kept.name, 1).await, Err(unreadable));
}

pub(in super::super) async fn named_versions_are_bounded_and_automatic_ones_make_room(place: &Place) {
    let kept = kept(place).await;
    let history = kept.filled(2).await;
    let make = async |name| {
        kept.documents
            .make_version(&kept.name, history, made(name), &snapshot("x"))
            .await
    };
    for number in 1..=VERSIONS_NAMED_MAX as u64 {
        assert_eq!(make(Some("named")).await, Ok(number));
    }
    let full = Err(Failure::VersionsFull {
        max: VERSIONS_NAMED_MAX,
    });
    assert_eq!(make(Some("one more")).await, full);
    for number in 1..=VERSIONS_AUTOMATIC_MAX as u64 + 3 {
        assert_eq!(make(None).await, Ok(VERSIONS_NAMED_MAX as u64 + number));
    }
    let versions = kept
        .documents
        .versions(&kept.name, u64::MAX, LIST_MAX)
        .await
        .expect("lists");
    let automatic: Vec<_> = versions.iter().filter(|one| one.made.name.is_none()).collect();
    assert_eq!((versions.len(), automatic.len()), (150, 50));
    assert_eq!(
        automatic.last().map(|one| one.number),
        Some(104),
        "the oldest have gone"
    );
    assert_eq!(make(Some("one more")).await, full);
    kept.documents
        .delete_version(&kept.name, 7, WallTime(NOW))
        .await
        .expect("deletes");
    assert_eq!(make(Some("one more")).await, Ok(154));
    // What they were in is deleted by and by.
    kept.sweep(NOW + DAY).await;
    assert_eq!((place.rows("document_piece"), place.rows("document_loose")), (150, 0));
}
