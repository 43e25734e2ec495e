//! One planner by itself, rule by rule. How several get on with each other is in `churn`.

mod churn;
mod owners;
mod sight;

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::channel::tests::start;
use crate::id::{Generation, NodeName};
use crate::placement::ranking;
use crate::table::{Change, Command, Table};

const SECOND: Duration = Duration::from_secs(1);

fn name(number: usize) -> NodeName {
    NodeName::parse(&format!("n{number}")).unwrap()
}

fn node(number: usize, generation: u64) -> NodeId {
    NodeId {
        name: name(number),
        generation: Generation(generation),
    }
}

/// What is left of the ranking of a slot among these, as numbers.
fn ranked(slot: SlotId, numbers: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let number = |name: NodeName| name.as_str()[1..].parse().unwrap();
    ranking(slot, numbers.into_iter().map(name))
        .into_iter()
        .map(number)
        .collect()
}

/// The planner of node 0, what it sees, and a clock.
struct One {
    planner: Planner,
    table: Table,
    members: Vec<Member>,
    down: BTreeSet<NodeId>,
    is_draining: bool,
    now: Instant,
    again: Option<Instant>,
}

const SLOTS: u16 = 256;

impl One {
    /// Nodes 0 to `nodes`, all there and registered, for so long that nothing is new.
    fn new(nodes: usize) -> Self {
        let mut one = Self {
            planner: Planner::new(node(0, 1), Arc::from(""), Config::default()),
            table: Table::new(SLOTS),
            members: Vec::new(),
            down: BTreeSet::new(),
            is_draining: false,
            now: start(),
            again: None,
        };
        for number in 0..nodes {
            one.register(number, 1);
        }
        for number in 1..nodes {
            one.see(number, 1, Standing::Serving);
        }
        one
    }

    /// The same, and all slots are owned and held by whoever should.
    fn settled(nodes: usize) -> Self {
        let mut one = Self::new(nodes);
        for slot in (0..SLOTS).map(SlotId) {
            let copies: Vec<_> = ranked(slot, 0..nodes).into_iter().take(COPIES).collect();
            one.own(slot, copies[0], &copies[1..]);
        }
        one.pass(SECOND * 20);
        one
    }

    fn register(&mut self, number: usize, generation: u64) {
        let node = node(number, generation);
        self.table.apply(&Command::Register { node }).unwrap();
    }

    fn see(&mut self, number: usize, generation: u64, standing: Standing) {
        let node = node(number, generation);
        self.members.retain(|member| member.node.name != node.name);
        let zone = Arc::from("");
        self.members.push(Member { node, standing, zone });
    }

    fn change(&mut self, slot: SlotId, by: NodeId, change: Change) {
        let version = self.table.record(slot).unwrap().version;
        let command = Command::Change {
            slot,
            version,
            by,
            change,
        };
        self.table.apply(&command).unwrap();
    }

    /// The slot becomes a node's, with the copies that others hold. It must be free.
    fn own(&mut self, slot: SlotId, owner: usize, others: &[usize]) {
        self.change(slot, node(owner, 1), Change::Claim);
        let with = others.iter().map(|number| node(*number, 1)).collect();
        self.change(slot, node(owner, 1), Change::Grow { with });
    }

    fn plan(&mut self) -> Vec<(SlotId, Wanted)> {
        let view = View {
            table: &self.table,
            members: &self.members,
            down: &self.down,
            is_draining: self.is_draining,
        };
        let Plan { changed, again } = self.planner.plan(&view, self.now);
        assert!(
            again.is_none_or(|again| again > self.now),
            "it would go round in circles"
        );
        self.again = again;
        changed
    }

    /// Time passes, and the planner is asked when it said so.
    fn pass(&mut self, time: Duration) -> Vec<(SlotId, Wanted)> {
        let end = self.now + time;
        let mut changed = self.plan();
        while let Some(again) = self.again.filter(|again| *again <= end) {
            self.now = again;
            changed.extend(self.plan());
        }
        self.now = end;
        changed
    }

    fn copies(&self, slot: SlotId) -> Vec<usize> {
        let copies = &self.planner.wanted(slot).unwrap().copies;
        let number = |node: &NodeId| node.name.as_str()[1..].parse().unwrap();
        copies.iter().map(number).collect()
    }

    fn wanted_owner(&self, slot: SlotId) -> Option<&NodeId> {
        self.planner.wanted(slot)?.owner.as_ref()
    }

    /// Slots that are to be another's, of those that this node owns.
    fn leaving(&self) -> Vec<SlotId> {
        let is_leaving = |slot: &SlotId| {
            self.table.record(*slot).unwrap().owner == Some(node(0, 1)) && self.wanted_owner(*slot) != Some(&node(0, 1))
        };
        slots().filter(is_leaving).collect()
    }

    /// They are handed over.
    fn hand_over(&mut self, slots: &[SlotId]) {
        for slot in slots {
            let to = self.wanted_owner(*slot).unwrap().clone();
            self.change(*slot, node(0, 1), Change::HandOver { to });
        }
    }
}

fn slots() -> impl Iterator<Item = SlotId> {
    (0..SLOTS).map(SlotId)
}

#[test]
fn copies_are_wanted_of_the_first_three_and_nothing_changes_after_that() {
    let mut one = One::settled(5);
    for slot in slots() {
        assert_eq!(one.copies(slot), ranked(slot, 0..5)[..COPIES]);
    }
    assert_eq!(one.pass(SECOND * 600), []);
    assert_eq!(one.again, None, "nothing is waited for");
}

#[test]
fn a_place_is_kept_for_a_minute_and_is_the_next_starts_at_once() {
    let mut one = One::settled(5);
    one.see(4, 1, Standing::Silent);
    assert_eq!(one.pass(SECOND * 59), []);
    // The next start, before gossip knows it.
    one.register(4, 2);
    let changed = one.plan();
    assert!(!changed.is_empty());
    for (slot, wanted) in &changed {
        assert!(wanted.copies.contains(&node(4, 2)), "slot {slot}: {wanted:?}");
        assert_eq!(one.copies(*slot), ranked(*slot, 0..5)[..COPIES]);
    }
    one.see(4, 2, Standing::Serving);
    assert_eq!(one.pass(SECOND * 9), [], "it is wanted already, and owns nothing yet");
}

#[test]
fn a_place_is_given_away_after_a_minute_or_when_its_node_is_declared_lost() {
    for is_buried in [false, true] {
        let mut one = One::settled(5);
        one.see(4, 1, Standing::Silent);
        match is_buried {
            true => drop(one.table.apply(&Command::Bury { name: name(4) })),
            false => one.now += SECOND * 20,
        }
        one.plan();
        if !is_buried {
            one.pass(SECOND * 60);
        }
        for slot in slots() {
            assert_eq!(
                one.copies(slot),
                ranked(slot, 0..4)[..COPIES],
                "slot {slot}, buried: {is_buried}"
            );
        }
    }
}

#[test]
fn a_slot_with_one_copy_that_answers_gets_another_at_once() {
    let mut one = One::settled(6);
    for gone in [4, 5] {
        one.see(gone, 1, Standing::Silent);
    }
    one.plan();
    for slot in slots() {
        let order = ranked(slot, 0..6);
        let mut expected = order[..COPIES].to_vec();
        let answering = expected.iter().filter(|number| **number < 4).count();
        expected.extend(
            order[COPIES..]
                .iter()
                .filter(|number| **number < 4)
                .take(2_usize.saturating_sub(answering)),
        );
        assert_eq!(one.copies(slot), expected);
    }
    one.see(4, 1, Standing::Serving);
    one.plan();
    assert!(slots().all(|slot| one.copies(slot) == ranked(slot, 0..6)[..COPIES]));
}

#[test]
fn a_node_that_drains_is_let_go_and_its_place_is_kept_over_its_restart() {
    let mut one = One::settled(5);
    one.see(4, 1, Standing::Draining);
    one.plan();
    for slot in slots() {
        let mut expected = ranked(slot, 0..5)[..COPIES].to_vec();
        expected.retain(|number| *number != 4);
        assert_eq!(one.copies(slot), expected);
    }
    one.now += SECOND * 30;
    one.see(4, 1, Standing::Silent);
    assert_eq!(one.pass(SECOND * 59), [], "its end changes nothing");
    one.register(4, 2);
    one.see(4, 2, Standing::Serving);
    one.plan();
    assert!(slots().all(|slot| one.copies(slot) == ranked(slot, 0..5)[..COPIES]));
    // One that drains and stays does not keep its place for ever.
    one.see(4, 2, Standing::Draining);
    one.pass(SECOND * 61);
    assert!(slots().all(|slot| one.copies(slot) == ranked(slot, 0..4)[..COPIES]));
    one.see(4, 2, Standing::Silent);
    assert_eq!(one.pass(SECOND), [], "nor does its end give it back");
}

#[test]
fn copies_are_spread_over_zones_also_while_a_node_is_away() {
    let mut one = One::settled(5);
    let zone = |number: usize| if number < 3 { "east" } else { "west" };
    one.planner = Planner::new(node(0, 1), Arc::from(zone(0)), Config::default());
    for number in 1..5 {
        one.members[number - 1].zone = Arc::from(zone(number));
    }
    one.pass(SECOND * 2);
    for standing in [Standing::Serving, Standing::Silent] {
        one.members[3].standing = standing;
        one.pass(SECOND);
        for slot in slots() {
            let copies = one.copies(slot);
            assert!(
                copies.iter().any(|n| *n < 3) && copies.iter().any(|n| *n >= 3),
                "slot {slot}: {copies:?}"
            );
        }
    }
}
