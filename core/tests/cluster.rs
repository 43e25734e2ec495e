//! The simulation of a cluster as ordinary tests. A seed that fails is printed with the command that
//! replays it. What it has found gets a test of its own beside the rule, for a change to what is drawn
//! changes what a seed does.

#![cfg(feature = "sim")]

use starling_core::fault::Faults;
use starling_core::sim::cluster::sight::Sights;
use starling_core::sim::cluster::{FAULTS, run};

/// A seed for each planted fault in which it shows. `make simulate-plants` finds others.
const CAUGHT: [(&str, u64); 12] = [
    ("commit_alone", 0),
    ("no_term_check", 42),
    ("no_generation", 1),
    ("claim_by_anyone", 0),
    ("grow_before_ack", 1),
    ("pending_counts", 71),
    ("fan_out_before_commit", 0),
    ("publishers_not_replicated", 0),
    ("epoch_kept_on_reset", 35),
    ("attach_before_safe", 20),
    ("reset_after_silence", 0),
    ("doubt_not_confirmed", 20),
];

fn seeds(seeds: std::ops::Range<u64>) {
    let mut sights = Sights::default();
    for seed in seeds {
        let report = run(seed, Faults::default(), false);
        assert!(report.violation.is_none(), "{report}");
        sights.add(&report.sights);
    }
    assert_eq!(sights.missing(), [], "what was never seen was not tested");
}

#[test]
fn the_first_250_seeds_break_nothing_and_see_everything() {
    seeds(0..250);
}

#[test]
fn the_second_250_seeds_break_nothing_and_see_everything() {
    seeds(250..500);
}

#[test]
fn the_third_250_seeds_break_nothing_and_see_everything() {
    seeds(500..750);
}

#[test]
fn the_fourth_250_seeds_break_nothing_and_see_everything() {
    seeds(750..1_000);
}

#[test]
fn a_seed_replays_byte_for_byte() {
    let traced = || run(22, Faults::default(), true).trace.expect("asked for");
    let (first, second) = (traced(), traced());
    assert!(first.len() > 10_000 && first == second);
}

#[test]
fn every_planted_fault_is_caught() {
    assert_eq!(FAULTS.map(|(name, _)| name), CAUGHT.map(|(name, _)| name));
    for ((name, plant), (_, seed)) in FAULTS.into_iter().zip(CAUGHT) {
        let mut faults = Faults::default();
        plant(&mut faults);
        let report = run(seed, faults, false);
        println!("{name}: {report}");
        assert!(report.violation.is_some(), "{name} was not caught by seed {seed}");
    }
}
