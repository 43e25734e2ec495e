//! Network namespaces of a run: made, entered, and taken away with whatever runs in them.
//!
//! Their names hold the process that made them and when it began, so the next run knows which were left by a run that was
//! killed, and a run beside it keeps its own.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::Error;

/// Before the name of each namespace of ours.
const PREFIX: &str = "starling-chaos-";

/// Where `ip netns` keeps them.
const DIRECTORY: &str = "/run/netns";

/// Packets that a device keeps for the emulator: it may be scheduled late, and that is no loss of the network's.
const QUEUE: &str = "10000";

/// A namespace. It is gone when this is dropped.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one for this process; `end` tells it from the others.
    pub(crate) fn create(end: &str) -> Result<Self, Error> {
        if !rustix::process::geteuid().is_root() {
            return Err(Error::NotRoot);
        }
        let name = name_of(end);
        run("ip", &["netns", "add", &name])?;
        let made = Self { name };
        run("ip", &["-n", &made.name, "link", "set", "lo", "up"])?;
        Ok(made)
    }

    /// Its name, for `ip netns exec`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Moves a device into it, as its only way out.
    pub(crate) fn take_device(&self, device: &str, address: Ipv4Addr) -> Result<(), Error> {
        let name = self.name.as_str();
        let address = format!("{address}/24");
        run("ip", &["link", "set", "dev", device, "netns", name])?;
        run("ip", &["-n", name, "addr", "add", &address, "dev", device])?;
        run(
            "ip",
            &["-n", name, "link", "set", "dev", device, "txqueuelen", QUEUE, "up"],
        )
    }

    /// Moves the calling thread into it. Threads that it starts from now on are there, too.
    pub(crate) fn enter(&self) -> Result<(), Error> {
        let failed = |source| Error::Namespace {
            name: self.name.clone(),
            source,
        };
        let file = File::open(Path::new(DIRECTORY).join(&self.name)).map_err(failed)?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|error| failed(error.into()))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            eprintln!("chaos: {error}");
        }
    }
}

/// What something of this process is called wherever it may be left behind; `end` tells it from the others.
pub(crate) fn name_of(end: &str) -> String {
    let owner = Owner::this();
    format!("{PREFIX}{}-{}-{end}", owner.process, owner.began)
}

/// Whether something with this name is of a run that is no more.
pub(crate) fn is_left(name: &str) -> bool {
    Owner::of(name).is_some_and(|owner| !owner.lives())
}

/// Takes away what runs left that are no more, and says how many namespaces those were.
pub(crate) fn clean() -> Result<usize, Error> {
    let Ok(entries) = std::fs::read_dir(DIRECTORY) else {
        return Ok(0); // nobody ever made one
    };
    let mut removed = 0;
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| is_left(name)) else {
            continue;
        };
        remove(name)?;
        removed += 1;
    }
    Ok(removed)
}

/// Kills what runs in a namespace, and takes it away.
fn remove(name: &str) -> Result<(), Error> {
    let listed = Command::new("ip").args(["netns", "pids", name]).output();
    let pids = listed.map(|listed| listed.stdout).unwrap_or_default();
    let myself = std::process::id().to_string();
    for pid in String::from_utf8_lossy(&pids)
        .split_whitespace()
        .filter(|pid| **pid != *myself)
    {
        if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, Signal::KILL); // it may have ended meanwhile
        }
    }
    run("ip", &["netns", "delete", name])
}

/// A process, told from a later one with its number.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    process: u32,
    /// In the kernel's ticks since the machine started.
    began: u64,
}

impl Owner {
    fn this() -> Self {
        let process = std::process::id();
        Self {
            process,
            began: began(process).unwrap_or(0),
        }
    }

    /// Whose namespace this is, if it is one of ours.
    fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.splitn(3, '-');
        let owner = Self {
            process: parts.next()?.parse().ok()?,
            began: parts.next()?.parse().ok()?,
        };
        parts.next().map(|_| owner)
    }

    fn lives(&self) -> bool {
        began(self.process) == Some(self.began)
    }
}

/// When a process that lives began.
fn began(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(PathBuf::from(format!("/proc/{process}/stat"))).ok()?;
    // Its name stands in brackets and may hold anything; the 22nd word is the 20th after it.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    // A zombie has ended, even if nobody ever asks for its status.
    let lives = words.next().is_some_and(|state| !matches!(state, "Z" | "X"));
    let began = words.nth(18)?.parse().ok()?;
    lives.then_some(began)
}

/// Runs a command to its end.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<(), Error> {
    output(program, arguments).map(|_| ())
}

/// Runs a command to its end and gives what it printed.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String, Error> {
    let command = || format!("{program} {}", arguments.join(" "));
    let ended = Command::new(program).args(arguments).output();
    let ended = ended.map_err(|source| Error::Missing {
        command: program.to_owned(),
        source,
    })?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    Err(Error::Failed {
        command: command(),
        said: String::from_utf8_lossy(&ended.stderr).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whose_it_is() {
        let this = Owner::this();
        assert!(this.began > 0 && this.lives());
        let name = format!("{PREFIX}{}-{}-clients", this.process, this.began);
        assert_eq!(Owner::of(&name), Some(this));
        for other in ["starling-chaos-", "starling-chaos-7-a", "starling-chaos-x-1-a", "eth0"] {
            assert_eq!(Owner::of(other), None, "{other}");
        }
        let later = Owner {
            process: std::process::id(),
            began: 1,
        };
        assert!(!later.lives(), "another process had the number before");
        let mut ended = Command::new("true").spawn().expect("it runs");
        let began_at = || began(ended.id());
        while began_at().is_some() {
            std::thread::yield_now();
        }
        ended.wait().expect("a zombie until now");
    }

    #[test]
    fn what_a_killed_run_left_is_taken_away_and_what_runs_beside_it_is_not() {
        let mine = Namespace::create("mine").expect("this takes root");
        // Of a process that had our number before us, with something running in it.
        let left = format!("{PREFIX}{}-1-left", std::process::id());
        run("ip", &["netns", "add", &left]).expect("made");
        let mut forgotten = Command::new("ip")
            .args(["netns", "exec", &left, "sleep", "1000"])
            .spawn()
            .expect("it runs");
        // It is in the namespace only once `ip` has moved it there.
        while output("ip", &["netns", "pids", &left]).expect("listed").is_empty() {
            std::thread::yield_now();
        }
        assert!(clean().expect("cleaned") >= 1);
        assert!(!Path::new(DIRECTORY).join(&left).exists());
        assert!(!forgotten.wait().expect("it ended").success(), "it was killed");
        let path = Path::new(DIRECTORY).join(mine.name());
        assert!(path.exists());
        drop(mine);
        assert!(!path.exists());
    }
}
