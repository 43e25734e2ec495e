//! Several nodes as processes: what they prove themselves with, and where they find each other.

use std::net::UdpSocket;
use std::time::Duration;

use starling_cluster::ca;
use starling_core::id::NodeName;

use super::directory::Directory;
use super::eventually::becomes;
use super::http::Request;
use super::node::Node;
use super::settings::Settings;

/// What the nodes of a test have in common.
pub(crate) struct Cluster {
    directory: Directory,
    gossip: Vec<u16>,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl Cluster {
    /// Of nodes called a, b and c. The ports for gossip have to be known before anybody has them.
    pub(crate) fn new() -> Self {
        let directory = Directory::new();
        let authority = ca::Directory::new(directory.path());
        authority.init().expect("an authority");
        for name in NAMES {
            let node = NodeName::parse(name).expect("a name");
            authority
                .issue(&node, &[], Duration::from_secs(3_600))
                .expect("a certificate");
        }
        std::fs::write(directory.path().join("gossip.keys"), "ab".repeat(32)).expect("a key");
        let sockets = NAMES.map(|_| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let port = |socket: &UdpSocket| socket.local_addr().expect("bound").port();
        let gossip = sockets.iter().map(port).collect();
        Self { directory, gossip }
    }

    /// How the node of this name is started.
    pub(crate) fn settings(&self, name: &str) -> Settings {
        let at = NAMES.iter().position(|one| *one == name).expect("one of the three");
        let file = |file: &str| format!("{}/{file}", self.directory.text());
        let seeds: Vec<_> = self.gossip.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        Settings::default()
            .set("node.name", name)
            .set("node.data_dir", &file(&format!("data-{name}")))
            .set("cluster.enabled", "true")
            .set("cluster.id", "test")
            .set("cluster.bootstrap", &NAMES.join(","))
            .set("cluster.seeds", &seeds.join(","))
            .set("cluster.gossip_listen", &seeds[at])
            .set("cluster.link_listen", "127.0.0.1:0")
            .set("cluster.gossip_keys", &file("gossip.keys"))
            .set("cluster.authority", &file("ca.pem"))
            .set("cluster.certificate", &file(&format!("{name}.pem")))
            .set("cluster.key", &file(&format!("{name}.key")))
    }

    /// Starts the node of this name. It serves; whether it is a member shows later.
    pub(crate) async fn start(&self, name: &str) -> Node {
        Node::start(self.settings(name)).await
    }

    /// Starts all three, and waits until each says that it is ready.
    pub(crate) async fn three(&self) -> [Node; 3] {
        let nodes = [self.start("a").await, self.start("b").await, self.start("c").await];
        for node in &nodes {
            is_ready(node, 200).await;
        }
        nodes
    }

    /// A path in the directory that all share.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory.text())
    }
}

/// Waits until a node answers so when it is asked whether it is ready.
pub(crate) async fn is_ready(node: &Node, status: u16) {
    becomes("readiness", status, async || {
        Request::get("/health/ready").send(node.admin()).await.status
    })
    .await;
}
