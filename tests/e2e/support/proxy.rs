//! A proxy that cuts what passes through it.
//!
//! TCP and UDP come in on one port number, as at a node: a node's discovery answers with the address it was asked by,
//! so a client that asks through the proxy connects through it too. A cut ends a connection as networks do: it is
//! closed, or goes dead in one direction or both while nobody closes anything, or, over UDP, comes from another port.
//!
//! * [`tcp`]: connections, with what a TCP peer sees of a cut;
//! * [`udp`]: flows, told apart by the client's port.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use starling_mesh::transport::Transport;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

mod tcp;
mod udp;

/// Times a port is looked for that is free for both protocols.
const BINDS_MAX: u32 = 20;

/// A UDP flow that was silent for so long is over: nobody says so. A client acknowledges what it gets, and pings.
const SILENT: Duration = Duration::from_secs(2);

/// A connection younger than this may only be asking for the discovery document, and would be over by itself.
const SETTLED: Duration = Duration::from_millis(150);

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    /// Both ends see the connection close. Over UDP, which knows no close, it goes dead.
    Close,
    /// What the client sends goes nowhere.
    DeadUp,
    /// What the server sends goes nowhere.
    DeadDown,
    /// Nothing passes.
    Dead,
    /// The server sees the flow come from another port, as after a change of network. UDP only.
    Rebind,
}

impl Cut {
    /// What there is over a transport.
    pub(crate) const fn over(transport: Transport) -> &'static [Self] {
        match transport {
            Transport::WebSocket => &[Self::Close, Self::DeadUp, Self::DeadDown, Self::Dead],
            Transport::WebTransport => &[Self::DeadUp, Self::DeadDown, Self::Dead, Self::Rebind],
        }
    }

    const fn stops(self, direction: Direction) -> bool {
        match direction {
            Direction::Up => matches!(self, Self::DeadUp | Self::Dead | Self::Close),
            Direction::Down => matches!(self, Self::DeadDown | Self::Dead | Self::Close),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Up,
    Down,
}

/// See the module. Everything ends when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    flows: Flows,
    _tasks: JoinSet<()>,
}

/// A connection that passes through.
#[derive(Clone)]
pub(crate) struct Flow {
    transport: Transport,
    since: Instant,
    /// When the client was last heard; kept over UDP only, where nothing else tells that a flow is over.
    heard: Arc<Mutex<Instant>>,
    cut: watch::Sender<Option<Cut>>,
}

/// By number: the order in which they came.
#[derive(Clone, Default)]
struct Flows(Arc<Mutex<BTreeMap<u64, Flow>>>);

impl Proxy {
    /// A proxy in front of `server`.
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let (tcp, udp) = bind().await;
        let address = tcp.local_addr().expect("a bound socket");
        let flows = Flows::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(tcp::serve(tcp, server, flows.clone()));
        tasks.spawn(udp::serve(Arc::new(udp), server, flows.clone()));
        Self {
            address,
            flows,
            _tasks: tasks,
        }
    }

    /// The HTTP base of the node behind it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The connections over a transport that live and can be cut, in the order in which they came.
    pub(crate) fn whole(&self, transport: Transport) -> Vec<Flow> {
        let is_whole = |flow: &&Flow| flow.transport == transport && flow.is_whole();
        self.flows.lock().values().filter(is_whole).cloned().collect()
    }
}

impl Flow {
    fn new(transport: Transport) -> Self {
        let now = Instant::now();
        Self {
            transport,
            since: now,
            heard: Arc::new(Mutex::new(now)),
            cut: watch::Sender::new(None),
        }
    }

    /// Cuts it. What is dead stays so.
    pub(crate) fn cut(&self, cut: Cut) {
        self.cut.send_replace(Some(cut));
    }

    fn is_whole(&self) -> bool {
        let is_uncut = matches!(*self.cut.borrow(), None | Some(Cut::Rebind));
        let is_over = self.transport == Transport::WebTransport && self.heard().elapsed() > SILENT;
        is_uncut && !is_over && self.since.elapsed() > SETTLED
    }

    fn heard(&self) -> MutexGuard<'_, Instant> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flows {
    fn add(&self, flow: &Flow) -> u64 {
        let mut flows = self.lock();
        let number = flows.last_key_value().map_or(0, |(last, _)| last + 1);
        flows.insert(number, flow.clone());
        number
    }

    fn remove(&self, number: u64) {
        self.lock().remove(&number);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Flow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn bind() -> (TcpListener, UdpSocket) {
    for _ in 0..BINDS_MAX {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free TCP port");
        let address = tcp.local_addr().expect("a bound socket");
        if let Ok(udp) = UdpSocket::bind(address).await {
            return (tcp, udp);
        }
    }
    panic!("no port is free for TCP and UDP both");
}
