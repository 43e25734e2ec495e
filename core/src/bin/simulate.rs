//! Runs the simulation: `simulate [--seed N | --seeds N | --seeds A..B] [--scenario NAME]
//! [--fault NAME] [--trace]`. Without seeds it runs a thousand. The last line says what was checked.
//!
//! Ends with 0 when nothing was broken, 1 when something was, 2 when the arguments make no sense,
//! and 3 when nothing was broken and too little was seen to mean anything.

use std::env;
use std::ops::Range;
use std::process::ExitCode;

use starling_core::fault::Faults;
use starling_core::sim::suite::{self, Suite};
use starling_core::sim::{Options, Scenario, run};

/// Seeds that are run when none are named.
const SEEDS: u64 = 1_000;

fn main() -> ExitCode {
    match Arguments::parse(env::args().skip(1)) {
        Ok(arguments) => arguments.run(),
        Err(fault) => {
            eprintln!(
                "{fault}\nusage: simulate [--seed N | --seeds N | --seeds A..B] [--scenario NAME] [--fault NAME] [--trace]"
            );
            ExitCode::from(2)
        }
    }
}

struct Arguments {
    seeds: Range<u64>,
    scenario: Option<Scenario>,
    faults: Faults,
    trace: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            seeds: 0..SEEDS,
            scenario: None,
            faults: Faults::default(),
            trace: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--seed" => {
                    let seed = suite::seed(&value()?)?;
                    arguments.seeds = seed..seed.saturating_add(1);
                }
                "--seeds" => arguments.seeds = suite::seeds(&value()?)?,
                "--scenario" => {
                    let name = value()?;
                    let names = || Scenario::ALL.map(Scenario::name).join(", ");
                    let found = Scenario::named(&name);
                    arguments.scenario = Some(found.ok_or_else(|| format!("`{name}` is none of {}", names()))?);
                }
                "--fault" => {
                    let name = value()?;
                    let names = || suite::FAULTS.map(|(name, _)| name).join(", ");
                    let found = suite::fault(&name);
                    arguments.faults = found.ok_or_else(|| format!("`{name}` is none of {}", names()))?;
                }
                "--trace" => arguments.trace = true,
                _ => return Err(format!("`{word}` is no argument")),
            }
        }
        Ok(arguments)
    }

    fn run(self) -> ExitCode {
        let mut suite = Suite::default();
        for seed in self.seeds.clone() {
            let options = Options {
                seed,
                scenario: self.scenario,
                faults: self.faults,
                trace: self.trace,
            };
            let mut report = run(&options);
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
        if self.seeds.end - self.seeds.start > 1 {
            print!("{}", suite.coverage());
        }
        println!("{suite}");
        let whole = self.scenario.is_none() && self.seeds.end - self.seeds.start >= SEEDS;
        let missing = suite.missing();
        if whole && !missing.is_empty() {
            println!("inconclusive: never seen: {missing:?}");
            return ExitCode::from(3);
        }
        ExitCode::SUCCESS
    }
}
