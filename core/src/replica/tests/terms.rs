//! Who is heard, and who steps down.

use super::*;

#[test]
fn an_owner_of_the_past_is_not_heard_and_told_so() {
    let mut one = One::new();
    one.record(4, 3, "b", &["a", "b"]);
    let fenced = [Effect::Send {
        to: node("c"),
        message: Message::Fenced { term: Term(3) },
    }];
    assert_eq!(
        one.receive(&node("c"), append(2, (0, 0), vec![entry(1, 2)], 0)),
        fenced,
        "R2"
    );
    assert_eq!(
        one.receive(&node("c"), append(3, (0, 0), vec![entry(1, 3)], 0)),
        fenced,
        "b owns term 3"
    );
    assert!(one.replica.slot().is_empty());
    let effects = one.receive(&node("b"), append(3, (0, 0), vec![entry(1, 3)], 1));
    assert!(matches!(
        sent(&effects, "b")[..],
        [Message::Appended { through: Index(1), .. }]
    ));
    assert_eq!(one.committed(), 1);
}

#[test]
fn an_owner_that_hears_of_a_later_term_steps_down() {
    for message in [Message::Fenced { term: Term(2) }, append(2, (0, 0), Vec::new(), 0)] {
        let mut one = One::owner_with(&["a", "b"]);
        one.propose();
        let effects = one.receive(&node("b"), message);
        assert_eq!(one.replica.owned_under(), None);
        let is_closed = |effect: &Effect| matches!(effect, Effect::Slot(slot::Effect::Closed { .. }));
        assert!(effects.iter().any(is_closed), "{effects:?}");
    }
}

#[test]
fn a_record_that_comes_after_a_later_owner_makes_nobody_the_owner() {
    // It was made the owner under term 2, and hears of that only after c has taken the slot over.
    let mut one = One::new();
    one.record(1, 1, "b", &["a", "b", "c"]);
    one.receive(&node("c"), append(3, (0, 0), vec![entry(1, 3)], 0));
    one.record(2, 2, "a", &["a", "b", "c"]);
    assert_eq!(one.replica.owned_under(), None);
    let effects = one.receive(&node("c"), append(3, (1, 3), vec![entry(2, 3)], 0));
    assert!(matches!(
        sent(&effects, "c")[..],
        [Message::Appended { through: Index(2), .. }]
    ));
    // It owned the slot, was told of a later owner, and hears late of its own last change.
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    one.receive(&node("b"), Message::Fenced { term: Term(2) });
    one.record(2, 1, "a", &["a", "b", "c"]);
    assert_eq!(
        one.replica.owned_under(),
        None,
        "an index would stand for two entries of term 1"
    );
}
