//! What is deleted, and when.

use super::*;

pub(super) async fn what_is_not_kept_is_deleted_a_slice_at_a_time(place: &Place) {
    let opened = filled(place, 2_000).await;
    opened.commit("t:a", vec![publish(2_001, 65)]).await.expect("commits");
    assert_eq!(place.rows("message"), 2_001 - 64, "a chunk goes with the batch");
    opened
        .commit("t:a", vec![Change::Truncate { floor: Seq(1_900) }])
        .await
        .expect("commits");
    let left = place.rows("message");
    assert!(left > 102, "no batch waits for all of it: {left}");
    // Whatever else is written, or nothing: the writer goes on deleting, and this waits behind it.
    for _ in 0..8 {
        let due = opened.store.due(WallTime(0), WallTime(0), 1).await;
        assert_eq!(due, Ok(vec![]));
    }
    assert_eq!(place.rows("message"), 102);
    assert_eq!(place.rows("garbage"), 0);
}

pub(super) async fn a_forgotten_channel_leaves_nothing(place: &Place) {
    let opened = filled(place, 700).await;
    opened.commit("t:a", vec![Change::ForgetHead]).await.expect("commits");
    assert_eq!(opened.load("t:a").await, Ok(None));
    // The name begins anew while the rest of its last history is on its way out.
    opened
        .commit("t:a", vec![create(), publish(1, 1)])
        .await
        .expect("commits");
    for _ in 0..8 {
        opened.store.due(WallTime(0), WallTime(0), 1).await.expect("asks");
    }
    let tables = ["channel", "message", "term", "result", "garbage"];
    assert_eq!(tables.map(|table| place.rows(table)), [1, 1, 1, 1, 0]);
}

pub(super) async fn results_and_requests_are_bounded(place: &Place) {
    let opened = filled(place, 200).await;
    assert_eq!(place.rows("result"), 64);
    let requests = (201..=1_300).map(|seq| {
        let Change::Publish { message, floor, .. } = publish(seq, 1) else {
            unreachable!("it is a publish");
        };
        let origin = Origin::Idempotency {
            subject: Subject::new("anna"),
            key: starling_core::id::IdempotencyKey::parse(&format!("key-{seq}")).expect("valid"),
        };
        Change::Publish { message, origin, floor }
    });
    opened.commit("t:a", requests.collect()).await.expect("commits");
    assert_eq!(place.rows("request"), 1_000);
}
