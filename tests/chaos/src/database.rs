//! The PostgreSQL that nodes share: a process in the namespace of the clients, reached over a Unix socket, which no cut of the
//! network touches. It keeps what it confirms, as it does unless it is told otherwise.
//!
//! Its directory is in memory where there is some: the run stops the server, not the machine. It takes the binaries of Debian's
//! `postgresql`, or an `initdb` in the path.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command as Starting};
use tokio::time::{Instant, sleep, timeout};

use crate::error::Error;
use crate::namespace::{is_left, name_of};

/// How long it may take to take connections, recovery included, and to end.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Between two questions whether it takes connections.
const PAUSE: Duration = Duration::from_millis(20);

/// Names its socket; nothing listens on TCP.
const PORT: &str = "5432";

/// Where directories may be, the best first. Names of sockets are short, so it is none of the run's own.
const PARENTS: [&str; 2] = ["/dev/shm", "/tmp"];

/// See the module. Its process ends when this is dropped, and its directory goes.
pub(crate) struct Database {
    binaries: PathBuf,
    directory: PathBuf,
    process: Option<Child>,
}

impl Database {
    /// Makes an empty one. It is started later.
    pub(crate) fn make() -> Result<Self, Error> {
        let binaries = binaries()?;
        let [memory, other] = PARENTS.map(Path::new);
        let parent = if memory.is_dir() { memory } else { other };
        let directory = parent.join(name_of("db"));
        fs::create_dir(&directory).map_err(Error::file("make", &directory))?;
        let made = Self {
            binaries,
            directory,
            process: None,
        };
        let (user, group) = postgres_user()?;
        chown(&made.directory, Some(user), Some(group)).map_err(Error::file("give away", &made.directory))?;
        let permissions = Permissions::from_mode(0o755);
        fs::set_permissions(&made.directory, permissions).map_err(Error::file("open", &made.directory))?;
        let mut initdb = made.command("initdb")?;
        initdb.args([
            "--no-sync",
            "--auth=trust",
            "--username=starling",
            "--no-locale",
            "--encoding=UTF8",
        ]);
        let ended = initdb.arg(made.directory.join("data")).output();
        let ended = ended.map_err(|source| Error::Missing {
            command: "initdb".into(),
            source,
        })?;
        if ended.status.success() {
            return Ok(made);
        }
        Err(Error::Failed {
            command: "initdb".into(),
            said: String::from_utf8_lossy(&ended.stderr).trim().to_owned(),
        })
    }

    /// What nodes are told.
    pub(crate) fn url(&self) -> String {
        let socket = self.directory.to_string_lossy().replace('/', "%2F");
        format!("postgres://starling@{socket}:{PORT}/postgres")
    }

    /// Starts it, and waits until it takes connections.
    pub(crate) async fn start(&mut self) -> Result<(), Error> {
        let path = self.directory.join("log");
        let log = fs::File::options().create(true).append(true).open(&path);
        let log = log.map_err(Error::file("write", &path))?;
        let mut server = self.command("postgres")?;
        server.arg("-D").arg(self.directory.join("data"));
        server.arg("-k").arg(&self.directory);
        server.args(["-p", PORT, "-c", "listen_addresses="]).stderr(log);
        let started = Starting::from(server).kill_on_drop(true).spawn();
        self.process = Some(started.map_err(|source| Error::Missing {
            command: "postgres".into(),
            source,
        })?);
        let began = Instant::now();
        loop {
            let mut ready = self.command("pg_isready")?;
            ready.arg("-h").arg(&self.directory).args(["-p", PORT]);
            if Starting::from(ready)
                .status()
                .await
                .is_ok_and(|status| status.success())
            {
                return Ok(());
            }
            if began.elapsed() > READY_WITHIN {
                return Err(Error::Late {
                    what: "the database to take connections".into(),
                    seconds: READY_WITHIN.as_secs(),
                    logs: path,
                });
            }
            sleep(PAUSE).await;
        }
    }

    /// Ends it without waiting for anybody who uses it.
    pub(crate) async fn stop(&mut self) -> Result<(), Error> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        let id = process.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(Pid::from_raw) {
            let _gone = kill_process(pid, Signal::INT); // it was not waited for, so it is ours
        }
        let ended = timeout(READY_WITHIN, process.wait()).await.map_err(|_| Error::Late {
            what: "the database to end".into(),
            seconds: READY_WITHIN.as_secs(),
            logs: self.directory.join("log"),
        })?;
        ended
            .map(|_| ())
            .map_err(Error::file("wait for", self.directory.join("data")))
    }

    /// A command that runs as whom the server runs as.
    fn command(&self, binary: &str) -> Result<Command, Error> {
        let (user, group) = postgres_user()?;
        let mut command = Command::new(self.binaries.join(binary));
        command.env_clear().env("TZ", "UTC").current_dir(&self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.uid(user).gid(group);
        Ok(command)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Killed at once: nobody needs what it has, and its workers end when it is gone.
        drop(self.process.take());
        if let Err(error) = remove(&self.directory) {
            eprintln!("chaos: {error}");
        }
    }
}

/// Takes away the directories of runs that are no more, and says how many those were. What ran in them is gone by now.
pub(crate) fn clean() -> Result<usize, Error> {
    let mut removed = 0;
    for parent in PARENTS {
        for entry in fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok) {
            if entry.file_name().to_str().is_some_and(is_left) {
                remove(&entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Takes a directory away in which somebody may still be about to end.
fn remove(directory: &Path) -> Result<(), Error> {
    let removed = || match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    removed()
        .or_else(|_| removed())
        .map_err(Error::file("remove", directory))
}

/// Where its binaries are. Debian keeps those of the server out of the path.
fn binaries() -> Result<PathBuf, Error> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = debian.chain(std::env::split_paths(&path));
    let found = places.find(|directory| directory.join("initdb").is_file());
    found.ok_or_else(|| Error::Missing {
        command: "initdb".into(),
        source: std::io::ErrorKind::NotFound.into(),
    })
}

/// The user that the package makes for it, because it refuses to run as root.
fn postgres_user() -> Result<(u32, u32), Error> {
    let path = "/etc/passwd";
    let users = fs::read_to_string(path).map_err(Error::file("read", path))?;
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let mut numbers = line
        .into_iter()
        .flat_map(|line| line.split(':').skip(2).map(str::parse));
    match (numbers.next(), numbers.next()) {
        (Some(Ok(user)), Some(Ok(group))) => Ok((user, group)),
        _ => Err(Error::Failed {
            command: "postgres".into(),
            said: "root may not run it, and there is no user \"postgres\"; install postgresql".into(),
        }),
    }
}
