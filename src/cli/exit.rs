//! How a command ends.

use std::io;
use std::process::ExitCode;

use crate::config;

/// The exit codes, as every `--help` lists them.
pub(super) const HELP: &str = "\
Exit codes:
    0  done
    1  failed: what happened is on standard error
    2  the command line or the configuration cannot be used
    3  pub: at least one message was not acknowledged
    4  sub and history with --strict: messages were lost
    5  token check: the token is not valid
  130  interrupted";

/// How a command ended. The numbers are part of the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line or the configuration cannot be used.
    Usage = 2,
    /// At least one message was not acknowledged.
    Unacknowledged = 3,
    /// Messages were lost, and the command was told to end when that happens.
    Lost = 4,
    /// The token is not valid.
    Invalid = 5,
    /// Ctrl-C: 128 and the number of the signal, as shells count.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration does not hold.
    #[error("the configuration cannot be used\n{0}")]
    Config(#[from] config::Error),
    /// Something on the command line cannot be used, and the parser could not know.
    #[error("{0}")]
    Usage(String),
    /// Whoever read standard output is gone: it has all it wanted.
    #[error("standard output was closed")]
    OutputClosed,
    /// Standard output cannot be written, or standard input cannot be read.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The server, or the way to it.
    #[error("{0}")]
    Server(String),
    /// The node could not start, or could not go on.
    #[error("{0}")]
    Node(String),
    /// A certificate could not be made.
    #[error("{0}")]
    Certificate(String),
    /// A measurement could not be made.
    #[error("{0}")]
    Bench(String),
}

impl Failure {
    /// The exit code that says the same.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Usage(_) => Exit::Usage,
            Self::OutputClosed => Exit::Done,
            Self::Io { .. } | Self::Server(_) | Self::Node(_) | Self::Certificate(_) | Self::Bench(_) => Exit::Failed,
        }
    }

    /// Whether a person should hear of it.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        !matches!(self, Self::OutputClosed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_code() {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Unacknowledged,
            Exit::Lost,
            Exit::Invalid,
            Exit::Interrupted,
        ];
        let listed: Vec<_> = HELP
            .lines()
            .filter_map(|line| line.split_whitespace().next()?.parse::<u8>().ok())
            .collect();
        assert_eq!(listed, all.map(|exit| exit as u8));
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let left = Failure::OutputClosed;
        assert_eq!((left.exit(), left.is_told()), (Exit::Done, false));
        let usage = Failure::Usage("no".to_owned());
        assert_eq!((usage.exit(), usage.is_told()), (Exit::Usage, true));
    }
}
