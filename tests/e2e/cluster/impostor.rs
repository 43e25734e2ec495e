//! Somebody who has the gossip key and no certificate of the cluster's: it says of each node what would end it, or lead the
//! others astray, as fast as it can.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use starling_cluster::ca;
use starling_core::id::NodeName;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::forger::{Ack, Process, Seal, statement, syn};
use super::{status, status_of};
use crate::support::cluster::{Cluster, Slots, is_ready};
use crate::support::eventually::{becomes, eventually};
use crate::support::node::Node;
use crate::support::stream::Stream;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What all nodes of a test seal gossip with.
const KEY: [u8; 32] = [0xab; 32];

/// Time between two rounds: in each every node is told a dozen lies and more about the others.
const INTERVAL: Duration = Duration::from_millis(40);

/// Nodes that are made up in each round.
const MADE_UP: u64 = 200;

/// Untrue statements that each node has to have met, more than it looks at in some seconds.
const MET: f64 = 2_000.0;

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    ([127, 0, 0, 1], 9).into()
}

/// Tells each node untrue things of all, in the name of nobody, of later starts of theirs and of themselves, until it is stopped.
async fn tell(cluster: &Cluster, starts: &[(&'static str, u64)]) -> JoinSet<()> {
    let own = cluster.path("authority-of-nobody");
    let authority = ca::Directory::new(own.as_ref());
    authority.init().expect("an authority");
    let read = |path: &str| std::fs::read_to_string(path).expect("it reads");
    let mut tasks = JoinSet::new();
    for (name, start) in starts.iter().copied() {
        let node = NodeName::parse(name).expect("a name");
        let issued = authority.issue(&node, &[], Duration::from_secs(3_600));
        issued.expect("a certificate");
        let theirs = read(&cluster.path(&format!("{name}.pem")));
        let ours = read(&format!("{own}/{name}.pem"));
        let there = SocketAddr::from(([127, 0, 0, 1], cluster.gossip_port(name)));
        let at = |generation, gossip| Process {
            name: name.to_owned(),
            generation,
            gossip,
        };
        let (same, later) = (at(start, there), at(start + 3_600_000, there));
        let moved = at(start, nowhere());
        let lies = move |number: u64| {
            let [left, draining, serving] =
                ["left", "draining", "serving"].map(|phase| format!("phase {phase}\nlink 127.0.0.1:9\n"));
            let ack = Ack::new()
                .says(&later, number, &statement(&ours, &serving))
                .says(&same, u64::MAX - number, &statement(&theirs, &left))
                .says(&moved, number, &statement(&theirs, &draining))
                .message();
            let odd = Ack::new()
                .sets(&same, "phase", "left")
                .steps_back(&later, &statement(&theirs, &serving))
                .message();
            let made_up = move |of| Process {
                name: format!("n{}", number * MADE_UP + of),
                generation: 1,
                gossip: nowhere(),
            };
            let many: Vec<_> = (0..MADE_UP).map(made_up).chain([same.clone(), later.clone()]).collect();
            [ack, odd, syn("test", &many)]
        };
        let nodes: Vec<_> = starts
            .iter()
            .map(|(name, _)| SocketAddr::from(([127, 0, 0, 1], cluster.gossip_port(name))))
            .collect();
        let mut seals = [("nobody", 1), (name, start), (name, start + 3_600_000)].map(|(name, generation)| {
            let sender = std::array::from_fn(|_| fastrand::u8(..));
            Seal::new(&KEY, sender, name, generation)
        });
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        tasks.spawn(async move {
            let mut rounds = interval(INTERVAL);
            for number in 1.. {
                rounds.tick().await;
                for message in lies(number) {
                    for (node, seal) in nodes.iter().flat_map(|node| (0..3).map(move |seal| (node, seal))) {
                        let datagram = seals[seal].seal("test", &message);
                        // One that finds no room is no datagram.
                        let _ = socket.send_to(&datagram, node).await;
                    }
                }
            }
        });
    }
    tasks
}

/// Of what a node says of all nodes, that which no message changes.
async fn standing(node: &Node) -> Vec<Value> {
    let mut nodes = status(node).await;
    for node in &mut nodes {
        node.as_object_mut().expect("an object").remove("sessions");
    }
    nodes
}

/// What a node has counted of links: how often one was made.
async fn handshakes(node: &Node) -> f64 {
    node.metrics().await.sum("starling_cluster_link_handshakes_total", &[])
}

async fn refused(node: &Node, reason: &str) -> f64 {
    let metrics = node.metrics().await;
    metrics.value(&format!("starling_cluster_gossip_refused_total{{reason=\"{reason}\"}}"))
}

#[tokio::test]
async fn who_has_the_gossip_key_and_no_certificate_changes_nothing() {
    let cluster = Cluster::new();
    let [a, b, mut c] = cluster.three().await;
    let before = Slots::whole(&a).await;
    let channels: Vec<_> = ["a", "b", "c"].map(|owner| before.channels("demo", owner, 2)).concat();
    let stream = Stream::start(&a, &b, &channels, Duration::from_millis(5)).await;
    let mut stood = Vec::new();
    for node in [&a, &b, &c] {
        stood.push((standing(node).await, handshakes(node).await));
    }
    let mut starts = Vec::new();
    for name in NAMES {
        let start = status_of(&a, name).await["generation"].as_u64().expect("a number");
        starts.push((name, start));
    }

    let mut lies = tell(&cluster, &starts).await;
    for node in [&a, &b, &c] {
        eventually("untrue statements to be met", async || {
            let mut met = 0.0;
            for reason in ["untrusted", "signature", "statement", "busy"] {
                met += refused(node, reason).await;
            }
            (met >= MET).then_some(())
        })
        .await;
        for reason in ["untrusted", "signature", "statement", "busy", "duplicate_name"] {
            node.log().says(&[&format!("\"reason\":\"{reason}\"")]).await;
        }
        assert!(node.metrics().await.limited("cluster.gossip_statements") > 0.0);
    }
    stream.goes_on(5).await;
    for (node, (standing_before, handshakes_before)) in [&a, &b, &c].into_iter().zip(stood) {
        is_ready(node, 200).await;
        becomes("what an operator sees", standing_before, async || standing(node).await).await;
        assert_eq!(handshakes(node).await, handshakes_before, "no link was made anew");
        let said = node.log().text();
        for ended in ["a node left", "takes its place"] {
            assert!(!said.contains(ended), "{ended}\n{said}");
        }
        let refusals = said.lines().filter(|line| line.contains("of gossip was refused"));
        assert!(refusals.count() < 50, "a flood fills no log:\n{said}");
    }
    assert_eq!(Slots::whole(&a).await, before, "nothing has changed hands");

    // A start that is later indeed is heard through all of it.
    c.kill().await;
    let c = Node::start_again(c).await;
    is_ready(&c, 200).await;
    let start = async |node: &Node| status_of(node, "c").await["generation"].clone();
    let newest = start(&c).await;
    for node in [&a, &b] {
        becomes("the start of c that is known", newest.clone(), async || {
            start(node).await
        })
        .await;
    }
    stream.goes_on(5).await;
    lies.shutdown().await;
    stream.stop().await;
    for node in [a, b, c] {
        is_ready(&node, 200).await;
        node.log().has_no_panic();
    }
}
