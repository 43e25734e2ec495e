//! A PostgreSQL of a test's own: on a Unix socket in a directory of its own, with the settings that keep what it confirms.
//! Killed when dropped, and its directory with it.
//!
//! Where there is room for it the directory is in memory. A test kills the server, not the machine: what was handed to the
//! system is there either way, and nobody waits for a disk that other tests use.
//!
//! The tests of the store take this file, too. It needs the binaries of Debian's `postgresql` or a `pg_ctl` in the path, and
//! fails where they are missing: `make test` installs them.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};

/// How long a start may take, recovery after a crash included.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Postgres {
    binaries: PathBuf,
    directory: PathBuf,
    /// Whom it runs as: it refuses to run as root.
    user: Option<(u32, u32)>,
    port: u16,
    settings: Vec<String>,
    process: Option<Child>,
}

impl Postgres {
    /// A new one that takes connections.
    pub(crate) fn start() -> Self {
        Self::start_at(5_432, &["listen_addresses="])
    }

    /// One that takes them over TCP, too, on loopback and the port that is told.
    pub(crate) fn start_on_tcp() -> (Self, u16) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = listener.expect("a port").port();
        (Self::start_at(port, &["listen_addresses=127.0.0.1"]), port)
    }

    fn start_at(port: u16, settings: &[&str]) -> Self {
        let name = format!("starling-postgres-{:016x}", fastrand::u64(..));
        let directory = parent().join(name);
        std::fs::create_dir(&directory).expect("a new directory");
        let user = getuid().is_root().then(postgres_user);
        if let Some((user, group)) = user {
            chown(&directory, Some(user), Some(group)).expect("root may give it away");
        }
        std::fs::set_permissions(&directory, Permissions::from_mode(0o755)).expect("it is ours");
        let mut server = Self {
            binaries: binaries(),
            directory,
            user,
            port,
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            process: None,
        };
        let data = server.directory.join("data");
        // Not synced while it is made: if the machine goes down the test does, too.
        let made = server
            .command("initdb")
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=starling",
                "--no-locale",
                "--encoding=UTF8",
            ])
            .arg(data)
            .status();
        assert!(made.is_ok_and(|status| status.success()), "initdb makes a database");
        server.start_again();
        server
    }

    /// Starts it again after its end.
    pub(crate) fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let began = Instant::now();
        while !self.try_start() {
            // What is left of one that was killed goes in its own time, and keeps the next from starting.
            assert!(
                began.elapsed() < START_TIME_MAX,
                "postgres does not start:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn try_start(&mut self) -> bool {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("log"));
        let log = log.expect("a log");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.directory.join("data"));
        command
            .arg("-k")
            .arg(&self.directory)
            .args(["-p", &self.port.to_string()]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let mut process = command.stderr(log).spawn().expect("postgres runs");
        let began = Instant::now();
        loop {
            let mut ready = self.command("pg_isready");
            let ready = ready
                .arg("-h")
                .arg(&self.directory)
                .args(["-p", &self.port.to_string()])
                .status();
            if ready.is_ok_and(|status| status.success()) {
                self.process = Some(process);
                return true;
            }
            if process.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            assert!(
                began.elapsed() < START_TIME_MAX,
                "postgres is not ready:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
    }

    /// Ends it without waiting for anybody, and in order otherwise.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::INT);
    }

    /// Changes a setting of the server, from its next start on.
    pub(crate) fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    fn signal(&mut self, signal: Signal) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let pid = Pid::from_raw(process.id().cast_signed()).expect("a process");
        kill_process(pid, signal).expect("it was not waited for");
        process.wait().expect("a child can be waited for");
    }

    /// Makes an empty database and gives its URL.
    pub(crate) fn database(&self) -> String {
        let name = format!("store_{:016x}", fastrand::u64(..));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.directory.to_str().expect("its name is plain").replace('/', "%2F");
        format!("postgres://starling@{socket}:{}/{database}", self.port)
    }

    /// Runs a statement beside whoever else uses the database, named by its URL or its name. Answers with what psql prints.
    pub(crate) fn sql(&self, database: &str, statement: &str) -> String {
        let name = database.rsplit('/').next().unwrap_or(database);
        let output = self
            .command("psql")
            .env("PGOPTIONS", "-c search_path=starling,public")
            .args([
                "-X",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "starling",
                "-d",
                name,
                "-c",
                statement,
            ])
            .arg("-h")
            .arg(&self.directory)
            .args(["-p", &self.port.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .expect("psql runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Where it keeps everything; files that it is to read go here.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Gives a file to whoever the server runs as, for its eyes only.
    pub(crate) fn give(&self, file: &Path) {
        if let Some((user, group)) = self.user {
            chown(file, Some(user), Some(group)).expect("root may give it away");
        }
        std::fs::set_permissions(file, Permissions::from_mode(0o600)).expect("it is ours");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn command(&self, binary: &str) -> Command {
        let mut command = Command::new(self.binaries.join(binary));
        command.env_clear().env("TZ", "UTC").current_dir(&self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.signal(Signal::QUIT);
        let _ = std::fs::remove_dir_all(&self.directory); // the system clears it some day
    }
}

/// Memory, if the system lets us have some; Docker's default is too little.
fn parent() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let free = Command::new("df")
        .args(["--output=avail", "--block-size=1M"])
        .arg(&memory)
        .output();
    let free = free
        .map(|free| String::from_utf8_lossy(&free.stdout).into_owned())
        .unwrap_or_default();
    let megabytes = free.lines().last().and_then(|line| line.trim().parse::<u64>().ok());
    match megabytes {
        Some(1_024..) => memory,
        _ => std::env::temp_dir(),
    }
}

/// Where the binaries are. Debian keeps those of the server out of the path.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = debian
        .chain(std::env::split_paths(&path))
        .find(|directory| directory.join("initdb").is_file());
    found.expect("PostgreSQL is missing: install postgresql, or run make test, which does")
}

/// The user that Debian's package makes for it.
fn postgres_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").expect("a list of users");
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<_> = line
        .expect("a user \"postgres\", because root may not run it")
        .split(':')
        .collect();
    let number = |index: usize| fields[index].parse().expect("a number");
    (number(2), number(3))
}
