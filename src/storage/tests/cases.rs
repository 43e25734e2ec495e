//! Batches, claims, pages and marks, of any store.

use super::*;

pub(super) async fn what_was_committed_is_there_after_a_restart(place: &Place) {
    let before = filled(place, 5).await;
    let found = before.load("t:a").await.expect("loads").expect("is there");
    before.store.close().await;
    drop(before);
    let after = opened(place, 2).await;
    assert_eq!(after.load("t:a").await, Ok(Some(found.clone())));
    assert_eq!((found.head, found.floor, found.messages.len()), (Seq(5), Seq(1), 5));
    assert_eq!(after.load("t:b").await, Ok(None), "nobody made it");
    assert_eq!(after.claim.lease.channels, 1);
    assert_eq!(after.claim.fence.term, Term(2));
}

pub(super) async fn a_batch_is_taken_whole_or_not_at_all(place: &Place) {
    let opened = filled(place, 2).await;
    let gap = vec![publish(3, 1), publish(5, 1)];
    assert_eq!(opened.commit("t:a", gap).await, Err(StoreFailure::Conflict));
    assert_eq!(opened.commit("t:a", vec![create()]).await, Err(StoreFailure::Conflict));
    assert_eq!(
        opened.commit("t:b", vec![publish(1, 1)]).await,
        Err(StoreFailure::Conflict)
    );
    let repeated = Change::Skip {
        author: author(),
        serial: Serial(2),
    };
    assert_eq!(
        opened.commit("t:a", vec![repeated]).await,
        Err(StoreFailure::Conflict),
        "a serial has one result"
    );
    assert_eq!(opened.page(0, 9, 9).await, Ok(vec![1, 2]));
    assert_eq!(opened.commit("t:a", vec![publish(3, 1)]).await, Ok(()));
}

pub(super) async fn batches_are_answered_in_order_and_a_bad_one_spoils_no_other(place: &Place) {
    let opened = filled(place, 1).await;
    let sent: Vec<_> = [
        ("t:a", vec![publish(2, 1)]),
        ("t:a", vec![publish(9, 1)]),
        ("t:b", vec![create(), publish(1, 1)]),
        ("t:a", vec![publish(3, 1)]),
    ]
    .map(|(channel, changes)| opened.send(channel, changes, None))
    .into();
    let mut outcomes = Vec::new();
    for outcome in sent {
        outcomes.push(outcome.await.expect("answered"));
    }
    assert_eq!(outcomes, [Ok(()), Err(StoreFailure::Conflict), Ok(()), Ok(())]);
}

pub(super) async fn a_failure_of_the_thread_that_writes_leaves_no_batch_unanswered(place: &Place) {
    let opened = filled(place, 1).await;
    // The first holds the thread up, so that the next two are in one transaction.
    let (go, gone) = std::sync::mpsc::sync_channel::<()>(1);
    let hold = move |_: Result<(), StoreFailure>| gone.recv().expect("it goes on");
    opened.send_with("t:a", vec![publish(2, 1)], None, Box::new(hold));
    opened.send_with("t:a", vec![publish(3, 1)], None, Box::new(|_| panic!("planted")));
    let together = opened.send("t:a", vec![publish(4, 1)], None);
    go.send(()).expect("it waits");
    assert_eq!(
        together.await,
        Ok(Err(StoreFailure::Unavailable)),
        "nobody knows, and says so"
    );
    let later = opened.commit("t:a", vec![publish(5, 1)]).await;
    assert_eq!(later, Err(StoreFailure::Unavailable));
}

pub(super) async fn an_earlier_owner_is_fenced(place: &Place) {
    let opened = filled(place, 1).await;
    let claims = opened.store.claim(&Arc::from("b"), 1).await.expect("claims");
    assert_eq!(
        opened.commit("t:a", vec![publish(2, 1)]).await,
        Err(StoreFailure::Fenced)
    );
    let successor = Opened {
        claim: claims[0].clone(),
        ..opened
    };
    assert_eq!(successor.commit("t:a", vec![publish(2, 1)]).await, Ok(()));
}

pub(super) async fn a_slot_goes_to_the_owner_of_the_later_term(place: &Place) {
    let opened = filled(place, 1).await;
    let owned = |term: u64, owner: &str, generation| Owned {
        slot: SlotId(0),
        term: Term(term),
        owner: owner.into(),
        generation,
    };
    let claim = |owned| opened.store.claim_slot(owned);
    // Whoever stood alone has no term in a slot table.
    let first = claim(owned(1, "b", 7)).await.expect("claims");
    let fenced = Err(StoreFailure::Fenced);
    assert_eq!(opened.commit("t:a", vec![publish(2, 1)]).await, fenced);
    assert_eq!((first.fence.term, first.lease.term), (Term(2), Term(2)));
    assert_eq!(first.lease.channels, 1);
    let refused = [owned(1, "c", 7), owned(1, "b", 8), owned(0, "b", 7)];
    for refused in refused {
        assert_eq!(
            claim(refused.clone()).await.err(),
            Some(StoreFailure::Fenced),
            "{refused:?}"
        );
    }
    let again = claim(owned(1, "b", 7)).await.expect("it is the owner's");
    assert!(again.fence.term > first.fence.term);
    let later = claim(owned(5, "c", 1)).await.expect("claims");
    assert!(later.fence.term > again.fence.term);
    assert_eq!(claim(owned(4, "b", 7)).await.err(), Some(StoreFailure::Fenced));
    let successor = Opened { claim: later, ..opened };
    assert_eq!(successor.commit("t:a", vec![publish(2, 1)]).await, Ok(()));
    // A node that is started alone takes all, and a cluster takes it back, also one whose slot table is new.
    let alone = successor.store.claim(&Arc::from("d"), 1).await.expect("claims");
    assert_eq!(
        successor.commit("t:a", vec![publish(3, 1)]).await,
        Err(StoreFailure::Fenced)
    );
    let back = successor.store.claim_slot(owned(1, "b", 9)).await.expect("claims");
    assert!(back.fence.term > alone[0].fence.term);
}

pub(super) async fn pages_are_read_up_to_their_bounds(place: &Place) {
    let opened = filled(place, 10).await;
    assert_eq!(opened.page(2, 8, 100).await, Ok(vec![3, 4, 5, 6, 7, 8]));
    assert_eq!(opened.page(2, 8, 2).await, Ok(vec![3, 4]));
    let little = Wanted {
        channel: name("t:a"),
        epoch: epoch(),
        after: Seq(4),
        through: Seq(9),
        bytes_max: 1,
        messages_max: 9,
    };
    assert_eq!(
        opened.store.page(little.clone()).await.expect("a page").len(),
        1,
        "always one"
    );
    let other = Wanted {
        epoch: Epoch::parse("0-x").expect("valid"),
        ..little
    };
    assert_eq!(opened.store.page(other).await, Err(PageFailure::Truncated));
    opened
        .commit("t:a", vec![Change::Truncate { floor: Seq(6) }])
        .await
        .expect("commits");
    assert_eq!(opened.page(4, 9, 9).await, Err(PageFailure::Truncated));
    assert_eq!(opened.page(5, 9, 9).await, Ok(vec![6, 7, 8, 9]));
}

pub(super) async fn memory_takes_the_newest_and_chunks_stand_for_the_rest(place: &Place) {
    let opened = filled(place, 100).await;
    let memory = Memory {
        messages: 10,
        bytes: u64::MAX,
    };
    let found = opened
        .store
        .load(&name("t:a"), memory)
        .await
        .expect("loads")
        .expect("is there");
    let chunks: Vec<_> = found
        .spilled
        .iter()
        .map(|chunk| (chunk.first.0, chunk.last.0))
        .collect();
    assert_eq!((chunks, found.messages[0].seq), (vec![(1, 64), (65, 90)], Seq(91)));
    let bytes: u64 = found.spilled.iter().map(|chunk| chunk.bytes).sum();
    assert_eq!(bytes, 9 * 9 + 81 * 10, "\"message 1\" to \"message 90\"");
}

pub(super) async fn a_mark_says_when_to_look(place: &Place) {
    let opened = opened(place, 1).await;
    let sent = opened.send("t:a", vec![create()], Some(9_000));
    sent.await.expect("answered").expect("commits");
    let due = |now, again| opened.store.due(WallTime(now), WallTime(again), 10);
    assert_eq!(due(8_999, 0).await, Ok(vec![]));
    assert_eq!(due(9_000, 20_000).await, Ok(vec![name("t:a")]));
    assert_eq!(due(10_000, 20_000).await, Ok(vec![]), "it was told");
    let mark = Mark {
        fence: opened.claim.fence.clone(),
        channel: name("t:a"),
        used: WallTime(7_000),
        due: Some(WallTime(11_000)),
    };
    opened.store.mark(mark);
    assert_eq!(due(11_000, 20_000).await, Ok(vec![name("t:a")]));
    let found = opened.load("t:a").await.expect("loads").expect("is there");
    assert_eq!(found.used, WallTime(7_000));
}

pub(super) async fn a_closed_store_commits_what_waits_and_refuses_the_rest(place: &Place) {
    let opened = filled(place, 1).await;
    let waiting = opened.send("t:a", vec![publish(2, 1)], None);
    opened.store.close().await;
    assert_eq!(waiting.await, Ok(Ok(())));
    assert_eq!(
        opened.commit("t:a", vec![publish(3, 1)]).await,
        Err(StoreFailure::Unavailable)
    );
    assert_eq!(opened.load("t:a").await, Err(StoreFailure::Unavailable));
}
