//! Keyed channels: a state, and what changes it.

use starling_protocol::v1::attach;

use super::*;
use crate::KeyedState;

/// A reader that is attached to a keyed channel whose head is 10.
fn reader(from: From, outcome: v1::attached::Outcome) -> Reader {
    let mut reader = Reader::new(SubscribeOptions {
        from,
        ..SubscribeOptions::default()
    });
    reader.channel.attach(1);
    reader
        .attach(v1::Attached {
            keyed: true,
            outcome: Some(outcome),
            ..attached(10, 10)
        })
        .expect("a good answer");
    reader
}

fn fresh() -> Reader {
    reader(From::Head, v1::attached::Outcome::Rewound(v1::Rewound { count: 0 }))
}

fn resumed(seq: u64) -> Reader {
    reader(
        From::Position(position(seq, 3)),
        v1::attached::Outcome::Resumed(v1::Resumed {}),
    )
}

fn part(at: u64, replace: bool, last: bool, keys: &[(&str, u64)]) -> v1::Snapshot {
    let entry = |(key, seq): &(&str, u64)| v1::SnapshotEntry {
        key: (*key).into(),
        seq: *seq,
        time_ms: 5,
        deleted: false,
        payload: Bytes::from_static(b"v"),
    };
    let entries = keys.iter().map(entry).collect();
    v1::Snapshot {
        channel_id: CHANNEL_ID,
        replace,
        at: Some(position(at, 3).to_wire()),
        entries,
        last,
    }
}

impl Reader {
    fn snapshot(&mut self, frame: v1::Snapshot) -> Result<KeyedState, Violation> {
        let (outcome, effects) = self.turn(|channel, turn| channel.snapshot(frame, Credit::default(), turn));
        outcome?;
        match events(effects).remove(0) {
            Event::KeyedState(state) => Ok(state),
            other => panic!("{other:?}"),
        }
    }

    /// What the next attach asks for.
    fn comes_back(&mut self) -> u64 {
        self.channel.detached(None);
        match self.channel.attach(2).from {
            Some(attach::From::Position(position)) => position.seq,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_state_comes_in_parts_and_then_what_changes_it() {
    let mut reader = fresh();
    let state = reader
        .snapshot(part(10, true, false, &[("a", 4), ("b", 9)]))
        .expect("a first part");
    assert_eq!((state.replace, state.first, state.last), (true, true, false));
    let keys: Vec<_> = state
        .entries
        .iter()
        .map(|entry| (entry.key.as_deref(), entry.position.seq))
        .collect();
    assert_eq!(keys, [(Some("a"), 4), (Some("b"), 9)]);
    assert!(state.entries.iter().all(|entry| entry.replayed));
    let state = reader
        .snapshot(part(10, true, true, &[("c", 10)]))
        .expect("the final part");
    assert_eq!((state.first, state.last, state.at), (false, true, position(10, 3)));
    assert_eq!(seqs(&reader.publication(11)), [11]);
    assert_eq!(reader.comes_back(), 11);
}

#[test]
fn a_reader_without_the_whole_state_comes_back_for_all_of_it() {
    assert_eq!(fresh().comes_back(), 0, "no part has come");

    let mut reader = fresh();
    reader
        .snapshot(part(10, true, false, &[("a", 4)]))
        .expect("a first part");
    assert_eq!(reader.comes_back(), 0, "some parts are missing");

    let mut reader = resumed(6);
    assert_eq!(reader.comes_back(), 6, "what changed since has not come");

    let mut reader = resumed(6);
    reader
        .snapshot(part(10, false, false, &[("a", 8)]))
        .expect("a first part");
    assert_eq!(reader.comes_back(), 6);

    let mut reader = resumed(6);
    reader
        .snapshot(part(10, true, false, &[("a", 8)]))
        .expect("a first part");
    assert_eq!(reader.comes_back(), 0, "its keys were forgotten");

    let mut reader = resumed(6);
    reader
        .snapshot(part(10, false, true, &[("a", 8)]))
        .expect("the only part");
    assert_eq!(reader.comes_back(), 10);

    let mut reader = resumed(10);
    assert_eq!(seqs(&reader.publication(11)), [11], "nothing changed: no state");
    assert_eq!(reader.comes_back(), 11);
}

#[test]
fn an_application_keeps_the_same_position() {
    let mut reader = fresh();
    let places = |effects: Vec<Effect>| match &effects[..] {
        [Effect::Deliver { item, .. }] => item.place.as_ref().map(|place| place.seq),
        other => panic!("{other:?}"),
    };
    let mut snapshot = |frame| {
        reader
            .turn(|channel, turn| channel.snapshot(frame, Credit::default(), turn))
            .1
    };
    assert_eq!(places(snapshot(part(10, true, false, &[("a", 4)]))), Some(0));
    assert_eq!(places(snapshot(part(10, true, true, &[("b", 4)]))), Some(10));
}

#[test]
fn a_resume_reaches_back_or_is_a_silent_gap() {
    let mut reader = Reader::new(SubscribeOptions::after(position(12, 3)));
    reader.channel.attach(1);
    assert!(
        reader
            .attach(v1::Attached {
                keyed: true,
                ..attached(10, 10)
            })
            .is_err()
    );
}

#[test]
fn parts_are_not_mixed_with_anything() {
    let begun = || {
        let mut reader = fresh();
        reader
            .snapshot(part(10, true, false, &[("a", 4)]))
            .expect("a first part");
        reader
    };
    assert!(begun().snapshot(part(11, true, true, &[])).is_err(), "of another time");
    assert!(begun().snapshot(part(10, false, true, &[])).is_err(), "of another kind");
    assert!(
        begun()
            .turn(|channel, turn| channel.publication(publication(11), turn))
            .0
            .is_err()
    );
    assert!(
        begun()
            .turn(|channel, turn| channel.page(page(10, 11), Credit::default(), turn))
            .0
            .is_err()
    );
    let skipped = v1::Skipped {
        channel_id: CHANNEL_ID,
        to: 12,
        count: 1,
        reason: 2,
    };
    assert!(begun().turn(|channel, turn| channel.skipped(&skipped, turn)).0.is_err());
    let lagged = v1::Lagged {
        channel_id: CHANNEL_ID,
        seq: 10,
    };
    assert!(begun().turn(|channel, turn| channel.lagged(&lagged, turn)).0.is_err());
}

#[test]
fn a_state_of_the_past_is_none() {
    let mut reader = fresh();
    assert!(reader.snapshot(part(9, true, true, &[])).is_err());
    let mut other_epoch = part(10, false, true, &[]);
    other_epoch.at = Some(v1::Position {
        epoch: "0-b".into(),
        seq: 10,
        term: 3,
    });
    assert!(
        reader.snapshot(other_epoch).is_err(),
        "what changed, in a history the reader does not know"
    );
}

#[test]
fn a_state_needs_no_room_because_its_credit_is_bounded() {
    let options = SubscribeOptions {
        queue_events: 1,
        ..SubscribeOptions::default()
    };
    let mut reader = Reader::new(options);
    reader.channel.attach(1);
    let outcome = Some(v1::attached::Outcome::Rewound(v1::Rewound { count: 0 }));
    reader
        .attach(v1::Attached {
            keyed: true,
            outcome,
            ..attached(10, 10)
        })
        .expect("a good answer");
    reader
        .snapshot(part(10, true, false, &[("a", 4)]))
        .expect("a first part");
    let state = reader
        .snapshot(part(10, true, true, &[("b", 5)]))
        .expect("the final part");
    assert!(state.last);
}
