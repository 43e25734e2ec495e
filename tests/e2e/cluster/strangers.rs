//! Nodes that have the gossip key, and certificates of another authority.

use std::time::Duration;

use starling_cluster::ca;
use starling_core::id::NodeName;

use super::{discovery, names};
use crate::support::cluster::{Cluster, Slots, is_ready};
use crate::support::eventually::eventually;
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::settings::Settings;
use crate::support::stream::Stream;

/// Handshakes of each node that have to fail: a stranger comes again.
const REFUSED: f64 = 3.0;

/// How a node of this name is started that has its certificate from an authority of its own, and trusts `authority`.
fn stranger(cluster: &Cluster, name: &str, authority: Option<&str>) -> Settings {
    let path = cluster.path(&format!("authority-{name}"));
    let own = ca::Directory::new(path.as_ref());
    own.init().expect("an authority");
    let node = NodeName::parse(name).expect("a name");
    let issued = own.issue(&node, &[], Duration::from_secs(3_600));
    issued.expect("a certificate");
    let file = |file: &str| format!("{path}/{file}");
    cluster
        .settings(name)
        .set(
            "cluster.authority",
            &authority.map_or_else(|| file("ca.pem"), str::to_owned),
        )
        .set("cluster.certificate", &file(&format!("{name}.pem")))
        .set("cluster.key", &file(&format!("{name}.key")))
}

async fn untrusted(node: &Node) -> f64 {
    let metrics = node.metrics().await;
    metrics.value("starling_cluster_link_handshakes_total{result=\"untrusted\"}")
}

/// Statements that a node did not believe for the certificate that they brought.
async fn disbelieved(node: &Node) -> f64 {
    let metrics = node.metrics().await;
    metrics.value("starling_cluster_gossip_refused_total{reason=\"untrusted\"}")
}

#[tokio::test]
async fn a_node_of_another_authority_is_neither_believed_nor_linked() {
    let cluster = Cluster::new();
    let nodes = cluster.three().await;
    let [a, b, _] = &nodes;
    let before = Slots::whole(a).await;
    let channels: Vec<_> = ["a", "b", "c"].map(|owner| before.channels("demo", owner, 2)).concat();
    let stream = Stream::start(a, b, &channels, Duration::from_millis(5)).await;

    // One trusts nobody but its own; the other has got hold of our authority's certificate, which is no secret. It believes
    // what our nodes say, and dials them, as the one whose name is less does.
    let deaf = Node::start(stranger(&cluster, "d", None)).await;
    let sly = Node::start(stranger(&cluster, "0", Some(&cluster.path("ca.pem")))).await;
    for node in nodes.iter().chain([&deaf]) {
        eventually("strangers to be disbelieved", async || {
            (disbelieved(node).await >= REFUSED).then_some(())
        })
        .await;
        node.log().says(&["\"reason\":\"untrusted\""]).await;
    }
    for node in nodes.iter().chain([&sly]) {
        eventually("strangers to be refused", async || {
            (untrusted(node).await >= REFUSED).then_some(())
        })
        .await;
        node.log().says(&["are both of the same authority, and in time?"]).await;
    }
    // What is published at a node that knows no owner waits for one, some seconds.
    let outside = async |stranger: &Node| {
        is_ready(stranger, 503).await;
        let metrics = stranger.metrics().await;
        assert_eq!(metrics.value("starling_cluster_links{state=\"up\"}"), 0.0);
        let publish = Request::publish(&channels[0], r#"{"data": "let me in"}"#);
        assert_eq!(publish.send(stranger.address()).await.status, 503);
    };
    tokio::join!(outside(&deaf), outside(&sly));
    assert_eq!(names(a).await, ["a", "b", "c"], "an operator is not shown them");
    let told = discovery(a).await["nodes"].clone();
    assert_eq!(
        told.as_array().map(Vec::len),
        Some(3),
        "no client is sent there: {told}"
    );
    stream.goes_on(5).await;
    stream.stop().await;
    assert_eq!(Slots::whole(a).await, before, "nothing has changed hands");
    for node in &nodes {
        is_ready(node, 200).await;
        node.log().has_no_panic();
    }
}
