//! Two processes with one name and valid certificates. The later start is the node's; whoever is not is refused.

use std::time::{Duration, SystemTime};

use tokio::process::Command;

use crate::support::cluster::{Cluster, Slots, is_ready};
use crate::support::eventually::{eventually, soon};
use crate::support::node::{BINARY, Node};
use crate::support::settings::Settings;
use crate::support::stream::Stream;

/// How a second process is started under the name of the node "c", in a directory of its own.
fn namesake(cluster: &Cluster) -> Settings {
    let elsewhere = cluster.path("elsewhere");
    let settings = cluster.settings("c").set("node.data_dir", &elsewhere);
    settings.set("cluster.gossip_listen", "127.0.0.1:0")
}

/// What a node has refused of earlier starts of a name, in gossip and on links.
async fn refused(node: &Node) -> f64 {
    let metrics = node.metrics().await;
    metrics.value("starling_cluster_gossip_refused_total{reason=\"old_generation\"}")
        + metrics.value("starling_cluster_link_handshakes_total{result=\"old_generation\"}")
}

/// Waits until a node has refused some and said so.
async fn has_refused(node: &Node) {
    eventually("an earlier start to be refused", async || {
        (refused(node).await > 0.0).then_some(())
    })
    .await;
    // Whichever of both comes first.
    let told = ["two processes have one name", "a newer generation has its name"];
    node.log().says(&told).await;
}

#[tokio::test]
async fn the_older_drains_and_fails_and_nobody_else_notices() {
    let cluster = Cluster::new();
    let [a, b, mut older] = cluster.three().await;
    let before = Slots::whole(&a).await;
    let channels: Vec<_> = ["a", "b", "c"].map(|owner| before.channels("demo", owner, 2)).concat();
    let stream = Stream::start(&a, &b, &channels, Duration::from_millis(5)).await;
    stream.goes_on(5).await;

    let younger = Node::start(namesake(&cluster)).await;
    assert_eq!(older.ended().await, Some(1), "{}", older.log().text());
    let said = older.log().text();
    assert!(said.contains("takes its place in the cluster"), "{said}");
    is_ready(&younger, 200).await;
    for node in [&a, &b] {
        has_refused(node).await;
    }
    let after = Slots::whole(&a).await;
    stream.goes_on(5).await;
    stream.stop().await;
    for node in ["a", "b"] {
        for (was, is) in before.beside(&after, node) {
            assert_eq!((&was["owner"], &was["term"]), (&is["owner"], &is["term"]));
        }
    }
    for (was, is) in before.beside(&after, "c") {
        assert_eq!(is["resets"], 0, "no history is given up: {was} {is}");
    }
    for node in [a, b, younger] {
        node.log().has_no_panic();
    }
}

#[tokio::test]
async fn an_earlier_start_is_refused_by_everybody() {
    let cluster = Cluster::new();
    // As if the clock of this node went before: whoever starts later under its name starts earlier.
    let ahead = SystemTime::now() + Duration::from_secs(3_600);
    let ahead = ahead.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let data = cluster.path("data-c");
    std::fs::create_dir_all(&data).expect("a directory");
    std::fs::write(format!("{data}/generation"), format!("{}\n", ahead.as_millis())).expect("a number");
    let [a, b, c] = cluster.three().await;
    let before = Slots::whole(&a).await;
    let channels = before.channels("demo", "c", 2);
    let stream = Stream::start(&a, &b, &channels, Duration::from_millis(5)).await;

    let mut earlier = Node::start(namesake(&cluster)).await;
    for node in [&a, &b] {
        has_refused(node).await;
    }
    // Its namesake, whom it calls upon as well, tells it.
    assert_eq!(earlier.ended().await, Some(1), "{}", earlier.log().text());
    let said = earlier.log().text();
    assert!(said.contains("takes its place in the cluster"), "{said}");
    assert!(!said.contains("is a member of the cluster"), "{said}");
    stream.goes_on(5).await;
    stream.stop().await;
    assert_eq!(Slots::whole(&a).await, before, "nothing has changed hands");
    for node in [a, b, c] {
        is_ready(&node, 200).await;
        node.log().has_no_panic();
    }
}

#[tokio::test]
async fn one_directory_is_for_one_process() {
    let cluster = Cluster::new();
    let [a, b, c] = cluster.three().await;
    let before = Slots::whole(&a).await;
    let channels = before.channels("demo", "c", 1);
    let stream = Stream::start(&a, &b, &channels, Duration::from_millis(5)).await;

    let settings = cluster.settings("c").set("cluster.gossip_listen", "127.0.0.1:0");
    let file = cluster.path("second.toml");
    std::fs::write(&file, settings.file()).expect("a file");
    let mut second = Command::new(BINARY);
    let second = second.args(["serve", "--config", &file]).args(settings.flags());
    let ended = soon("the second to end", second.env_clear().kill_on_drop(true).output()).await;
    let ended = ended.expect("the binary under test runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("is used by another node"), "{said}");

    stream.goes_on(5).await;
    stream.stop().await;
    assert_eq!(Slots::whole(&a).await, before, "nothing has changed hands");
    for node in [&a, &b] {
        assert_eq!(refused(node).await, 0.0, "nobody heard of it");
    }
    for node in [a, b, c] {
        is_ready(&node, 200).await;
        node.log().has_no_panic();
    }
}
