//! Why a run could not be made. A promise that was broken is no error: it is what a run is for.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// See the module.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("namespaces and TUN devices take root; run it as root")]
    NotRoot,
    #[error("cannot {what} {path}: {source}")]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("`{command}` could not be run: {source}; is it installed?")]
    Missing { command: String, source: io::Error },
    #[error("`{command}` failed: {said}")]
    Failed { command: String, said: String },
    #[error("no TUN device could be made: {0}; is /dev/net/tun there?")]
    Tun(String),
    #[error("the namespace {name} cannot be entered: {source}")]
    Namespace { name: String, source: io::Error },
    #[error("{what} took longer than {seconds} s; the logs of the nodes are in {logs}")]
    Late { what: String, seconds: u64, logs: PathBuf },
    #[error("node {node} ended with {status}; its log is {log}")]
    Ended {
        node: String,
        status: std::process::ExitStatus,
        log: PathBuf,
    },
    #[error("{what}: {said}")]
    Client { what: String, said: String },
    #[error("{what} could not be asked: {said}")]
    Http { what: String, said: String },
    #[error("stopped")]
    Interrupted,
    #[error("threads could not be started: {0}")]
    Threads(io::Error),
}

impl Error {
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
