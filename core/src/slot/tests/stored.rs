//! The stored lane: what is committed by the store alone.

use super::*;
use crate::channel::{Damage, Memory, Refusal, Stored};
use crate::id::{Lineage, Seq};
use crate::slot::{Batch, Lease, StoreFailure};

const LEASE: Lease = Lease {
    term: Term(5),
    lineage: Lineage {
        resets: 0,
        incarnation: 9,
    },
    channels: 0,
};

fn stored_slot(config: Config) -> Slot {
    let settings = Arc::new(channel::Config {
        durability: Durability::Stored,
        memory: Memory {
            messages: 2,
            bytes: 1 << 20,
        },
        ..channel::Config::default()
    });
    let mut random = StdRng::seed_from_u64(1);
    let mut slot = Slot::new(config, settings, CommitPoint::Standalone, TERM, 0, &mut random);
    slot.lease(LEASE);
    slot
}

fn load(channel: &str) -> Effect {
    Effect::Load {
        channel: name(channel),
        term: LEASE.term,
    }
}

fn loaded(channel: &str, found: Result<Option<Box<Stored>>, StoreFailure>) -> Input {
    loaded_under(LEASE.term, channel, found)
}

fn loaded_under(term: Term, channel: &str, found: Result<Option<Box<Stored>>, StoreFailure>) -> Input {
    Input::Loaded {
        channel: name(channel),
        term,
        found,
        wall: WallTime(0),
    }
}

/// Opens a channel that the store does not know.
fn open_new(slot: &mut Slot, channel: &str) -> Opening {
    assert_eq!(turn(slot, Input::Open { channel: name(channel) }), [load(channel)]);
    match turn(slot, loaded(channel, Ok(None))).pop() {
        Some(Effect::Opened { opening, .. }) => *opening,
        other => panic!("{other:?}"),
    }
}

fn batch(effects: &[Effect]) -> &Batch {
    match effects {
        [Effect::Store(batch)] => batch,
        other => panic!("not one batch: {other:?}"),
    }
}

fn answered(channel: &str, through: u64) -> Input {
    Input::Stored {
        channel: name(channel),
        through: Index(through),
    }
}

fn failed(channel: &str, through: u64, failure: StoreFailure) -> Input {
    Input::StoreFailed {
        channel: name(channel),
        through: Index(through),
        failure,
    }
}

fn committed(channel: &str, through: Ticket) -> Effect {
    Effect::Committed {
        channel: name(channel),
        through,
        copies: 1,
    }
}

fn closed(channel: &str, reason: Refusal) -> Effect {
    Effect::Closed {
        channel: name(channel),
        reason,
    }
}

#[test]
fn nothing_is_committed_before_the_store_has_synced_it() {
    let mut slot = stored_slot(Config::default());
    let opening = open_new(&mut slot, "t:a");
    assert_eq!(
        (opening.term, opening.lineage, opening.copies),
        (LEASE.term, LEASE.lineage, 1)
    );
    let changes = vec![create(), publish_under(Term(5), 1)];
    let effects = turn(&mut slot, propose("t:a", opening.round, changes));
    let sent = batch(&effects);
    assert_eq!((sent.through, sent.entries.len()), (Index(2), 2));
    assert!(sent.due.is_some());
    assert!(slot.channel(&name("t:a")).is_none());
    let effects = turn(&mut slot, answered("t:a", 2));
    assert_eq!(effects, [committed("t:a", ticket(opening.round, 1))]);
    assert_eq!(slot.channel(&name("t:a")).unwrap().view().head(), Seq(1));
    assert_eq!(slot.committed(), Index(0), "the log in memory has no part in it");
}

#[test]
fn a_channel_in_memory_is_opened_at_once_and_a_parked_one_is_loaded() {
    let mut slot = stored_slot(Config::default());
    let first = open_new(&mut slot, "t:a");
    turn(
        &mut slot,
        propose("t:a", first.round, vec![create(), publish_under(Term(5), 1)]),
    );
    let again = open(&mut slot, "t:a");
    assert_eq!((again.state, again.tail.len()), (None, 2), "it waits for the store");
    turn(&mut slot, answered("t:a", 2));
    let round = open(&mut slot, "t:a").round;
    let retired = Retired {
        round,
        used: Some(start()),
        state: None,
    };
    let park = Input::Park {
        channel: name("t:a"),
        retired,
    };
    let effects = turn(&mut slot, park);
    assert!(
        matches!(effects.as_slice(), [Effect::Mark { due: Some(_), .. }]),
        "{effects:?}"
    );
    assert!(slot.channel(&name("t:a")).is_none());
    assert_eq!(turn(&mut slot, Input::Open { channel: name("t:a") }), [load("t:a")]);
    assert_eq!(
        turn(&mut slot, Input::Open { channel: name("t:a") }),
        [],
        "it is on its way"
    );
}

#[test]
fn a_failed_batch_closes_its_channel_and_no_other() {
    let mut slot = stored_slot(Config::default());
    let a = open_new(&mut slot, "t:a").round;
    let b = open_new(&mut slot, "t:b").round;
    turn(&mut slot, propose("t:a", a, vec![create()]));
    turn(&mut slot, propose("t:b", b, vec![create()]));
    turn(&mut slot, propose("t:a", a, vec![publish_under(Term(5), 1)]));
    let effects = turn(&mut slot, failed("t:a", 1, StoreFailure::Unavailable));
    assert_eq!(effects, [closed("t:a", Refusal::Unavailable)]);
    assert_eq!(turn(&mut slot, answered("t:b", 2)), [committed("t:b", ticket(b, 0))]);
    // What was built on the failed one is still on its way: only then the store can be asked.
    assert_eq!(turn(&mut slot, Input::Open { channel: name("t:a") }), []);
    let late = turn(&mut slot, propose("t:a", a, vec![publish_under(Term(5), 2)]));
    assert_eq!(late, [Effect::Dropped { channel: name("t:a") }]);
    assert_eq!(turn(&mut slot, failed("t:a", 3, StoreFailure::Conflict)), [load("t:a")]);
}

#[test]
fn a_store_that_does_not_answer_is_no_empty_channel() {
    let mut slot = stored_slot(Config::default());
    turn(&mut slot, Input::Open { channel: name("t:a") });
    let barred = |reason| Effect::Barred {
        channel: name("t:a"),
        reason,
    };
    let effects = turn(&mut slot, loaded("t:a", Err(StoreFailure::Unavailable)));
    assert_eq!(effects, [barred(Refusal::Unavailable)]);
    assert_eq!(turn(&mut slot, Input::Open { channel: name("t:a") }), [load("t:a")]);
    let effects = turn(&mut slot, loaded("t:a", Err(StoreFailure::Corrupt)));
    assert_eq!(effects, [barred(Refusal::Quarantined)]);
    assert!(slot.is_quarantined(&name("t:a")));
    assert_eq!(turn(&mut slot, loaded("t:a", Ok(None))), [], "nobody asked");
}

#[test]
fn a_store_with_a_hole_sets_the_channel_aside() {
    let mut slot = stored_slot(Config::default());
    turn(&mut slot, Input::Open { channel: name("t:a") });
    let stored = Stored {
        epoch: Epoch::parse("0-1").unwrap(),
        keyed: false,
        head: Seq(3),
        floor: Seq(1),
        keys_floor: Seq(0),
        used: WallTime(0),
        terms: Vec::new(),
        spilled: Vec::new(),
        messages: Vec::new(),
        values: Vec::new(),
        results: Vec::new(),
        requests: Vec::new(),
    };
    let effects = turn(&mut slot, loaded("t:a", Ok(Some(Box::new(stored.clone())))));
    assert!(matches!(
        effects.as_slice(),
        [Effect::Barred {
            reason: Refusal::Quarantined,
            ..
        }]
    ));
    let now = Now {
        instant: start(),
        wall: WallTime(0),
    };
    assert_eq!(State::restore(&stored, now), Err(Damage::Messages));
}

#[test]
fn a_full_queue_refuses_and_keeps_what_is_on_its_way() {
    let mut slot = stored_slot(Config::default());
    let round = open_new(&mut slot, "t:a").round;
    turn(&mut slot, propose("t:a", round, vec![create()]));
    let decline = Input::Decline {
        channel: name("t:a"),
        round,
    };
    let effects = turn(&mut slot, decline);
    let [Effect::Refused { reason, opening, .. }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!((reason, opening.tail.len()), (&Refusal::Busy, 1));
    assert_eq!(
        turn(&mut slot, answered("t:a", 1)),
        [committed("t:a", ticket(round, 0))]
    );
}

#[test]
fn an_actor_that_begins_again_loads_anew() {
    let mut slot = stored_slot(Config::default());
    let round = open_new(&mut slot, "t:a").round;
    turn(&mut slot, propose("t:a", round, vec![create()]));
    assert_eq!(turn(&mut slot, Input::Restarted), []);
    assert_eq!(turn(&mut slot, Input::Open { channel: name("t:a") }), [load("t:a")]);
    assert_eq!(
        turn(&mut slot, answered("t:a", 1)),
        [],
        "the answer to a batch that was given up"
    );
    let late = turn(&mut slot, propose("t:a", round, vec![publish_under(Term(5), 1)]));
    assert_eq!(late, [Effect::Dropped { channel: name("t:a") }]);
}

#[test]
fn channels_in_the_store_are_bounded() {
    let mut slot = stored_slot(Config {
        channels_max: 1,
        ..Config::default()
    });
    let a = open_new(&mut slot, "t:a").round;
    let b = open_new(&mut slot, "t:b").round;
    turn(&mut slot, propose("t:a", a, vec![create()]));
    let full = turn(&mut slot, propose("t:b", b, vec![create()]));
    assert!(
        matches!(
            full.as_slice(),
            [Effect::Refused {
                reason: Refusal::SlotFull,
                ..
            }]
        ),
        "{full:?}"
    );
    turn(&mut slot, answered("t:a", 1));
    turn(&mut slot, propose("t:a", a, vec![Change::ForgetHead]));
    turn(&mut slot, answered("t:a", 2));
    let a = open_new(&mut slot, "t:a").round;
    assert_eq!(turn(&mut slot, propose("t:a", a, vec![create()])).len(), 1);
}

#[test]
fn only_the_owner_of_the_lease_writes() {
    let mut slot = stored_slot(Config::default());
    let round = open_new(&mut slot, "t:a").round;
    let effects = turn(
        &mut slot,
        propose("t:a", round, vec![create(), publish_under(Term(4), 1)]),
    );
    assert!(
        matches!(
            effects.as_slice(),
            [
                Effect::Store(_),
                Effect::Refused {
                    reason: Refusal::Unavailable,
                    ..
                }
            ]
        ),
        "{effects:?}"
    );
}

fn barred(channel: &str) -> Effect {
    Effect::Barred {
        channel: name(channel),
        reason: Refusal::Unavailable,
    }
}

#[test]
fn a_slot_that_another_node_has_claimed_in_the_store_gives_its_stored_channels_up() {
    let mut slot = stored_slot(Config::default());
    let a = open_new(&mut slot, "t:a").round;
    let b = open_new(&mut slot, "t:b").round;
    turn(&mut slot, Input::Open { channel: name("t:c") });
    turn(&mut slot, propose("t:a", a, vec![create()]));
    turn(&mut slot, propose("t:b", b, vec![create()]));
    let unavailable = Refusal::Unavailable;
    let effects = turn(&mut slot, failed("t:a", 1, StoreFailure::Fenced));
    let ended = [
        barred("t:c"),
        closed("t:a", unavailable.clone()),
        closed("t:b", unavailable),
        Effect::Unleased,
    ];
    assert_eq!(effects, ended);
    assert_eq!(turn(&mut slot, failed("t:b", 2, StoreFailure::Fenced)), []);
    assert_eq!(turn(&mut slot, Input::Open { channel: name("t:a") }), [barred("t:a")]);
    // Claimed again: what the store had yet to say is about the time before.
    let term = Term(9);
    slot.lease(Lease { term, ..LEASE });
    let load = Effect::Load {
        channel: name("t:c"),
        term,
    };
    assert_eq!(turn(&mut slot, Input::Open { channel: name("t:c") }), [load]);
    assert_eq!(
        turn(&mut slot, loaded("t:c", Ok(None))),
        [],
        "asked before the other node wrote"
    );
    let [Effect::Opened { opening, .. }] = &turn(&mut slot, loaded_under(term, "t:c", Ok(None)))[..] else {
        panic!("it is opened");
    };
    assert_eq!(opening.term, term);
}

#[test]
fn an_owner_that_steps_down_and_returns_takes_no_answer_of_before_for_one_of_now() {
    let mut slot = stored_slot(Config::default());
    let first = open_new(&mut slot, "t:a").round;
    turn(&mut slot, Input::Open { channel: name("t:b") });
    turn(&mut slot, propose("t:a", first, vec![create()]));
    let mut out = Vec::new();
    slot.step_down(&mut out);
    assert_eq!(out, [barred("t:b"), closed("t:a", Refusal::Unavailable)]);
    out.clear();
    slot.lead(Term(7));
    slot.serve(&mut out);
    slot.lease(LEASE);
    let opening = open_new(&mut slot, "t:a");
    assert!(opening.confirms, "a position that does not fit may be of a later owner");
    let round = opening.round;
    turn(&mut slot, propose("t:a", round, vec![create()]));
    assert_eq!(turn(&mut slot, answered("t:a", 1)), [], "of the batch before");
    assert!(slot.channel(&name("t:a")).is_none());
    assert_eq!(
        turn(&mut slot, answered("t:a", 2)),
        [committed("t:a", ticket(round, 0))]
    );
}
