//! Rows that were damaged: found when they are read, and never taken for what they were.

use super::*;

pub(super) async fn a_damaged_row_is_no_message(place: &Place) {
    for statement in [
        "UPDATE message SET payload = 'text' WHERE seq = 3",
        "UPDATE message SET time = time + 1 WHERE seq = 3",
        "UPDATE message SET seq = 33 WHERE seq = 3",
        "DELETE FROM message WHERE seq = 3",
        "DELETE FROM message WHERE seq = 5",
        "UPDATE channel SET head = 4",
        "UPDATE channel SET floor = 0",
        "UPDATE channel SET epoch = 'other'",
        "UPDATE term SET term = 2",
        "DELETE FROM result WHERE serial = 3",
        "UPDATE result SET seq = 4 WHERE serial = 3",
    ] {
        let place = place.another();
        let opened = filled(&place, 5).await;
        place.damage(statement);
        let found = opened.load("t:a").await;
        // What the sums do not show, the rules do.
        let now = crate::node::Clock.now();
        let restored = found.map(|found| starling_core::channel::State::restore(&found.expect("is there"), now));
        let is_found = matches!(restored, Err(StoreFailure::Corrupt) | Ok(Err(_)));
        assert!(is_found, "{statement}: {restored:?}");
    }
}

pub(super) async fn a_page_stops_before_what_is_damaged_and_never_leaves_it_out(place: &Place) {
    let opened = filled(place, 9).await;
    place.damage("DELETE FROM message WHERE seq = 5");
    let corrupt = Err(PageFailure::Store(StoreFailure::Corrupt));
    assert_eq!(opened.page(0, 4, 9).await, Ok(vec![1, 2, 3, 4]));
    assert_eq!(opened.page(2, 9, 9).await, corrupt);
    assert_eq!(opened.page(4, 9, 9).await, corrupt);
    assert_eq!(opened.page(5, 9, 9).await, Ok(vec![6, 7, 8, 9]));
    place.damage("UPDATE message SET sum = 0 WHERE seq = 7");
    assert_eq!(opened.page(5, 9, 9).await, corrupt);
}

pub(super) async fn a_hole_among_the_messages_that_stay_in_the_store_is_found(place: &Place) {
    let opened = filled(place, 200).await;
    let memory = Memory {
        messages: 10,
        bytes: u64::MAX,
    };
    for statement in [
        "DELETE FROM message WHERE seq = 70",
        "DELETE FROM message WHERE seq BETWEEN 1 AND 69",
    ] {
        place.damage(statement);
        let found = opened.store.load(&name("t:a"), memory).await;
        let now = crate::node::Clock.now();
        let restored = found.map(|found| starling_core::channel::State::restore(&found.expect("is there"), now));
        let is_found = matches!(restored, Err(StoreFailure::Corrupt) | Ok(Err(_)));
        assert!(is_found, "{statement}");
    }
}

pub(super) async fn nothing_is_written_behind_a_damaged_head_and_others_go_on(place: &Place) {
    let opened = filled(place, 2).await;
    place.damage("UPDATE channel SET head = 1");
    let one = opened.send("t:a", vec![publish(2, 1)], None);
    let other = opened.send("t:b", vec![create()], None);
    assert_eq!(one.await.expect("answered"), Err(StoreFailure::Corrupt));
    assert_eq!(other.await.expect("answered"), Ok(()));
}
