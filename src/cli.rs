//! The command line: one file per verb.
//!
//! Standard output carries results and nothing else, so that it can be piped; whatever is said to a person goes to
//! standard error. Exit codes are the same for every verb ([`Exit`]).
//!
//! | file | holds |
//! | --- | --- |
//! | `dev.rs`, `serve.rs` | the verbs that run a node |
//! | `publish.rs`, `subscribe.rs`, `history.rs`, `presence.rs`, `doc.rs` | the verbs that are clients of one |
//! | `config.rs`, `token.rs`, `cluster.rs`, `version.rs`, `bench.rs` | the others |
//! | `server.rs` | which server a client verb talks to, and as whom |
//! | `http.rs` | one request over HTTP, for the verbs that are answered so |
//! | `lines.rs` | lines of standard input |
//! | `shape.rs` | what one result looks like, as JSON and as text |
//! | `output.rs`, `exit.rs` | standard output; how a command ends |

mod bench;
mod cluster;
mod config;
mod dev;
mod doc;
mod exit;
mod history;
mod http;
mod lines;
mod output;
mod presence;
mod publish;
mod serve;
mod server;
mod settings;
mod shape;
mod subscribe;
mod token;
mod version;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::{Exit, Failure};

/// What was typed.
#[derive(Debug, Parser)]
#[command(name = "starling", version, about = "A self-hosted realtime backend", after_help = exit::HELP)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs a node on this machine for development: nothing to configure, open to whoever sits at it
    Dev(dev::Dev),
    /// Runs a node
    Serve(serve::Serve),
    /// Publishes a message, or each line of standard input
    #[command(name = "pub", visible_alias = "publish")]
    Publish(publish::Publish),
    /// Prints the messages of channels as they come
    #[command(name = "sub", visible_alias = "subscribe")]
    Subscribe(subscribe::Subscribe),
    /// Prints the messages a channel keeps, and ends
    History(history::History),
    /// Prints who is in a channel, and ends unless it watches
    Presence(presence::Presence),
    /// Reads documents, and writes in them
    Doc(doc::Doc),
    /// Checks or shows a node's configuration
    Config(config::Config),
    /// Makes tokens, and says what they are worth
    Token(token::Token),
    /// Makes what the nodes of a cluster prove themselves with
    Cluster(cluster::Cluster),
    /// Measures a node on this machine
    Bench(bench::Bench),
    /// Prints the version
    Version(version::Version),
}

impl Cli {
    /// Does what was typed, tells standard error what failed, and gives the exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let outcome = match self.verb {
            Verb::Dev(verb) => verb.run(),
            Verb::Serve(verb) => verb.run(),
            Verb::Publish(verb) => verb.run(),
            Verb::Subscribe(verb) => verb.run(),
            Verb::History(verb) => verb.run(),
            Verb::Presence(verb) => verb.run(),
            Verb::Doc(verb) => verb.run(),
            Verb::Config(verb) => verb.run(),
            Verb::Token(verb) => verb.run(),
            Verb::Cluster(verb) => verb.run(),
            Verb::Bench(verb) => verb.run(),
            Verb::Version(verb) => verb.run(),
        };
        let exit = outcome.unwrap_or_else(|failure| {
            if failure.is_told() {
                note(&failure.to_string());
            }
            failure.exit()
        });
        exit.into()
    }
}

/// Says something to the person at the terminal. Nobody may be there to hear it, and that is no failure.
fn note(text: &str) {
    let _unheard = writeln!(std::io::stderr(), "starling: {text}");
}

#[cfg(test)]
mod tests;
