//! Several planners around one table, each with a view of its own that is late and sometimes wrong,
//! while nodes come, go, crash, return and drain. What they want is carried out as a replica does it,
//! without the logs. `sim::cluster` has the replicas too.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::placement::ranks_before;
use crate::table::Record;

const TICK: Duration = Duration::from_millis(250);
const SLOTS: u16 = 48;

fn config() -> Config {
    Config {
        moves_per_round: 2,
        drain_batch: 5,
        ..Config::default()
    }
}

/// One node: how it really is, its planner, and what it believes.
struct Node {
    id: NodeId,
    is_up: bool,
    is_draining: bool,
    planner: Planner,
    table: Table,
    members: BTreeMap<usize, Member>,
    again: Option<Instant>,
}

struct World {
    random: StdRng,
    now: Instant,
    table: Table,
    nodes: Vec<Node>,
    /// Whether views are wrong at times.
    is_rough: bool,
    /// Changes of the table, and of what is wanted.
    changes: u64,
    outputs: u64,
    owner_changes: BTreeMap<SlotId, u64>,
    /// Who moved what while it did not drain, and when.
    moved: Vec<(Instant, NodeId, SlotId)>,
}

impl World {
    fn new(nodes: usize, seed: u64) -> Self {
        let mut world = Self {
            random: StdRng::seed_from_u64(seed),
            now: start(),
            table: Table::new(SLOTS),
            nodes: Vec::new(),
            is_rough: true,
            changes: 0,
            outputs: 0,
            owner_changes: BTreeMap::new(),
            moved: Vec::new(),
        };
        for _ in 0..nodes {
            world.join();
        }
        world
    }

    /// Nodes that have settled, and whose views are late and never wrong.
    fn settled(nodes: usize, seed: u64) -> Self {
        let mut world = Self::new(nodes, seed);
        world.is_rough = false;
        world.pass(SECOND * 60);
        world.check_settled(seed);
        world.owner_changes.clear();
        world
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn join(&mut self) {
        let next = self.start(node(self.nodes.len(), 1));
        self.nodes.push(next);
    }

    /// The next start of a node.
    fn restart(&mut self, number: usize) {
        let generation = self.nodes[number].id.generation.0 + 1;
        self.nodes[number] = self.start(node(number, generation));
    }

    fn start(&mut self, id: NodeId) -> Node {
        self.table.apply(&Command::Register { node: id.clone() }).unwrap();
        Node {
            planner: Planner::new(id.clone(), Arc::from(""), config()),
            id,
            is_up: true,
            is_draining: false,
            table: self.table.clone(),
            members: BTreeMap::new(),
            again: None,
        }
    }

    fn is_up(&self, id: &NodeId) -> bool {
        self.nodes.iter().any(|node| node.id == *id && node.is_up)
    }

    fn up(&self) -> Vec<usize> {
        (0..self.nodes.len())
            .filter(|number| self.nodes[*number].is_up)
            .collect()
    }

    fn tick(&mut self) {
        self.now += TICK;
        for number in self.up() {
            self.look(number);
            for slot in (0..SLOTS).map(SlotId) {
                self.act(number, slot);
            }
        }
    }

    /// A node learns something, and plans if it did or had asked for it.
    fn look(&mut self, number: usize) {
        let mut is_new = false;
        for of in (0..self.nodes.len()).filter(|of| *of != number) {
            is_new |= self.learn(number, of);
        }
        if self.chance(60) && self.nodes[number].table != self.table {
            self.nodes[number].table = self.table.clone();
            is_new = true;
        }
        let node = &mut self.nodes[number];
        if is_new || node.again.is_some_and(|again| again <= self.now) {
            let members: Vec<_> = node.members.values().cloned().collect();
            let view = View {
                table: &node.table,
                members: &members,
                down: &BTreeSet::new(),
                is_draining: node.is_draining,
            };
            let plan = node.planner.plan(&view, self.now);
            self.outputs += plan.changed.len() as u64;
            node.again = plan.again;
        }
    }

    /// What one node learns of another, late, and now and then wrongly.
    fn learn(&mut self, viewer: usize, of: usize) -> bool {
        if !self.chance(40) {
            return false;
        }
        let is_wrong = self.is_rough && self.chance(1);
        let Node {
            id, is_up, is_draining, ..
        } = &self.nodes[of];
        let standing = match (*is_up && !is_wrong, *is_draining) {
            (false, _) => Standing::Silent,
            (true, false) => Standing::Serving,
            (true, true) => Standing::Draining,
        };
        let (node, zone) = (id.clone(), Arc::from(""));
        let member = Member { node, standing, zone };
        let before = self.nodes[viewer].members.insert(of, member.clone());
        before != Some(member)
    }

    /// A node does to a slot what its replica would, sooner or later.
    fn act(&mut self, number: usize, slot: SlotId) {
        let me = self.nodes[number].id.clone();
        let record = self.nodes[number].table.record(slot).unwrap().clone();
        let Some(wanted) = self.nodes[number].planner.wanted(slot).cloned() else {
            return;
        };
        let change = match &record.owner {
            Some(owner) if *owner == me => self.owners_change(&record, &wanted, &me),
            Some(owner) if !self.is_up(owner) && record.may_claim(&me) => {
                let before = |node: &NodeId| ranks_before(slot, &node.name, &me.name) && self.is_up(node);
                (!record.holders().any(before)).then_some(Change::Claim)
            }
            _ if wanted.owner.as_ref() != Some(&me) => None,
            None => Some(Change::Claim),
            Some(_) => wanted.lost.then_some(Change::Reset),
        };
        let Some(change) = change.filter(|_| self.chance(50)) else {
            return;
        };
        if matches!(change, Change::HandOver { .. }) && !self.nodes[number].is_draining {
            self.moved.push((self.now, me.clone(), slot));
        }
        let (by, version) = (me, record.version);
        let before = self.table.record(slot).unwrap().owner.clone();
        let command = Command::Change {
            slot,
            version,
            by,
            change,
        };
        if self.table.apply(&command).is_ok() {
            self.changes += 1;
            if before != self.table.record(slot).unwrap().owner {
                *self.owner_changes.entry(slot).or_default() += 1;
            }
        } else if self
            .moved
            .last()
            .is_some_and(|(at, _, last)| (*at, *last) == (self.now, slot))
        {
            self.moved.pop();
        }
    }

    fn owners_change(&mut self, record: &Record, wanted: &Wanted, me: &NodeId) -> Option<Change> {
        let members = || record.isr.iter().filter(|node| *node != me);
        let dead: BTreeSet<_> = members().filter(|node| !self.is_up(node)).cloned().collect();
        if !dead.is_empty() {
            return Some(Change::Shrink { without: dead });
        }
        let lacks = |node: &&NodeId| self.is_up(node) && !record.isr.contains(*node);
        let with: BTreeSet<_> = wanted.copies.iter().filter(lacks).cloned().collect();
        if !with.is_empty() && self.chance(20) {
            // It has caught up.
            return Some(Change::Grow { with });
        }
        let is_there = wanted.copies.len() >= 2 && wanted.copies.iter().all(|node| record.isr.contains(node));
        let is_unwanted = |node: &&NodeId| is_there && !wanted.copies.contains(*node);
        let without: BTreeSet<_> = members().filter(is_unwanted).cloned().collect();
        if !without.is_empty() {
            return Some(Change::Shrink { without });
        }
        let to = wanted.owner.clone().filter(|to| to != me && record.isr.contains(to))?;
        Some(Change::HandOver { to })
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.tick();
        }
    }

    /// Something happens to some node, and is over in a while.
    fn trouble(&mut self) {
        let up = self.up();
        let number = up[self.random.random_range(0..up.len())];
        match self.random.random_range(0..10) {
            0..5 if up.len() > 2 => {
                self.nodes[number].is_up = false;
                let away = [1, 10, 40, 100][self.random.random_range(0..4)];
                self.pass(SECOND * away);
                self.restart(number);
            }
            5..7 if up.len() > 2 => {
                self.drain(number);
                self.pass(SECOND * 5);
                self.restart(number);
            }
            7 if up.len() > 3 => self.drain(number),
            8 if self.nodes.len() < 8 => self.join(),
            _ => {}
        }
        let calm = self.random.random_range(0..40);
        self.pass(SECOND * calm);
    }

    /// A node gives everything away, and ends.
    fn drain(&mut self, number: usize) {
        self.nodes[number].is_draining = true;
        let me = self.nodes[number].id.clone();
        let end = self.now + SECOND * 100;
        while self
            .table
            .records()
            .any(|(_, record)| record.owner.as_ref() == Some(&me))
        {
            assert!(self.now < end, "{me} still owns something");
            self.tick();
        }
        self.nodes[number].is_up = false;
    }

    /// Every slot is owned and held by the first of those that are there.
    fn check_settled(&self, seed: u64) {
        let up = self.up();
        for (slot, record) in self.table.records() {
            let first = ranked(slot, up.iter().copied()).into_iter().take(COPIES);
            let expected: Vec<_> = first.map(|number| self.nodes[number].id.clone()).collect();
            assert_eq!(
                record.owner.as_ref(),
                expected.first(),
                "seed {seed}: slot {slot}: {record:?}"
            );
            assert_eq!(
                record.isr,
                expected.iter().cloned().collect(),
                "seed {seed}: slot {slot}"
            );
            for number in &up {
                let wanted = self.nodes[*number].planner.wanted(slot).unwrap();
                assert_eq!(wanted.copies, expected, "seed {seed}: slot {slot} at {number}");
            }
        }
    }

    /// No owner gave away more than a few at a time, and no slot went on before its time.
    fn check_moves(&self, seed: u64) {
        let Config {
            round,
            moves_per_round,
            steady,
            ..
        } = config();
        for (number, (at, owner, slot)) in self.moved.iter().enumerate() {
            let later = self.moved[number + 1..].iter();
            // A move that began in one round may come about in the next.
            let near = later.clone().filter(|(then, by, _)| by == owner && *then < *at + round);
            assert!(near.count() < 2 * moves_per_round, "seed {seed}: {owner}");
            let again = later
                .clone()
                .find(|(then, _, other)| other == slot && *then < *at + steady);
            assert_eq!(again, None, "seed {seed}: slot {slot} was moved twice");
        }
    }
}

#[test]
fn whatever_happens_slots_settle_where_they_should_and_nothing_moves_after_that() {
    let mut moved = 0;
    for seed in 0..20 {
        let mut world = World::new(3 + usize::try_from(seed).unwrap() % 4, seed);
        world.pass(SECOND * 40);
        for _ in 0..8 {
            world.trouble();
        }
        world.is_rough = false;
        world.pass(SECOND * 150);
        world.check_settled(seed);
        world.check_moves(seed);
        moved += world.moved.len();
        let before = (world.changes, world.outputs);
        world.pass(SECOND * 120);
        assert_eq!((world.changes, world.outputs), before, "seed {seed}: it is not quiet");
    }
    assert!(moved > 500, "{moved}");
}

#[test]
fn wrong_suspicion_moves_nothing() {
    for seed in 0..10 {
        let mut world = World::settled(5, seed);
        world.is_rough = true;
        world.pass(SECOND * 300);
        assert!(world.owner_changes.is_empty(), "seed {seed}: {:?}", world.owner_changes);
        // Two at once may cost a copy more for a while.
        world.is_rough = false;
        world.pass(SECOND * 10);
        world.check_settled(seed);
    }
}

#[test]
fn a_join_moves_what_the_new_node_wins_and_nothing_else() {
    for seed in 0..10 {
        let mut world = World::settled(4, seed);
        world.join();
        world.pass(SECOND * 60);
        world.check_settled(seed);
        let wins = (0..SLOTS).map(SlotId).filter(|slot| ranked(*slot, 0..5)[0] == 4);
        let wins: BTreeMap<_, _> = wins.map(|slot| (slot, 1)).collect();
        assert_eq!(world.owner_changes, wins, "seed {seed}");
        let fair = usize::from(SLOTS) / 5;
        assert!((fair / 2..fair * 3 / 2).contains(&wins.len()), "{}", wins.len());
    }
}

#[test]
fn a_restart_within_the_hold_down_gives_nobody_else_a_copy() {
    for seed in 0..10 {
        let mut world = World::settled(5, seed);
        let held = |world: &World| -> Vec<BTreeSet<_>> {
            let names = |record: &Record| record.isr.iter().map(|node| node.name.clone()).collect();
            world.table.records().map(|(_, record)| names(record)).collect()
        };
        let before = held(&world);
        world.nodes[2].is_up = false;
        let back = world.now + SECOND * 50;
        while world.now < back + SECOND * 40 {
            if world.now == back {
                world.restart(2);
            }
            world.tick();
            let now = held(&world);
            assert!(
                now.iter().zip(&before).all(|(now, before)| now.is_subset(before)),
                "seed {seed}"
            );
        }
        world.check_settled(seed);
        // Away from it, and back.
        let owned = (0..SLOTS).map(SlotId).filter(|slot| ranked(*slot, 0..5)[0] == 2);
        let expected: BTreeMap<_, _> = owned.map(|slot| (slot, 2)).collect();
        assert_eq!(world.owner_changes, expected, "seed {seed}");
    }
}
