//! A node as a process in its namespace: started, killed, stopped in its tracks, told to go.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::error::Error;
use crate::http;
use crate::namespace::Namespace;
use crate::setup::{ADMIN_PORT, NodeSetup};

/// How long a node may take from its start to being ready, on a machine that builds something else meanwhile.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How long a node that was told to go may take.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Between two questions whether a node is ready.
const PAUSE: Duration = Duration::from_millis(50);

/// A node of the run. Its process is killed when this is dropped.
pub(crate) struct Node {
    pub(crate) setup: NodeSetup,
    pub(crate) namespace: Namespace,
    binary: PathBuf,
    process: Option<Child>,
}

impl Node {
    pub(crate) fn new(setup: NodeSetup, namespace: Namespace, binary: PathBuf) -> Self {
        Self {
            setup,
            namespace,
            binary,
            process: None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.setup.name
    }

    /// Starts its process; it is not ready yet.
    pub(crate) fn start(&mut self) -> Result<(), Error> {
        let log = &self.setup.log;
        let file = OpenOptions::new().create(true).append(true).open(log);
        let file = file.map_err(Error::file("write", log))?;
        let output = file.try_clone().map_err(Error::file("write", log))?;
        // It becomes the node: the process that `ip` begins with is the one that is killed.
        let started = Command::new("ip")
            .args(["netns", "exec", self.namespace.name()])
            .arg(&self.binary)
            .args(["serve", "--config"])
            .arg(&self.setup.config)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(file)
            .kill_on_drop(true)
            .spawn();
        let started = started.map_err(|source| Error::Missing {
            command: "ip netns exec".into(),
            source,
        })?;
        self.process = Some(started);
        Ok(())
    }

    /// Whether it says that clients should be sent to it.
    pub(crate) async fn is_ready(&self) -> bool {
        let address = (self.setup.address, ADMIN_PORT).into();
        let asked = timeout(Duration::from_secs(1), http::get_plain(address, "/health/ready")).await;
        asked.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status == 200))
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        while !self.is_ready().await {
            if let Some(process) = &mut self.process
                && let Ok(Some(status)) = process.try_wait()
            {
                return Err(Error::Ended {
                    node: self.setup.name.clone(),
                    status,
                    log: self.setup.log.clone(),
                });
            }
            if began.elapsed() > READY_WITHIN {
                return Err(Error::Late {
                    what: format!("node {} to be ready", self.setup.name),
                    seconds: READY_WITHIN.as_secs(),
                    logs: self.setup.log.clone(),
                });
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.process.as_ref().and_then(Child::id);
        let pid = id.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _gone = kill_process(pid, signal); // it may have ended by itself, which `ready` tells
        }
    }

    /// Waits for the end of a process that was told to.
    pub(crate) async fn gone(&mut self) -> Result<Option<ExitStatus>, Error> {
        let Some(process) = &mut self.process else {
            return Ok(None);
        };
        let ended = timeout(GONE_WITHIN, process.wait()).await.map_err(|_| Error::Late {
            what: format!("node {} to end", self.setup.name),
            seconds: GONE_WITHIN.as_secs(),
            logs: self.setup.log.clone(),
        })?;
        self.process = None;
        let status = ended.map_err(Error::file("wait for", &self.binary))?;
        Ok(Some(status))
    }
}
