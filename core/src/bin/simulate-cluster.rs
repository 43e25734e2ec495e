//! Runs the simulation of a cluster: `simulate-cluster [--seed N | --seeds N | --seeds A..B]
//! [--fault NAME] [--trace] [--plants]`. Without seeds it runs a thousand. The last line says what was checked. With `--plants` it looks for a seed for every planted fault.
//!
//! Ends with 0 when nothing was broken, 1 when something was, 2 when the arguments make no sense,
//! and 3 when nothing was broken and too little was seen to mean anything.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use starling_core::sim::cluster::{FAULTS, Service, Sight, run};
use starling_core::sim::suite::Arguments;
use starling_core::sim::{Coverage, Sighted as _};

/// Seeds that are run when none are named, and enough to meet every case.
const SEEDS: u64 = 1_000;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(env::args().skip(1), SEEDS, &FAULTS) {
        Ok(arguments) => arguments,
        Err(fault) => {
            eprintln!(
                "{fault}\nusage: simulate-cluster [--seed N | --seeds N | --seeds A..B] [--fault NAME] [--trace] [--plants]"
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
    let (mut coverage, mut events, mut acks, mut deliveries) = (Coverage::default(), 0, 0, 0);
    let mut services = BTreeMap::new();
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
        let worst = services.entry(report.course).or_insert_with(Service::default);
        *worst = worst.or_worse(report.service);
        events += report.events;
        acks += report.acks;
        deliveries += report.deliveries;
    }
    if seeds > 1 {
        print!("{coverage}");
    }
    for (course, Service { slowest, unserved }) in services {
        println!("{course:?}: the slowest publish {slowest:.1?}, a slot without service for {unserved:.1?}");
    }
    println!("{seeds} seeds, {events} events, {acks} acks, {deliveries} deliveries, 0 broken");
    let missing = coverage.missing(Sight::ALL);
    if seeds >= SEEDS && !missing.is_empty() {
        println!("inconclusive: never seen: {missing:?}");
        return ExitCode::from(3);
    }
    ExitCode::SUCCESS
}
