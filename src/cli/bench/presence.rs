//! `starling bench presence`: what a crowd in one channel does to those who publish in others.

use std::path::PathBuf;
use std::time::Duration;

use starling_bench::presence::{self, Event, Options, Report};

use super::super::exit::{self, Exit, Failure};
use super::super::note;
use super::super::output::Output;
use super::super::shape::json;
use super::{failed, program, unless_interrupted};
use crate::config::parse_duration;

/// A crowd in one channel: publish to ack in other channels, what gossip costs, how soon a join is told.
///
/// Starts three nodes on the first core, with the load on the second, and opens all connections over WebSocket. Then it measures
/// four phases: nobody in the channel, a tenth, everybody, and everybody with some who come and go. A connection has one entry
/// in a channel, so there is one for each entry. The last lines of the result say whether the goals are met, and whether it can
/// be trusted.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub(super) struct Presence {
    /// Clients in the channel at any time
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    entries: usize,
    /// Of these, those that are told who is there
    #[arg(long, default_value_t = 100, value_name = "N")]
    watchers: usize,
    /// Of all others, those that are told how many there are
    #[arg(long, default_value_t = 100, value_name = "N")]
    counting: usize,
    /// Joins and leaves a second, half of them each
    #[arg(long, default_value_t = 500, value_name = "N")]
    churn: u32,
    /// Publishers in other channels
    #[arg(long, default_value_t = 12, value_name = "N")]
    publishers: usize,
    /// Messages a second of each
    #[arg(long, default_value_t = 10, value_name = "N")]
    rate: u32,
    /// How long each phase counts
    #[arg(long, default_value = "20s", value_parser = parse_duration)]
    duration: Duration,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Presence {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let is_json = self.json;
        let options = self.options(program()?);
        let measured = unless_interrupted(async { presence::run(&options, told).await.map_err(failed) })?;
        let Some(report) = measured else {
            return Ok(Exit::Interrupted);
        };
        Output::stdout().line(&line(&report, is_json))?;
        // A goal that is not met is a result, and so is one that is not valid: it says so itself.
        Ok(Exit::Done)
    }

    fn options(self, program: PathBuf) -> Options {
        Options {
            entries: self.entries,
            watchers: self.watchers,
            counting: self.counting,
            churn: self.churn,
            publishers: self.publishers,
            rate: self.rate,
            duration: self.duration,
            program,
        }
    }
}

/// Tells whoever watches what happens.
fn told(event: Event) {
    match event {
        Event::Phase(phase) => note(&phase.to_string()),
        Event::Note(text) => note(&text),
    }
}

fn line(report: &Report, is_json: bool) -> Vec<u8> {
    if is_json {
        json(report)
    } else {
        report.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Typed {
        #[command(flatten)]
        presence: Presence,
    }

    fn options(line: &str) -> Options {
        let typed = Typed::try_parse_from(line.split(' ')).expect("a command line of ours");
        typed.presence.options(PathBuf::from("starling"))
    }

    #[test]
    fn the_defaults_are_the_crowd_that_the_goal_speaks_of() {
        let options = options("presence");
        assert_eq!((options.entries, options.watchers, options.churn), (10_000, 100, 500));
        assert_eq!(options.counting, 100);
        assert_eq!(
            (options.publishers, options.rate, options.duration),
            (12, 10, Duration::from_secs(20))
        );
    }

    #[test]
    fn every_option_reaches_the_measurement() {
        let options = options(
            "presence --entries 200 --watchers 7 --counting 8 --churn 30 --publishers 3 --rate 5 --duration 2s --json",
        );
        assert_eq!((options.entries, options.watchers, options.churn), (200, 7, 30));
        assert_eq!(options.counting, 8);
        assert_eq!(
            (options.publishers, options.rate, options.duration),
            (3, 5, Duration::from_secs(2))
        );
    }
}
