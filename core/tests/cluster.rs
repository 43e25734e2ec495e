//! The simulation of a cluster as ordinary tests. A seed that fails is printed with the command that
//! replays it. What it has found gets a test of its own beside the rule, for a change to what is drawn
//! changes what a seed does.

#![cfg(feature = "sim")]

use starling_core::fault::Faults;
use starling_core::sim::cluster::{FAULTS, Sight, run};
use starling_core::sim::{Coverage, Sighted as _};

/// A seed for each planted fault in which it shows. `make simulate-plants` finds others.
const CAUGHT: [(&str, u64); 18] = [
    ("commit_alone", 0),
    ("no_term_check", 852),
    ("no_generation", 20),
    ("claim_by_anyone", 3),
    ("grow_before_ack", 1),
    ("pending_counts", 36),
    ("fan_out_before_commit", 0),
    ("publishers_not_replicated", 0),
    ("epoch_kept_on_reset", 20),
    ("attach_before_safe", 84),
    ("reset_after_silence", 6),
    ("doubt_not_confirmed", 49),
    ("no_claim", 0),
    ("no_hand_over", 2),
    ("no_shrink", 18),
    ("feed_gap_shown", 6),
    ("feed_not_resumed", 0),
    ("numbers_reused", 1596),
];

fn seeds(seeds: std::ops::Range<u64>) {
    let mut coverage = Coverage::default();
    for seed in seeds {
        let report = run(seed, Faults::default(), false);
        assert!(report.violation.is_none(), "{report}");
        coverage.add(&report.coverage);
    }
    assert_eq!(coverage.missing(Sight::ALL), [], "what was never seen was not tested");
}

/// A thousand seeds in eight tests, so that none takes long on a busy machine.
macro_rules! seeds {
    ($($name:ident: $from:literal,)*) => {
        $(
            #[test]
            fn $name() {
                seeds($from..$from + 125);
            }
        )*
    };
}

seeds! {
    seeds_from_0_break_nothing_and_see_everything: 0,
    seeds_from_125_break_nothing_and_see_everything: 125,
    seeds_from_250_break_nothing_and_see_everything: 250,
    seeds_from_375_break_nothing_and_see_everything: 375,
    seeds_from_500_break_nothing_and_see_everything: 500,
    seeds_from_625_break_nothing_and_see_everything: 625,
    seeds_from_750_break_nothing_and_see_everything: 750,
    seeds_from_875_break_nothing_and_see_everything: 875,
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
