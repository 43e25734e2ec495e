//! One server under test: a child process on its own core, with a directory of its own, killed when dropped.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::Target;
use crate::proc::core::pin;
use crate::{Error, Transport};

/// Longest wait for a server to answer. It takes well under a second; the rest is for a machine that builds meanwhile.
const START: Duration = Duration::from_secs(15);

/// How often a starting server is asked.
const START_GLANCE: Duration = Duration::from_millis(20);

/// Lines of a server's standard error that are shown when it does not start.
const LOG_LINES_SHOWN: usize = 20;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A node as `starling dev` runs it.
    Starling,
    /// The null server.
    Null,
}

impl Kind {
    /// The word for it in tables and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starling => "starling",
            Self::Null => "null",
        }
    }
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    /// How to reach it.
    pub(crate) target: Target,
}

/// A child process and its directory. Dropping it kills the one and removes the other.
struct Process {
    child: Child,
    directory: PathBuf,
}

impl Server {
    /// Starts a server on a core and waits until it answers. `program` is the `starling` binary.
    pub(crate) async fn start(kind: Kind, transport: Transport, program: &Path, core: usize) -> Result<Self, Error> {
        let failed = |reason: String, log: String| Error::Server {
            kind: kind.name(),
            reason,
            log,
        };
        let port = free_port().map_err(Error::system("find a free port"))?;
        let mut process = Process::spawn(kind, transport, program, port, core)
            .map_err(|error| failed(format!("{}: {error}", program.display()), String::new()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let deadline = Instant::now() + START;
        loop {
            let asked = tokio::time::timeout_at(deadline.into(), Target::discover(transport, address)).await;
            let error = match asked {
                Ok(Ok(target)) => return Ok(Self { process, target }),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it took the question and kept silent".into(),
            };
            if let Ok(Some(status)) = process.child.try_wait() {
                return Err(failed(format!("it ended with {status}"), process.log()));
            }
            if Instant::now() >= deadline {
                return Err(failed(format!("no answer within {START:?}: {error}"), process.log()));
            }
            tokio::time::sleep(START_GLANCE).await;
        }
    }

    /// Its process, for the kernel's counters.
    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }
}

impl Process {
    fn spawn(kind: Kind, transport: Transport, program: &Path, port: u16, core: usize) -> io::Result<Self> {
        let directory = directory()?;
        let log = File::create(directory.join(LOG))?;
        let mut command = Command::new(program);
        match kind {
            Kind::Starling => command
                .args(["dev", "--port", &port.to_string()])
                .args(SETTINGS.iter().flat_map(|setting| ["--set", setting]))
                .arg("--data-dir")
                .arg(&directory),
            Kind::Null => command.args([
                "bench",
                "null",
                "--transport",
                &transport.to_string(),
                "--port",
                &port.to_string(),
            ]),
        };
        for (name, _) in std::env::vars_os() {
            // What configures the caller's node is not part of the measurement.
            if name.to_str().is_some_and(|name| name.starts_with("STARLING_")) {
                command.env_remove(name);
            }
        }
        command
            // One core, so one worker.
            .env("TOKIO_WORKER_THREADS", "1")
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(log));
        // A child inherits the core of the thread that starts it, so this thread goes there first: no instruction of
        // the server ever runs elsewhere.
        let start = move || {
            pin(core).map_err(io::Error::other)?;
            command.spawn()
        };
        let child = thread::spawn(start)
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match child {
            Ok(child) => Ok(Self { child, directory }),
            Err(error) => {
                // The error that counts is the one at hand.
                let _ = fs::remove_dir_all(&directory);
                Err(error)
            }
        }
    }

    /// The end of its standard error, each line on its own.
    fn log(&self) -> String {
        let text = fs::read_to_string(self.directory.join(LOG)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
        shown.iter().map(|line| format!("\n  {line}")).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Killed, not stopped: nothing it could still do is measured. Both fail only for a child that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// File in its directory that takes a server's standard error.
const LOG: &str = "stderr.log";

/// Keys of a node's configuration that are not as `starling dev` has them.
const SETTINGS: [&str; 3] = [
    // The same Welcome on every machine, whatever its name.
    "node.name=bench",
    // The admin port is not needed, and the one after the client's may be taken.
    "admin.listen=127.0.0.1:0",
    // A line for each connection is not part of a delivery.
    "log.filter=warn",
];

/// A new directory for one server.
fn directory() -> io::Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("starling-bench-{}-{number}", std::process::id()));
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// A port that is free now, for TCP and for UDP. Another process could take it before the server does; then the server
/// says so and does not start.
fn free_port() -> io::Result<u16> {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = tcp.local_addr()?.port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_ends_at_once_is_told_with_its_last_words_and_leaves_nothing() {
        let directory = directory().expect("a temporary directory");
        let program = directory.join("server");
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
        fs::remove_dir_all(directory).expect("ours");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let started = Server::start(Kind::Starling, Transport::WebSocket, Path::new("/no/such/program"), 0).await;
        let Err(error) = started else {
            panic!("there is no such program")
        };
        assert!(error.to_string().contains("/no/such/program"), "{error}");
    }
}
