//! The crowd: sessions that come to one channel and go, each a connection of its own over WebSocket, on one thread with one
//! epoll loop.
//!
//! | file | holds |
//! | --- | --- |
//! | `turns.rs` | who does what, and when |
//! | `seat.rs`, `seen.rs` | one session, as far as it understands what it is told; what all of them were told |
//! | `work.rs` | the loop of the thread |
//!
//! Every session reads and understands all that it is told: what those who watch believe is compared with the truth. Acts are
//! an open loop as messages are: each is done at its instant, whatever became of those before it.

mod seat;
mod seen;
mod turns;
mod work;

use std::net::TcpStream as Socket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use self::seat::Seat;
pub(crate) use self::seen::Seen;
pub(crate) use self::turns::{Act, Parts, Turns};
use self::work::Work;
use super::alive::Alive;
use super::link::{Link, Target};
use super::stamp::Clock;
use crate::Error;
use crate::error::LinkError;

/// Orders that wait for the crowd. The next is given when the last is done.
const ORDERS: usize = 1;

/// What the crowd is to do.
#[derive(Debug)]
enum Order {
    /// These acts in turn, so many a second.
    Act { acts: Vec<Act>, rate: u32 },
    /// Tell what was seen, and who believes that so many are there.
    Look { clients: u64 },
}

/// Sessions that are open. They are closed when it is dropped.
pub(crate) struct Crowd {
    orders: mpsc::SyncSender<Order>,
    done: mpsc::Receiver<Seen>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Crowd {
    /// Opens so many sessions, spread evenly over the nodes. Returns when all are open.
    pub(crate) fn open(nodes: &[Target], channel: &str, sessions: usize, clock: Clock) -> Result<Self, Error> {
        let (orders, ordered) = mpsc::sync_channel(ORDERS);
        let (report, done) = mpsc::sync_channel(ORDERS);
        let stop = Arc::new(AtomicBool::new(false));
        let (nodes, channel, stopped) = (nodes.to_vec(), channel.to_owned(), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("crowd".into())
            .spawn(move || {
                let (sockets, turns) = open(&nodes, sessions, &stopped)?;
                let work = Work::new(channel, clock, ordered, report, stopped);
                work.run(sockets, turns)
            })
            .map_err(Error::system("start the crowd"))?;
        let mut crowd = Self {
            orders,
            done,
            stop,
            thread: Some(thread),
        };
        crowd.wait()?;
        Ok(crowd)
    }

    /// Begins acts, so many a second. [`Self::wait`] returns when the last is done, answered or not.
    pub(crate) fn begin(&mut self, acts: Vec<Act>, rate: u32) -> Result<(), Error> {
        self.order(Order::Act { acts, rate })
    }

    /// What was seen since the last look, and how many sessions do not believe that so many clients are there.
    pub(crate) fn look(&mut self, clients: usize) -> Result<Seen, Error> {
        self.order(Order::Look {
            clients: clients as u64,
        })?;
        self.wait()
    }

    /// Waits until the order is done.
    pub(crate) fn wait(&mut self) -> Result<Seen, Error> {
        match self.done.recv() {
            Ok(seen) => Ok(seen),
            Err(mpsc::RecvError) => Err(self.ended()),
        }
    }

    fn order(&mut self, order: Order) -> Result<(), Error> {
        self.orders.send(order).map_err(|_| self.ended())
    }

    /// Why there is nobody any more.
    fn ended(&mut self) -> Error {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => error,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            Some(Ok(Ok(()))) | None => LinkError::Closed.into(),
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // The thread looks within milliseconds, and ends by itself.
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Opens the sessions one after the other, and keeps those alive that are open.
fn open(nodes: &[Target], sessions: usize, stopped: &AtomicBool) -> Result<(Vec<(Socket, Seat)>, Alive), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("start the crowd's runtime"))?;
    runtime.block_on(async {
        let mut links: Vec<Link> = Vec::with_capacity(sessions);
        let mut turns = Alive::default();
        for (number, node) in (0..sessions).zip(nodes.iter().cycle()) {
            let (link, welcome) = Link::open(node, number).await?;
            links.push(link);
            let heartbeat = Duration::from_millis(welcome.heartbeat_ms.into());
            turns.add(number, heartbeat, Instant::now());
            while let Some(due) = turns.due(Instant::now()) {
                links[due].send_alive().await?;
            }
            if stopped.load(Ordering::Relaxed) {
                break;
            }
        }
        let socket = |link: Link| {
            let (stream, received) = link
                .into_tcp()
                .ok_or_else(|| LinkError::Protocol("not a WebSocket".into()))?;
            Ok((stream.into_std()?, Seat::new(received)))
        };
        let sockets: Result<_, LinkError> = links.into_iter().map(socket).collect();
        Ok((sockets?, turns))
    })
}
