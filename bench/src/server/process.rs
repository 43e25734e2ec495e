//! A child process on its own core, killed when dropped.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::Error;
use crate::proc::core::pin;

/// Lines of a process' standard error that are shown when it does not start.
const LOG_LINES_SHOWN: usize = 20;

/// See the module.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program on a core, in a directory that takes its standard error as `NAME.log`.
    pub(super) fn spawn(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        directory: &Path,
        core: usize,
    ) -> Result<Self, Error> {
        let log = directory.join(format!("{name}.log"));
        let failed = |error: io::Error| Error::Server {
            name,
            reason: format!("{}: {error}", program.display()),
            log: String::new(),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        without_settings(&mut command)
            // One core, so one worker.
            .env("TOKIO_WORKER_THREADS", "1")
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(File::create(&log).map_err(failed)?));
        // A child inherits the core of the thread that starts it, so this thread goes there first: no instruction of
        // the server ever runs elsewhere.
        let start = move || {
            pin(core).map_err(io::Error::other)?;
            command.spawn()
        };
        let child = thread::spawn(start)
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let child = child.map_err(failed)?;
        Ok(Self { name, child, log })
    }

    /// Its number, for the kernel's counters.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Why it does not serve, with its last words. If it has ended, that is why.
    pub(super) fn failure(&mut self, reason: String) -> Error {
        let reason = match self.child.try_wait() {
            Ok(Some(status)) => format!("it ended with {status}"),
            _ => reason,
        };
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
        Error::Server {
            name: self.name,
            reason,
            log: shown.iter().map(|line| format!("\n  {line}")).collect(),
        }
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Killed, not stopped: nothing it could still do is measured. Both fail only for a child that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What configures the caller's node is not part of the measurement.
pub(super) fn without_settings(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("STARLING_")) {
            command.env_remove(name);
        }
    }
    command
}
