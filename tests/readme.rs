//! README.md shows what works: its example is the code of this file, line by line, and reaches a subscriber.

use std::path::Path;
use std::time::Duration;

use starling_client::{Client, Event, SubscribeOptions};
use starling_mesh::config::Config;
use starling_mesh::node::Node;
use tokio::sync::oneshot;

const README: &str = include_str!("../README.md");
const THIS: &str = include_str!("readme.rs");

/// Where `make dev` serves; the test's node takes a free port instead.
const DEV_URL: &str = "\"http://127.0.0.1:4433\"";

#[test]
fn the_example_of_the_readme_is_the_code_below() {
    let (_, after) = README
        .split_once("```rust\n")
        .expect("README.md has an example in Rust");
    let (shown, _) = after.split_once("```").expect("the example ends");
    let (_, after) = THIS.split_once("// README: begin\n").expect("the code below begins");
    let (run, _) = after.split_once("    // README: end").expect("the code below ends");
    let run: String = run
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line)))
        .collect();
    assert_eq!(shown.replace(DEV_URL, "url"), run);
}

#[tokio::test]
async fn what_the_example_publishes_reaches_a_subscriber() {
    let directory = std::env::temp_dir();
    let node = Node::start(Config::for_dev(0, &directory))
        .await
        .expect("a node on free ports");
    let url = node.url();
    let (stop, stopped) = oneshot::channel::<()>();
    let node = tokio::spawn(node.run_until(async {
        let _ = stopped.await;
        "the test is over"
    }));
    let heard = tokio::select! {
        ended = example(&url) => panic!("the example went on to {ended:?} although its node runs"),
        heard = hear(&url) => heard,
    };
    assert_eq!(heard, "hello");
    drop(stop);
    node.await
        .expect("the node's task")
        .expect("a node that was told to stop");
}

async fn example(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    // README: begin
    let client = Client::builder(url).build()?;
    let mut lobby = client.subscribe("demo:lobby", SubscribeOptions::default()).await?;
    let published = client.publish("demo:lobby", "hello").await?;
    while let Some(event) = lobby.next().await {
        if let Event::Message(message) = event {
            println!("{} of {}: {:?}", message.position, published.position, message.payload);
        }
    }
    // README: end
    Ok(())
}

/// The first message of the lobby, whether it was published before or after this reader came.
async fn hear(url: &str) -> String {
    let reader = Client::builder(url).build().expect("the address of a node");
    let heard = async {
        let mut lobby = reader
            .subscribe("demo:lobby", SubscribeOptions::rewind(1))
            .await
            .expect("attached");
        loop {
            match lobby.next().await.expect("the subscription goes on") {
                Event::Message(message) => return String::from_utf8_lossy(&message.payload).into_owned(),
                Event::Attached { .. } => {}
                other => panic!("{other:?} although nothing was lost"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard)
        .await
        .expect("a message within twenty seconds")
}

#[test]
fn the_files_it_links_to_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/errors.md",
        "docs/decisions/README.md",
    ] {
        let path = root.join(page);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or(link);
            let target = path.parent().expect("a page is in a directory").join(file);
            assert!(target.exists(), "{page} links to {link}, which does not exist");
        }
    }
}
