//! What gateways do, in any order and more than once.

use super::*;

#[test]
fn changes_may_come_twice_late_and_in_any_order() {
    let all = [
        put("anna", 1, 1),
        put("anna", 1, 2),
        gone("anna", 1, 3),
        put("bert", 2, 4),
    ];
    // Every order of the four, each change doubled.
    for order in 0..24 {
        let mut rest: Vec<_> = all.iter().collect();
        let mut n = order;
        let mut owner = Node::owner();
        for size in (1..=4).rev() {
            let change = rest.remove(n % size);
            n /= size;
            owner.change("a", change.clone());
            owner.change("a", change.clone());
        }
        // A removal is never undone. What came behind a later change is not taken: the comparison brings it.
        assert!(!owner.held().contains(&("a@1".into(), 1)), "order {order}");
        owner.listing("a", 4, &[entry("bert", 2, 4)]);
        assert_eq!(owner.held(), [("a@1".into(), 2)], "order {order}");
        assert_eq!(owner.digest("a", &[entry("bert", 2, 4)]), []);
    }
}

#[test]
fn what_was_lost_on_the_way_is_listed() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    // Lost: bert entered, anna left.
    let truth = [entry("bert", 2, 2)];
    let sent = owner.digest("a", &truth);
    let groups = match &sent[..] {
        [(_, Message::Gateway(ToGateway::Differ(groups)))] => *groups,
        other => panic!("{other:?}"),
    };
    let mut ledger = crate::presence::digest::Ledger::default();
    ledger.put(truth[0].key.clone(), 2, ());
    let cells = groups.each().map(|group| {
        let mut cells = crate::presence::digest::Sums::default();
        ledger.add_cells(group, &mut cells);
        (group, cells)
    });
    let cells = ToOwner::Cells {
        slots: [SLOT].into(),
        groups: cells.collect(),
    };
    let sent = owner.asked("a", cells);
    let ranges = match &sent[..] {
        [(_, Message::Gateway(ToGateway::List(ranges)))] => ranges.clone(),
        other => panic!("{other:?}"),
    };
    let lies_in = |key: &Key| ranges.iter().any(|range| range.contains(&key.place()));
    assert!(lies_in(&key("chat:a", "anna", 1)) && lies_in(&truth[0].key));
    owner.listing("a", 3, &truth);
    assert_eq!(owner.held(), [("a@1".into(), 2)]);
    // A listing of before says nothing about what came after it.
    owner.change("a", gone("bert", 2, 4));
    owner.listing("a", 3, &truth);
    assert_eq!(owner.held(), []);
}

#[test]
fn a_client_that_moves_is_told_once_and_never_as_gone() {
    let mut owner = Node::owner();
    assert_eq!(told(&owner.change("a", put("anna", 1, 1))), [at("anna", "a")]);
    owner.pass(QUIET);
    assert_eq!(
        told(&owner.change("a", lost("anna", 1, 2))),
        [at("anna", "a")],
        "it may return"
    );
    owner.pass(QUIET);
    assert_eq!(told(&owner.change("b", put("anna", 1, 1))), [at("anna", "b")]);
    owner.pass(QUIET);
    assert_eq!(told(&owner.change("a", gone("anna", 1, 3))), []);
    // The connection that was lost would keep nobody who has left by the other.
    owner.change("a", put("anna", 2, 4));
    owner.change("b", gone("anna", 1, 2));
    owner.pass(QUIET);
    owner.change("a", lost("anna", 2, 5));
    owner.change("b", put("anna", 3, 3));
    owner.pass(QUIET);
    assert_eq!(told(&owner.change("b", gone("anna", 3, 4))), [left("anna")]);
}

#[test]
fn of_connections_that_were_lost_the_last_one_counts_in_whatever_order_that_is_heard_of() {
    let mut owner = Node::owner();
    // She went from a, which has not missed her, to b, and was lost there.
    owner.change("a", put("anna", 1, 1));
    owner.change("b", put("anna", 2, 1));
    owner.change("b", lost("anna", 2, 2));
    owner.change("a", lost("anna", 1, 2));
    owner.pass(QUIET);
    assert_eq!(told(&owner.change("a", missed("anna", 1, 3))), [], "she may return");
    assert_eq!(told(&owner.change("b", missed("anna", 2, 3))), [left("anna")]);
}

#[test]
fn what_is_gone_without_a_word_ends_nobodys_grace() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.change("b", put("anna", 2, 1));
    owner.change("a", lost("anna", 1, 2));
    owner.pass(QUIET);
    // That she was lost at b as well was missed, and that she is gone there is found by comparing.
    assert_eq!(told(&owner.listing("b", 3, &[])), [at("anna", "a")], "she may return");
    owner.change("b", put("anna", 3, 4));
    owner.pass(QUIET);
    assert_eq!(told(&owner.change("b", missed("anna", 3, 6))), [at("anna", "a")]);
    owner.pass(QUIET);
    assert_eq!(told(&owner.change("a", missed("anna", 1, 3))), [left("anna")]);
}

#[test]
fn copies_of_a_tab_stay_until_the_last_leaves() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.change("b", put("anna", 1, 1));
    owner.pass(QUIET);
    assert_eq!(told(&owner.change("b", gone("anna", 1, 2))), [at("anna", "a")]);
    owner.pass(QUIET);
    assert_eq!(told(&owner.change("a", gone("anna", 1, 2))), [left("anna")]);
}

#[test]
fn a_quiet_channel_is_told_at_once_and_a_busy_one_each_tick() {
    let mut owner = Node::owner();
    assert_eq!(told(&owner.change("a", put("anna", 1, 1))), [at("anna", "a")]);
    for counter in 2..9 {
        assert_eq!(told(&owner.change("a", put("bert", 2, counter))), []);
    }
    owner.change("a", gone("anna", 1, 9));
    assert_eq!(told(&owner.pass(TICK - Duration::from_millis(1))), []);
    assert_eq!(
        told(&owner.pass(Duration::from_millis(1))),
        [left("anna"), at("bert", "a")]
    );
    for n in 0..SMALL_MAX as u64 {
        owner.change("b", put(&format!("c{n}"), n, n + 1));
    }
    owner.pass(QUIET);
    owner.change("a", put("dora", 9, 10));
    owner.change("a", put("emil", 10, 11));
    assert_eq!(told(&owner.pass(TICK_LARGE - Duration::from_millis(1))), []);
    assert_eq!(told(&owner.pass(Duration::from_millis(1))), [at("emil", "a")]);
}
