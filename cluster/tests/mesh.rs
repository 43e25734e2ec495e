//! Nodes that know one seed and end up linked, each to each.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use starling_cluster::gossip::{Gossip, KeyRing, NodeFacts, Phase, Settings, Tuning};
use starling_cluster::link::{Event, Lane, Links, Outgoing};
use starling_cluster::mesh;
use starling_core::id::NodeId;
use support::{Counts, eventually, linked, node, soon};
use tokio::task::JoinHandle;

struct Node {
    id: NodeId,
    gossip: Gossip,
    gossip_address: SocketAddr,
    links: Arc<Links>,
    inboxes: starling_cluster::link::Inboxes,
    counts: Arc<Counts>,
    following: JoinHandle<()>,
}

async fn start(text: &str, generation: u64, seeds: &[SocketAddr]) -> Node {
    let linked::Node {
        id,
        links,
        inboxes,
        counts,
        address,
        ..
    } = linked::start(text, generation);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let gossip_address = socket.local_addr().expect("bound");
    let facts = NodeFacts {
        client_urls: Vec::new(),
        protocol: (1, 1),
        webtransport: None,
        link: address,
        probe: None,
        zone: String::new(),
        version: "0.1.0".to_owned(),
        wire: (1, 1),
        load: 0,
        phase: Phase::Serving,
        settings: 0,
        table: 0,
    };
    let settings = Settings {
        me: id.clone(),
        cluster: "test".to_owned(),
        advertised: gossip_address,
        seeds: seeds.iter().map(ToString::to_string).collect(),
        tuning: Tuning::default(),
    };
    let ring = KeyRing::parse(&"ab".repeat(32)).expect("a key");
    let credentials = linked::credentials(linked::authority(), text);
    let gossip = Gossip::start(settings, socket, ring, credentials, facts, counts.clone())
        .await
        .expect("it starts");
    let links = Arc::new(links);
    let (membership, followed) = (gossip.membership().clone(), Arc::clone(&links));
    let following = tokio::spawn(async move { mesh::follow(&membership, &followed).await });
    Node {
        id,
        gossip,
        gossip_address,
        links,
        inboxes,
        counts,
        following,
    }
}

impl Node {
    async fn has_up(&self, count: u64) {
        eventually(&format!("{} has {count} links", self.id), || {
            self.counts.of("links up") == count
        })
        .await;
    }

    /// Ends it as a node ends that was told to stop.
    async fn leave(self) {
        self.following.abort();
        let _ = self.following.await;
        soon("it leaves", self.gossip.leave()).await;
        let links = Arc::into_inner(self.links).expect("nobody else follows");
        soon("it closes", links.close()).await;
    }
}

#[tokio::test]
async fn who_knows_one_seed_is_linked_to_all_and_who_leaves_or_restarts_is_followed() {
    let a = start("a", 1, &[]).await;
    let b = start("b", 1, &[a.gossip_address]).await;
    let mut c = start("c", 1, &[a.gossip_address]).await;
    for node in [&a, &b, &c] {
        node.has_up(2).await;
    }
    let to_c = b.links.of(&c.id.name).expect("linked");
    to_c.try_send(&Outgoing::new(Lane::Slot(9), &7u8, []).expect("short"))
        .expect("there is room");
    let came = soon("it arrives", c.inboxes[Lane::Slot(9).index()].recv())
        .await
        .expect("it runs");
    assert_eq!((came.decode::<u8>().expect("a number"), came.from), (7, b.id.clone()));
    b.leave().await;
    for node in [&a, &c] {
        node.has_up(1).await;
        eventually("b is forgotten", || node.links.all().len() == 1).await;
    }
    let again = start("b", 2, &[a.gossip_address]).await;
    for node in [&a, &again, &c] {
        node.has_up(2).await;
    }
    // One that does not say goodbye is replaced all the same.
    let mut events = a.links.events();
    again.following.abort();
    again.gossip.stop().await;
    drop((again.links, again.following.await));
    let third = start("b", 3, &[a.gossip_address]).await;
    soon("a is told that it begins anew", async {
        while events.recv().await.expect("few") != Event::Reset(node("b", 2)) {}
    })
    .await;
    for node in [&a, &third, &c] {
        node.has_up(2).await;
    }
}
