//! `starling bench fanout`: what a delivery costs, beside a null server in the same minutes.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use starling_bench::Transport;
use starling_bench::fanout::{self, Event, Options, Report};
use tokio::sync::Notify;

use super::super::exit::{self, Exit, Failure};
use super::super::note;
use super::super::output::Output;
use super::super::shape::json;
use super::{failed, program, unless_interrupted};
use crate::config::parse_duration;

/// One publisher to many subscribers: CPU time for each delivery, latency, memory for each connection.
///
/// Starts its own servers, a node and a null server in turn, each on the first core, with the load on the second. With
/// --nodes 3 it is three nodes and one node in turn: messages are published at one of the three, ordered by the second
/// and read at the third, all on the first core. The last line of the result says whether it can be trusted.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub(super) struct Fanout {
    /// What carries the sessions: ws or wt
    #[arg(long, default_value_t = Transport::WebSocket)]
    transport: Transport,
    /// 1 compares a node with a null server, 3 compares three nodes with one
    #[arg(long, default_value_t = 1, value_name = "N")]
    nodes: u32,
    /// Receivers of every message
    #[arg(long, default_value_t = 500, value_name = "N")]
    subscribers: usize,
    /// Messages a second
    #[arg(long, default_value_t = 20, value_name = "N")]
    rate: u32,
    /// How long each run counts
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    duration: Duration,
    /// Bytes of each payload
    #[arg(long, default_value_t = 150, value_name = "BYTES")]
    payload: usize,
    /// Pairs of runs; the result is their median
    #[arg(long, default_value_t = 5, value_name = "N")]
    pairs: u32,
    /// Idle connections at which a node's memory is read, once so many and once twice; from 4000 on with 30 s of rest
    /// before
    #[arg(long, default_value_t = 500, value_name = "N")]
    idle: usize,
    /// Compare with the null server at 20 messages/s to 500 subscribers too; always so above 200 messages/s
    #[arg(long)]
    against_sparse_null: bool,
    /// Print JSON: each run as it ends, and the result as the last line
    #[arg(long)]
    json: bool,
}

impl Fanout {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let json = self.json;
        let options = self.options(program()?);
        let mut teller = Teller {
            to: Output::stdout(),
            json,
        };
        let measured = unless_interrupted(async {
            let mut written = Ok(());
            let stopped = Notify::new();
            let measurement = fanout::run(&options, |event| {
                if let Err(failure) = teller.event(&event) {
                    written = Err(failure);
                    stopped.notify_one();
                }
            });
            let report = tokio::select! {
                report = measurement => Some(report.map_err(failed)?),
                () = stopped.notified() => None,
            };
            written.map(|()| report)
        })?;
        let Some(Some(report)) = measured else {
            return Ok(Exit::Interrupted);
        };
        teller.report(&report)?;
        // A result that is not valid is a result: it says so itself.
        Ok(Exit::Done)
    }

    fn options(self, program: PathBuf) -> Options {
        Options {
            transport: self.transport,
            nodes: self.nodes,
            subscribers: self.subscribers,
            rate: self.rate,
            duration: self.duration,
            payload_bytes: self.payload,
            pairs: self.pairs,
            idle: self.idle,
            against_sparse_null: self.against_sparse_null,
            program,
        }
    }
}

/// Tells what happens: results to standard output, everything to whoever watches.
struct Teller<W> {
    to: Output<W>,
    json: bool,
}

/// A line of JSON before the last.
#[derive(Serialize)]
struct Line<'a> {
    attempt: &'a fanout::Attempt,
}

impl<W: Write> Teller<W> {
    fn event(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        match event {
            Event::Attempt(attempt) => {
                note(&attempt.to_string());
                if self.json {
                    self.to.line(&json(&Line { attempt }))
                } else {
                    Ok(())
                }
            }
            Event::Note(text) => {
                note(text);
                Ok(())
            }
        }
    }

    fn report(&mut self, report: &Report) -> Result<(), Failure> {
        let line = if self.json {
            json(report)
        } else {
            report.to_string().into_bytes()
        };
        self.to.line(&line)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Typed {
        #[command(flatten)]
        fanout: Fanout,
    }

    fn parse(line: &str) -> Fanout {
        let words = line.split(' ');
        Typed::try_parse_from(words).expect("a command line of ours").fanout
    }

    #[test]
    fn the_defaults_are_the_case_that_results_are_compared_at() {
        let fanout = parse("fanout");
        let options = fanout.options(PathBuf::from("starling"));
        assert_eq!(
            (
                options.transport,
                options.subscribers,
                options.rate,
                options.duration,
                options.payload_bytes
            ),
            (Transport::WebSocket, 500, 20, Duration::from_secs(10), 150)
        );
        assert_eq!(
            (options.nodes, options.pairs, options.idle, options.against_sparse_null),
            (1, 5, 500, false)
        );
    }

    #[test]
    fn every_option_reaches_the_measurement() {
        let line = "fanout --transport wt --subscribers 20 --rate 1000 --duration 30s --payload 64 --pairs 7 \
                    --nodes 3 --idle 4000 --against-sparse-null --json";
        let fanout = parse(line);
        assert!(fanout.json);
        let options = fanout.options(PathBuf::from("starling"));
        assert_eq!(
            (
                options.transport,
                options.subscribers,
                options.rate,
                options.duration,
                options.payload_bytes
            ),
            (Transport::WebTransport, 20, 1_000, Duration::from_secs(30), 64)
        );
        assert_eq!(
            (options.nodes, options.pairs, options.idle, options.against_sparse_null),
            (3, 7, 4_000, true)
        );
    }
}
