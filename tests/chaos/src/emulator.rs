//! The network between the namespaces: the only way out of each is a TUN device, and this thread holds the other ends.
//!
//! It moves IP packets from one device to another, each direction under a [`Rule`]: lost, delayed, doubled, overtaken, cut.
//! So it bears TCP, QUIC and gossip alike, and needs nothing of the kernel but TUN (this one's has no netem). What
//! happens to the n-th packet of a direction follows from the seed.
//!
//! ```text
//!   namespace a ── TUN ─┐                     ┌─ TUN ── namespace b
//!                       ├─▶ path a→b: Rule ──▶│
//!   namespace c ── TUN ─┘     `path.rs`       └─ TUN ── clients
//! ```

mod path;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{Notify, oneshot};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};
use tokio_tun::Tun;

pub(crate) use path::Rule;

use crate::error::Error;
use crate::namespace::Namespace;

/// Packets on their way. A second of 64 MB/s; what comes then is dropped, as a router does.
const PACKETS_MAX: usize = 65_536;

/// The largest packet, as the devices are set up.
pub(crate) const MTU: usize = 1_500;

/// Who is at which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port(pub(crate) usize);

/// What went through, and what did not.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) passed: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) doubled: AtomicU64,
}

/// A running network. It ends when it is dropped.
pub(crate) struct Emulator {
    rules: Rules,
    counts: Arc<Counts>,
    ports: usize,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The rule of each direction, `from * ports + to`.
type Rules = Arc<Mutex<Vec<Rule>>>;

impl Emulator {
    /// Connects these namespaces: each gets a device with its address, in a network of 256.
    pub(crate) fn start(ends: &[(&Namespace, Ipv4Addr)], seed: u64) -> Result<Self, Error> {
        let addresses: Vec<_> = ends.iter().map(|(_, address)| *address).collect();
        let ports = ends.len();
        let rules: Rules = Arc::new(Mutex::new(vec![Rule::default(); ports * ports]));
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = oneshot::channel();
        let (made, making) = std::sync::mpsc::sync_channel(1);
        let (of_thread, counted) = (Arc::clone(&rules), Arc::clone(&counts));
        let run = move || match open(addresses.len()) {
            Err(error) => drop(made.send(Err(error))),
            Ok((runtime, devices)) => {
                let names: Vec<_> = devices.iter().map(|device| device.name().to_owned()).collect();
                if made.send(Ok(names)).is_ok() {
                    let wires = Rc::new(Wires::new(devices, addresses, of_thread, counted, seed));
                    LocalSet::new().block_on(&runtime, wires.run(stopped));
                }
            }
        };
        let thread = thread::Builder::new().name("emulator".into()).spawn(run);
        let emulator = Self {
            rules,
            counts,
            ports,
            stop: Some(stop),
            thread: Some(thread.map_err(Error::Threads)?),
        };
        let ended = || Error::Tun("the emulator's thread ended".into());
        let names = making.recv().map_err(|_| ended())??;
        for ((namespace, address), device) in ends.iter().zip(names) {
            namespace.take_device(&device, *address)?;
        }
        Ok(emulator)
    }

    /// Sets the rule of one direction.
    pub(crate) fn set(&self, from: Port, to: Port, rule: Rule) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules[from.0 * self.ports + to.0] = rule;
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join(); // it has told standard error
        }
    }
}

/// A runtime for this thread, and devices that belong to it.
fn open(count: usize) -> Result<(runtime::Runtime, Vec<Tun>), Error> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::Threads)?;
    let entered = runtime.enter();
    let mut devices = Vec::new();
    for _ in 0..count {
        let built = Tun::builder().name("starling%d").mtu(MTU as i32).build();
        devices.extend(built.map_err(|error| Error::Tun(error.to_string()))?);
    }
    drop(entered);
    Ok((runtime, devices))
}

/// A packet on its way, ordered by when it arrives; of two at one instant the one that was sent first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flying {
    arrives: Instant,
    number: u64,
    to: usize,
    packet: Vec<u8>,
}

/// The thread's state.
struct Wires {
    devices: Vec<Tun>,
    addresses: Vec<Ipv4Addr>,
    rules: Rules,
    counts: Arc<Counts>,
    paths: RefCell<Vec<path::Path>>,
    flying: RefCell<BinaryHeap<Reverse<Flying>>>,
    sent: Cell<u64>,
    earlier: Notify,
}

impl Wires {
    fn new(devices: Vec<Tun>, addresses: Vec<Ipv4Addr>, rules: Rules, counts: Arc<Counts>, seed: u64) -> Self {
        let directions = devices.len() * devices.len();
        let path = |direction: usize| path::Path::new(seed, direction as u64);
        Self {
            devices,
            addresses,
            rules,
            counts,
            paths: RefCell::new((0..directions).map(path).collect()),
            flying: RefCell::default(),
            sent: Cell::new(0),
            earlier: Notify::new(),
        }
    }

    async fn run(self: Rc<Self>, stopped: oneshot::Receiver<()>) {
        for from in 0..self.devices.len() {
            tokio::task::spawn_local(Rc::clone(&self).read(from));
        }
        tokio::select! {
            _stopped = stopped => {}
            () = self.deliver() => {}
        }
    }

    async fn read(self: Rc<Self>, from: usize) {
        let mut buffer = vec![0; MTU + 64];
        // An error is the device's end: its namespace is gone.
        while let Ok(bytes) = self.devices[from].recv(&mut buffer).await {
            self.take(from, &buffer[..bytes]);
        }
    }

    /// Decides on a packet.
    fn take(&self, from: usize, packet: &[u8]) {
        let Some(to) = destination(packet).and_then(|to| self.addresses.iter().position(|known| *known == to)) else {
            return; // what the kernel asks its link by itself: IPv6 routers, multicast
        };
        let direction = from * self.devices.len() + to;
        let rule = self.rules.lock().unwrap_or_else(PoisonError::into_inner)[direction];
        let fate = self.paths.borrow_mut()[direction].decide(&rule);
        let copies = fate.delays().count();
        let counter = match copies {
            0 => &self.counts.dropped,
            1 => &self.counts.passed,
            _ => &self.counts.doubled,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        for delay in fate.delays() {
            self.fly(to, delay, packet);
        }
    }

    fn fly(&self, to: usize, delay: Duration, packet: &[u8]) {
        let mut flying = self.flying.borrow_mut();
        if flying.len() >= PACKETS_MAX {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.sent.set(self.sent.get() + 1);
        flying.push(Reverse(Flying {
            arrives: Instant::now() + delay,
            number: self.sent.get(),
            to,
            packet: packet.to_vec(),
        }));
        self.earlier.notify_one();
    }

    /// Hands packets over when they arrive.
    async fn deliver(&self) {
        loop {
            let next = self.flying.borrow().peek().map(|Reverse(next)| next.arrives);
            match next {
                None => self.earlier.notified().await,
                Some(at) if at <= Instant::now() => {
                    let Some(Reverse(Flying { to, packet, .. })) = self.flying.borrow_mut().pop() else {
                        continue;
                    };
                    // A device whose namespace is gone takes nothing, and nobody misses it.
                    let _gone = self.devices[to].send(&packet).await;
                }
                Some(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = self.earlier.notified() => {}
                },
            }
        }
    }
}

/// Where an IPv4 packet goes.
fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let is_ipv4 = packet.first()? >> 4 == 4;
    let bytes: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    is_ipv4.then(|| Ipv4Addr::from(bytes))
}
