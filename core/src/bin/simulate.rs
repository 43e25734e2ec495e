//! Runs the simulation: `simulate [--seed N | --seeds N | --seeds A..B] [--scenario NAME]
//! [--fault NAME] [--trace] [--plants]`. Without seeds it runs a thousand. The last line says what was checked. With `--plants` it
//! looks for a seed for every planted fault.
//!
//! Ends with 0 when nothing was broken, 1 when something was, 2 when the arguments make no sense,
//! and 3 when nothing was broken and too little was seen to mean anything.

use std::env;
use std::process::ExitCode;

use starling_core::sim::suite::{Arguments, FAULTS, Suite};
use starling_core::sim::{Options, Scenario, run};

/// Seeds that are run when none are named.
const SEEDS: u64 = 1_000;

fn main() -> ExitCode {
    match read(env::args().skip(1).collect()) {
        Ok((arguments, scenario)) => run_seeds(&arguments, scenario),
        Err(fault) => {
            eprintln!(
                "{fault}\nusage: simulate [--seed N | --seeds N | --seeds A..B] [--scenario NAME] [--fault NAME] [--trace] [--plants]"
            );
            ExitCode::from(2)
        }
    }
}

/// What was asked, and which scenario, if one was named.
fn read(mut words: Vec<String>) -> Result<(Arguments, Option<Scenario>), String> {
    let mut scenario = None;
    if let Some(at) = words.iter().position(|word| word == "--scenario") {
        let mut words = words.drain(at..words.len().min(at + 2)).skip(1);
        let name = words.next().ok_or("--scenario needs a value")?;
        let names = || Scenario::ALL.map(Scenario::name).join(", ");
        scenario = Some(Scenario::named(&name).ok_or_else(|| format!("`{name}` is none of {}", names()))?);
    }
    Ok((Arguments::parse(words.into_iter(), SEEDS, &FAULTS)?, scenario))
}

fn run_seeds(arguments: &Arguments, scenario: Option<Scenario>) -> ExitCode {
    let options = |seed, faults| Options {
        seed,
        scenario,
        faults,
        trace: arguments.trace,
    };
    if arguments.plants {
        let broken = |seed, faults| {
            run(&options(seed, faults))
                .violation
                .map(|violation| violation.to_string())
        };
        return match arguments.find_plants(&FAULTS, broken, |line| println!("{line}")) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        };
    }
    let mut suite = Suite::default();
    for seed in arguments.seeds.clone() {
        let mut report = run(&options(seed, arguments.faults));
        if let Some(trace) = report.trace.take() {
            print!("{trace}");
        }
        if report.violation.is_some() {
            println!("{report}");
            suite.add(&report);
            println!("{suite}");
            return ExitCode::FAILURE;
        }
        suite.add(&report);
    }
    if arguments.count() > 1 {
        print!("{}", suite.coverage());
    }
    println!("{suite}");
    let whole = scenario.is_none() && arguments.count() >= SEEDS;
    let missing = suite.missing();
    if whole && !missing.is_empty() {
        println!("inconclusive: never seen: {missing:?}");
        return ExitCode::from(3);
    }
    ExitCode::SUCCESS
}
