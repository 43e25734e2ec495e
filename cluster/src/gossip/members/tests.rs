//! Looks at a small cluster, and what is told of them.

use super::*;

fn node(name: &str, generation: u64) -> NodeId {
    NodeId {
        name: NodeName::parse(name).expect("a name"),
        generation: Generation(generation),
    }
}

fn seen(name: &str, generation: u64, phase: Phase) -> Seen {
    let facts = NodeFacts {
        client_urls: Vec::new(),
        protocol: (1, 1),
        webtransport: None,
        link: ([127, 0, 0, 1], 1).into(),
        probe: None,
        zone: String::new(),
        version: "1".to_owned(),
        wire: (1, 1),
        load: 0,
        phase,
        settings: 0,
        table: 0,
    };
    Seen {
        node: node(name, generation),
        gossip: ([127, 0, 0, 1], 2).into(),
        facts: Ok(facts),
    }
}

fn serving(name: &str, generation: u64) -> Seen {
    seen(name, generation, Phase::Serving)
}

/// What changed, without what members say.
fn short(changes: Vec<Change>) -> Vec<String> {
    let text = |change| match change {
        Change::Joined(member) => format!("joined {}", member.node),
        Change::Changed(member) => format!("changed {}", member.node),
        Change::Suspected(node) => format!("suspected {node}"),
        Change::Recovered(node) => format!("recovered {node}"),
        Change::Left(node, why) => format!("left {node} {why:?}"),
        Change::Superseded(node) => format!("superseded {node}"),
    };
    changes.into_iter().map(text).collect()
}

fn look(members: &mut Members, live: Vec<Seen>) -> Vec<String> {
    short(members.look(live, Instant::now()))
}

#[test]
fn a_node_comes_changes_goes_silent_and_returns() {
    let mut members = Members::new(node("me", 1));
    assert_eq!(look(&mut members, vec![serving("a", 1)]), ["joined a@1"]);
    assert!(look(&mut members, vec![serving("a", 1)]).is_empty());
    let draining = || vec![seen("a", 1, Phase::Draining)];
    assert_eq!(look(&mut members, draining()), ["changed a@1"]);
    assert_eq!(look(&mut members, vec![]), ["suspected a@1"]);
    assert_eq!(members.all().next().map(|member| member.state), Some(State::Suspected));
    assert!(look(&mut members, vec![]).is_empty());
    assert_eq!(look(&mut members, draining()), ["recovered a@1"]);
    assert_eq!(members.all().next().map(|member| member.state), Some(State::Live));
}

#[test]
fn a_newer_generation_takes_the_name_and_the_older_is_not_heard_again() {
    let mut members = Members::new(node("me", 1));
    look(&mut members, vec![serving("a", 5)]);
    let both = || vec![serving("a", 5), serving("a", 6)];
    assert_eq!(look(&mut members, both()), ["left a@5 Replaced", "joined a@6"]);
    assert!(look(&mut members, both()).is_empty());
    assert_eq!(
        look(&mut members, vec![serving("a", 5)]),
        ["suspected a@6"],
        "an older one hides nothing"
    );
    assert_eq!(look(&mut members, both()), ["recovered a@6"]);
}

#[test]
fn a_node_with_our_name_is_told_once_and_only_when_it_is_younger() {
    let mut members = Members::new(node("me", 5));
    assert!(
        look(&mut members, vec![serving("me", 4)]).is_empty(),
        "our own earlier life"
    );
    assert_eq!(look(&mut members, vec![serving("me", 6)]), ["superseded me@6"]);
    assert!(look(&mut members, vec![serving("me", 6)]).is_empty());
    assert_eq!(members.all().count(), 0);
}

#[test]
fn who_says_that_it_leaves_is_not_missed_and_does_not_come_back() {
    let mut members = Members::new(node("me", 1));
    look(&mut members, vec![serving("a", 1)]);
    let left = || vec![seen("a", 1, Phase::Left)];
    assert_eq!(look(&mut members, left()), ["left a@1 Said"]);
    assert!(look(&mut members, left()).is_empty());
    assert!(look(&mut members, vec![serving("a", 1)]).is_empty());
    assert_eq!(look(&mut members, vec![serving("a", 2)]), ["joined a@2"]);
    assert!(
        look(&mut Members::new(node("me", 1)), left()).is_empty(),
        "it was never here"
    );
}

#[test]
fn facts_that_cannot_be_read_make_no_member_and_unmake_none() {
    let unreadable = |generation| Seen {
        facts: Err(FactsError::Malformed("link")),
        ..serving("a", generation)
    };
    let mut members = Members::new(node("me", 1));
    assert!(look(&mut members, vec![unreadable(1)]).is_empty());
    assert_eq!(look(&mut members, vec![serving("a", 1)]), ["joined a@1"]);
    assert!(look(&mut members, vec![unreadable(1)]).is_empty());
    assert_eq!(look(&mut members, vec![]), ["suspected a@1"]);
    assert_eq!(look(&mut members, vec![unreadable(1)]), ["recovered a@1"]);
    assert!(
        look(&mut members, vec![unreadable(2)]).is_empty(),
        "the last good word stands until the next"
    );
}

#[test]
fn a_node_that_is_missing_for_long_is_gone() {
    let mut members = Members::new(node("me", 1));
    let start = Instant::now();
    members.look(vec![serving("a", 1)], start);
    assert_eq!(short(members.look(vec![], start)), ["suspected a@1"]);
    let almost = start + MISSING_TIME_MAX - Duration::from_secs(1);
    assert!(members.look(vec![], almost).is_empty());
    assert_eq!(
        short(members.look(vec![], start + MISSING_TIME_MAX)),
        ["left a@1 Missing"]
    );
    assert_eq!(
        short(members.look(vec![serving("a", 1)], start + MISSING_TIME_MAX)),
        ["joined a@1"]
    );
}
