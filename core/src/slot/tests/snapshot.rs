//! Snapshots, the tail, and copies.

use super::*;
use crate::id::{Author, PublisherId, Serial, Subject};

/// A slot that holds what `source` held at its snapshot.
fn copy_of(source: &Snapshot) -> Slot {
    let mut copy = empty_copy();
    copy.install(source.clone(), start() + Duration::from_secs(5));
    copy
}

#[test]
fn a_snapshot_and_the_tail_are_the_state() {
    let mut slot = slot(tail(100, u64::MAX));
    filled(&mut slot, "t:a", 3);
    let early = slot.snapshot();
    filled(&mut slot, "t:b", 2);
    let author = Author {
        subject: Subject::new("anna"),
        publisher: PublisherId([1; 16]),
    };
    let changes = vec![
        publish(4),
        Change::Truncate { floor: Seq(3) },
        Change::Skip {
            author: author.clone(),
            serial: Serial(1),
        },
        Change::ExpirePublishers {
            authors: Arc::new([author]),
        },
    ];
    let round = open(&mut slot, "t:a").round;
    turn(&mut slot, propose("t:a", round, changes));
    let round = open(&mut slot, "t:b").round;
    turn(&mut slot, propose("t:b", round, vec![Change::ForgetHead]));

    let mut copy = copy_of(&early);
    assert_eq!(copy.snapshot(), early);
    let entries: Vec<_> = slot.entries_after(early.at.index).unwrap().cloned().collect();
    assert_eq!(entries.len(), 8);
    copy.accept(early.at, &entries).unwrap();
    copy.learn(slot.committed(), start() + Duration::from_secs(9));
    assert_eq!(copy.snapshot(), slot.snapshot());
    assert_eq!(copy.committed(), slot.committed());
    assert_eq!(copy_of(&slot.snapshot()).snapshot(), slot.snapshot());
}

#[test]
fn a_copy_goes_on_in_the_same_lineage() {
    let mut source = slot(Config::default());
    filled(&mut source, "t:a", 1);
    let snapshot = source.snapshot();
    let mut copy = copy_of(&snapshot);
    copy.lead(Term(5));
    copy.serve(&mut Vec::new());
    let opening = open(&mut copy, "t:a");
    assert_eq!((opening.lineage, opening.term), (snapshot.lineage, Term(5)));
    let changes = vec![publish_under(Term(5), 2)];
    turn(&mut copy, propose("t:a", opening.round, changes));
    assert_eq!(copy.appended(), snapshot.at.index.next());
}

#[test]
fn ages_start_again_with_a_snapshot() {
    let mut source = slot(Config::default());
    filled(&mut source, "t:a", 1);
    let mut copy = slot(Config::default());
    let later = start() + Duration::from_secs(100);
    copy.install(source.snapshot(), later);
    let due = copy
        .channel(&name("t:a"))
        .unwrap()
        .next_due(&channel::Config::default());
    assert_eq!(due, Some(later + Duration::from_secs(135)));
    let early = turn_at(&mut copy, Input::Wake(Timer::Due), later + Duration::from_secs(134));
    assert_eq!(early, []);
    let due = turn_at(&mut copy, Input::Wake(Timer::Due), later + Duration::from_secs(135));
    let channel = name("t:a");
    assert_eq!(due, [Effect::Due { channel }]);
}

#[test]
fn what_only_this_node_knew_is_gone_with_a_snapshot() {
    let mut slot = slot(Config::default());
    filled(&mut slot, "t:a", 1);
    filled(&mut slot, "t:b", 1);
    let round = open(&mut slot, "t:a").round;
    let channel = name("t:b");
    turn(&mut slot, Input::Quarantine { channel });
    let epoch = Epoch::parse("0-1").unwrap();
    slot.parked.insert(name("t:c"), State::create(&epoch, false, start()));
    slot.install(slot.snapshot(), start());
    let late = turn(&mut slot, propose("t:a", round, vec![publish(2)]));
    assert_eq!(late, [Effect::Dropped { channel: name("t:a") }]);
    assert!(open(&mut slot, "t:a").round > round);
    assert!(open(&mut slot, "t:b").state.is_some());
    assert!(slot.parked.is_empty());
}

#[test]
fn an_entry_that_does_not_fit_is_kept_and_its_channel_set_aside() {
    let mut copy = empty_copy();
    let entry = Arc::new(Entry {
        term: TERM,
        index: Index(1),
        channel: name("t:a"),
        change: publish(1),
    });
    assert_eq!(copy.accept(Place::default(), &[entry]), Ok(Index(1)));
    copy.learn(Index(1), start());
    assert_eq!(copy.committed(), Index(1));
    assert!(copy.is_quarantined(&name("t:a")));
}

#[test]
fn the_tail_is_bounded_by_entries() {
    let mut slot = slot(tail(3, u64::MAX));
    filled(&mut slot, "t:a", 5);
    let tail = |after| {
        let entries = slot.entries_after(Index(after))?;
        Some(entries.map(|entry| entry.index.0).collect::<Vec<_>>())
    };
    assert_eq!(tail(2), None);
    assert_eq!(tail(3), Some(vec![4, 5, 6]));
    assert_eq!(tail(5), Some(vec![6]));
    assert_eq!(tail(6), Some(vec![]));
    assert_eq!(tail(99), Some(vec![]));
}

#[test]
fn the_tail_is_bounded_by_bytes_and_a_node_alone_keeps_none() {
    let mut slot_of_two = slot(tail(100, 2 * 133));
    filled(&mut slot_of_two, "t:a", 5);
    assert_eq!(slot_of_two.entries_after(Index(4)).unwrap().count(), 2);
    assert!(slot_of_two.entries_after(Index(3)).is_none());
    let mut alone = slot(Config::default());
    filled(&mut alone, "t:a", 5);
    assert!(alone.entries_after(Index(5)).is_none());
    assert_eq!(alone.entries_after(Index(6)).unwrap().count(), 0);
}
