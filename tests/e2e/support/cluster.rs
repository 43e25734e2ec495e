//! Several nodes as processes: what they prove themselves with, and where they find each other.

use std::net::{Ipv4Addr, UdpSocket};
use std::ops::Range;
use std::time::Duration;

use serde_json::Value;
use starling_cluster::ca;
use starling_core::id::{ChannelName, NodeName, slot_of};

use super::directory::Directory;
use super::eventually::becomes;
use super::http::Request;
use super::node::Node;
use super::settings::Settings;

/// What the nodes of a test have in common.
pub(crate) struct Cluster {
    directory: Directory,
    gossip: Vec<u16>,
    base: Settings,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Ports below those that the system gives to whoever names none: no other test is given one before its node has it.
const PORTS: Range<u16> = 20_000..32_768;

/// A port that is free.
fn draw() -> UdpSocket {
    let try_one = |_| UdpSocket::bind((Ipv4Addr::LOCALHOST, fastrand::u16(PORTS))).ok();
    (0..100).find_map(try_one).expect("one of a hundred is free")
}

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
        let sockets = NAMES.map(|_| draw());
        let port = |socket: &UdpSocket| socket.local_addr().expect("bound").port();
        let gossip = sockets.iter().map(port).collect();
        Self {
            directory,
            gossip,
            // A machine that does much else may stand still for longer than a node may by default.
            base: Settings::default().set("cluster.silence_max", "3s"),
        }
    }

    /// Changes what all nodes are started with.
    pub(crate) fn with(mut self, change: impl FnOnce(Settings) -> Settings) -> Self {
        self.base = change(self.base);
        self
    }

    /// How the node of this name is started; one that is not of the three gossips at a port that the system chooses.
    pub(crate) fn settings(&self, name: &str) -> Settings {
        let at = NAMES.iter().position(|one| *one == name);
        let file = |file: &str| format!("{}/{file}", self.directory.text());
        let seeds: Vec<_> = self.gossip.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        self.base
            .clone()
            .set("node.name", name)
            .set("node.data_dir", &file(&format!("data-{name}")))
            .set("cluster.enabled", "true")
            .set("cluster.id", "test")
            .set("cluster.bootstrap", &NAMES.join(","))
            .set("cluster.seeds", &seeds.join(","))
            .set("cluster.gossip_listen", at.map_or("127.0.0.1:0", |at| &seeds[at]))
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

    /// The port at which the node of this name gossips.
    pub(crate) fn gossip_port(&self, name: &str) -> u16 {
        let at = NAMES.iter().position(|one| *one == name).expect("one of the three");
        self.gossip[at]
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

/// What an operator asks a node about its cluster.
async fn look(node: &Node, what: &str) -> Value {
    let answer = Request::get(&format!("/cluster/{what}")).send(node.admin()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The slot table, as a node has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slots(Vec<Value>);

impl Slots {
    /// As it is now.
    pub(crate) async fn of(node: &Node) -> Self {
        Self(look(node, "slots").await.as_array().expect("a list").clone())
    }

    /// As it is once every slot has all its copies, which every node of a cluster that has just begun is brought.
    pub(crate) async fn whole(node: &Node) -> Self {
        becomes("slots that lack a copy", 0, async || {
            let counts = look(node, "status").await["slots"].clone();
            let count = |name: &str| counts[name].as_u64().expect("a count");
            count("all") - count("whole")
        })
        .await;
        Self::of(node).await
    }

    /// Who orders each slot, under which term, and how often its history was given up: what a copy that was let go for a moment,
    /// and brought back, does not change.
    pub(crate) fn order(&self) -> Vec<[&Value; 3]> {
        let slots = self.0.iter();
        slots
            .map(|slot| [&slot["owner"], &slot["term"], &slot["resets"]])
            .collect()
    }

    /// The node that owns a channel's slot; empty for none.
    pub(crate) fn owner(&self, channel: &str) -> &str {
        let slots = u16::try_from(self.0.len()).expect("a number of slots");
        let channel = ChannelName::parse(channel).expect("a channel");
        name(self.0[usize::from(slot_of(&channel, slots).0)]["owner"].as_str())
    }

    /// Channels of a namespace whose slots this node owns.
    pub(crate) fn channels(&self, namespace: &str, owner: &str, count: usize) -> Vec<String> {
        let names = (0..10_000).map(|number| format!("{namespace}:{number}"));
        let owned: Vec<_> = names
            .filter(|channel| self.owner(channel) == owner)
            .take(count)
            .collect();
        assert_eq!(owned.len(), count, "{owner} owns slots");
        owned
    }

    /// How many slots a node owns.
    pub(crate) fn owned(&self, node: &str) -> usize {
        self.owners().filter(|owner| *owner == node).count()
    }

    /// Who owns each slot.
    pub(crate) fn owners(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|slot| name(slot["owner"].as_str()))
    }

    /// The slots that this node owned, as they were and as they are `now`.
    pub(crate) fn beside<'a>(&'a self, now: &'a Self, node: &str) -> impl Iterator<Item = (&'a Value, &'a Value)> {
        let node = node.to_owned();
        let both = self.0.iter().zip(&now.0);
        both.filter(move |(was, _)| name(was["owner"].as_str()) == node)
    }

    /// Slots in whose in-sync set a node is.
    pub(crate) fn held(&self, node: &str) -> usize {
        let holds = |slot: &&Value| {
            let members = slot["isr"].as_array().expect("a list");
            members.iter().any(|member| name(member.as_str()) == node)
        };
        self.0.iter().filter(holds).count()
    }
}

/// The name of a start of a node, which is told as `name@generation`.
fn name(node: Option<&str>) -> &str {
    let node = node.unwrap_or_default();
    node.split_once('@').map_or(node, |(name, _)| name)
}
