//! Nodes that are linked: their authority, and what each holds.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};

use starling_cluster::ca::{AUTHORITY_TIME, Authority, NODE_TIME};
use starling_cluster::link::{Agreement, Credentials, Event, Inboxes, Link, Links, Settings, Target};
use starling_core::id::NodeId;
use tokio::sync::broadcast::Receiver;

use super::{Counts, name, soon};

/// A node that takes links.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) links: Links,
    pub(crate) inboxes: Inboxes,
    pub(crate) counts: Arc<Counts>,
    pub(crate) events: Receiver<Event>,
    pub(crate) address: SocketAddr,
}

/// The authority of all nodes of a test that name no other.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(new_authority)
}

pub(crate) fn new_authority() -> Authority {
    Authority::create(AUTHORITY_TIME).expect("made").0
}

pub(crate) fn credentials(authority: &Authority, text: &str) -> Credentials {
    credentials_that_trust(&[authority], authority, text)
}

/// The certificate of one authority, and trust in several.
pub(crate) fn credentials_that_trust(trusted: &[&Authority], authority: &Authority, text: &str) -> Credentials {
    let pair = authority.issue(&name(text), &[], NODE_TIME).expect("issued");
    let roots: String = trusted.iter().map(|one| one.certificate()).collect();
    let (certificate, key) = (pair.certificate.as_bytes(), pair.key.as_bytes());
    Credentials::from_pem(&name(text), roots.as_bytes(), certificate, key).expect("a pair")
}

pub(crate) fn agreement() -> Agreement {
    Agreement {
        cluster: "test".to_owned(),
        slots: 1_024,
        hash_seed: 0,
        wire: (1, 1),
    }
}

pub(crate) fn start(text: &str, generation: u64) -> Node {
    start_with(text, generation, agreement(), Settings::default(), authority())
}

pub(crate) fn start_with(
    text: &str,
    generation: u64,
    agreement: Agreement,
    settings: Settings,
    authority: &Authority,
) -> Node {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    start_on(
        socket,
        text,
        generation,
        agreement,
        settings,
        credentials(authority, text),
    )
}

/// The same on a socket, and with a certificate, that somebody had before.
pub(crate) fn start_on(
    socket: UdpSocket,
    text: &str,
    generation: u64,
    agreement: Agreement,
    settings: Settings,
    credentials: Credentials,
) -> Node {
    let id = super::node(text, generation);
    let counts = Counts::new();
    let started = Links::start(id.clone(), agreement, settings, socket, credentials, counts.clone());
    let (links, inboxes) = started.expect("it starts");
    Node {
        address: links.address().expect("bound"),
        events: links.events(),
        id,
        links,
        inboxes,
        counts,
    }
}

/// Where a node is, with no client port.
pub(crate) fn at(address: SocketAddr) -> Target {
    Target { address, probe: None }
}

impl Node {
    /// Keeps a link to another node, which is found at `address`.
    pub(crate) fn keep(&self, other: &NodeId, address: SocketAddr) -> Link {
        self.links.keep(other, at(address)).expect("nobody newer is known")
    }

    /// Waits for an event; those before it are passed over.
    pub(crate) async fn until(&mut self, event: &Event) {
        soon(&format!("{}: {event:?}", self.id), async {
            while self.events.recv().await.expect("few events") != *event {}
        })
        .await;
    }

    /// All events that came and were not looked at.
    pub(crate) fn came(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }
}

/// Links two nodes directly and waits until both know.
pub(crate) async fn join(a: &mut Node, b: &mut Node) -> (Link, Link) {
    let links = (a.keep(&b.id, b.address), b.keep(&a.id, a.address));
    a.until(&Event::Up(b.id.clone())).await;
    b.until(&Event::Up(a.id.clone())).await;
    links
}
