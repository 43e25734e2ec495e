//! A tap on the way to a node's gossip: it stands where the others are told that the node is, passes on what comes in both
//! directions, and keeps a copy of each datagram.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// More than any datagram holds.
const BUFFER_BYTES: usize = 65_536;

/// See the module. Nothing passes once it is dropped.
pub(super) struct Tap {
    kept: Kept,
    _tasks: JoinSet<()>,
}

/// A datagram on its way between the node behind the tap and another.
#[derive(Clone)]
pub(super) struct Captured {
    /// Where the other node gossips.
    pub(super) other: SocketAddr,
    /// Whether the other node sent it.
    pub(super) is_to_node: bool,
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Captured>>>);

impl Tap {
    /// A tap at `front`, before a node that gossips at `node`.
    pub(super) async fn start(front: SocketAddr, node: SocketAddr) -> Self {
        let front = Arc::new(UdpSocket::bind(front).await.expect("a port"));
        let kept = Kept::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(front, node, kept.clone()));
        Self { kept, _tasks: tasks }
    }

    /// The newest of what passed between the node and the one that gossips at `other`, in one direction, once there are so
    /// many.
    pub(super) fn newest(&self, count: usize, other: SocketAddr, is_to_node: bool) -> Option<Vec<Vec<u8>>> {
        let kept = self.kept.lock();
        let wanted = kept
            .iter()
            .rev()
            .filter(|datagram| datagram.other == other && datagram.is_to_node == is_to_node);
        let newest: Vec<_> = wanted.take(count).map(|datagram| datagram.bytes.clone()).collect();
        (newest.len() == count).then_some(newest)
    }
}

impl Kept {
    fn keep(&self, other: SocketAddr, is_to_node: bool, bytes: &[u8]) {
        self.lock().push(Captured {
            other,
            is_to_node,
            bytes: bytes.to_vec(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Captured>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(front: Arc<UdpSocket>, node: SocketAddr, kept: Kept) {
    let mut ways: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        // A port that was closed is told here, by ICMP.
        let Ok((length, other)) = front.recv_from(&mut buffer).await else {
            continue;
        };
        kept.keep(other, true, &buffer[..length]);
        let way = match ways.get(&other) {
            Some(way) => way,
            None => {
                // The node sees a port of its own for each.
                let way = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a port"));
                tasks.spawn(answer(Arc::clone(&front), Arc::clone(&way), other, kept.clone()));
                ways.entry(other).or_insert(way)
            }
        };
        // What cannot be passed on is lost, as on any way.
        let _ = way.send_to(&buffer[..length], node).await;
    }
}

/// Passes on what the node answers to one other.
async fn answer(front: Arc<UdpSocket>, way: Arc<UdpSocket>, other: SocketAddr, kept: Kept) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let Ok((length, _)) = way.recv_from(&mut buffer).await else {
            continue;
        };
        kept.keep(other, false, &buffer[..length]);
        let _ = front.send_to(&buffer[..length], other).await;
    }
}
