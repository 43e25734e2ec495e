//! All links of a node: one socket, one task for each peer, and what happens to them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use quinn::{Endpoint, Runtime as _};
use starling_core::id::{NodeId, NodeName};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, watch};

use super::accept::accept;
use super::dial::Arrived;
use super::hello::{Agreement, Refusal};
use super::inbox::{Doors, Inboxes};
use super::liveness::{Cause, PeerState};
use super::peer::{ARRIVALS_MAX, Peer};
use super::session::FAREWELL;
use super::shared::{Link, Shared};
use super::socket::Watched;
use super::tls::Credentials;
use super::{LinkError, Settings, Target, transport};
use crate::instruments::Instruments;

/// Events that one follower may be behind. A node that loses all peers of a large cluster tells as many; whoever is further
/// behind is told how many it missed, and looks at the links again.
pub const EVENTS_MAX: usize = 1_024;

/// What happened to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A peer is linked and heard.
    Up(NodeId),
    /// A peer was not heard for some beats, or its link broke.
    Suspect(NodeId),
    /// A peer is taken for dead.
    Down(NodeId, Cause),
    /// What was on its way to this process, or from it, and was not taken is given up.
    Reset(NodeId),
    /// A peer refuses to be linked.
    Refused(NodeId, Refusal),
}

/// See the module. Dropping it closes all links.
pub struct Links {
    inner: Arc<Inner>,
}

/// What the tasks of peers share.
pub(super) struct Inner {
    pub(super) me: NodeId,
    pub(super) agreement: Agreement,
    pub(super) settings: Settings,
    pub(super) endpoint: Endpoint,
    pub(super) doors: Doors,
    pub(super) instruments: Arc<dyn Instruments>,
    /// Where the tasks of peers run, whoever asks for a link.
    runtime: Handle,
    credentials: ArcSwap<Credentials>,
    events: broadcast::Sender<Event>,
    peers: Mutex<BTreeMap<NodeName, Entry>>,
}

struct Entry {
    shared: Arc<Shared>,
    target: watch::Sender<Option<Target>>,
    arrivals: mpsc::Sender<Arrived>,
}

impl Links {
    /// Takes links on a socket that is bound, and yields what comes in over all of them.
    ///
    /// # Errors
    /// When the socket cannot be used.
    ///
    /// # Panics
    /// When called outside a Tokio runtime.
    pub fn start(
        me: NodeId,
        agreement: Agreement,
        settings: Settings,
        socket: std::net::UdpSocket,
        credentials: Credentials,
        instruments: Arc<dyn Instruments>,
    ) -> Result<(Self, Inboxes), LinkError> {
        socket.set_nonblocking(true)?;
        let runtime = Arc::new(quinn::TokioRuntime);
        let server = transport::server(&credentials);
        let config = transport::endpoint(&credentials, &instruments);
        let socket = runtime.wrap_udp_socket(socket)?;
        let socket = Arc::new(Watched::new(socket, Arc::clone(&instruments)));
        let endpoint = Endpoint::new_with_abstract_socket(config, Some(server), socket, runtime)?;
        let (doors, inboxes) = Doors::new();
        let inner = Arc::new(Inner {
            me,
            agreement,
            settings,
            endpoint,
            doors,
            instruments,
            runtime: Handle::current(),
            credentials: ArcSwap::from_pointee(credentials),
            events: broadcast::channel(EVENTS_MAX).0,
            peers: Mutex::default(),
        });
        tokio::spawn(accept(Arc::clone(&inner)));
        Ok((Self { inner }, inboxes))
    }

    /// Where links are taken.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.inner.endpoint.local_addr()
    }

    /// Keeps a link to a process, or changes where it is looked for. An older process of its name is forgotten; one that is
    /// older than what is known is not linked to.
    pub fn keep(&self, node: &NodeId, target: Target) -> Option<Link> {
        loop {
            let entry = self.inner.entry(node).ok()?;
            entry.target.send_if_modified(|known| {
                let changes = known.as_ref() != Some(&target);
                *known = Some(target.clone());
                changes
            });
            // One that nobody kept may have been dropped in between.
            if self.inner.holds(&entry.shared) {
                return Some(self.inner.link(&entry.shared));
            }
        }
    }

    /// Ends the link to a process. What it has not taken is given up.
    pub fn forget(&self, node: &NodeId) {
        let mut peers = self.inner.peers();
        if peers.get(&node.name).is_some_and(|entry| entry.shared.node == *node)
            && let Some(entry) = peers.remove(&node.name)
        {
            self.inner.drop_entry(&entry);
            self.inner.count(&peers);
        }
    }

    /// Keeps the link to a process no longer than it stands: one that is down is not dialled again, and forgotten.
    pub fn release(&self, node: &NodeId) {
        let peers = self.inner.peers();
        let entry = peers.get(&node.name).filter(|entry| entry.shared.node == *node);
        let is_down = entry.is_some_and(|entry| {
            entry.target.send_replace(None);
            entry.shared.state() == PeerState::Down
        });
        drop(peers);
        if is_down {
            self.forget(node);
        }
    }

    /// The link to the newest process of a name, if one is kept.
    #[must_use]
    pub fn of(&self, name: &NodeName) -> Option<Link> {
        let peers = self.inner.peers();
        peers.get(name).map(|entry| self.inner.link(&entry.shared))
    }

    /// Counts that a limit was reached.
    pub(crate) fn limit_reached(&self, limit: &'static str) {
        self.inner.instruments.limit_reached(limit);
    }

    /// All links that are kept.
    #[must_use]
    pub fn all(&self) -> Vec<Link> {
        let peers = self.inner.peers();
        peers.values().map(|entry| self.inner.link(&entry.shared)).collect()
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.events.subscribe()
    }

    /// Proves this node with another certificate from now on, and trusts other authorities. Links that stand go on.
    pub fn renew(&self, credentials: Credentials) {
        self.inner
            .endpoint
            .set_server_config(Some(transport::server(&credentials)));
        self.inner.credentials.store(Arc::new(credentials));
    }

    /// Tells all peers that this node ends, and waits until they have heard it. There are no links after that. The socket is
    /// closed with the last task that held it, and with this.
    pub async fn close(&self) {
        self.shut();
        self.inner.endpoint.wait_idle().await;
    }

    fn shut(&self) {
        self.inner.endpoint.close(FAREWELL, b"");
        // The tasks of the peers end when nobody can hand them a connection.
        let peers = std::mem::take(&mut *self.inner.peers());
        peers.values().for_each(|entry| self.inner.drop_entry(entry));
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Inner {
    pub(super) fn tell(&self, event: Event) {
        // Nobody may follow.
        let _ = self.events.send(event);
    }

    /// Something else is thought of a peer.
    pub(super) fn turn(&self, shared: &Shared, state: PeerState) {
        shared.set_state(state);
        self.count(&self.peers());
    }

    pub(super) fn client_config(&self) -> quinn::ClientConfig {
        transport::client(&self.credentials.load())
    }

    fn count(&self, peers: &BTreeMap<NodeName, Entry>) {
        let mut counts = [0; 3];
        for entry in peers.values() {
            counts[entry.shared.state() as usize] += 1;
        }
        let [up, suspect, down] = counts;
        self.instruments.links(up, suspect, down);
    }

    fn link(&self, shared: &Arc<Shared>) -> Link {
        Link {
            shared: Arc::clone(shared),
            instruments: Arc::clone(&self.instruments),
        }
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<NodeName, Entry>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry of a process, made if need be. A newer process takes the place of an older one.
    fn entry(self: &Arc<Self>, node: &NodeId) -> Result<Entry, Refusal> {
        let mut peers = self.peers();
        if let Some(entry) = peers.get(&node.name) {
            match entry.shared.node.generation.cmp(&node.generation) {
                std::cmp::Ordering::Equal => return Ok(entry.handle()),
                std::cmp::Ordering::Greater => return Err(Refusal::OldGeneration),
                std::cmp::Ordering::Less => {}
            }
        }
        if node.name == self.me.name {
            return Err(Refusal::WrongNode);
        }
        if let Some(older) = peers.remove(&node.name) {
            self.drop_entry(&older);
            self.tell(Event::Reset(older.shared.node.clone()));
        }
        let shared = Arc::new(Shared::new(node.clone(), self.settings.queue_bytes));
        let (target, targets) = watch::channel(None);
        let (arrivals, arriving) = mpsc::channel(ARRIVALS_MAX);
        let peer = Peer::new(Arc::clone(self), Arc::clone(&shared), targets, arriving);
        self.runtime.spawn(peer.run());
        let entry = Entry {
            shared,
            target,
            arrivals,
        };
        let handle = entry.handle();
        peers.insert(node.name.clone(), entry);
        self.count(&peers);
        Ok(handle)
    }

    fn holds(&self, shared: &Arc<Shared>) -> bool {
        let peers = self.peers();
        let entry = peers.get(&shared.node.name);
        entry.is_some_and(|entry| Arc::ptr_eq(&entry.shared, shared))
    }

    /// A peer is down. One that dialled us and that nobody asked to keep is no peer any more.
    pub(super) fn drop_unwanted(&self, shared: &Arc<Shared>) {
        let mut peers = self.peers();
        let name = &shared.node.name;
        let entry = peers.get(name).filter(|entry| Arc::ptr_eq(&entry.shared, shared));
        if entry.is_some_and(|entry| entry.target.borrow().is_none())
            && let Some(entry) = peers.remove(name)
        {
            self.drop_entry(&entry);
            self.count(&peers);
        }
    }

    /// An entry was taken out. Its task sees the last of `arrivals` go; until then it is no peer of ours.
    fn drop_entry(&self, entry: &Entry) {
        entry.shared.close();
        self.instruments.link_forgotten(&entry.shared.node.name);
    }

    /// A node has said hello: hands its connection to the task of the peer.
    pub(super) fn admit(self: &Arc<Self>, arrived: Arrived) -> Result<(), Box<(Refusal, Arrived)>> {
        let entry = match self.entry(&arrived.node) {
            Ok(entry) => entry,
            Err(refusal) => return Err(Box::new((refusal, arrived))),
        };
        let taken = entry.arrivals.try_send(arrived);
        taken.map_err(|full| Box::new((Refusal::Busy, full.into_inner())))
    }
}

impl Entry {
    fn handle(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            target: self.target.clone(),
            arrivals: self.arrivals.clone(),
        }
    }
}
