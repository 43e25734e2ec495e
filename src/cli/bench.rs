//! `starling bench`: what the node costs on this machine, beside a null server in the same minutes.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use starling_bench::Transport;
use starling_bench::fanout::{self, Event, Options, Report};
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::exit::{Exit, Failure};
use super::note;
use super::output::Output;
use super::shape::json;
use crate::config::parse_duration;

/// Measures a node on this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// One publisher to many subscribers, on one node or across three: CPU time for each delivery, latency, memory
    Fanout(Fanout),
    /// Runs a null server, which the measurements compare with
    #[command(hide = true)]
    Null(Null),
}

/// One publisher to many subscribers: CPU time for each delivery, latency, memory for each connection.
///
/// Starts its own servers, a node and a null server in turn, each on the first core, with the load on the second. With
/// --nodes 3 it is three nodes and one node in turn: messages are published at one of the three, ordered by the second
/// and read at the third, all on the first core. The last line of the result says whether it can be trusted.
#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
struct Fanout {
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

/// Runs a null server on a port of the loopback address until it is killed.
#[derive(Debug, clap::Args)]
struct Null {
    #[arg(long)]
    transport: Transport,
    #[arg(long)]
    port: u16,
}

impl Bench {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.what {
            What::Fanout(verb) => verb.run(),
            What::Null(verb) => match starling_bench::null::run(verb.transport, verb.port) {
                Err(error) => Err(failed(error)),
                Ok(never) => match never {},
            },
        }
    }
}

impl Fanout {
    fn run(self) -> Result<Exit, Failure> {
        let program = std::env::current_exe().map_err(|cause| Failure::Io {
            what: "the path of this program is not known",
            cause,
        })?;
        let json = self.json;
        let options = self.options(program);
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| Failure::Io {
            what: "no runtime could be started",
            cause,
        })?;
        let mut teller = Teller {
            to: Output::stdout(),
            json,
        };
        let measured = runtime.block_on(async {
            let mut written = Ok(());
            let stopped = Notify::new();
            let measurement = fanout::run(&options, |event| {
                if let Err(failure) = teller.event(&event) {
                    written = Err(failure);
                    stopped.notify_one();
                }
            });
            // Dropping the measurement kills the server of the moment.
            let report = tokio::select! {
                report = measurement => Some(report.map_err(failed)?),
                () = interrupted() => None,
                () = stopped.notified() => None,
            };
            written.map(|()| report)
        })?;
        let Some(report) = measured else {
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

/// Waits for Ctrl-C or a request to stop.
async fn interrupted() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

fn failed(error: starling_bench::Error) -> Failure {
    match error {
        starling_bench::Error::Options(reason) => Failure::Usage(reason),
        error => Failure::Bench(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Typed {
        #[command(flatten)]
        bench: Bench,
    }

    fn parse(line: &str) -> What {
        let words = std::iter::once("bench").chain(line.split(' '));
        Typed::try_parse_from(words).expect("a command line of ours").bench.what
    }

    #[test]
    fn the_defaults_are_the_case_that_results_are_compared_at() {
        let What::Fanout(fanout) = parse("fanout") else {
            panic!("fanout was typed")
        };
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
        let What::Fanout(fanout) = parse(line) else {
            panic!("fanout was typed")
        };
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

    #[test]
    fn options_that_cannot_be_are_the_users_to_mend_and_others_are_not() {
        let usage = failed(starling_bench::Error::Options("no".into()));
        assert!(matches!(usage, Failure::Usage(_)));
        let other = failed(starling_bench::Error::Proc {
            path: "/proc/stat".into(),
            reason: "no".into(),
        });
        assert!(matches!(other, Failure::Bench(_)));
    }
}
