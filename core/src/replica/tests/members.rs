//! Who must ack, and who counts.

use super::*;

#[test]
fn an_entry_is_committed_when_every_member_holds_it() {
    let mut one = One::owner_with(&["a", "b", "c"]);
    let effects = one.propose();
    for copy in ["b", "c"] {
        assert!(matches!(sent(&effects, copy)[..], [Message::Append { entries, .. }] if entries.len() == 1));
    }
    one.appended("b", 1);
    assert_eq!(one.committed(), 0, "c lacks it (R1)");
    let effects = one.appended("c", 1);
    assert_eq!(one.committed(), 1);
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Slot(slot::Effect::Committed { copies, .. }) => Some(*copies),
        _ => None,
    });
    assert_eq!(told, Some(3));
}

#[test]
fn what_a_restarted_node_or_a_stranger_says_counts_for_nobody() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    one.appended_from(&restarted("b", 2), 1);
    one.appended_from(&node("d"), 1);
    assert_eq!(one.committed(), 0, "R3");
    one.appended("b", 9);
    assert_eq!(one.committed(), 0, "nor what cannot be");
    one.appended("b", 1);
    assert_eq!(one.committed(), 1);
}

#[test]
fn a_slot_is_placed_once_it_is_said_who_should_hold_it_and_this_node_does_if_it_should() {
    let mut one = One::new();
    one.record(1, 1, "b", &["b", "c"]);
    assert!(!one.replica.is_placed(), "all three may have been started again");
    one.want(&["b", "c", "d"], "b");
    assert!(one.replica.is_placed(), "others hold it");
    one.want(&["a", "b", "c"], "b");
    assert!(!one.replica.is_placed(), "it has to catch up");
    one.record(2, 1, "b", &["a", "b", "c"]);
    assert!(one.replica.is_placed());
}

#[test]
fn a_silent_member_is_removed_in_the_table_first() {
    let mut one = One::owner_with(&["a", "b", "c"]);
    one.propose();
    one.appended("b", 1);
    assert!(asked(&one.pass(299)).is_empty());
    let effects = one.pass(1);
    let without = set(&["c"]);
    assert_eq!(asked(&effects), [&Change::Shrink { without }]);
    assert_eq!(
        one.committed(),
        0,
        "it is required until it is known to be removed (R6b)"
    );
    one.record(2, 1, "a", &["a", "b"]);
    assert_eq!(one.committed(), 1);
}

#[test]
fn a_copy_that_was_removed_for_its_silence_holds_up_nobody_until_it_speaks() {
    // Its links to the owner work in one direction: it is never down, and never answers.
    let mut one = One::owner_with(&["a", "b", "c"]);
    one.want(&["a", "b", "c"], "a");
    one.propose();
    one.appended("b", 1);
    one.pass(300);
    one.record(2, 1, "a", &["a", "b"]);
    assert_eq!(one.committed(), 1);
    one.propose();
    one.appended("b", 2);
    assert_eq!(one.committed(), 2);
    one.appended("c", 1);
    one.propose();
    one.appended("b", 3);
    assert_eq!(one.committed(), 2, "it is waited for again");
}

#[test]
fn an_owner_left_alone_acknowledges_nothing() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    let effects = one.record(2, 1, "a", &["a"]);
    let standing = effects.iter().find_map(|effect| match effect {
        Effect::Slot(slot::Effect::Standing { standing, .. }) => Some(standing.clone()),
        _ => None,
    });
    assert_eq!(standing, Some(Err(Refusal::InsufficientReplicas)));
    assert_eq!(one.committed(), 0);
}

#[test]
fn a_copy_is_required_first_and_added_afterwards() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    one.appended("b", 1);
    one.want(&["a", "b", "c"], "a");
    assert!(
        matches!(one.pass(100)[..], [Effect::Send { .. }, ..]),
        "it is asked where it stands"
    );
    let last = Index(0);
    let effects = one.receive(&node("c"), Message::Behind { term: Term(1), last });
    assert!(matches!(sent(&effects, "c")[..], [Message::Append { entries, .. }] if entries.len() == 1));
    one.propose();
    one.appended("b", 2);
    assert_eq!(one.committed(), 1, "c is waited for by now (R5)");
    let effects = one.appended("c", 2);
    let with = set(&["c"]);
    assert_eq!(asked(&effects), [&Change::Grow { with }]);
    assert_eq!(one.committed(), 2);
    // As long as the table has not answered, it may be a member.
    one.propose();
    one.appended("b", 3);
    one.turn(Input::Down(node("c")));
    assert_eq!(one.committed(), 2);
    one.record(2, 1, "a", &["a", "b", "c"]);
    assert_eq!(one.committed(), 2);
    one.record(3, 1, "a", &["a", "b"]);
    assert_eq!(one.committed(), 3);
}

#[test]
fn a_copy_whose_adding_was_refused_is_asked_about_again() {
    let mut one = One::owner_with(&["a", "b"]);
    one.want(&["a", "b", "c"], "a");
    let with = set(&["c"]);
    assert_eq!(asked(&one.appended("c", 0)), [&Change::Grow { with: with.clone() }]);
    let (number, outcome) = (1, Err(table::Refusal::NotRegistered));
    assert!(
        asked(&one.turn(Input::Answered { number, outcome })).is_empty(),
        "not at once"
    );
    assert_eq!(
        asked(&one.pass_to_wake(Duration::from_secs(1))),
        [&Change::Grow { with }]
    );
}

#[test]
fn a_copy_that_is_not_confirmed_does_not_count() {
    let mut one = One::owner_with(&["a"]);
    one.want(&["a", "b"], "a");
    one.appended("b", 0);
    one.propose();
    one.appended("b", 1);
    assert_eq!(one.committed(), 0, "R6");
    one.record(2, 1, "a", &["a", "b"]);
    assert_eq!(one.committed(), 1);
}
