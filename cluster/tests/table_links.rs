//! The slot table over real links: three nodes agree, and go on when one is cut off.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use starling_cluster::link::{Lane, Links};
use starling_cluster::table::{Post, TableService, Timing};
use starling_core::id::{Generation, NodeId, NodeName, SlotId};
use starling_core::table::{Answer, Change, Command};
use support::{eventually, linked};
use tokio::task::JoinHandle;

struct Node {
    links: Arc<Links>,
    service: TableService,
    reading: JoinHandle<()>,
}

fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

fn node(text: &str) -> NodeId {
    NodeId {
        name: name(text),
        generation: Generation(1),
    }
}

async fn three(directory: &std::path::Path) -> Vec<Node> {
    let started: Vec<_> = ["a", "b", "c"].iter().map(|text| linked::start(text, 1)).collect();
    for one in &started {
        for other in started.iter().filter(|other| other.id != one.id) {
            one.keep(&other.id, other.address);
        }
    }
    let mut nodes = Vec::new();
    for linked::Node {
        id, links, mut inboxes, ..
    } in started
    {
        let links = Arc::new(links);
        let post = Post::new(Arc::clone(&links));
        let own = directory.join(id.name.as_str());
        std::fs::create_dir_all(&own).unwrap();
        let courier = Arc::new(post.clone());
        let service = TableService::start(name(id.name.as_str()), &own, 1_024, courier, Timing::default());
        let service = service.await.unwrap();
        let reading = tokio::spawn({
            let service = service.clone();
            async move {
                while let Some(incoming) = inboxes[Lane::Control.index()].recv().await {
                    post.receive(&incoming, &service);
                }
            }
        });
        nodes.push(Node {
            links,
            service,
            reading,
        });
    }
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_agree_over_their_links_and_two_go_on() {
    let directory = std::env::temp_dir().join(format!("starling-table-links-{}", std::process::id()));
    let mut nodes = three(&directory).await;
    let bootstrap = BTreeSet::from(["a", "b", "c"].map(name));
    for node in &nodes {
        node.service.begin(&bootstrap).await;
    }
    let submit = async |service: &TableService, commands: Vec<Command>| {
        for _ in 0..20 {
            if let Ok(outcomes) = service.submit(commands.clone()).await {
                return outcomes;
            }
        }
        panic!("nobody answers");
    };
    let register = |text: &str| Command::Register { node: node(text) };
    let all = submit(&nodes[1].service, vec![register("a"), register("b"), register("c")]).await;
    assert_eq!(all, vec![Ok(Answer::Done); 3]);
    let claims = (0..1_024).map(|slot| Command::Change {
        slot: SlotId(slot),
        version: 0,
        by: node("a"),
        change: Change::Claim,
    });
    let claims: Vec<_> = claims.collect();
    submit(&nodes[2].service, claims).await;
    for one in &nodes {
        let owned = || one.service.view().record(SlotId(1_023)).unwrap().owner == Some(node("a"));
        eventually("every node has the table", owned).await;
    }
    // The leader ends without a word.
    let leader = nodes.iter().position(|node| node.service.members().is_some()).unwrap();
    let gone = nodes.remove(leader);
    gone.reading.abort();
    gone.service.stop().await;
    drop(gone.links);
    let change = Command::Change {
        slot: SlotId(5),
        version: 1,
        by: node("a"),
        change: Change::Confirm,
    };
    let outcome = tokio::time::timeout(Duration::from_secs(15), submit(&nodes[0].service, vec![change])).await;
    assert_eq!(outcome.unwrap(), [Ok(Answer::Changed { version: 1 })]);
    let _ = std::fs::remove_dir_all(directory);
}
