//! The simulation as ordinary tests. A seed that fails is printed with the command that replays it.

#![cfg(feature = "sim")]

use starling_core::fault::Faults;
use starling_core::sim::suite::{FAULTS, Suite};
use starling_core::sim::{Options, run};

/// Seeds of every change. The `simulate` binary runs as many as there is time for.
const SEEDS: u64 = 1_000;

/// Seeds among which each planted fault must show itself.
const FAULT_SEEDS: u64 = 1_000;

fn options(seed: u64, faults: Faults) -> Options {
    Options {
        seed,
        scenario: None,
        faults,
        trace: false,
    }
}

#[test]
fn a_thousand_seeds_break_nothing_and_see_everything() {
    let mut suite = Suite::default();
    for seed in 0..SEEDS {
        let report = run(&options(seed, Faults::default()));
        assert!(
            report.violation.is_none(),
            "{report}\nreplay with: make simulate SEED={seed}"
        );
        suite.add(&report);
    }
    println!("{suite}");
    assert_eq!(suite.missing(), [], "what was never seen was not tested");
}

#[test]
fn a_seed_replays_byte_for_byte() {
    for seed in [1, 12, 123] {
        let traced = || {
            let options = Options {
                trace: true,
                ..options(seed, Faults::default())
            };
            run(&options).trace.expect("asked for")
        };
        let (first, second) = (traced(), traced());
        assert!(first.len() > 1_000, "seed {seed} did something");
        assert!(first == second, "seed {seed} does not replay");
    }
}

#[test]
fn every_planted_fault_is_caught() {
    for (name, plant) in FAULTS {
        let mut faults = Faults::default();
        plant(&mut faults);
        let caught =
            (0..FAULT_SEEDS).find_map(|seed| run(&options(seed, faults)).violation.map(|violation| (seed, violation)));
        let (seed, violation) = caught.unwrap_or_else(|| panic!("{name} was not caught in {FAULT_SEEDS} seeds"));
        println!("{name}: seed {seed}: {violation}");
        assert!(
            run(&options(seed, Faults::default())).violation.is_none(),
            "seed {seed} is clean without {name}"
        );
    }
}
