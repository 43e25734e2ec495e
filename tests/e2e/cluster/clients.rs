//! What clients are told of the nodes.

use std::collections::BTreeMap;

use starling_mesh::transport::Transport;
use starling_protocol::close::CloseCode;

use super::discovery;
use crate::support::cluster::Cluster;
use crate::support::eventually::{becomes, eventually};
use crate::support::raw::Raw;

#[tokio::test]
async fn clients_are_told_of_all_nodes_and_where_to_go() {
    let cluster = Cluster::new();
    let [mut a, b, c] = cluster.three().await;
    let mut hashes = BTreeMap::new();
    for node in [&a, &b, &c] {
        let own = discovery(node).await;
        hashes.insert(node.url(), own["webtransport"]["hashes"].clone());
        assert_eq!(own["nodes"][0]["url"], node.url(), "itself first");
    }
    for node in [&a, &b, &c] {
        // Each has to hear that the others are registered.
        let told = eventually("three nodes", async || {
            let told = discovery(node).await["nodes"].clone();
            (told.as_array().expect("a list").len() == 3).then_some(told)
        })
        .await;
        let told = told.as_array().expect("a list").iter();
        let told: BTreeMap<_, _> = told
            .map(|one| {
                let url = one["url"].as_str().expect("a URL").to_owned();
                (url, one["webtransport"]["hashes"].clone())
            })
            .collect();
        assert_eq!(told, hashes, "whoever is asked, the same certificates may be pinned");
    }

    let mut session = Raw::open(&a, Transport::WebSocket).await;
    a.terminate();
    let goodbye = session.farewell().await;
    assert_eq!(goodbye.code, u32::from(CloseCode::Draining.number()));
    let mut alternates = goodbye.alternates;
    alternates.sort();
    let mut others = [b.url(), c.url()];
    others.sort();
    assert_eq!(alternates, others);
    drop(session);
    assert_eq!(a.ended().await, Some(0), "{}", a.log().text());
    a.log().has_no_panic();
    becomes("nodes after one has left", 2, async || {
        discovery(&b).await["nodes"].as_array().expect("a list").len()
    })
    .await;
    b.stop().await;
}
