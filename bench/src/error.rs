//! What can end a measurement before it has a result.

use std::io;
use std::path::PathBuf;

use starling_protocol::frame::DecodeError;

/// Why there is no measurement. A measurement that is merely not valid has a report and says so in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options contradict each other or the machine.
    #[error("{0}")]
    Options(String),
    /// The kernel did not tell what it should.
    #[error("could not read {path}: {reason}; measuring needs Linux with /proc mounted")]
    Proc {
        /// The file that was read.
        path: PathBuf,
        /// What was wrong with it.
        reason: String,
    },
    /// A core, a limit or a thread could not be had.
    #[error("could not {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A server did not start.
    #[error("the server {name} did not start: {reason}{log}")]
    Server {
        /// Which server, or which node of a cluster.
        name: &'static str,
        /// What happened.
        reason: String,
        /// The end of what it wrote to standard error, on lines of its own; empty if it wrote nothing.
        log: String,
    },
    /// A connection of the load failed while it was set up.
    #[error("a connection of the load failed: {0}; the server's limits must admit all of them")]
    Link(#[from] LinkError),
}

impl Error {
    /// Names what was tried when the system refused it.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// Why a connection between the load and a server ended or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The QUIC connection or one of its streams failed.
    #[error("webtransport: {0}")]
    WebTransport(String),
    /// The other side sent a frame that the protocol refuses.
    #[error("{0}")]
    Frame(#[from] DecodeError),
    /// The other side did what the protocol does not know.
    #[error("not what the protocol says: {0}")]
    Protocol(String),
    /// The other side ended the session or refused a request, and said why.
    #[error("refused: {0}")]
    Refused(String),
    /// The other side closed the connection.
    #[error("closed by the other side")]
    Closed,
}
