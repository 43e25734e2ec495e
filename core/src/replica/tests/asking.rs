//! What is asked of the table, and of whom it is asked whether this still is the owner.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

#[test]
fn what_the_table_does_not_answer_is_asked_again_under_the_same_number() {
    let mut one = One::new();
    let numbers = |effects: &[Effect]| {
        let numbers = effects.iter().filter_map(|effect| match effect {
            Effect::Ask { number, .. } => Some(*number),
            _ => None,
        });
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(numbers(&one.want(&["a", "b"], "a")), [1], "nobody owns it");
    const NONE: [u64; 0] = [];
    assert_eq!(numbers(&one.pass(999)), NONE);
    assert_eq!(numbers(&one.pass(1)), [1]);
    let outcome = Err(table::Refusal::NotRegistered);
    assert_eq!(
        numbers(&one.turn(Input::Answered { number: 1, outcome })),
        NONE,
        "not at once"
    );
    assert_eq!(numbers(&one.pass(1_000)), [2]);
    let outcome = Ok(Answer::Changed { version: 1 });
    assert_eq!(
        numbers(&one.turn(Input::Answered { number: 1, outcome })),
        NONE,
        "a late answer"
    );
}

#[test]
fn a_claim_that_is_not_answered_is_made_again_though_nothing_else_happens() {
    let mut one = One::new();
    one.record(4, 3, "c", &["a", "b", "c"]);
    assert_eq!(asked(&one.turn(Input::Down(node("c")))), [&Change::Claim]);
    let again = one.pass_to_wake(Duration::from_millis(2_500));
    assert_eq!(asked(&again), [&Change::Claim, &Change::Claim], "once a second");
}

#[test]
fn a_doubt_is_settled_by_every_copy_or_by_the_table() {
    let mut one = One::owner_with(&["a", "b", "c"]);
    let doubt = |through| {
        Input::Slot(slot::Input::Doubt {
            channel: name("t:a"),
            through: doubted(through),
        })
    };
    let confirmed = |effects: &[Effect]| {
        let confirmed = effects.iter().filter_map(|effect| match effect {
            Effect::Slot(slot::Effect::Confirmed { through, .. }) => Some(through.number),
            _ => None,
        });
        confirmed.collect::<Vec<_>>()
    };
    let term = Term(1);
    let effects = one.turn(doubt(1));
    assert!(matches!(sent(&effects, "b")[..], [Message::Probe { number: 1, .. }]));
    assert!(one.turn(doubt(2)).is_empty(), "it waits: the answers may be of before");
    let effects = one.receive(&node("b"), Message::Probed { term, number: 1 });
    assert!(confirmed(&effects).is_empty());
    let effects = one.receive(&node("c"), Message::Probed { term, number: 1 });
    assert_eq!(confirmed(&effects), [1]);
    assert!(matches!(sent(&effects, "c")[..], [Message::Probe { number: 2, .. }]));
    one.receive(&node("b"), Message::Probed { term, number: 1 });
    one.receive(&node("c"), Message::Probed { term, number: 2 });
    assert_eq!(
        asked(&one.record(2, 1, "a", &["a"])),
        [&Change::Confirm],
        "nobody else can say"
    );
    let outcome = Ok(Answer::Changed { version: 2 });
    assert_eq!(confirmed(&one.turn(Input::Answered { number: 1, outcome })), [2]);
}

#[test]
fn wakes_that_a_sooner_one_has_overtaken_become_no_more() {
    let mut one = One::owner_with(&["a", "b", "c"]);
    // It is cut off: neither the table answers, nor do the copies that it asks whether it still is the owner.
    let mut out = Vec::new();
    one.replica.ask(Change::Confirm, one.now, &mut out);
    one.now += Duration::from_millis(50); // so that it asks the one between two times that it asks the others
    let mut input = Input::Slot(slot::Input::Doubt {
        channel: name("t:a"),
        through: doubted(1),
    });
    // The shell's alarms cannot be taken back: every one of them rings.
    let mut alarms: BinaryHeap<_> = one.wake.map(Reverse).into_iter().collect();
    let mut rung = 0;
    let end = one.now + Duration::from_secs(10);
    loop {
        one.replica.handle(input, one.now, &mut out);
        alarms.extend(out.drain(..).filter_map(|effect| match effect {
            Effect::Wake { at } => Some(Reverse(at)),
            _ => None,
        }));
        let Some(Reverse(at)) = alarms.pop().filter(|at| at.0 < end) else {
            break;
        };
        (one.now, input, rung) = (at, Input::Wake, rung + 1);
    }
    // It asks the copies ten times a second, and the table once.
    assert!((100..=140).contains(&rung), "{rung} alarms in ten seconds");
}
