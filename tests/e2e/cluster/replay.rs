//! Gossip that was captured and is sent again: from elsewhere, after its sender has died, and after it has restarted.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::status_of;
use super::tap::Tap;
use crate::support::cluster::{Cluster, Slots, is_ready};
use crate::support::eventually::{becomes, eventually};
use crate::support::node::Node;
use crate::support::stream::Stream;

/// Datagrams of each direction that are sent again: some seconds of gossip.
const CAPTURED: usize = 12;

async fn refused(node: &Node, reason: &str) -> f64 {
    let metrics = node.metrics().await;
    metrics.value(&format!("starling_cluster_gossip_refused_total{{reason=\"{reason}\"}}"))
}

/// Sends each of these again, from one address and then from another, and sees that every one is refused for this reason and
/// that it is said.
async fn refuses(node: &Node, at: SocketAddr, capture: &[Vec<u8>], reason: &str) {
    let mut expected = refused(node, reason).await;
    for _ in 0..2 {
        let stranger = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        for datagram in capture {
            stranger.send_to(datagram, at).await.expect("loopback takes it");
        }
        expected += capture.len() as f64;
        becomes("datagrams that were refused", expected, async || {
            refused(node, reason).await
        })
        .await;
    }
    node.log().says(&[&format!("\"reason\":\"{reason}\"")]).await;
}

/// The other nodes that a node hears.
async fn hears(node: &Node) -> f64 {
    node.metrics().await.value("starling_cluster_members{state=\"live\"}")
}

#[tokio::test]
async fn captured_gossip_is_refused_whatever_became_of_its_sender() {
    let cluster = Cluster::new();
    let at = |host: u8, name: &str| SocketAddr::from(([127, 0, 0, host], cluster.gossip_port(name)));
    // Where b is told to be is the tap; the links pass it by.
    let (front, behind) = (at(3, "b"), at(2, "b"));
    let tap = Tap::start(front, behind).await;
    let tapped = cluster
        .settings("b")
        .set("cluster.advertise", &front.ip().to_string())
        .set("cluster.gossip_listen", &behind.to_string())
        .set("cluster.link_listen", "0.0.0.0:0");
    let a = cluster.start("a").await;
    let (b, mut c) = (Node::start(tapped).await, cluster.start("c").await);
    for node in [&a, &b, &c] {
        is_ready(node, 200).await;
    }
    let before = Slots::whole(&a).await;
    let channels: Vec<_> = ["a", "b", "c"].map(|owner| before.channels("demo", owner, 2)).concat();
    let stream = Stream::start(&a, &b, &channels, Duration::from_millis(5)).await;
    let capture = async || {
        eventually("a capture", async || {
            let newest = |is_to_b| tap.newest(CAPTURED, at(1, "c"), is_to_b);
            Some((newest(true)?, newest(false)?))
        })
        .await
    };
    let (of_c, to_c) = capture().await;

    refuses(&b, behind, &of_c, "replayed").await;
    refuses(&c, at(1, "c"), &to_c, "replayed").await;
    refuses(&c, at(1, "c"), &of_c, "reflected").await;
    stream.goes_on(5).await;
    assert_eq!([hears(&a).await, hears(&b).await, hears(&c).await], [2.0; 3]);
    assert_eq!(Slots::whole(&a).await, before, "nothing has changed hands");

    // What is older than half a minute would be refused for that.
    let (of_c, _) = capture().await;
    c.kill().await;
    becomes("slots that c owns", 0, async || Slots::of(&a).await.owned("c")).await;
    becomes("whom b hears", 1.0, async || hears(&b).await).await;
    let without = Slots::of(&a).await;
    refuses(&b, behind, &of_c, "replayed").await;
    assert_eq!(hears(&b).await, 1.0, "the dead stay dead");
    assert_ne!(status_of(&b, "c").await["state"], "live");
    stream.goes_on(5).await;
    assert_eq!(
        Slots::of(&a).await.order(),
        without.order(),
        "nothing has changed hands"
    );

    let c = Node::start_again(c).await;
    is_ready(&c, 200).await;
    becomes("whom b hears", 2.0, async || hears(&b).await).await;
    let start = status_of(&b, "c").await["generation"].clone();
    refuses(&b, behind, &of_c, "old_generation").await;
    stream.goes_on(5).await;
    assert_eq!(
        status_of(&b, "c").await["generation"],
        start,
        "the later start is heard"
    );
    assert_eq!(status_of(&b, "c").await["state"], "live");
    stream.stop().await;
    for node in [&a, &b, &c] {
        is_ready(node, 200).await;
        node.log().has_no_panic();
    }
}
