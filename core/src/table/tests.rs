//! The table by itself: who may do what, and that nothing is done twice.

use super::*;
use crate::id::{Generation, Term};

const SLOT: SlotId = SlotId(3);

fn node(name: &str, generation: u64) -> NodeId {
    NodeId {
        name: NodeName::parse(name).unwrap(),
        generation: Generation(generation),
    }
}

fn set<const N: usize>(nodes: [&NodeId; N]) -> BTreeSet<NodeId> {
    nodes.into_iter().cloned().collect()
}

struct World {
    table: Table,
    a: NodeId,
    b: NodeId,
    c: NodeId,
}

/// Three nodes, and a slot that `a` owns.
fn world() -> World {
    let (a, b, c) = (node("a", 1), node("b", 1), node("c", 1));
    let mut table = Table::new(8);
    for node in [&a, &b, &c] {
        let command = Command::Register { node: node.clone() };
        assert_eq!(table.apply(&command), Ok(Answer::Done));
    }
    let mut world = World { table, a, b, c };
    let a = world.a.clone();
    world.change(&a, Change::Claim).unwrap();
    world
}

impl World {
    fn record(&self) -> &Record {
        self.table.record(SLOT).unwrap()
    }

    fn change(&mut self, by: &NodeId, change: Change) -> Result<Answer, Refusal> {
        let version = self.record().version;
        self.change_at(version, by, change)
    }

    fn change_at(&mut self, version: u64, by: &NodeId, change: Change) -> Result<Answer, Refusal> {
        let by = by.clone();
        let before = self.table.clone();
        let answer = self.table.apply(&Command::Change {
            slot: SLOT,
            version,
            by,
            change,
        });
        if answer.is_err() {
            assert_eq!(self.table, before, "a refused command changes nothing");
        }
        answer
    }

    fn grow(&mut self, with: &[&NodeId]) {
        let owner = self.record().owner.clone().unwrap();
        let with = with.iter().copied().cloned().collect();
        self.change(&owner, Change::Grow { with }).unwrap();
    }

    fn shrink(&mut self, without: &[&NodeId]) {
        let owner = self.record().owner.clone().unwrap();
        let without = without.iter().copied().cloned().collect();
        self.change(&owner, Change::Shrink { without }).unwrap();
    }

    fn register(&mut self, node: &NodeId) -> Result<Answer, Refusal> {
        self.table.apply(&Command::Register { node: node.clone() })
    }
}

#[test]
fn a_slot_that_nobody_owned_is_claimed_once() {
    let mut world = world();
    let (a, b) = (world.a.clone(), world.b.clone());
    let record = world.record();
    assert_eq!(
        (record.owner.as_ref(), record.term, record.version),
        (Some(&a), Term(1), 1)
    );
    assert_eq!(record.isr, set([&a]));
    assert!(record.heirs.is_empty(), "nothing was acknowledged before");
    assert_eq!(world.change(&a, Change::Claim), Err(Refusal::Owned));
    assert_eq!(world.change(&b, Change::Claim), Err(Refusal::NotAMember));
    assert_eq!(
        world.change_at(0, &b, Change::Claim),
        Err(Refusal::Passed { version: 1 })
    );
}

#[test]
fn of_two_members_that_claim_one_is_refused() {
    let mut world = world();
    let (b, c) = (world.b.clone(), world.c.clone());
    world.grow(&[&b, &c]);
    let version = world.record().version;
    assert!(world.change_at(version, &b, Change::Claim).is_ok());
    assert_eq!(
        world.change_at(version, &c, Change::Claim),
        Err(Refusal::Passed { version: version + 1 })
    );
    let record = world.record();
    assert_eq!((record.owner.as_ref(), record.term), (Some(&b), Term(2)));
    assert_eq!(record.isr, set([&b, &c]), "the owner of before is no member any more");
}

#[test]
fn the_last_set_of_two_inherits_and_is_forgotten_with_the_next() {
    let mut world = world();
    let (a, b, c) = (world.a.clone(), world.b.clone(), world.c.clone());
    world.grow(&[&b, &c]);
    world.shrink(&[&b]);
    assert!(world.record().heirs.is_empty(), "two are left");
    world.shrink(&[&c]);
    assert_eq!(world.record().heirs, set([&a, &c]), "not b, which left before");
    assert_eq!(world.change(&b, Change::Claim), Err(Refusal::NotAMember));
    world.change(&c, Change::Claim).unwrap();
    let record = world.record();
    assert_eq!((record.owner.as_ref(), &record.isr), (Some(&c), &set([&c])));
    assert_eq!(record.heirs, set([&a, &c]), "they stay until there are two again");
    world.grow(&[&b]);
    assert!(world.record().heirs.is_empty());
}

#[test]
fn only_the_owner_changes_its_set_and_it_stays_in_it() {
    let mut world = world();
    let (a, b) = (world.a.clone(), world.b.clone());
    let with = set([&b]);
    assert_eq!(world.change(&b, Change::Grow { with }), Err(Refusal::NotOwner));
    let without = set([&a]);
    assert_eq!(world.change(&a, Change::Shrink { without }), Err(Refusal::NotAMember));
    let with = set([&node("d", 1)]);
    assert_eq!(world.change(&a, Change::Grow { with }), Err(Refusal::NotRegistered));
    assert_eq!(world.change(&b, Change::Confirm), Err(Refusal::NotOwner));
    let version = world.record().version;
    assert_eq!(world.change(&a, Change::Confirm), Ok(Answer::Changed { version }));
}

#[test]
fn a_slot_is_handed_to_a_member_only() {
    let mut world = world();
    let (a, b, c) = (world.a.clone(), world.b.clone(), world.c.clone());
    world.grow(&[&b]);
    for to in [&a, &c] {
        let to = to.clone();
        assert_eq!(world.change(&a, Change::HandOver { to }), Err(Refusal::NotAMember));
    }
    world.change(&a, Change::HandOver { to: b.clone() }).unwrap();
    let record = world.record();
    assert_eq!((record.owner.as_ref(), record.term), (Some(&b), Term(2)));
    assert_eq!(record.isr, set([&a, &b]), "who gave it away still holds it");
}

#[test]
fn history_is_given_up_on_proof_of_death_alone() {
    let mut world = world();
    let (a, b, c) = (world.a.clone(), world.b.clone(), world.c.clone());
    world.grow(&[&b]);
    world.shrink(&[&b]);
    assert_eq!(world.change(&c, Change::Reset), Err(Refusal::NotProvedDead));
    world.register(&node("a", 2)).unwrap();
    assert_eq!(
        world.change(&c, Change::Reset),
        Err(Refusal::NotProvedDead),
        "the heir may live"
    );
    world.register(&node("b", 2)).unwrap();
    assert!(world.table.is_lost(SLOT));
    assert_eq!(
        world.change(&b, Change::Claim),
        Err(Refusal::Superseded {
            generation: Generation(2)
        })
    );
    world.change(&c, Change::Reset).unwrap();
    let record = world.record();
    assert_eq!(
        (record.owner.as_ref(), record.term, record.resets),
        (Some(&c), Term(2), 1)
    );
    assert_eq!((&record.isr, record.heirs.len()), (&set([&c]), 0));
    assert!(!world.table.is_lost(SLOT));
    assert_eq!(
        world.change(&a, Change::Claim),
        Err(Refusal::Superseded {
            generation: Generation(2)
        })
    );
}

#[test]
fn a_node_that_an_operator_declared_lost_does_not_count_any_more() {
    let mut world = world();
    let (a, b) = (world.a.clone(), world.b.clone());
    let superseded = Err(Refusal::Superseded {
        generation: Generation(1),
    });
    let name = a.name.clone();
    assert_eq!(world.table.apply(&Command::Bury { name }), Ok(Answer::Done));
    assert_eq!(world.change(&a, Change::Confirm), superseded);
    assert_eq!(world.register(&a), superseded, "it has to start anew");
    assert!(world.table.nodes().current(&a.name).is_none());
    world.change(&b, Change::Reset).unwrap();
    assert_eq!(world.register(&node("a", 2)), Ok(Answer::Done));
    assert!(world.table.nodes().current(&a.name).is_some());
    let name = NodeName::parse("nobody").unwrap();
    assert_eq!(world.table.apply(&Command::Bury { name }), Err(Refusal::NotRegistered));
}

#[test]
fn an_earlier_start_of_a_name_is_refused() {
    let mut world = world();
    assert_eq!(world.register(&node("a", 1)), Ok(Answer::Done), "asked again");
    world.register(&node("a", 7)).unwrap();
    let superseded = Err(Refusal::Superseded {
        generation: Generation(7),
    });
    assert_eq!(world.register(&node("a", 6)), superseded);
    let a = world.a.clone();
    assert_eq!(world.change(&a, Change::Confirm), superseded);
}

#[test]
fn a_slot_beyond_the_table_is_refused() {
    let mut world = world();
    let command = Command::Change {
        slot: SlotId(8),
        version: 0,
        by: world.a.clone(),
        change: Change::Claim,
    };
    assert_eq!(world.table.apply(&command), Err(Refusal::NoSuchSlot));
    assert!(!world.table.is_lost(SlotId(8)));
}
