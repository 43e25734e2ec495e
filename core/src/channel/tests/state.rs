//! A state changes by entries that fit, and by nothing else.

use super::super::state::{Misfit, Replicated};
use super::*;
use crate::slot::entry::Change;

fn message(seq: u64, term: u64, key: Option<&str>) -> Arc<Message> {
    Arc::new(Message {
        seq: Seq(seq),
        term: Term(term),
        time: NOON,
        key: key.map(|key| Key::parse(key).unwrap()),
        deleted: false,
        payload: Bytes::from_static(b"x"),
    })
}

fn publish(message: Arc<Message>, origin: Origin, floor: u64) -> Change {
    Change::Publish {
        message,
        origin,
        floor: Seq(floor),
    }
}

/// A channel whose head is message 2 of term 5, of which message 2 is kept.
fn state() -> State {
    let epoch = Epoch::parse("0-1").unwrap();
    let mut state = State::create(&epoch, false, start());
    for serial in [1, 2] {
        let change = publish(message(serial, 5, None), number(serial, 1), serial);
        state.apply(&change, start()).unwrap();
    }
    state
}

#[test]
fn an_entry_that_does_not_fit_changes_nothing() {
    let epoch = Epoch::parse("0-2").unwrap();
    let keyed = false;
    let skip = |serial| Change::Skip {
        author: anna(),
        serial: Serial(serial),
    };
    let truncate = |floor| Change::Truncate { floor: Seq(floor) };
    let anonymous = |seq, term, key, floor| publish(message(seq, term, key), Origin::Anonymous, floor);
    for (change, misfit) in [
        (anonymous(2, 5, None, 2), Misfit::Seq),
        (anonymous(4, 5, None, 2), Misfit::Seq),
        (anonymous(3, 4, None, 2), Misfit::Seq),
        (anonymous(3, 5, Some("k"), 2), Misfit::Key),
        (anonymous(3, 5, None, 1), Misfit::Floor),
        (anonymous(3, 5, None, 5), Misfit::Floor),
        (publish(message(3, 5, None), number(2, 1), 2), Misfit::Serial),
        (publish(message(3, 5, None), number(4, 1), 2), Misfit::Serial),
        (skip(2), Misfit::Serial),
        (skip(4), Misfit::Serial),
        (truncate(1), Misfit::Floor),
        (truncate(4), Misfit::Floor),
        (Change::ExpireKeys { through: Seq(3) }, Misfit::Floor),
        (Change::Create { epoch, keyed }, Misfit::Lifetime),
        (Change::ForgetHead, Misfit::Lifetime),
    ] {
        let mut state = state();
        assert_eq!(state.apply(&change, start()), Err(misfit), "{change:?}");
        assert_eq!(state, self::state(), "{change:?}");
    }
}

#[test]
fn an_entry_at_each_edge_fits() {
    for change in [
        publish(message(3, 6, None), number(3, 1), 2),
        publish(message(3, 5, None), Origin::Anonymous, 4),
        Change::Truncate { floor: Seq(2) },
        Change::Truncate { floor: Seq(3) },
        Change::ExpireKeys { through: Seq(2) },
    ] {
        assert_eq!(state().apply(&change, start()), Ok(()), "{change:?}");
    }
}

#[test]
fn when_a_copy_learnt_of_an_entry_is_not_part_of_it() {
    let change = publish(message(3, 5, None), request("k"), 2);
    let (mut early, mut late) = (state(), state());
    early.apply(&change, start()).unwrap();
    late.apply(&change, start() + seconds(100)).unwrap();
    assert_eq!(early, late);
    assert_ne!(early.used(), late.used());
    assert_ne!(early, state());
}
