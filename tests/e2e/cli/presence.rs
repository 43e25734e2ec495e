//! `starling presence`: who is in a channel, as a script reads it.

use serde_json::json;
use starling_client::{Client, Transports};
use starling_mesh::transport::Transport;

use super::verb::{run, start};
use crate::support::api::Api;
use crate::support::eventually::{becomes, eventually};
use crate::support::node::Node;
use crate::support::proxy::{Cut, Proxy};
use crate::support::settings::Settings;
use crate::support::token::{SECRET, Token};

/// A node that lets in strangers, and whoever has a token by the key `app`. It is sure of itself: one that has just started says
/// that what it shows may be old.
async fn node() -> Node {
    let settings = Settings::default().key("app", &format!("secret = \"{SECRET}\""));
    let node = Node::start(settings).await;
    let api = Api::of(&node).await;
    becomes("what may be old", json!(false), async || {
        api.get("/v1/channels/demo:a/presence").await.json()["stale"].clone()
    })
    .await;
    node
}

/// A client of `url` whose token names Anna.
fn anna(url: &str) -> Client {
    let token = Token::new().allow("demo:*", &["presence"]).text();
    let builder = Client::builder(url).token(token).transport(Transports::WebSocket);
    builder.client_secret([7; 16]).build().expect("good settings")
}

#[tokio::test]
async fn who_is_there_is_printed() {
    let node = node().await;
    let nobody = run(&node, &["presence", "demo:a"]).await;
    assert_eq!((nobody.code, &*nobody.stdout, &*nobody.stderr), (Some(0), "", ""));

    let (anna, stranger) = (anna(&node.url()), node.client(Transport::WebTransport));
    let _anna = anna.enter("demo:a", "{\"typing\":true}").await.expect("it may");
    let _stranger = stranger.enter("demo:a", "two\nlines").await.expect("it may");
    let plain = eventually("both to be there", async || {
        let plain = run(&node, &["presence", "demo:a"]).await;
        (plain.stdout.lines().count() == 2).then_some(plain)
    })
    .await;
    assert_eq!((plain.code, &*plain.stderr), (Some(0), ""));
    let mut lines: Vec<Vec<&str>> = plain.stdout.lines().map(|line| line.split('\t').collect()).collect();
    lines.sort_by_key(|columns| columns[0]);
    let [stranger_id, anna_id] = [lines[0][1], lines[1][1]];
    let node_name = lines[0][2];
    assert_eq!(lines[0], ["-", stranger_id, node_name, "two\\nlines"]);
    assert_eq!(lines[1], ["anna", anna_id, node_name, "{\"typing\":true}"]);
    assert_eq!((anna_id.len(), stranger_id.len()), (32, 32));
    assert_ne!(anna_id, "07".repeat(16), "the secret is not shown");

    let objects = run(&node, &["presence", "demo:a", "--json"]).await.json();
    assert_eq!(
        objects[0],
        json!({"channel": "demo:a", "event": "roster", "clients": 2})
    );
    let expected = json!({
        "channel": "demo:a", "event": "present", "member": "anna", "client": anna_id, "node": node_name,
        "state": "{\"typing\":true}",
    });
    assert!(objects.contains(&expected), "{objects:?}");
    let counted = run(&node, &["presence", "demo:a", "--count"]).await;
    assert_eq!(counted.stdout, "members 2 clients 2\n");
    let counted = run(&node, &["presence", "demo:a", "--count", "--json"]).await.json();
    assert_eq!(
        counted,
        [json!({"channel": "demo:a", "event": "count", "members": 2, "clients": 2})]
    );

    let nowhere = run(&node, &["presence", "nowhere:a"]).await;
    assert_eq!((nowhere.code, &*nowhere.stdout), (Some(1), ""));
    assert!(nowhere.stderr.contains("unknown_namespace"), "{}", nowhere.stderr);
    node.stop().await;
}

#[tokio::test]
async fn what_changes_is_printed_and_a_client_that_returns_is_not_seen_to_leave() {
    let node = node().await;
    let mut watch = start(&node, &["presence", "demo:a", "--watch", "--json"]);
    assert_eq!(watch.json().await["event"], "roster");
    let proxy = Proxy::start(node.address()).await;
    let anna = anna(&proxy.url());
    let entry = anna.enter("demo:a", "here").await.expect("it may");
    // Each line says what happened: what comes between two that are expected would be one of them.
    let joined = watch.json().await;
    assert_eq!(
        (&joined["event"], &joined["member"], &joined["first"]),
        (&json!("joined"), &json!("anna"), &json!(true)),
        "{joined}"
    );

    let connection = eventually("the connection", async || proxy.whole(Transport::WebSocket).pop()).await;
    connection.cut(Cut::Close);
    entry.update("back").await.expect("it returns and says so");
    assert_eq!(anna.stats().sessions, 2, "over another connection");
    let updated = watch.json().await;
    assert_eq!(
        (&updated["event"], &updated["client"], &updated["state"]),
        (&json!("updated"), &joined["client"], &json!("back")),
        "{updated}"
    );
    entry.ephemeral("12,7").expect("it is short");
    let said = watch.json().await;
    assert_eq!(
        (&said["event"], &said["state"]),
        (&json!("ephemeral"), &json!("12,7")),
        "{said}"
    );
    entry.leave().await;
    let left = watch.json().await;
    assert_eq!(
        (&left["event"], &left["client"], &left["last"]),
        (&json!("left"), &joined["client"], &json!(true)),
        "{left}"
    );
    watch.interrupt();
    assert_eq!(watch.ended().await, Some(130));
    node.stop().await;
}

#[tokio::test]
async fn after_a_crash_of_the_node_who_watches_is_right_again() {
    let mut node = node().await;
    let mut watch = start(&node, &["presence", "demo:a", "--watch", "--json"]);
    assert_eq!(watch.json().await["event"], "roster");
    let anna = anna(&node.url());
    let entry = anna.enter("demo:a", "before").await.expect("it may");
    assert_eq!(watch.json().await["event"], "joined");
    node.kill().await;
    let doubt = watch.json().await;
    assert_eq!(
        doubt,
        json!({"channel": "demo:a", "event": "certainty", "stale": true, "uncertain": []})
    );
    let node = Node::start_again(node).await;
    entry.update("after").await.expect("it enters again");
    // Whether it is seen to leave is a matter of who returns first.
    let mut lines = Vec::new();
    while lines
        .last()
        .is_none_or(|line: &serde_json::Value| line["state"] != "after")
    {
        lines.push(watch.json().await);
    }
    let there = run(&node, &["presence", "demo:a", "--json"]).await.json();
    assert_eq!(there.len(), 2, "{there:?}");
    node.stop().await;
}
