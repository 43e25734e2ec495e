use yrs::updates::encoder::Encode as _;

use super::*;

/// An editor that is connected and has typed so often.
fn typed(edits: u64) -> (Draft, Vec<Vec<u8>>) {
    let mut draft = Draft::new(7);
    draft.connected();
    let updates = (0..edits).map(|_| draft.edit(1).1).collect();
    (draft, updates)
}

#[test]
fn a_seed_repeats_what_is_typed() {
    let (one, other) = (typed(200).0.content(), typed(200).0.content());
    assert_eq!(one, other);
    assert!(!one.text.is_ascii() && one.snapshot.delete_set.client_ids().count() == 1);
}

#[test]
fn an_edit_is_saved_once_it_is_given_back_and_not_by_what_others_type() {
    let (mut draft, updates) = typed(2);
    draft.sends(1, updates[0].clone());
    draft.sends(2, updates[1].clone());
    let (_, others) = Draft::new(8).edit(UNTIMED);
    assert_eq!(draft.given_back(&others, 1), None);
    assert_eq!(draft.given_back(&updates[1], 1), Some(vec![2]));
    assert_eq!((draft.unsaved(), draft.waits().map(|(edit, _)| edit)), (1, Some(1)));
    assert_eq!(draft.given_back(&updates[1], 1), None, "it is given back once");
    // The phase is over in which it was made: what the save took is not for the figures.
    assert_eq!(draft.given_back(&updates[0], 2), Some(vec![1]));
    assert_eq!(
        (draft.unsaved(), draft.saved().len(), draft.save_nanos().len()),
        (0, 2, 1)
    );
}

#[test]
fn over_a_new_connection_the_answer_to_its_node_settles_what_came_before() {
    let (mut draft, updates) = typed(3);
    draft.sends(1, updates[0].clone());
    draft.lost();
    draft.edit(UNTIMED);
    assert_eq!(draft.made_offline(), 1);
    draft.connected();
    assert_eq!(draft.given_back(&updates[0], 1), None, "the node that had it is gone");
    let answer = draft.answer(&StateVector::default());
    let (_, later) = draft.edit(UNTIMED);
    draft.sends(5, later.clone());
    assert_eq!(draft.given_back(&answer, UNTIMED), Some(vec![1, 2, 3, 4]));
    assert_eq!(draft.given_back(&later, UNTIMED), Some(vec![5]));
}

#[test]
fn an_answer_with_nothing_new_settles_only_with_what_is_sent_after_it() {
    let (mut draft, _) = typed(3);
    let answer = draft.answer(&draft.state_vector());
    assert!(answer.starts_with(&[0]));
    assert_eq!(
        draft.given_back(&answer, 1),
        Some(vec![]),
        "another's update may look the same"
    );
    assert_eq!(draft.unsaved(), 3);
    let (number, later) = draft.edit(1);
    draft.sends(number, later.clone());
    let (number, last) = draft.edit(1);
    draft.sends(number, last);
    assert_eq!(draft.given_back(&later, 1), Some(vec![1, 2, 3, 4]));
    assert_eq!((draft.unsaved(), draft.save_nanos().len()), (1, 1));
}

#[test]
fn what_others_type_is_taken_and_what_cannot_be_read_is_told() {
    let (mut draft, _) = typed(1);
    let mut other = Draft::new(8);
    let (_, update) = other.edit(UNTIMED);
    draft.apply(&update).expect("an update");
    other
        .apply(&draft.answer(&other.state_vector()))
        .expect("what it lacks");
    assert_eq!(draft.content(), other.content());
    draft.apply(&StateVector::default().encode_v1()).expect_err("no update");
}
