//! Who should own a slot, and how fast it changes hands.

use super::*;

#[test]
fn what_nobody_owned_is_for_the_first_once_the_others_had_time_to_be_seen() {
    let mut one = One::new(3);
    one.pass(SECOND);
    assert!(slots().all(|slot| one.wanted_owner(slot).is_none()));
    one.pass(SECOND);
    for slot in slots() {
        assert_eq!(one.wanted_owner(slot), Some(&node(ranked(slot, 0..3)[0], 1)));
    }
    one.own(SlotId(0), 1, &[]);
    one.plan();
    assert_eq!(one.wanted_owner(SlotId(0)), None, "its owner says what becomes of it");
}

#[test]
fn a_draining_owner_gives_away_everything_in_batches_to_whoever_is_in_sync() {
    let mut one = One::settled(3);
    let config = Config::default();
    let owned = slots().filter(|slot| ranked(*slot, 0..3)[0] == 0).count();
    assert!(owned > config.drain_batch);
    // One slot has nobody else in its set.
    let stays = slots().find(|slot| ranked(*slot, 0..3)[0] == 0).unwrap();
    let without = [node(1, 1), node(2, 1)].into();
    one.change(stays, node(0, 1), Change::Shrink { without });
    one.is_draining = true;
    one.plan();
    let first = one.leaving();
    assert_eq!(first.len(), config.drain_batch);
    for slot in &first {
        assert_eq!(
            one.wanted_owner(*slot),
            Some(&node(ranked(*slot, 1..3)[0], 1)),
            "the next in the order"
        );
    }
    assert_eq!(one.pass(SECOND), [], "no more before these are gone");
    one.hand_over(&first[..10]);
    one.plan();
    assert_eq!(one.leaving().len(), config.drain_batch, "the next ten");
    // The others wait no longer for those that do not come about.
    one.pass(config.move_patience);
    assert_eq!(one.leaving().len(), owned - 10 - 1);
    one.hand_over(&one.leaving());
    one.plan();
    assert_eq!(one.wanted_owner(stays), Some(&node(0, 1)));
}

#[test]
fn a_node_that_came_back_gets_its_slots_a_few_at_a_time_when_it_is_in_sync_and_steady() {
    let mut one = One::settled(3);
    let config = Config::default();
    let mine = |slot: &SlotId| ranked(*slot, 0..3)[0] == 1;
    one.see(1, 1, Standing::Silent);
    for slot in slots().filter(mine) {
        one.change(slot, node(0, 1), Change::Claim);
    }
    one.register(1, 2);
    one.see(1, 2, Standing::Serving);
    one.pass(SECOND * 30);
    assert_eq!(one.leaving(), [], "it is in no set");
    let all: Vec<_> = slots().filter(mine).collect();
    for slot in &all {
        one.change(
            *slot,
            node(0, 1),
            Change::Grow {
                with: [node(1, 2)].into(),
            },
        );
    }
    let mut moved = Vec::new();
    while moved.len() < all.len() {
        one.plan();
        let leaving = one.leaving();
        assert!(
            !leaving.is_empty() && leaving.len() <= config.moves_per_round,
            "{}",
            leaving.len()
        );
        one.hand_over(&leaving);
        moved.extend(leaving);
        assert_eq!(
            one.plan()
                .iter()
                .filter(|(_, wanted)| wanted.owner == Some(node(1, 2)))
                .count(),
            0
        );
        one.now += config.round;
    }
    assert_eq!(moved, all);
}

#[test]
fn neither_a_node_that_comes_and_goes_nor_a_slot_that_just_came_moves() {
    let mut one = One::settled(3);
    let slot = slots().find(|slot| ranked(*slot, 0..3)[0] == 1).unwrap();
    for _ in 0..10 {
        one.down.insert(node(1, 1));
        one.pass(SECOND * 3);
        one.down.clear();
        one.pass(SECOND * 9);
        assert_eq!(one.leaving(), []);
    }
    one.pass(SECOND * 5);
    one.change(slot, node(1, 1), Change::HandOver { to: node(0, 1) });
    one.pass(SECOND * 9);
    assert_eq!(one.leaving(), [], "node 1 has just given it away, it will know why");
    one.pass(SECOND);
    assert_eq!(one.leaving(), [slot]);
}

#[test]
fn what_is_lost_is_begun_anew_by_the_first_that_is_there() {
    let mut one = One::settled(3);
    let slot = slots().find(|slot| ranked(*slot, 0..3) == [1, 2, 0]).unwrap();
    one.see(1, 1, Standing::Silent);
    let without = [node(0, 1), node(2, 1)].into();
    one.change(slot, node(1, 1), Change::Shrink { without });
    let without = BTreeSet::new();
    one.change(
        slot,
        node(1, 1),
        Change::Grow {
            with: [node(2, 1)].into(),
        },
    );
    one.change(slot, node(1, 1), Change::Shrink { without });
    one.plan();
    assert!(!one.planner.wanted(slot).unwrap().lost);
    for number in [1, 2] {
        one.register(number, 2);
    }
    one.see(2, 2, Standing::Serving);
    one.plan();
    let wanted = one.planner.wanted(slot).unwrap();
    assert!(wanted.lost);
    assert_eq!(wanted.owner, Some(node(2, 2)), "the first does not answer");
}
