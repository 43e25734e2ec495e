//! A slot goes to another node in order.

use super::*;

#[test]
fn a_slot_is_handed_over_when_the_other_holds_it_all() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    assert!(asked(&one.want(&["a", "b"], "b")).is_empty(), "b lacks an entry");
    let refused = one.propose();
    let is_refused = |effect: &Effect| matches!(effect, Effect::Slot(slot::Effect::Refused { .. }));
    assert!(refused.iter().any(is_refused), "nothing new is taken: {refused:?}");
    let effects = one.appended("b", 1);
    assert_eq!(asked(&effects), [&Change::HandOver { to: node("b") }]);
    let effects = one.record(2, 2, "b", &["a", "b"]);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Slot(slot::Effect::Closed { .. })))
    );
}

#[test]
fn a_hand_over_that_takes_too_long_is_given_up() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    one.want(&["a", "b"], "b");
    one.pass(200);
    one.round = 0;
    let effects = one.propose();
    assert!(
        !sent(&effects, "b").is_empty(),
        "publishes are taken again: {effects:?}"
    );
}

#[test]
fn a_hand_over_ends_and_is_tried_again_though_nothing_happens_meanwhile() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    one.want(&["a", "b"], "b");
    let effects = one.appended("b", 1);
    assert_eq!(asked(&effects), [&Change::HandOver { to: node("b") }]);
    one.pass_to_wake(Duration::from_millis(200));
    assert!(!sent(&one.propose(), "b").is_empty(), "publishes are taken again");
    one.appended("b", 2);
    let number = 1;
    let outcome = Err(table::Refusal::NotRegistered);
    one.turn(Input::Answered { number, outcome });
    let effects = one.pass_to_wake(Duration::from_millis(5_000));
    assert_eq!(asked(&effects), [&Change::HandOver { to: node("b") }]);
}
