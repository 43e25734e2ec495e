//! What can be typed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::check::{Verdict, check};
use crate::gaps::Gaps;
use crate::history::{self, Event, Record};
use crate::report::{Beside, Report};
use crate::run::{Plan, clean, default_directory, directory_of, run, run_crowd, run_documents};
use crate::scenario::Scenario;

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "chaos",
    about = "Real nodes under faults, and what must hold of the histories of their clients",
    after_help = "Exit codes: 0 all goals met, 1 a promise broken or a goal missed, 2 the run could not be made.\n\
                  The last line of standard output is one JSON object; docs/chaos.md explains it."
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Starts nodes, makes faults, and checks; takes root
    Run {
        /// kill-one, kill-owner, kill-any, pause, isolate, one-way, lossy, rolling-restart, raft-minority, all-in-sync-die,
        /// presence-kill, presence-freeze, presence-restart or doc-kill
        scenario: Scenario,
        /// How many faults are made, one after the other
        #[arg(long, default_value_t = 5)]
        kills: u32,
        /// How many clients are in the channel of a presence scenario; fewer for a machine that is not for them alone
        #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u16).range(200..=5_000))]
        members: u16,
        /// Repeats the choices of a run; not given, they are others each time
        #[arg(long)]
        seed: Option<u64>,
        /// The binary under test
        #[arg(long, env = "STARLING_BINARY")]
        binary: PathBuf,
        /// Has the node of kill-one keep its messages in memory, so that they are lost with it: such a run has to fail
        #[arg(long)]
        forget: bool,
        /// Times are told and not required: for a machine that does other things too
        #[arg(long)]
        untimed: bool,
        /// Where histories and logs are kept, in a directory for each scenario and seed that is made anew
        #[arg(long)]
        directory: Option<PathBuf>,
    },
    /// Checks a history that a run has left
    Check {
        /// Its history.jsonl
        history: PathBuf,
    },
    /// Takes away what a run left that was killed; every run begins with it
    Clean,
}

impl Cli {
    /// Does what was typed.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let done = match self.verb {
            Verb::Run {
                scenario,
                kills,
                members,
                seed,
                binary,
                forget,
                untimed,
                directory,
            } => {
                let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
                let base = directory.unwrap_or_else(default_directory);
                let plan = Plan {
                    scenario,
                    faults: kills,
                    members: members.into(),
                    seed,
                    binary,
                    directory: directory_of(&base, scenario, seed),
                    forgets: forget,
                };
                eprintln!(
                    "chaos: {scenario}, {kills} faults, seed {seed}, in {}",
                    plan.directory.display()
                );
                if scenario.is_crowd() {
                    run_crowd(&plan).map_err(|error| error.to_string()).map(|mut verdict| {
                        verdict.close(untimed);
                        tell(verdict.missed(), &verdict.line())
                    })
                } else if scenario.is_documents() {
                    run_documents(&plan)
                        .map_err(|error| error.to_string())
                        .map(|mut verdict| {
                            verdict.close(untimed);
                            tell(verdict.missed(), &verdict.line())
                        })
                } else {
                    run(&plan)
                        .map_err(|error| error.to_string())
                        .and_then(|(history, beside)| judge(&history, Some(kills), untimed, beside))
                }
            }
            Verb::Check { history } => judge(&history, None, false, Beside::default()),
            Verb::Clean => clean().map_err(|error| error.to_string()).map(|left| {
                eprintln!("chaos: {left} namespaces and databases were left");
                true
            }),
        };
        match done {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(error) => {
                eprintln!("chaos: {error}");
                ExitCode::from(2)
            }
        }
    }
}

/// Prints what became of a run that is judged by itself; whether that is good enough.
fn tell(missed: &[String], line: &str) -> bool {
    for missed in missed {
        eprintln!("chaos: missed: {missed}");
    }
    println!("{line}");
    missed.is_empty()
}

/// Checks a history and prints what it is worth; whether that is good enough.
fn judge(path: &std::path::Path, asked: Option<u32>, untimed: bool, beside: Beside) -> Result<bool, String> {
    let records = history::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let Some(Record {
        event: Event::Run { scenario, seed, .. },
        ..
    }) = records.first()
    else {
        return Err(format!("{}: it does not begin with a run", path.display()));
    };
    let goals = scenario.parse::<Scenario>()?.goals();
    let goals = if untimed { goals.untimed() } else { goals };
    let verdict: Verdict = check(&records);
    for violation in &verdict.told {
        eprintln!("chaos: {violation}");
    }
    let asked = asked.unwrap_or_else(|| u32::try_from(verdict.faults).unwrap_or(u32::MAX));
    let report = Report::new(
        scenario,
        *seed,
        (asked, goals),
        (&verdict, &Gaps::of(&records)),
        beside,
        path,
    );
    for missed in report.missed() {
        eprintln!("chaos: missed: {missed}");
    }
    println!("{}", report.line());
    Ok(report.is_good())
}
