//! `starling bench`: what the node costs on this machine, and what a crowd does to it.
//!
//! A file for each measurement: `fanout.rs`, `presence.rs`.

mod fanout;
mod presence;

use std::path::PathBuf;

use starling_bench::Transport;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use self::fanout::Fanout;
use self::presence::Presence;
use super::exit::{Exit, Failure};

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
    /// A crowd in one channel across three nodes: what it does to publishing in others, and to gossip
    Presence(Presence),
    /// Runs a null server, which the measurements compare with
    #[command(hide = true)]
    Null(Null),
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
            What::Presence(verb) => verb.run(),
            What::Null(verb) => match starling_bench::null::run(verb.transport, verb.port) {
                Err(error) => Err(failed(error)),
                Ok(never) => match never {},
            },
        }
    }
}

/// The path of this program, which has the servers in it.
fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|cause| Failure::Io {
        what: "the path of this program is not known",
        cause,
    })
}

/// Waits for a measurement; `None` if somebody interrupts it. Dropping the measurement kills the servers of the moment.
fn unless_interrupted<T>(measurement: impl Future<Output = Result<T, Failure>>) -> Result<Option<T>, Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| Failure::Io {
        what: "no runtime could be started",
        cause,
    })?;
    runtime.block_on(async {
        tokio::select! {
            measured = measurement => measured.map(Some),
            () = interrupted() => Ok(None),
        }
    })
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
    use super::*;

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
