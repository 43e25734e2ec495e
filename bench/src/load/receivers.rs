//! All subscribers of a run, on a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::alive::Alive;
use super::course::Course;
use super::link::Link;
use super::probe::Probe;
use super::roles::Roles;
use super::stamp::Clock;
use super::tally::Tallies;
use super::{websocket, webtransport};
use crate::error::LinkError;
use crate::{Error, Transport};

/// How often the receivers look whether they should stop.
pub(super) const STOP_GLANCE: Duration = Duration::from_millis(20);

/// Subscribers that are attached and receive.
pub(crate) struct Receivers {
    tallies: Arc<Tallies>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Probe>, Error>>>,
}

/// What the receivers saw.
#[derive(Debug)]
pub(crate) struct Arrivals {
    pub(crate) tallies: Arc<Tallies>,
    pub(crate) probes: Vec<Probe>,
}

/// What the thread of the receivers works with.
pub(super) struct Shared {
    pub(super) roles: Roles,
    pub(super) tallies: Arc<Tallies>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) clock: Clock,
    /// The first message whose latency counts.
    pub(super) measured_from: u64,
}

impl Shared {
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn probe(&self) -> Probe {
        Probe::new(self.clock, self.measured_from)
    }
}

impl Receivers {
    /// Opens and attaches the subscribers, which are links `first` and following. Returns when all are attached.
    pub(crate) fn open(
        course: &Course,
        roles: Roles,
        first: usize,
        clock: Clock,
        measured_from: u64,
    ) -> Result<Self, Error> {
        let tallies = Arc::new(Tallies::new(roles.sinks(), roles.probes()));
        let stop = Arc::new(AtomicBool::new(false));
        let shared = Shared {
            roles,
            tallies: Arc::clone(&tallies),
            stop: Arc::clone(&stop),
            clock,
            measured_from,
        };
        let course = course.clone();
        let (attached, is_attached) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("receivers".into())
            .spawn(move || receive(&course, first, &shared, &attached))
            .map_err(Error::system("start the receivers"))?;
        let mut receivers = Self {
            tallies,
            stop,
            thread: Some(thread),
        };
        match is_attached.recv() {
            Ok(()) => Ok(receivers),
            // The thread has ended before it was ready, and says why.
            Err(_) => match receivers.join() {
                Err(error) => Err(error),
                Ok(_) => unreachable!("receivers end early only with an error"),
            },
        }
    }

    /// The counters, while they change.
    pub(crate) fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// Closes all connections and tells what arrived.
    pub(crate) fn finish(mut self) -> Result<Arrivals, Error> {
        let probes = self.join()?;
        Ok(Arrivals {
            tallies: Arc::clone(&self.tallies),
            probes,
        })
    }

    fn join(&mut self) -> Result<Vec<Probe>, Error> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(probes)) => probes,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(Vec::new()),
        }
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        // The thread looks within milliseconds, and ends by itself.
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The thread of the receivers.
fn receive(
    course: &Course,
    first: usize,
    shared: &Shared,
    attached: &mpsc::SyncSender<()>,
) -> Result<Vec<Probe>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("start the receivers' runtime"))?;
    let (links, alive) = runtime.block_on(open_all(course, first, shared))?;
    // Nobody waits any more if the run was given up, which the stop flag tells as well.
    let ready = || {
        let _ = attached.send(());
    };
    match course.subscribers.transport {
        Transport::WebSocket => {
            let sockets = runtime.block_on(async { websocket::sockets(links, shared) })?;
            ready();
            websocket::receive(sockets, alive, shared)
        }
        Transport::WebTransport => runtime.block_on(async {
            ready();
            Ok(webtransport::receive(links, alive, shared).await)
        }),
    }
}

/// Opens the links one after the other, so that their order is the order in which the server learns of them, and keeps
/// those alive that are open.
async fn open_all(course: &Course, first: usize, shared: &Shared) -> Result<(Vec<Link>, Alive), LinkError> {
    let mut links: Vec<Link> = Vec::with_capacity(shared.roles.subscribers());
    let mut alive = Alive::default();
    for number in 0..shared.roles.subscribers() {
        let (link, welcome) = Link::attached(&course.subscribers, first + number, &course.channel).await?;
        links.push(link);
        alive.add(
            number,
            Duration::from_millis(welcome.heartbeat_ms.into()),
            Instant::now(),
        );
        while let Some(due) = alive.due(Instant::now()) {
            links[due].send_alive().await?;
        }
        if shared.is_stopped() {
            break;
        }
    }
    Ok((links, alive))
}
