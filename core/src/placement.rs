//! Which nodes should hold which slot.
//!
//! Rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates",
//! 1998): every node has a score for every slot, and the highest scores win. When a node comes or
//! goes, only the slots that it wins or won move, and every node finds the same answer by itself.
//! The answer is a proposal: the slot table makes it real.
//!
//! * [`planner`]: what this node wants of each slot, from what it knows of the others;
//! * `places`: which nodes there are, and whose place is kept for them; `seats`: in which order they
//!   hold a slot, over zones; `moves`: how fast ownership changes hands.

use std::cmp::Ordering;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::id::{NodeName, SlotId};

mod moves;
mod places;
pub mod planner;
mod seats;

pub use planner::Planner;

/// Copies a slot should have. With three, two are left after a crash, so publishing goes on as soon
/// as there is a new owner.
pub const COPIES: usize = 3;

/// `nodes` in the order in which they should hold `slot`: the first should own it.
#[must_use]
pub fn ranking(slot: SlotId, nodes: impl IntoIterator<Item = NodeName>) -> Vec<NodeName> {
    let mut ranked: Vec<_> = nodes.into_iter().map(|node| (score(slot, &node), node)).collect();
    ranked.sort_by(|a, b| by_score((a.0, &a.1), (b.0, &b.1)));
    ranked.into_iter().map(|(_, node)| node).collect()
}

/// Whether `a` comes before `b` in the ranking of `slot`.
#[must_use]
pub fn ranks_before(slot: SlotId, a: &NodeName, b: &NodeName) -> bool {
    by_score((score(slot, a), a), (score(slot, b), b)) == Ordering::Less
}

fn score(slot: SlotId, node: &NodeName) -> u64 {
    xxh3_64_with_seed(node.as_str().as_bytes(), u64::from(slot.0))
}

/// The highest score first. Equal ones are decided by name, the same way everywhere.
fn by_score(a: (u64, &NodeName), b: (u64, &NodeName)) -> Ordering {
    b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<NodeName> {
        let name = |n| NodeName::parse(&format!("starling-{n}")).unwrap();
        (0..count).map(name).collect()
    }

    #[test]
    fn the_ranking_of_a_slot_never_changes() {
        // Golden: nodes of an earlier version place their slots by these.
        let ranked = |slot| ranking(SlotId(slot), names(3)).into_iter().map(|name| name.to_string());
        let orders: Vec<Vec<_>> = [0, 1, 1023].map(|slot| ranked(slot).collect()).into();
        assert_eq!(
            orders,
            [
                ["starling-2", "starling-1", "starling-0"],
                ["starling-2", "starling-1", "starling-0"],
                ["starling-1", "starling-2", "starling-0"],
            ]
        );
    }

    #[test]
    fn slots_are_spread_evenly_and_only_those_of_a_node_move_with_it() {
        let owner = |slot, nodes: &[NodeName]| ranking(SlotId(slot), nodes.to_vec()).swap_remove(0);
        let (three, four) = (names(3), names(4));
        let mut owned = [0_u32; 3];
        for slot in 0..1024 {
            let before = owner(slot, &three);
            owned[three.iter().position(|name| *name == before).unwrap()] += 1;
            let after = owner(slot, &four);
            assert!(
                after == before || after == four[3],
                "slot {slot} moved between nodes that stayed"
            );
        }
        assert!(owned.iter().all(|n| (290..395).contains(n)), "{owned:?}");
    }
}
