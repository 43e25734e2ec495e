//! What the slot does not take is undone.

use super::*;
use crate::slot::entry::Change;

/// The channel's proposals are refused from the batch at `from` on, with the reason given.
fn refuse_from(owner: &mut Owner, from: usize, reason: Refusal) -> Effects {
    let kept: Vec<Proposal> = owner.proposed.drain(..).take(from).flatten().collect();
    let opening = Box::new(Opening {
        term: Term(3),
        lineage: Lineage {
            resets: 0,
            incarnation: 1,
        },
        round: 1_000,
        seed: 2,
        copies: 1,
        standing: Ok(()),
        confirms: false,
        state: owner.slot.channel(&name("t:a")).cloned(),
        tail: kept,
    });
    owner.send(Input::Refused { reason, opening })
}

fn refused(effects: &Effects) -> Vec<u32> {
    let told = effects.iter().map(|effect| match effect {
        Effect::Refuse { to, refusal } => {
            assert_eq!(*refusal, Refusal::InsufficientReplicas);
            *to
        }
        other => panic!("{other:?}"),
    });
    told.collect()
}

#[test]
fn whoever_waited_is_refused_and_may_try_again() {
    let mut owner = Owner::new(Config::default());
    owner.anna(1);
    owner.stalled = true;
    owner.anna(2);
    owner.anna(2);
    owner.anna(3);
    let effects = refuse_from(&mut owner, 0, Refusal::InsufficientReplicas);
    assert_eq!(refused(&effects), [2, 3, 4], "repetitions too");
    assert!(Refusal::InsufficientReplicas.retry_after().is_some());
    assert!(owner.channel().is_idle());
    owner.anna(2);
    let retried = &owner.proposed[0][0].change;
    assert!(
        matches!(retried, Change::Publish { message, .. } if message.seq == Seq(2)),
        "its seq and its row in the table were undone: {retried:?}"
    );
}

#[test]
fn what_was_taken_before_is_still_waited_for() {
    let mut owner = Owner::new(Config::default());
    owner.anna(1);
    owner.stalled = true;
    owner.anna(2);
    owner.anna(3);
    let ticket = owner.proposed[0][0].ticket;
    let effects = refuse_from(&mut owner, 1, Refusal::InsufficientReplicas);
    assert_eq!(refused(&effects), [3]);
    let committed = owner.send(Input::Committed {
        through: ticket,
        copies: 1,
    });
    assert_eq!(acked(&committed), 2);
    assert!(!ack(&committed).duplicate, "the one who asked first gets the answer");
    assert_eq!(fanned_out(&committed), [2]);
}

#[test]
fn readers_of_a_channel_that_could_not_begin_are_refused() {
    let mut owner = Owner::new(Config::default());
    owner.stalled = true;
    owner.send(Request::Attach {
        to: 77,
        from: From::Head,
    });
    let effects = refuse_from(&mut owner, 0, Refusal::InsufficientReplicas);
    assert_eq!(refused(&effects), [77]);
}

#[test]
fn readers_wait_on_while_the_beginning_is_in_the_log() {
    let mut owner = Owner::new(Config::default());
    owner.stalled = true;
    owner.send(Request::Attach {
        to: 77,
        from: From::Head,
    });
    owner.anna(1);
    let ticket = owner.proposed[0][0].ticket;
    let effects = refuse_from(&mut owner, 1, Refusal::InsufficientReplicas);
    assert_eq!(refused(&effects), [1]);
    let committed = owner.send(Input::Committed {
        through: ticket,
        copies: 1,
    });
    assert!(
        matches!(committed.as_slice(), [Effect::Attached { to: 77, .. }]),
        "{committed:?}"
    );
}

#[test]
fn a_refusal_meant_for_an_earlier_round_changes_nothing() {
    let mut owner = Owner::new(Config::default());
    owner.stalled = true;
    owner.anna(1);
    let opening = Box::new(Opening {
        term: Term(3),
        lineage: Lineage {
            resets: 0,
            incarnation: 1,
        },
        round: 0,
        seed: 2,
        copies: 1,
        standing: Ok(()),
        confirms: false,
        state: None,
        tail: Vec::new(),
    });
    let reason = Refusal::Unavailable;
    assert!(owner.send(Input::Refused { reason, opening }).is_empty());
    assert_eq!(acked(&owner.resume()), 1);
}

#[test]
fn a_full_slot_refuses_new_channels() {
    let slot_config = slot::Config {
        channels_max: 0,
        ..slot::Config::default()
    };
    let mut owner = Owner::in_slot(Config::default(), slot_config);
    assert_eq!(*refusal(&owner.anna(1)), Refusal::SlotFull);
    assert_eq!(*refusal(&owner.anna(1)), Refusal::SlotFull, "the table was undone");
    let attach = Request::Attach {
        to: 1,
        from: From::Head,
    };
    assert_eq!(*refusal(&owner.send(attach)), Refusal::SlotFull);
    assert!(owner.channel().is_idle());
}
