//! Runs the simulation of presence: `simulate-presence [--seed N | --seeds N | --seeds A..B] [--fault NAME] [--trace]
//! [--plants]`. Without seeds it runs two thousand. The last line says what was checked. With `--plants` it looks for a
//! seed for every planted fault.
//!
//! Ends with 0 when nothing was broken, 1 when something was, 2 when the arguments make no sense,
//! and 3 when nothing was broken and too little was seen to mean anything.

use std::env;
use std::ops::Range;
use std::process::ExitCode;

use starling_core::fault::Faults;
use starling_core::sim::presence::{FAULTS, Sight, Sights, run};
use starling_core::sim::suite;

/// Seeds that are run when none are named, and enough to meet every case.
const SEEDS: u64 = 2_000;

fn main() -> ExitCode {
    match Arguments::parse(env::args().skip(1)) {
        Ok(arguments) => arguments.run(),
        Err(fault) => {
            eprintln!(
                "{fault}\nusage: simulate-presence [--seed N | --seeds N | --seeds A..B] [--fault NAME] [--trace] [--plants]"
            );
            ExitCode::from(2)
        }
    }
}

struct Arguments {
    seeds: Range<u64>,
    faults: Faults,
    trace: bool,
    plants: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            seeds: 0..SEEDS,
            faults: Faults::default(),
            trace: false,
            plants: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--seed" => {
                    let seed = suite::seed(&value()?)?;
                    arguments.seeds = seed..seed.saturating_add(1);
                }
                "--seeds" => arguments.seeds = suite::seeds(&value()?)?,
                "--fault" => {
                    let name = value()?;
                    let names = || FAULTS.map(|(name, _)| name).join(", ");
                    let found = FAULTS.into_iter().find(|(known, _)| *known == name);
                    let (_, plant) = found.ok_or_else(|| format!("`{name}` is none of {}", names()))?;
                    plant(&mut arguments.faults);
                }
                "--plants" => arguments.plants = true,
                "--trace" => arguments.trace = true,
                _ => return Err(format!("`{word}` is no argument")),
            }
        }
        Ok(arguments)
    }

    fn run(self) -> ExitCode {
        match self.plants {
            true => self.find_plants(),
            false => self.run_seeds(),
        }
    }

    /// The first seed in which each planted fault shows.
    fn find_plants(self) -> ExitCode {
        let mut all = true;
        for (name, plant) in FAULTS {
            let mut faults = Faults::default();
            plant(&mut faults);
            let broken = |seed| run(seed, faults, false).violation.map(|violation| (seed, violation));
            match self.seeds.clone().find_map(broken) {
                Some((seed, violation)) => println!("{name}: seed {seed}: {violation}"),
                None => {
                    println!("{name}: not caught");
                    all = false;
                }
            }
        }
        if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn run_seeds(self) -> ExitCode {
        let (mut sights, mut events, mut told) = (Sights::default(), 0, 0);
        let seeds = self.seeds.end - self.seeds.start;
        for seed in self.seeds {
            let report = run(seed, self.faults, self.trace);
            if let Some(trace) = &report.trace {
                print!("{trace}");
            }
            if report.violation.is_some() {
                println!("{report}");
                return ExitCode::FAILURE;
            }
            sights.add(&report.sights);
            events += report.events;
            told += report.told;
        }
        if seeds > 1 {
            for sight in Sight::ALL {
                println!("{:>10} {sight:?}", sights.count(sight));
            }
        }
        println!("{seeds} seeds, {events} events, {told} joins, updates and leaves told, 0 broken");
        let missing = sights.missing();
        if seeds >= SEEDS && !missing.is_empty() {
            println!("inconclusive: never seen: {missing:?}");
            return ExitCode::from(3);
        }
        ExitCode::SUCCESS
    }
}
