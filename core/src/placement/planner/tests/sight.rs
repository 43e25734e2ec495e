//! Whether a node sees enough to plan at all.

use super::*;

#[test]
fn a_node_that_is_cut_off_moves_nothing() {
    let mut one = One::settled(5);
    for number in 2..5 {
        one.see(number, 1, Standing::Silent);
    }
    assert_eq!(one.pass(SECOND * 600), []);
    one.is_draining = true;
    assert_eq!(one.plan(), []);
    one.is_draining = false;
    // That a node is back, it hears from the table.
    one.register(1, 2);
    one.plan();
    for slot in slots() {
        assert_eq!(one.copies(slot), ranked(slot, 0..5)[..COPIES]);
        let copies = &one.planner.wanted(slot).unwrap().copies;
        assert!(!copies.contains(&node(1, 1)));
    }
    one.see(1, 2, Standing::Serving);
    // The others come into sight one by one; none is given up meanwhile.
    for number in 2..5 {
        one.see(number, 1, Standing::Serving);
        assert_eq!(one.pass(SECOND), []);
    }
}

#[test]
fn nodes_that_are_gone_for_good_do_not_make_the_rest_a_minority() {
    let mut one = One::settled(3);
    // It has shrunk from seven, and this node started after that.
    for number in 3..7 {
        one.register(number, 1);
    }
    one.pass(SECOND * 3);
    assert!(slots().all(|slot| one.copies(slot) == ranked(slot, 0..3)));
    one.is_draining = true;
    one.plan();
    assert!(!one.leaving().is_empty());
    // Nor do those that leave, all but two of them within a minute.
    let mut one = One::settled(5);
    for number in 2..5 {
        one.see(number, 1, Standing::Draining);
        one.plan();
        for slot in slots() {
            let record = one.table.record(slot).unwrap().clone();
            let (gone, two) = (node(number, 1), [node(0, 1), node(1, 1)]);
            let Some(owner) = record.owner.filter(|_| record.isr.contains(&gone)) else {
                continue;
            };
            let with = two.clone().into();
            one.change(slot, owner.clone(), Change::Grow { with });
            if owner == gone {
                one.change(slot, owner, Change::HandOver { to: two[0].clone() });
            }
            let owner = one.table.record(slot).unwrap().owner.clone().unwrap();
            one.change(slot, owner, Change::Shrink { without: [gone].into() });
        }
        one.see(number, 1, Standing::Silent);
    }
    one.pass(SECOND);
    assert!(slots().all(|slot| one.copies(slot) == ranked(slot, 0..2)));
    // Those who hold copies count.
    let mut one = One::settled(7);
    one.members.retain(|member| member.node < node(3, 1));
    one.planner = Planner::new(node(0, 1), Arc::from(""), Config::default());
    assert_eq!(one.pass(SECOND * 600), []);
}

#[test]
fn an_earlier_or_unregistered_start_plans_nothing() {
    let mut one = One::settled(3);
    one.register(0, 2);
    one.see(1, 1, Standing::Draining);
    assert_eq!(one.plan(), []);
    let mut one = One::new(3);
    one.planner = Planner::new(node(0, 7), Arc::from(""), Config::default());
    assert_eq!(one.pass(SECOND * 100), []);
}
