//! What is kept of a peer for as long as it is the same process, whatever becomes of its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use starling_core::id::NodeId;
use tokio::sync::Notify;

use super::frame::{LANES, Outgoing};
use super::lane::{LaneQueue, SendError};
use super::liveness::PeerState;
use crate::instruments::Instruments;

/// Bytes taken after which the peer is told at once, rather than with the next beat: it keeps what it sent until then.
const TELL_BYTES: usize = 64 * 1024;

/// What a small frame counts as, as in the sender's queue.
const FRAME_COST: usize = 256;

/// See the module.
pub(super) struct Shared {
    pub(super) node: NodeId,
    /// Drawn for this pair of processes: the peer knows by it whether both go on.
    pub(super) mine: u64,
    pub(super) lanes: [LaneQueue; LANES],
    /// The last frame taken, of each lane.
    taken: [AtomicU64; LANES],
    /// Bytes taken that the peer was not told of.
    untold: AtomicUsize,
    pub(super) tell: Notify,
    start: Instant,
    heard_ms: AtomicU64,
    deaf_ms: AtomicU32,
    state: AtomicU8,
}

impl Shared {
    pub(super) fn new(node: NodeId, queue_bytes: usize) -> Self {
        Self {
            node,
            mine: rand::random(),
            lanes: std::array::from_fn(|_| LaneQueue::new(queue_bytes / LANES)),
            taken: std::array::from_fn(|_| AtomicU64::new(0)),
            untold: AtomicUsize::new(0),
            tell: Notify::new(),
            start: Instant::now(),
            heard_ms: AtomicU64::new(0),
            deaf_ms: AtomicU32::new(0),
            state: AtomicU8::new(PeerState::Down as u8),
        }
    }

    pub(super) fn taken(&self) -> [u64; LANES] {
        std::array::from_fn(|lane| self.taken[lane].load(Ordering::Acquire))
    }

    /// The last frame taken of one lane.
    pub(super) fn taken_of(&self, lane: usize) -> u64 {
        self.taken[lane].load(Ordering::Acquire)
    }

    /// A frame was handed over.
    pub(super) fn take(&self, lane: usize, index: u64, bytes: usize) {
        self.taken[lane].store(index, Ordering::Release);
        if self.untold.fetch_add(bytes + FRAME_COST, Ordering::AcqRel) + bytes + FRAME_COST >= TELL_BYTES {
            self.tell.notify_one();
        }
    }

    /// The peer is being told all that was taken.
    pub(super) fn told(&self) {
        self.untold.store(0, Ordering::Release);
    }

    /// Both begin anew.
    pub(super) fn reset(&self) {
        self.lanes.iter().for_each(LaneQueue::reset);
        self.taken.iter().for_each(|taken| taken.store(0, Ordering::Release));
    }

    /// Nothing is taken for this process any more.
    pub(super) fn close(&self) {
        self.lanes.iter().for_each(LaneQueue::close);
    }

    /// The peer was heard, and says how long it has not heard us.
    pub(super) fn hear(&self, deaf_ms: u32) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(now, Ordering::Release);
        self.deaf_ms.store(deaf_ms, Ordering::Release);
    }

    pub(super) fn heard(&self) -> Instant {
        self.start + Duration::from_millis(self.heard_ms.load(Ordering::Acquire))
    }

    pub(super) fn deaf(&self) -> Duration {
        Duration::from_millis(self.deaf_ms.load(Ordering::Acquire).into())
    }

    pub(super) fn state(&self) -> PeerState {
        match self.state.load(Ordering::Acquire) {
            0 => PeerState::Up,
            1 => PeerState::Suspect,
            _ => PeerState::Down,
        }
    }

    pub(super) fn set_state(&self, state: PeerState) {
        self.state.store(state as u8, Ordering::Release);
    }
}

/// The way to one process. Cheap to clone; it outlives connections, and ends with the process at its other end.
#[derive(Clone)]
pub struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) instruments: Arc<dyn Instruments>,
}

impl Link {
    /// Who is at the other end.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.shared.node
    }

    /// Whether both are one way, and not two to one process that was linked anew.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// What is thought of it now.
    #[must_use]
    pub fn state(&self) -> PeerState {
        self.shared.state()
    }

    /// Sends a message if its lane has room, whether or not the peer is connected now: a lane keeps what a redial
    /// bridges.
    ///
    /// # Errors
    /// [`SendError::LinkFull`] when it has none: the caller sheds it, or waits with [`send`](Self::send).
    pub fn try_send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let sent = self.shared.lanes[outgoing.lane.index()].try_push(outgoing);
        if sent == Err(SendError::LinkFull) {
            self.instruments.limit_reached("cluster.link_queue");
        }
        sent
    }

    /// Sends a message as soon as its lane has room.
    ///
    /// # Errors
    /// When no frame holds it, or the peer is gone.
    pub async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        self.shared.lanes[outgoing.lane.index()].push(outgoing).await
    }
}
