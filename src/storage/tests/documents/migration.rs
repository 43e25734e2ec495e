//! Stores that an earlier version has made.

use super::*;

pub(in super::super) async fn a_store_of_an_earlier_version_is_brought_up_to_date(place: &Place) {
    for version in place.earlier_versions() {
        let before = filled(place, 3).await;
        let channel = before.load("t:a").await;
        before.store.close().await;
        drop(before);
        place.set_back(version);
        let kept = kept(place).await;
        let history = kept.filled(2).await;
        assert_eq!(kept.load().await, Ok(Some(found(history, None, rows(1..=2), 2))));
        assert_eq!(
            kept.store.load(&name("t:a"), ALL).await,
            channel,
            "channels are as they were"
        );
        // Who opens it next finds it done.
        kept.store.close().await;
        drop(kept);
        let again = super::kept(place).await;
        assert_eq!(
            again
                .documents
                .stats(&name("d:a"))
                .await
                .expect("says")
                .expect("is there")
                .last,
            2
        );
        again
            .documents
            .delete(&name("d:a"), WallTime(NOW))
            .await
            .expect("deletes");
        again.sweep(NOW + DAY).await;
        again.store.close().await;
        drop(again);
        let opened = opened(place, 2).await;
        opened.commit("t:a", vec![Change::ForgetHead]).await.expect("commits");
        opened.store.close().await;
    }
}
