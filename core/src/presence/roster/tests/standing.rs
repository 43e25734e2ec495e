//! Nodes that die and return, and owners that change.

use super::*;
use crate::presence::message::{Copied, Stamp};

/// Of whom the owner was not sure in what it told last.
fn doubts(sent: &[(NodeId, Message)]) -> Option<(usize, usize)> {
    let mut doubts = sent.iter().filter_map(|(_, message)| match message {
        Message::Watch(ToWatch::Delta(delta)) => Some(&delta.doubts),
        Message::Watch(ToWatch::Roster { doubts, .. }) => Some(doubts),
        _ => None,
    });
    let last = doubts.next_back()?;
    Some((last.unsettled.len(), last.uncertain.len()))
}

#[test]
fn the_members_of_a_dead_node_are_uncertain_and_then_gone() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.pass(QUIET);
    assert_eq!(doubts(&owner.stands("a", 1, Standing::Suspect)), Some((0, 1)));
    owner.pass(QUIET);
    owner.stands("a", 1, Standing::Down);
    // What a dead node says would never be taken back.
    owner.change("a", put("bert", 2, 2));
    assert_eq!(owner.held().len(), 1);
    assert_eq!(told(&owner.pass(GRACE - Duration::from_millis(1))), []);
    let sent = owner.pass(Duration::from_millis(1));
    assert_eq!((told(&sent), doubts(&sent)), (vec![left("anna")], Some((0, 0))));
    owner.change("a", put("bert", 2, 3));
    assert_eq!(owner.held(), []);
    // An hour later nothing of it can be on its way.
    owner.pass(PURGE_KEPT);
    assert!(!owner.roster.peers.contains_key(&node("a", 1)));
}

#[test]
fn a_node_that_started_anew_shows_that_the_earlier_one_is_dead() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.stands("a", 2, Standing::Up);
    assert_eq!(told(&owner.pass(GRACE)).last(), Some(&left("anna")));
    owner.stands("a", 1, Standing::Up);
    owner.change("a", put("anna", 1, 2));
    assert_eq!(owner.held(), [], "an earlier start never returns");
}

#[test]
fn a_client_of_a_dead_node_that_is_elsewhere_leaves_there() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.pass(QUIET);
    owner.stands("a", 1, Standing::Down);
    owner.change("b", put("anna", 1, 1));
    owner.pass(QUIET);
    assert_eq!(told(&owner.change("b", gone("anna", 1, 2))), [left("anna")]);
    assert_eq!(told(&owner.pass(GRACE)), []);
}

#[test]
fn a_node_that_returns_is_believed_when_its_digest_matches() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.pass(QUIET);
    owner.stands("a", 1, Standing::Down);
    owner.pass(GRACE / 2);
    assert_eq!(doubts(&owner.stands("a", 1, Standing::Up)), Some((1, 0)));
    assert_eq!(told(&owner.pass(GRACE)), [], "it is not dead");
    let sent = owner.listing("a", 9, &[entry("bert", 2, 8)]);
    assert!(told(&sent).contains(&left("anna")), "{sent:?}");
    owner.pass(QUIET);
    assert_eq!(doubts(&owner.digest("a", &[entry("bert", 2, 8)])), Some((0, 0)));
}

#[test]
fn without_a_majority_nobody_is_declared_gone() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.pass(QUIET);
    let sent = owner.turn(Input::Quorum(false));
    let is_unsure =
        |(_, message): &(NodeId, Message)| matches!(message, Message::Watch(ToWatch::Heads(heads)) if !heads.is_sure);
    assert!(sent.iter().any(is_unsure), "{sent:?}");
    owner.stands("a", 1, Standing::Down);
    assert_eq!(told(&owner.pass(GRACE * 20)), []);
    // With one again, they have their grace: who was cut off was perhaps this node.
    owner.turn(Input::Quorum(true));
    assert_eq!(told(&owner.pass(GRACE - Duration::from_millis(1))), []);
    assert_eq!(told(&owner.pass(Duration::from_millis(1))), [left("anna")]);
}

#[test]
fn without_a_majority_nobody_has_left_who_was_lost() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.change("a", lost("anna", 1, 2));
    owner.pass(QUIET);
    owner.turn(Input::Quorum(false));
    // Its gateway has waited for a grace: where the majority is, anna may have returned to another.
    let sent = owner.change("a", missed("anna", 1, 3));
    assert_eq!((told(&sent), is_holding(&sent)), (vec![left("anna")], Some(true)));
    owner.pass(QUIET);
    // With one again, it may not have heard yet that another is the owner.
    owner.turn(Input::Quorum(true));
    assert_eq!(is_holding(&owner.pass(GRACE - Duration::from_millis(1))), None);
    assert_eq!(is_holding(&owner.pass(Duration::from_millis(1))), Some(false));
}

#[test]
fn an_earlier_start_of_a_replica_is_dead_from_when_its_owner_tells_of_it() {
    let mut replica = Node::new("r");
    replica.id = node("r", 2);
    replica.roster = Roster::new(
        replica.id.clone(),
        Arc::clone(&replica.roster.namespaces),
        Faults::default(),
        replica.now,
    );
    let owner = node("o", 1);
    let role = Role::Replica {
        owner: Some((owner.clone(), Term(1))),
    };
    replica.turn(Input::Role { slot: SLOT, role });
    let copied = |name: &str, generation, connection| Copied {
        gateway: node(name, generation),
        entry: entry("anna", connection, 1),
        is_replaced: false,
    };
    let told = ToReplica::Copy {
        slot: SLOT,
        stamp: Stamp {
            term: Term(1),
            version: 0,
        },
        part: 0,
        is_last: true,
        entries: vec![copied("r", 1, 1), copied("b", 1, 2)],
        seen: Vec::new(),
    };
    replica.turn(Input::Told { from: owner, told });
    replica.stands("b", 1, Standing::Up);
    replica.pass(GRACE - Duration::from_millis(1));
    replica.own(2);
    assert_eq!(replica.held(), [("r@1".into(), 1), ("b@1".into(), 2)]);
    replica.pass(Duration::from_millis(1));
    assert_eq!(replica.held(), [("b@1".into(), 2)]);
}

#[test]
fn a_new_owner_is_sure_of_a_gateway_when_its_digest_has_matched() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.pass(QUIET);
    owner.turn(Input::Role {
        slot: SLOT,
        role: Role::Replica { owner: None },
    });
    let sent = owner.own(3);
    let asked: Vec<_> = sent.iter().map(|(to, _)| to.name.as_str()).collect();
    assert_eq!(asked, ["a", "b", "w", "o"], "everybody is to compare: {sent:?}");
    assert_eq!(owner.held(), [("a@1".into(), 1)], "it goes on with what it held");
    assert_eq!(doubts(&owner.follow("w", Mode::Roster)), Some((4, 0)));
    owner.digest("a", &[]);
    assert_eq!(
        owner.roster.slots[&SLOT].owning().unwrap().unsettled.len(),
        4,
        "it does not match"
    );
    owner.digest("a", &[entry("anna", 1, 1)]);
    owner.digest("b", &[]);
    owner.digest("w", &[]);
    owner.digest("o", &[]);
    assert_eq!(doubts(&owner.pass(QUIET)), Some((0, 0)));
    assert_eq!(owner.own(3), [], "it knows");
}

/// A new owner that holds anna at `a` of old, and is told that she was lost at `b`.
fn unsettled_owner() -> Node {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.turn(Input::Role {
        slot: SLOT,
        role: Role::Replica { owner: None },
    });
    owner.own(3);
    owner.follow("w", Mode::Roster);
    owner.change("b", lost("anna", 2, 2));
    owner
}

#[test]
fn what_a_new_owner_turns_out_to_lack_ends_nobodys_grace() {
    let mut owner = unsettled_owner();
    // She went from a to b before: she is away, and may return.
    let mut sent = owner.listing("a", 2, &[]);
    sent.extend(owner.pass(QUIET));
    assert_eq!(told(&sent), [at("anna", "b")]);
    assert_eq!(told(&owner.change("b", missed("anna", 2, 3))), [left("anna")]);
}

#[test]
fn who_leaves_by_what_a_new_owner_was_not_sure_of_is_not_with_what_was_lost() {
    let mut owner = unsettled_owner();
    owner.digest("a", &[entry("anna", 1, 1)]);
    owner.pass(QUIET);
    assert_eq!(told(&owner.change("a", gone("anna", 1, 2))), [left("anna")]);
}

/// Whether nobody has left, in what the owner told last.
fn is_holding(sent: &[(NodeId, Message)]) -> Option<bool> {
    sent.iter().rev().find_map(|(_, message)| match message {
        Message::Watch(ToWatch::Delta(delta)) => Some(delta.doubts.is_holding),
        Message::Watch(ToWatch::Roster { doubts, .. }) => Some(doubts.is_holding),
        _ => None,
    })
}

#[test]
fn an_owner_that_held_no_copy_declares_nobody_gone_before_a_grace() {
    let mut owner = Node::new("o");
    owner.own(2);
    owner.digest("o", &[]);
    assert_eq!(is_holding(&owner.follow("o", Mode::Roster)), Some(true));
    let sent = owner.pass(GRACE - Duration::from_millis(1));
    assert_eq!(
        is_holding(&sent),
        None,
        "all have settled, and who died with the copies is not known"
    );
    assert_eq!(is_holding(&owner.pass(Duration::from_millis(1))), Some(false));
    // One that goes on with what it holds knows who was there.
    owner.change("a", put("anna", 1, 1));
    owner.turn(Input::Role {
        slot: SLOT,
        role: Role::Replica { owner: None },
    });
    owner.own(3);
    owner.follow("o", Mode::Roster);
    owner.digest("a", &[entry("anna", 1, 1)]);
    owner.digest("o", &[]);
    assert_eq!(is_holding(&owner.pass(QUIET)), Some(false));
}

#[test]
fn a_new_owner_waits_for_no_gateway_that_is_dead() {
    let mut owner = Node::new("o");
    owner.stands("a", 1, Standing::Down);
    owner.pass(GRACE * 2);
    owner.own(1);
    owner.digest("o", &[]);
    owner.pass(Duration::ZERO);
    assert!(owner.roster.slots[&SLOT].owning().unwrap().unsettled.is_empty());
}

#[test]
fn an_earlier_start_of_this_node_is_dead_whatever_is_said_of_it() {
    let mut owner = Node::new("o");
    // The slot table had it under this name until this start was registered.
    owner.stands("o", 0, Standing::Suspect);
    assert_eq!(owner.roster.down(), [node("o", 0)].into());
    owner.own(1);
    owner.digest("o", &[]);
    owner.pass(GRACE);
    assert!(owner.roster.slots[&SLOT].owning().unwrap().unsettled.is_empty());
}
