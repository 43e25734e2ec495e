//! Runs the simulation of presence: `simulate-presence [--seed N | --seeds N | --seeds A..B] [--fault NAME] [--trace]
//! [--plants]`. Without seeds it runs two thousand. The last line says what was checked. With `--plants` it looks for a
//! seed for every planted fault.
//!
//! Ends with 0 when nothing was broken, 1 when something was, 2 when the arguments make no sense,
//! and 3 when nothing was broken and too little was seen to mean anything.

use std::env;
use std::process::ExitCode;

use starling_core::sim::presence::{FAULTS, Sight, run};
use starling_core::sim::suite::Arguments;
use starling_core::sim::{Coverage, Sighted as _};

/// Seeds that are run when none are named, and enough to meet every case.
const SEEDS: u64 = 2_000;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(env::args().skip(1), SEEDS, &FAULTS) {
        Ok(arguments) => arguments,
        Err(fault) => {
            eprintln!(
                "{fault}\nusage: simulate-presence [--seed N | --seeds N | --seeds A..B] [--fault NAME] [--trace] [--plants]"
            );
            return ExitCode::from(2);
        }
    };
    if !arguments.plants {
        return run_seeds(&arguments);
    }
    let broken = |seed, faults| {
        run(seed, faults, false)
            .violation
            .map(|violation| violation.to_string())
    };
    match arguments.find_plants(&FAULTS, broken, |line| println!("{line}")) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn run_seeds(arguments: &Arguments) -> ExitCode {
    let (mut coverage, mut events, mut told) = (Coverage::default(), 0, 0);
    let seeds = arguments.count();
    for seed in arguments.seeds.clone() {
        let report = run(seed, arguments.faults, arguments.trace);
        if let Some(trace) = &report.trace {
            print!("{trace}");
        }
        if report.violation.is_some() {
            println!("{report}");
            return ExitCode::FAILURE;
        }
        coverage.add(&report.coverage);
        events += report.events;
        told += report.told;
    }
    if seeds > 1 {
        print!("{coverage}");
    }
    println!("{seeds} seeds, {events} events, {told} joins, updates and leaves told, 0 broken");
    let missing = coverage.missing(Sight::ALL);
    if seeds >= SEEDS && !missing.is_empty() {
        println!("inconclusive: never seen: {missing:?}");
        return ExitCode::from(3);
    }
    ExitCode::SUCCESS
}
