//! The binary as a child process: started, asked, told to stop, killed.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use starling_client::{Client, Event, SubscribeOptions, Transports};
use starling_mesh::transport::Transport;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::eventually::{becomes, eventually, soon};
use super::metrics::Metrics;
use super::settings::Settings;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_starling");

/// Times a start is tried. The system hands out a free TCP port; that the UDP port of the same number is taken is
/// rare, and twice in a row does not happen.
const STARTS_MAX: u32 = 3;

/// A node that serves. Killed when dropped.
pub(crate) struct Node {
    process: Child,
    log: Log,
    reading: JoinHandle<()>,
    clients: SocketAddr,
    admin: SocketAddr,
    settings: Settings,
}

/// What the node said on standard error, line by line.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

struct Serving {
    clients: SocketAddr,
    admin: SocketAddr,
}

impl Node {
    /// Starts a node and waits until it serves.
    pub(crate) async fn start(settings: Settings) -> Self {
        let log = Log::default();
        for _ in 0..STARTS_MAX {
            if let Some(node) = Self::try_start(settings.clone(), &log).await {
                return node;
            }
        }
        panic!("the node did not start:\n{}", log.text());
    }

    /// Starts a node on the ports of one that is gone.
    pub(crate) async fn start_again(gone: Self) -> Self {
        let (clients, admin) = (gone.clients.to_string(), gone.admin.to_string());
        let settings = gone
            .settings
            .clone()
            .set("client.listen", &clients)
            .set("admin.listen", &admin);
        drop(gone);
        Self::start(settings).await
    }

    async fn try_start(settings: Settings, log: &Log) -> Option<Self> {
        let mut process = Command::new(BINARY)
            .args(["serve", "--config", "/dev/stdin"])
            .args(settings.flags())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary under test runs");
        let mut stdin = process.stdin.take().expect("piped");
        stdin
            .write_all(settings.file().as_bytes())
            .await
            .expect("the node reads its configuration");
        drop(stdin);
        let (told, serving) = oneshot::channel();
        let reading = tokio::spawn(read_log(process.stderr.take().expect("piped"), log.clone(), told));
        let Serving { clients, admin } = soon("the node to serve", serving).await.ok()?;
        let log = log.clone();
        Some(Self {
            process,
            log,
            reading,
            clients,
            admin,
            settings,
        })
    }

    /// The address of the client port, TCP and UDP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.clients
    }

    /// The address of the admin port.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The HTTP base for clients.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.clients)
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// A client of this node over one transport.
    pub(crate) fn client(&self, transport: Transport) -> Client {
        client(&self.url(), transport)
    }

    /// What it counts.
    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics::of(self.admin).await
    }

    /// Waits until so many sessions are open over `transport`, by the node's own count, and none over the other.
    pub(crate) async fn carries(&self, sessions: u32, transport: Transport) {
        let expected = Transport::ALL.map(|one| if one == transport { f64::from(sessions) } else { 0.0 });
        becomes("sessions that are open, by transport", expected, async || {
            let metrics = self.metrics().await;
            Transport::ALL.map(|one| metrics.connections(one))
        })
        .await;
    }

    /// Memory of the process that is not shared or swapped out, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        let status = std::fs::read_to_string(path).expect("the node runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .expect("the kernel tells");
        let kib: u64 = line
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number of kilobytes");
        kib * 1024
    }

    /// Whoever was unkind to it: a client over each transport is still served, and nothing panicked.
    pub(crate) async fn is_unharmed(&self) {
        for transport in Transport::ALL {
            let client = self.client(transport);
            let channel = format!("demo:unharmed-{}", transport.name());
            let rewind = SubscribeOptions::rewind(1);
            let mut events = soon("a subscription", client.subscribe(&*channel, rewind))
                .await
                .expect("attached");
            let published = soon("an acknowledgement", client.publish(&*channel, "still there?")).await;
            let published = published.expect("the node serves");
            let heard = async {
                loop {
                    match events.next().await {
                        Some(Event::Message(message)) if message.position == published.position => return,
                        Some(_) => {}
                        None => panic!("the subscription ended"),
                    }
                }
            };
            soon("the message", heard).await;
            client.close().await;
        }
        self.log.has_no_panic();
    }

    /// Tells it to stop, as an orchestrator does.
    pub(crate) fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).expect("the node runs");
    }

    /// Tells it to read its keys again.
    pub(crate) fn hang_up(&self) {
        kill_process(self.pid(), Signal::HUP).expect("the node runs");
    }

    /// Waits for its end and gives its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let status = soon("the node to end", self.process.wait())
            .await
            .expect("a child can be waited for");
        soon("the end of its log", &mut self.reading)
            .await
            .expect("the log is read to its end");
        status.code()
    }

    /// Stops it in order; it must have nothing to complain about.
    pub(crate) async fn stop(mut self) {
        self.terminate();
        assert_eq!(self.ended().await, Some(0), "{}", self.log.text());
        self.log.has_no_panic();
    }

    /// The same, but for errors that say so.
    pub(crate) async fn stop_after(mut self, excused: &str) {
        self.terminate();
        assert_eq!(self.ended().await, Some(0), "{}", self.log.text());
        self.log.has_no_panic_but(excused);
    }

    /// Ends it as a crash does: no goodbye, no flush.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.expect("the node runs");
    }

    /// Has it stand still, as a machine does that is suspended or out of breath.
    pub(crate) fn stand_still(&self) {
        kill_process(self.pid(), Signal::STOP).expect("the node runs");
    }

    /// Has it go on after it stood still.
    pub(crate) fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).expect("the node was not waited for");
    }

    /// The number of its process.
    pub(crate) fn pid_number(&self) -> i32 {
        self.pid().as_raw_nonzero().get()
    }

    fn pid(&self) -> Pid {
        let pid = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        pid.expect("the node was not waited for")
    }
}

impl Log {
    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Waits for a line that says one of these.
    pub(crate) async fn says(&self, texts: &[&str]) {
        let says = |line: &String| texts.iter().any(|text| line.contains(text));
        eventually(&format!("the log to say {texts:?}"), async || {
            self.lines().iter().any(says).then_some(())
        })
        .await;
    }

    /// Fails if anything panicked, or an actor failed.
    pub(crate) fn has_no_panic(&self) {
        self.bad(|_| false);
    }

    /// The same, but for errors that say so.
    pub(crate) fn has_no_panic_but(&self, excused: &str) {
        self.bad(|line| line.contains(excused));
    }

    fn bad(&self, is_excused: impl Fn(&str) -> bool) {
        let is_bad =
            |line: &&String| line.contains("panicked") || (line.contains("\"level\":\"ERROR\"") && !is_excused(line));
        let bad: Vec<_> = self.lines().iter().filter(is_bad).cloned().collect();
        assert!(bad.is_empty(), "the node complains:\n{}", bad.join("\n"));
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client of the node at `url` over one transport.
pub(crate) fn client(url: &str, transport: Transport) -> Client {
    let transports = match transport {
        Transport::WebSocket => Transports::WebSocket,
        Transport::WebTransport => Transports::WebTransport,
    };
    Client::builder(url)
        .transport(transports)
        .build()
        .expect("the address of a node")
}

async fn read_log(stderr: ChildStderr, log: Log, told: oneshot::Sender<Serving>) {
    let mut told = Some(told);
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(serving) = serving(&line)
            && let Some(told) = told.take()
        {
            let _ = told.send(serving); // whoever waited has given up
        }
        log.lines().push(line);
    }
}

/// The addresses, if this is the line that tells them.
fn serving(line: &str) -> Option<Serving> {
    let event: Value = serde_json::from_str(line).ok()?;
    let fields = &event["fields"];
    let address = |text: &Value| text.as_str()?.trim_start_matches("http://").parse().ok();
    (fields["message"] == "serving").then_some(())?;
    Some(Serving {
        clients: address(&fields["url"])?,
        admin: address(&fields["admin"])?,
    })
}
