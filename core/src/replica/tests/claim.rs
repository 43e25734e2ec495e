//! Who takes a slot over, and what it serves then.

use super::*;

#[test]
fn a_member_claims_in_its_turn_when_the_owner_is_down() {
    let mut one = One::new();
    one.record(4, 3, "c", &["a", "b", "c"]);
    one.receive(&node("c"), append(3, (0, 0), vec![entry(1, 3)], 0));
    assert_eq!(
        asked(&one.turn(Input::Down(node("c")))),
        [&Change::Claim],
        "it is the first of two"
    );
    let effects = one.record(5, 4, "a", &["a", "b"]);
    assert_eq!(one.replica.owned_under(), Some(Term(4)));
    assert!(matches!(sent(&effects, "b")[..], [Message::Append { previous, .. }] if previous.index == Index(1)));
    let open = slot::Input::Open { channel: name("t:a") };
    let opened = |effects: &[Effect]| {
        let is_opened = |effect: &Effect| matches!(effect, Effect::Slot(slot::Effect::Opened { .. }));
        effects.iter().any(is_opened)
    };
    assert!(
        !opened(&one.turn(Input::Slot(open))),
        "what it inherited is not safe (R8)"
    );
    assert!(opened(&one.appended("b", 1)));
}

#[test]
fn who_holds_nothing_that_counts_does_not_claim() {
    let mut one = One::new();
    one.record(4, 3, "c", &["b", "c"]);
    one.want(&["a", "b", "c"], "c");
    assert!(asked(&one.turn(Input::Down(node("c")))).is_empty(), "R4");
    assert!(asked(&one.pass(60_000)).is_empty());
    let lost = Wanted {
        copies: vec![node("a")],
        owner: Some(node("a")),
        lost: true,
    };
    assert_eq!(asked(&one.turn(Input::Wanted(lost))), [&Change::Reset], "R13");
}

#[test]
fn an_heir_serves_what_it_knew_to_be_committed() {
    let mut one = One::new();
    one.record(4, 3, "b", &["a", "b"]);
    one.receive(&node("b"), append(3, (0, 0), vec![entry(1, 3), entry(2, 3)], 1));
    let record = Record {
        owner: Some(node("a")),
        term: Term(4),
        isr: set(&["a"]),
        heirs: set(&["a", "b"]),
        version: 5,
        resets: 0,
    };
    one.turn(Input::Table(record));
    let effects = one.turn(Input::Slot(slot::Input::Open { channel: name("t:a") }));
    let [Effect::Slot(slot::Effect::Opened { opening, .. })] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(
        opening.state.as_ref().unwrap().view().head(),
        Seq(0),
        "not what it alone may hold"
    );
    assert_eq!(opening.tail.len(), 1);
    assert_eq!(opening.standing, Err(Refusal::InsufficientReplicas));
    let doubt = slot::Input::Doubt {
        channel: name("t:a"),
        through: doubted(1),
    };
    assert!(
        asked(&one.turn(Input::Slot(doubt))).is_empty(),
        "the position may be in the rest"
    );
}

#[test]
fn a_copy_of_a_slot_that_was_given_up_begins_anew() {
    let mut one = One::new();
    one.record(4, 3, "b", &["a", "b"]);
    one.receive(&node("b"), append(3, (0, 0), vec![entry(1, 3), entry(2, 3)], 2));
    assert_eq!(one.committed(), 2);
    let lineage = Lineage {
        resets: 1,
        incarnation: 9,
    };
    let message = Message::Append {
        term: Term(4),
        lineage,
        previous: Place::default(),
        entries: vec![entry(1, 4)],
        committed: Index(0),
    };
    one.receive(&node("c"), message);
    assert_eq!((one.committed(), one.replica.slot().appended()), (0, Index(1)));
    assert_eq!(one.replica.slot().lineage(), lineage);
}
