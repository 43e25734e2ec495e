//! Each planted fault does what it says, so that a check that passes with it planted is worthless.
#![cfg(feature = "sim")]

use super::*;
use crate::fault::Faults;

fn with(faults: Faults) -> Owner {
    let window = Window {
        messages: 2,
        ..Config::default().window
    };
    let config = Config {
        window,
        faults,
        ..Config::default()
    };
    let slot_config = slot::Config {
        faults,
        ..slot::Config::default()
    };
    Owner::in_slot(config, slot_config)
}

#[test]
fn an_early_ack_comes_before_the_commit() {
    let mut owner = with(Faults {
        ack_before_append: true,
        ..Faults::default()
    });
    owner.stalled = true;
    assert_eq!(acked(&owner.anna(1)), 1);
    let effects = owner.resume();
    assert_eq!((fanned_out(&effects), effects.len()), (vec![1], 1), "and once only");
}

#[test]
fn a_dropped_table_publishes_twice() {
    let mut owner = with(Faults {
        dedup_dropped: true,
        ..Faults::default()
    });
    assert_eq!(acked(&owner.anna(1)), 1);
    assert_eq!(acked(&owner.anna(1)), 2);
}

#[test]
fn an_off_by_one_skips_a_message() {
    let mut owner = with(Faults {
        resume_off_by_one: true,
        ..Faults::default()
    });
    owner.say("a");
    owner.say("b");
    let attachment = owner.attach(From::Position(owner.at(0)));
    assert_eq!(
        (attachment.outcome, attachment.position),
        (Outcome::Resumed, owner.at(1))
    );
    let head = owner.attach(From::Position(owner.at(2)));
    assert_eq!(head.position, owner.at(2));
}

#[test]
fn a_hidden_eviction_resumes() {
    let mut owner = with(Faults {
        evict_without_discontinuity: true,
        ..Faults::default()
    });
    for _ in 0..5 {
        owner.say("x");
    }
    let attachment = owner.attach(From::Position(owner.at(1)));
    assert_eq!(
        (attachment.outcome, attachment.position),
        (Outcome::Resumed, owner.at(3))
    );
}

#[test]
fn a_retirement_forgets() {
    let mut owner = with(Faults {
        forget_head_at_retirement: true,
        ..Faults::default()
    });
    owner.say("x");
    let epoch = owner.view().epoch().clone();
    owner.retire();
    assert_eq!(acked(&owner.say("y")), 1);
    assert_ne!(*owner.view().epoch(), epoch);
}
