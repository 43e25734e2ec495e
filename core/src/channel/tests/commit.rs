//! Nothing leaves the channel before its commit.

use super::*;

#[test]
fn nothing_is_said_before_the_commit() {
    let mut owner = Owner::new(Config::default());
    owner.stalled = true;
    for serial in 1..=3 {
        assert!(owner.anna(serial).is_empty());
    }
    assert!(owner.channel().view().is_none());
    assert!(!owner.channel().is_idle());
    let effects = owner.resume();
    assert_eq!(fanned_out(&effects), [1, 2, 3]);
    assert!(owner.channel().is_idle());
}

#[test]
fn a_batch_is_shown_in_order_each_message_before_its_ack() {
    let mut owner = Owner::new(Config::default());
    owner.stalled = true;
    owner.anna(1);
    owner.anna(2);
    let effects = owner.resume();
    let told: Vec<_> = effects
        .iter()
        .map(|effect| match effect {
            Effect::FanOut(message) => ("fan out", message.seq.0),
            Effect::Ack { ack, .. } => ("ack", ack.position.as_ref().unwrap().seq.0),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [("fan out", 1), ("ack", 1), ("fan out", 2), ("ack", 2)]);
}

#[test]
fn a_commit_covers_what_it_names() {
    let mut owner = Owner::new(Config::default());
    owner.say("exists");
    owner.stalled = true;
    owner.say("a");
    owner.say("b");
    let first = owner.proposed[0][0].ticket;
    let effects = owner.send(Input::Committed {
        through: first,
        copies: 2,
    });
    assert_eq!(fanned_out(&effects), [2]);
    assert_eq!(ack(&effects).copies, 2);
    assert_eq!(owner.view().head(), Seq(2));
}

#[test]
fn a_repetition_waits_for_the_same_commit() {
    let mut owner = Owner::new(Config::default());
    owner.stalled = true;
    owner.anna(1);
    assert!(owner.anna(1).is_empty());
    assert!(owner.skip(1).is_empty(), "a skip of it too");
    owner.publish(request("k"), "x");
    assert!(owner.publish(request("k"), "x").is_empty());
    owner.skip(2);
    assert!(owner.skip(2).is_empty());
    assert!(owner.anna(2).is_empty(), "also to be told that it was skipped");
    let effects = owner.resume();
    assert_eq!(fanned_out(&effects), [1, 2]);
    let answers: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Ack { to, ack } => Some((*to, ack.position.as_ref().map(|at| at.seq.0), ack.duplicate)),
            Effect::Refuse { to, refusal } => {
                assert_eq!(*refusal, Refusal::SerialSkipped);
                Some((*to, Some(0), true))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        answers,
        [
            (1, Some(1), false),
            (2, Some(1), true),
            (3, Some(1), true),
            (4, Some(2), false),
            (5, Some(2), true),
            (6, None, false),
            (7, None, true),
            (8, Some(0), true),
        ]
    );
}

#[test]
fn what_waits_is_bounded() {
    let mut owner = Owner::new(Config::default());
    owner.stalled = true;
    let mut taken = 0;
    let busy = loop {
        let effects = owner.say("x");
        if !effects.is_empty() {
            break effects;
        }
        taken += 1;
    };
    assert_eq!(*refusal(&busy), Refusal::Busy);
    assert_eq!(taken, 8_191, "and the entry that creates the channel");
    let effects = owner.resume();
    assert_eq!(fanned_out(&effects).len(), taken);
    assert_eq!(fanned_out(&owner.say("x")), [8_192]);
}

#[test]
fn a_channel_goes_on_from_the_log_after_a_crash() {
    let mut owner = Owner::new(Config::default());
    owner.anna(1);
    let before = owner.view().clone();
    owner.crash();
    assert_eq!(*owner.view(), before);
    assert_eq!(acked(&owner.anna(1)), 1, "it knows its publishers");
    assert!(ack(&owner.anna(1)).duplicate);
    assert_eq!(acked(&owner.anna(2)), 2);
}

#[test]
fn proposals_of_an_actor_that_is_gone_are_not_taken() {
    let mut owner = Owner::new(Config::default());
    owner.anna(1);
    owner.stalled = true;
    owner.anna(2);
    owner.crash();
    assert!(owner.resume().is_empty());
    assert_eq!(owner.view().head(), Seq(1));
    assert_eq!(acked(&owner.anna(2)), 2);
    assert!(!ack(&owner.anna(3)).duplicate);
}

#[test]
fn an_uncommitted_tail_is_known_and_not_shown() {
    let mut first = Owner::new(Config::default());
    first.anna(1);
    first.stalled = true;
    first.anna(2);
    let tail = first.proposed[0].clone();
    let state = first.slot.channel(&name("t:a")).cloned();
    let ticket = tail[0].ticket;
    let opening = Opening {
        term: Term(4),
        lineage: Lineage::of(first.view().epoch()).unwrap(),
        round: 9,
        seed: 1,
        copies: 2,
        standing: Ok(()),
        confirms: false,
        state,
        tail,
    };
    let mut heir = Channel::new(name("t:a"), Config::default(), opening, start());
    let mut out = Vec::new();
    let retry = Request::Publish(Publish {
        to: 1,
        origin: number(2, 2),
        key: None,
        deleted: false,
        payload: Bytes::new(),
        since: NOON,
    });
    heir.handle(retry.into(), first.now, &mut out);
    assert!(out.is_empty(), "the retry waits for the inherited entry: {out:?}");
    assert_eq!(heir.view().unwrap().head(), Seq(1));
    let committed = Input::Committed {
        through: ticket,
        copies: 3,
    };
    heir.handle(committed, first.now, &mut out);
    assert_eq!(fanned_out(&out), [2]);
    assert_eq!((acked(&out), ack(&out).duplicate, ack(&out).copies), (2, true, 3));
    assert_eq!(
        ack(&out).position.as_ref().unwrap().term,
        Term(3),
        "its term is not rewritten"
    );
}
