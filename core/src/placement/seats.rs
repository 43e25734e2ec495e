//! In which order nodes hold a slot: by rank, and over zones.
//!
//! The first [`COPIES`](super::COPIES) of the order have a seat at the slot. Each next seat goes to
//! the highest ranked node of a zone that has the fewest of them so far, so two copies stand in one
//! zone only when every other zone that has nodes has its copy. Nodes that name no zone are thought
//! to stand together. The first in the order is the first of the ranking, whatever the zones.

use std::sync::Arc;

use super::{by_score, score};
use crate::id::{NodeName, SlotId};

/// A node that may have a seat, and its zone.
pub(super) type Candidate = (NodeName, Arc<str>);

/// The order of every slot. It is worked out when the candidates change, which is seldom: ten thousand
/// scores take longer than all else that a planner does.
#[derive(Debug, Default)]
pub(super) struct Seats {
    candidates: Vec<Candidate>,
    orders: Vec<Vec<usize>>,
}

impl Seats {
    /// Takes other candidates, if they are others.
    pub(super) fn update(&mut self, candidates: Vec<Candidate>, slots: usize) {
        if self.candidates == candidates && self.orders.len() == slots {
            return;
        }
        let zones = zones(&candidates);
        self.orders = (0..)
            .take(slots)
            .map(|slot| order(SlotId(slot), &candidates, &zones))
            .collect();
        self.candidates = candidates;
    }

    /// The candidates in the order in which they should hold `slot`, by their numbers.
    pub(super) fn order(&self, slot: SlotId) -> &[usize] {
        self.orders.get(usize::from(slot.0)).map_or(&[], Vec::as_slice)
    }
}

/// The number of each candidate's zone.
fn zones(candidates: &[Candidate]) -> Vec<usize> {
    let mut names: Vec<_> = candidates.iter().map(|(_, zone)| zone).collect();
    names.sort();
    names.dedup();
    let number = |zone| names.binary_search(&zone).unwrap_or_default();
    candidates.iter().map(|(_, zone)| number(zone)).collect()
}

fn order(slot: SlotId, candidates: &[Candidate], zones: &[usize]) -> Vec<usize> {
    let scored = candidates.iter().enumerate();
    let mut ranked: Vec<_> = scored
        .map(|(number, (name, _))| (score(slot, name), name, number))
        .collect();
    ranked.sort_by(|a, b| by_score((a.0, a.1), (b.0, b.1)));
    let mut seats = vec![0_usize; candidates.len()];
    let mut rounds: Vec<_> = ranked
        .into_iter()
        .map(|(_, _, number)| {
            let taken = &mut seats[zones[number]];
            *taken += 1;
            (*taken, number)
        })
        .collect();
    // The first of each zone, then the second of each; the sort keeps the ranking within a round.
    rounds.sort_by_key(|(round, _)| *round);
    rounds.into_iter().map(|(_, number)| number).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::placement::{COPIES, ranking};

    fn seats(zones: &[&str]) -> Seats {
        let candidate = |(n, zone): (usize, &&str)| (NodeName::parse(&format!("n{n}")).unwrap(), Arc::from(*zone));
        let mut seats = Seats::default();
        seats.update(zones.iter().enumerate().map(candidate).collect(), 256);
        seats
    }

    #[test]
    fn without_zones_the_order_is_the_ranking() {
        let seats = seats(&[""; 5]);
        for slot in (0..256).map(SlotId) {
            let names = seats.candidates.iter().map(|(name, _)| name.clone());
            let ordered = seats
                .order(slot)
                .iter()
                .map(|number| seats.candidates[*number].0.clone());
            assert_eq!(ordered.collect::<Vec<_>>(), ranking(slot, names));
        }
    }

    #[test]
    fn no_two_copies_stand_in_one_zone_while_another_has_a_node() {
        for zones in [
            &["a", "a", "a", "b", "c"][..],
            &["a", "a", "a", "a", "b"],
            &["a", "b", "", "", "c", "c"],
        ] {
            let seats = seats(zones);
            let all: BTreeSet<_> = zones.iter().collect();
            for slot in (0..256).map(SlotId) {
                let copies = &seats.order(slot)[..COPIES];
                let used: BTreeSet<_> = copies.iter().map(|number| zones[*number]).collect();
                assert_eq!(
                    used.len(),
                    all.len().min(COPIES),
                    "slot {slot} of {zones:?}: {copies:?}"
                );
            }
        }
    }

    #[test]
    fn the_owner_is_the_first_of_the_ranking_in_any_zone() {
        let (with, without) = (seats(&["a", "a", "b", "b", "b"]), seats(&[""; 5]));
        assert!(
            (0..256)
                .map(SlotId)
                .all(|slot| with.order(slot)[0] == without.order(slot)[0])
        );
    }
}
