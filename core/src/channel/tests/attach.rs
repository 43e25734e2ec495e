//! Whether a reader can go on from where it was.

use super::*;
use crate::slot::entry::Change;

fn small() -> Config {
    Config {
        window: Window {
            messages: 3,
            bytes: 1_000,
            age: seconds(60),
        },
        ..Config::default()
    }
}

/// A channel with messages 1 to 5, of which 3 to 5 are kept.
fn busy() -> Owner {
    let mut owner = Owner::new(small());
    for _ in 0..5 {
        owner.say("x");
    }
    owner
}

fn resume(owner: &mut Owner, seq: u64, term: u64) -> Attachment {
    let position = Position {
        epoch: owner.view().epoch().clone(),
        seq: Seq(seq),
        term: Term(term),
    };
    owner.attach(From::Position(position))
}

fn lost(reason: Reason) -> Outcome {
    Outcome::Discontinuity(reason)
}

#[test]
fn a_new_channel_is_created_by_its_reader() {
    let mut owner = Owner::new(small());
    let attachment = owner.attach(From::Head);
    assert_eq!(attachment.outcome, Outcome::Rewound(0));
    assert_eq!(attachment.position, owner.at(0));
    assert_eq!(attachment.head, owner.at(0));
    assert_eq!(attachment.values, None);
    assert!(owner.slot.channel(&name("t:a")).is_some());
}

#[test]
fn the_start_of_an_empty_channel_resumes() {
    let mut owner = Owner::new(small());
    owner.attach(From::Head);
    assert_eq!(resume(&mut owner, 0, 0).outcome, Outcome::Resumed);
    assert_eq!(
        resume(&mut owner, 0, 9).outcome,
        Outcome::Resumed,
        "nobody wrote message 0"
    );
    assert_eq!(resume(&mut owner, 1, 0).outcome, lost(Reason::PositionAhead));
}

#[test]
fn a_position_in_the_window_resumes() {
    let mut owner = busy();
    for seq in 2..=5 {
        let attachment = resume(&mut owner, seq, 3);
        assert_eq!(attachment.outcome, Outcome::Resumed);
        assert_eq!(attachment.position, owner.at(seq));
        assert_eq!(attachment.head, owner.at(5));
    }
    assert_eq!(
        resume(&mut owner, 4, 0).outcome,
        Outcome::Resumed,
        "an unknown term is not compared"
    );
}

#[test]
fn a_position_before_the_window_is_told_so() {
    let mut owner = busy();
    for seq in [0, 1] {
        let attachment = resume(&mut owner, seq, 0);
        assert_eq!(attachment.outcome, lost(Reason::WindowExceeded));
        assert_eq!(attachment.position, owner.at(5), "delivery goes on at the head");
    }
}

#[test]
fn a_position_ahead_disturbs_nobody() {
    let mut owner = busy();
    let epoch = owner.view().epoch().clone();
    for seq in [6, u64::MAX] {
        let attachment = resume(&mut owner, seq, 0);
        assert_eq!(attachment.outcome, lost(Reason::PositionAhead));
        assert_eq!(attachment.position, owner.at(5));
    }
    assert_eq!(*owner.view().epoch(), epoch);
    assert_eq!(acked(&owner.say("on")), 6);
}

#[test]
fn a_position_of_another_term_is_forked() {
    let mut owner = busy();
    assert_eq!(resume(&mut owner, 5, 4).outcome, lost(Reason::Forked));
    assert_eq!(resume(&mut owner, 5, 2).outcome, lost(Reason::Forked));
    assert_eq!(
        resume(&mut owner, 1, 2).outcome,
        lost(Reason::Forked),
        "also before the window"
    );
}

#[test]
fn the_terms_outlive_the_messages() {
    let mut owner = Owner::new(small());
    owner.say("x");
    owner.pass(seconds(600));
    owner.wake();
    assert!(owner.view().history().is_empty());
    assert_eq!(resume(&mut owner, 1, 3).outcome, Outcome::Resumed);
    assert_eq!(resume(&mut owner, 1, 2).outcome, lost(Reason::Forked));
}

#[test]
fn rewinding_counts_what_is_kept() {
    let mut owner = busy();
    for (asked, given) in [(0, 0), (1, 1), (3, 3), (4, 3), (u32::MAX, 3)] {
        let attachment = owner.attach(From::Rewind(asked));
        assert_eq!(attachment.outcome, Outcome::Rewound(given));
        assert_eq!(attachment.position, owner.at(5 - given));
        assert_eq!(attachment.head, owner.at(5));
    }
    let mut empty = Owner::new(small());
    assert_eq!(empty.attach(From::Rewind(5)).outcome, Outcome::Rewound(0));
}

#[test]
fn another_epoch_is_told_what_happened_to_it() {
    let mut owner = busy();
    let own = Lineage::of(owner.view().epoch()).unwrap();
    let of = |resets, incarnation| Lineage { resets, incarnation }.epoch(1);
    for (epoch, reason) in [
        (of(own.resets, own.incarnation), Reason::Expired),
        (of(own.resets, own.incarnation ^ 1), Reason::NodeRestarted),
        (of(own.resets + 1, own.incarnation ^ 1), Reason::AllCopiesLost),
        (Epoch::parse("nonsense").unwrap(), Reason::UnknownEpoch),
    ] {
        let position = Position {
            epoch,
            seq: Seq(4),
            term: Term(3),
        };
        let attachment = owner.attach(From::Position(position));
        assert_eq!(attachment.outcome, lost(reason));
        assert_eq!(attachment.position, owner.at(5));
    }
}

#[test]
fn a_forgotten_channel_tells_its_readers_that_it_expired() {
    let mut owner = busy();
    let before = owner.at(5);
    owner.pass(seconds(24 * 3600));
    owner.wake();
    assert!(owner.slot.channel(&name("t:a")).is_none());
    let attachment = owner.attach(From::Position(before));
    assert_eq!(attachment.outcome, lost(Reason::Expired));
    assert_eq!(attachment.position, owner.at(0));
}

#[test]
fn a_channel_without_history_resumes_at_its_head_only() {
    let mut owner = Owner::new(Config {
        window: Window {
            messages: 0,
            ..small().window
        },
        ..small()
    });
    owner.say("x");
    owner.say("x");
    assert_eq!(resume(&mut owner, 2, 3).outcome, Outcome::Resumed);
    assert_eq!(resume(&mut owner, 1, 3).outcome, lost(Reason::NoHistory));
    assert_eq!(resume(&mut owner, 3, 3).outcome, lost(Reason::NoHistory));
    assert_eq!(resume(&mut owner, 2, 4).outcome, lost(Reason::Forked));
    assert_eq!(owner.attach(From::Rewind(5)).outcome, Outcome::Rewound(0));
}

#[test]
fn a_reader_waits_for_the_channel_to_be_committed() {
    let mut owner = Owner::new(small());
    owner.stalled = true;
    let attach = |to| Request::Attach { to, from: From::Head };
    assert!(owner.send(attach(1)).is_empty());
    assert!(owner.send(attach(2)).is_empty());
    assert_eq!(owner.proposed.len(), 1, "it is created once");
    let effects = owner.resume();
    let answered: Vec<_> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Attached { to, .. } => *to,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(answered, [1, 2]);
}

#[test]
fn an_answer_uses_only_what_is_committed() {
    let mut owner = busy();
    owner.stalled = true;
    assert!(owner.say("not committed").is_empty());
    let attachment = owner.attach(From::Head);
    assert_eq!(attachment.head.seq, Seq(5));
    assert_eq!(resume(&mut owner, 6, 3).outcome, lost(Reason::PositionAhead));
    assert_eq!(
        resume(&mut owner, 2, 3).outcome,
        Outcome::Resumed,
        "its floor has not risen yet"
    );
    assert_eq!(fanned_out(&owner.resume()), [6]);
    assert_eq!(resume(&mut owner, 2, 3).outcome, lost(Reason::WindowExceeded));
}

#[test]
fn a_channel_that_is_being_forgotten_is_made_anew() {
    let mut owner = busy();
    let before = owner.at(5);
    owner.pass(seconds(24 * 3600));
    owner.stalled = true;
    let due = owner.send(Input::Due { attended: false });
    assert!(due.is_empty());
    let forgetting = &owner.proposed[0][0].change;
    assert_eq!(*forgetting, Change::ForgetHead);
    let from = From::Position(before.clone());
    assert!(owner.send(Request::Attach { to: 1, from }).is_empty());
    let effects = owner.resume();
    let [Effect::Attached { attachment, .. }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!(attachment.outcome, lost(Reason::Expired));
    assert_ne!(attachment.position.epoch, before.epoch);
}
