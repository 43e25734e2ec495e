//! Runs the simulation of a cluster: `simulate-cluster [--seed N | --seeds N | --seeds A..B]
//! [--fault NAME] [--trace] [--plants]`. Without seeds it runs a thousand. The last line says what was checked. With `--plants` it looks for a seed for every planted fault.
//!
//! Ends with 0 when nothing was broken, 1 when something was, 2 when the arguments make no sense,
//! and 3 when nothing was broken and too little was seen to mean anything.

use std::collections::BTreeMap;
use std::env;
use std::ops::Range;
use std::process::ExitCode;

use starling_core::fault::Faults;
use starling_core::sim::cluster::sight::Sights;
use starling_core::sim::cluster::{FAULTS, Service, Sight, run};
use starling_core::sim::suite;

/// Seeds that are run when none are named, and enough to meet every case.
const SEEDS: u64 = 1_000;

fn main() -> ExitCode {
    match Arguments::parse(env::args().skip(1)) {
        Ok(arguments) => arguments.run(),
        Err(fault) => {
            eprintln!(
                "{fault}\nusage: simulate-cluster [--seed N | --seeds N | --seeds A..B] [--fault NAME] [--trace]"
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
        let (mut sights, mut events, mut acks, mut deliveries) = (Sights::default(), 0, 0, 0);
        let mut services = BTreeMap::new();
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
            let worst = services.entry(report.course).or_insert_with(Service::default);
            *worst = worst.or_worse(report.service);
            events += report.events;
            acks += report.acks;
            deliveries += report.deliveries;
        }
        if seeds > 1 {
            for sight in Sight::ALL {
                println!("{:>10} {sight:?}", sights.count(sight));
            }
        }
        for (course, Service { slowest, unserved }) in services {
            println!("{course:?}: the slowest publish {slowest:.1?}, a slot without service for {unserved:.1?}");
        }
        println!("{seeds} seeds, {events} events, {acks} acks, {deliveries} deliveries, 0 broken");
        let missing = sights.missing();
        if seeds >= SEEDS && !missing.is_empty() {
            println!("inconclusive: never seen: {missing:?}");
            return ExitCode::from(3);
        }
        ExitCode::SUCCESS
    }
}
