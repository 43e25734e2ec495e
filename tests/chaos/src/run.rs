//! The life of a run: nodes up, clients at work, fault after fault, everything healed, the histories read.
//!
//! `ending.rs` reads them.

mod ending;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::crowd;
use crate::database::{self, Database};
use crate::documents;
use crate::emulator::{Emulator, Port, Rule};
use crate::error::Error;
use crate::history::{Event, Recorder};
use crate::lag::Lag;
use crate::load::{Load, channels};
use crate::namespace::{self, Namespace};
use crate::node::Node;
use crate::report::Beside;
use crate::scenario::{DOWN, Fault, HELD, ROUGH, Scenario};
use crate::setup::{CLIENTS, Kept, Setup};
use crate::slots::{self, Watching};

/// How long everything works undisturbed before each fault, and after the last.
const STEADY: Duration = Duration::from_secs(3);

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) faults: u32,
    /// Clients of a crowd.
    pub(crate) members: usize,
    pub(crate) seed: u64,
    pub(crate) binary: PathBuf,
    pub(crate) directory: PathBuf,
    /// A node that stands alone keeps its messages in memory: they are lost with it, and the checkers have to see that.
    pub(crate) forgets: bool,
}

/// Makes the run, and gives where its history is.
///
/// The calling thread ends up in the namespace of the clients.
pub(crate) fn run(plan: &Plan) -> Result<(PathBuf, Beside), Error> {
    on_stage(plan, async |stage| stage.play().await)
}

/// The same of a crowd whose presence is watched.
pub(crate) fn run_crowd(plan: &Plan) -> Result<crowd::Verdict, Error> {
    on_stage(plan, async |stage| crowd::play(stage, plan).await)
}

/// The same of documents that are edited.
pub(crate) fn run_documents(plan: &Plan) -> Result<documents::Verdict, Error> {
    on_stage(plan, async |stage| documents::play(stage, plan).await)
}

/// Takes away what runs left that are no more, and says how much that was.
pub(crate) fn clean() -> Result<usize, Error> {
    // What is killed with its namespace holds its files no more.
    Ok(namespace::clean()? + database::clean()?)
}

/// Sets everything up, and has it played.
fn on_stage<'a, T>(plan: &'a Plan, play: impl AsyncFnOnce(&mut Stage<'a>) -> Result<T, Error>) -> Result<T, Error> {
    let left = clean()?;
    if left > 0 {
        eprintln!("chaos: took away {left} namespaces and databases that an earlier run left");
    }
    let clients = Namespace::create("clients")?;
    let is_cluster = plan.scenario.is_cluster();
    let kept = if is_cluster || plan.forgets {
        Kept::InMemory
    } else {
        Kept::OnDisk
    };
    let database = plan.scenario.is_documents().then(Database::make).transpose()?;
    let url = database.as_ref().map(Database::url);
    let setup = Setup::make(&plan.binary, &plan.directory, is_cluster, kept, url.as_deref())?;
    let mut nodes = Vec::new();
    for node in &setup.nodes {
        let namespace = Namespace::create(&node.name)?;
        nodes.push(Node::new(node.clone(), namespace, plan.binary.clone()));
    }
    let mut ends: Vec<_> = nodes.iter().map(|node| (&node.namespace, node.setup.address)).collect();
    ends.push((&clients, CLIENTS));
    let emulator = Emulator::start(&ends, plan.seed)?;
    // Before there are other threads: they are where the first one is.
    clients.enter()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Error::Threads)?;
    let mut stage = Stage {
        plan,
        setup,
        nodes,
        emulator,
        database,
        unclean_exits: 0,
    };
    runtime.block_on(async {
        tokio::select! {
            ended = play(&mut stage) => ended,
            () = interrupted() => Err(Error::Interrupted),
        }
    })
}

/// Ctrl-C, or a polite request to end.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _told = interrupt.recv() => {}
        _told = terminate.recv() => {}
    }
}

/// Everything that takes part. Nodes, network and namespaces end with it.
pub(crate) struct Stage<'a> {
    plan: &'a Plan,
    pub(crate) setup: Setup,
    pub(crate) nodes: Vec<Node>,
    emulator: Emulator,
    /// What the nodes share, if they share one.
    pub(crate) database: Option<Database>,
    pub(crate) unclean_exits: u64,
}

impl Stage<'_> {
    async fn play(&mut self) -> Result<(PathBuf, Beside), Error> {
        let scenario = self.plan.scenario;
        let path = self.setup.directory.join("history.jsonl");
        let recorder = Arc::new(Recorder::create(&path).map_err(Error::file("write", &path))?);
        recorder.note(Event::Run {
            scenario: scenario.to_string(),
            seed: self.plan.seed,
            copies_min: if scenario.is_cluster() { 2 } else { 1 },
            channels: channels(),
        });
        for node in &mut self.nodes {
            node.start()?;
        }
        for node in &mut self.nodes {
            node.ready().await?;
        }
        let lag = Lag::watch();
        let watching = scenario.is_cluster().then(|| Watching::start(&self.setup, &recorder));
        let mut load = Load::start(&self.setup, &recorder).await?;
        eprintln!("chaos: {} nodes, all clients attached", self.nodes.len());

        // What does not work from here on is what the run is for: it goes on to its verdict.
        if let Err(error) = self.make_faults(&recorder).await {
            recorder.note(trouble(&error));
        }
        if let Err(error) = load.settle(&self.setup).await {
            recorder.note(trouble(&error));
        }
        ending::read(&self.setup, &load, &recorder).await?;
        let beside = Beside {
            protocol_violations: load.violations(),
            unclean_exits: self.unclean_exits,
            panics: self.panics(),
            lag_ms_max: lag.most_ms(),
        };
        drop(watching);
        load.close().await;
        recorder.flush().map_err(Error::file("write", &path))?;
        let counts = self.emulator.counts();
        eprintln!(
            "chaos: packets passed {}, dropped {}, doubled {}",
            counts.passed.load(Ordering::Relaxed),
            counts.dropped.load(Ordering::Relaxed),
            counts.doubled.load(Ordering::Relaxed)
        );
        Ok((path, beside))
    }

    async fn make_faults(&mut self, recorder: &Recorder) -> Result<(), Error> {
        let mut rng = Rng::with_seed(self.plan.seed);
        for number in 0..self.plan.faults {
            sleep(STEADY).await;
            let owner = slots::owner_of_most(&self.setup.nodes).await;
            let fault = self.plan.scenario.fault(number, self.nodes.len(), owner, &mut rng);
            self.inflict(number, &fault, recorder).await?;
            self.all_ready().await?;
            recorder.note(Event::Ready { number });
        }
        sleep(STEADY).await;
        // Nobody has ended by itself since.
        self.all_ready().await
    }

    pub(crate) async fn all_ready(&mut self) -> Result<(), Error> {
        for node in &mut self.nodes {
            node.ready().await?;
        }
        Ok(())
    }

    /// Panics that the nodes' logs tell of.
    pub(crate) fn panics(&self) -> u64 {
        let logs = self
            .nodes
            .iter()
            .map(|node| std::fs::read(&node.setup.log).unwrap_or_default());
        let told = logs.map(|log| String::from_utf8_lossy(&log).matches("panicked at").count() as u64);
        told.sum()
    }

    /// Makes a fault, holds it, and heals it.
    async fn inflict(&mut self, number: u32, fault: &Fault, recorder: &Recorder) -> Result<(), Error> {
        let hit: Vec<_> = fault
            .nodes()
            .iter()
            .map(|node| self.nodes[*node].name().to_owned())
            .collect();
        eprintln!(
            "chaos: {} of {}: {} {fault}",
            number + 1,
            self.plan.faults,
            hit.join(", ")
        );
        recorder.note(Event::Fault {
            number,
            what: fault.to_string(),
            nodes: hit,
            loses: self.loses(fault),
        });
        match fault {
            Fault::Kill(nodes) => {
                for node in nodes {
                    self.nodes[*node].signal(Signal::KILL);
                }
                for node in nodes {
                    self.nodes[*node].gone().await?;
                }
                sleep(DOWN).await;
                for node in nodes {
                    self.nodes[*node].start()?;
                }
            }
            Fault::Pause(node) => {
                self.nodes[*node].signal(Signal::STOP);
                sleep(HELD).await;
                self.nodes[*node].signal(Signal::CONT);
            }
            Fault::Cut { directions, .. } => {
                self.rule(directions, Rule::CUT);
                sleep(HELD).await;
                self.rule(directions, Rule::default());
            }
            Fault::Rough => {
                let ports = self.nodes.len() + 1;
                let all: Vec<_> = (0..ports)
                    .flat_map(|from| (0..ports).map(move |to| (from, to)))
                    .collect();
                self.rule(&all, ROUGH);
                sleep(HELD).await;
                self.rule(&all, Rule::default());
            }
            Fault::Restart(node) => self.restart(*node).await?,
            Fault::Outage => self.outage(HELD).await?,
        }
        recorder.note(Event::Healed { number });
        Ok(())
    }

    /// Tells a node to go, and starts it again.
    pub(crate) async fn restart(&mut self, node: usize) -> Result<(), Error> {
        let node = &mut self.nodes[node];
        node.signal(Signal::TERM);
        let status = node.gone().await?;
        if status.is_some_and(|status| !status.success()) {
            self.unclean_exits += 1;
        }
        node.start()
    }

    /// Stops the database that the nodes share, and starts it again after a while.
    pub(crate) async fn outage(&mut self, held: Duration) -> Result<(), Error> {
        if let Some(database) = &mut self.database {
            database.stop().await?;
            sleep(held).await;
            database.start().await?;
        }
        Ok(())
    }

    /// Whether every copy of something dies: memory is all that a cluster's nodes have.
    fn loses(&self, fault: &Fault) -> bool {
        let all = self.nodes.len();
        self.plan.scenario.is_cluster() && matches!(fault, Fault::Kill(nodes) if nodes.len() == all)
    }

    pub(crate) fn rule(&self, directions: &[(usize, usize)], rule: Rule) {
        for (from, to) in directions {
            self.emulator.set(Port(*from), Port(*to), rule);
        }
    }
}

fn trouble(error: &Error) -> Event {
    let what = error.to_string();
    eprintln!("chaos: {what}");
    Event::Trouble { what }
}

/// Where runs are kept unless they are told: beside what is built, or where the system keeps what may go.
pub(crate) fn default_directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    target.join("chaos")
}

/// The directory of one run.
pub(crate) fn directory_of(base: &Path, scenario: Scenario, seed: u64) -> PathBuf {
    base.join(format!("{scenario}-{seed}"))
}
