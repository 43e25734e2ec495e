//! One server under test: a process on its own core, or the three of a cluster on the same, with a directory of their own,
//! killed when dropped.
//!
//! | file | holds |
//! | --- | --- |
//! | `process.rs` | a child process on a core, and its last words |
//! | `cluster.rs` | three nodes with each other, and a channel whose owner is none of those that clients use |
//! | `directory.rs`, `ports.rs` | where they keep things, and where they listen |

mod cluster;
mod directory;
mod ports;
mod process;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use self::cluster::Home;
use self::directory::Directory;
use self::process::Process;
use crate::error::LinkError;
use crate::load::{Course, Target, Watched};
use crate::{Error, Transport};

/// Longest wait for a server to answer. It takes well under a second; the rest is for a machine that builds meanwhile.
const START: Duration = Duration::from_secs(15);

/// How often a starting server is asked.
const START_GLANCE: Duration = Duration::from_millis(20);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A node as `starling dev` runs it.
    Starling,
    /// Three of them with each other.
    Cluster,
    /// The null server.
    Null,
}

impl Kind {
    /// The word for it in tables and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starling => "starling",
            Self::Cluster => "cluster",
            Self::Null => "null",
        }
    }
}

/// A running server.
pub(crate) struct Server {
    // Before their directory: what is dropped first is killed before its files go.
    processes: Vec<Process>,
    _directory: Directory,
    /// How to reach it.
    pub(crate) course: Course,
    /// How to reach each of its nodes, in the order of the processes.
    pub(crate) nodes: Vec<Target>,
    /// Where a cluster's nodes tell how they stand, in the order of the processes; none of a server by itself.
    admins: Vec<SocketAddr>,
    /// Who owns the channel; nobody of a server by itself.
    home: Option<Home>,
}

impl Server {
    /// Starts a server on a core and waits until it answers. `program` is the `starling` binary.
    pub(crate) async fn start(kind: Kind, transport: Transport, program: &Path, core: usize) -> Result<Self, Error> {
        let directory = Directory::new().map_err(Error::system("make a directory"))?;
        let [port] = ports::free().map_err(Error::system("find a free port"))?;
        let arguments = match kind {
            Kind::Cluster => return cluster::start(directory, transport, program, core).await,
            // Its admin port is not needed, and the one after the client's may be taken.
            Kind::Starling => node("bench", port, 0, directory.path()),
            Kind::Null => {
                let (transport, port) = (transport.to_string(), port.to_string());
                ["bench", "null", "--transport", &transport, "--port", &port]
                    .map(String::from)
                    .into()
            }
        };
        let mut process = Process::spawn(kind.name(), program, &arguments, directory.path(), core)?;
        let target = answered(&mut process, START, async || {
            Target::discover(transport, at(port)).await
        })
        .await?;
        Ok(Self {
            processes: vec![process],
            _directory: directory,
            course: Course::within(target.clone()),
            nodes: vec![target],
            admins: Vec::new(),
            home: None,
        })
    }

    /// Whose counters are read.
    pub(crate) fn watched(&self) -> Watched {
        Watched {
            processes: self.processes.iter().map(Process::pid).collect(),
            admins: self.admins.clone(),
        }
    }

    /// What became of it that makes a run void, if anything did: messages may have taken another way.
    pub(crate) async fn fault(&self) -> Option<String> {
        match &self.home {
            Some(home) => home.moved().await,
            None => None,
        }
    }
}

/// Asks a starting process until it answers as it should, for so long.
async fn answered<T>(
    process: &mut Process,
    within: Duration,
    ask: impl AsyncFn() -> Result<T, LinkError>,
) -> Result<T, Error> {
    let deadline = Instant::now() + within;
    loop {
        let why = match tokio::time::timeout_at(deadline.into(), ask()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took the question and kept silent".into(),
        };
        if process.has_ended() || Instant::now() >= deadline {
            return Err(process.failure(format!("not there within {within:?}: {why}")));
        }
        tokio::time::sleep(START_GLANCE).await;
    }
}

/// The command line of a node: as `starling dev` has it, but for a few keys.
fn node(name: &str, port: u16, admin: u16, data: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = ["dev", "--port", &port.to_string(), "--data-dir"]
        .map(String::from)
        .into();
    arguments.push(data.display().to_string());
    let keys = [
        // The same Welcome on every machine, whatever its name.
        format!("node.name={name}"),
        format!("admin.listen={}", at(admin)),
        // A line for each connection is not part of a delivery.
        "log.filter=warn,openraft=off".into(),
    ];
    arguments.extend(keys.into_iter().flat_map(set));
    arguments
}

/// A key of the configuration, as the command line sets it.
fn set(key: String) -> [String; 2] {
    ["--set".into(), key]
}

/// A port of this machine's own.
fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_server_that_ends_at_once_is_told_with_its_last_words_and_leaves_nothing() {
        let directory = Directory::new().expect("a temporary directory");
        let program = directory.at("server");
        fs::write(&program, "#!/bin/sh\npwd >&2\necho no such verb: $1 >&2\nexit 2\n").expect("writable");
        let executable = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        fs::set_permissions(&program, executable).expect("ours");
        let core = crate::proc::core::available().expect("readable")[0];
        let started = Server::start(Kind::Null, Transport::WebSocket, &program, core).await;
        let Err(Error::Server { reason, log, .. }) = started else {
            panic!("it ended at once")
        };
        assert!(reason.contains("exit status: 2"), "{reason}");
        assert!(log.ends_with("\n  no such verb: bench"), "{log}");
        let its_directory = log.lines().nth(1).expect("two lines").trim();
        assert!(
            its_directory.contains("starling-bench-") && !Path::new(its_directory).exists(),
            "{its_directory}"
        );
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        for kind in [Kind::Starling, Kind::Cluster] {
            let started = Server::start(kind, Transport::WebSocket, Path::new("/no/such/program"), 0).await;
            let Err(error) = started else {
                panic!("there is no such program")
            };
            assert!(error.to_string().contains("/no/such/program"), "{error}");
        }
    }
}
