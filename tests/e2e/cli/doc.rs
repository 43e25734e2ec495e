//! `starling doc`: documents, as a script reads and writes them.

use serde_json::json;

use super::verb::{run, run_with};
use crate::editors::{bytes, serving};
use crate::support::api::Api;
use crate::support::directory::Directory;
use crate::support::node::Node;
use crate::support::token::{SECRET, Token};

/// An update of client 1 as Yjs writes it: the text "t" is "hi".
const HI: &str = "01 01 01 00 04 01 01 74 02 68 69 00";

#[tokio::test]
async fn a_document_is_brought_in_read_and_taken_out() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let file = directory.path().join("hi.update");
    let file = file.to_str().expect("text");
    std::fs::write(file, bytes(HI)).expect("it can be written");
    let brought = run(&node, &["doc", "import", "a/b", file]).await;
    assert_eq!((brought.code, &*brought.stdout, &*brought.stderr), (Some(0), "", ""));

    assert_eq!(run(&node, &["doc", "get", "doc:a/b"]).await.stdout, "t\n");
    assert_eq!(run(&node, &["doc", "get", "a/b", "t"]).await.stdout, "hi\n");
    let object = run(&node, &["doc", "get", "a/b", "t", "--json"]).await.json();
    assert_eq!(object, [json!({ "part": "t", "as": "text", "value": "hi" })]);
    let object = run(&node, &["doc", "get", "a/b", "t", "--as", "map", "--json"])
        .await
        .json();
    assert_eq!(object, [json!({ "part": "t", "as": "map", "value": {} })]);
    let object = run(&node, &["doc", "get", "a/b", "--json"]).await.json();
    assert_eq!(object, [json!({ "document": "doc:a/b", "parts": ["t"] })]);

    // Its bytes are text by chance.
    let taken = run(&node, &["doc", "export", "a/b"]).await;
    assert_eq!(taken.stdout.as_bytes(), &*bytes(HI));
    let url = node.url();
    let copied = run_with(&taken.stdout, &["doc", "import", "copy", "-", "--url", &url]).await;
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    assert_eq!(run(&node, &["doc", "get", "copy", "t"]).await.stdout, "hi\n");
    node.stop().await;
}

#[tokio::test]
async fn how_large_a_document_is() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let new = run(&node, &["doc", "stats", "plan"]).await;
    let expected = "document doc:plan\nmemory 0 bytes, 0 clients, 0 pending, 0 bytes unsaved\nstored nothing\n";
    assert_eq!((new.code, &*new.stdout), (Some(0), expected), "{}", new.stderr);
    let api = Api::of(&node).await;
    assert_eq!(api.post_bytes("/v1/documents/plan/update", bytes(HI)).await.status, 200);
    assert_eq!(api.get("/v1/documents/plan/stats").await.status, 200);
    let object = &run(&node, &["doc", "stats", "plan", "--json"]).await.json()[0];
    assert_eq!(object["memory"]["clients"], 1, "{object}");
    assert_eq!(object["stored"]["edits"], 1, "{object}");
    let told = run(&node, &["doc", "stats", "plan"]).await.stdout;
    assert!(told.contains("stored 1 edits\n"), "{told}");
    node.stop().await;
}

#[tokio::test]
async fn what_the_node_refuses_is_told() {
    let directory = Directory::new();
    let settings = serving(&directory).set("auth.anonymous", "false");
    let node = Node::start(settings.key("app", &format!("secret = \"{SECRET}\""))).await;
    let refused = run(&node, &["doc", "get", "plan"]).await;
    assert_eq!((refused.code, &*refused.stdout), (Some(1), ""));
    assert!(refused.stderr.contains("(unauthorized)"), "{}", refused.stderr);
    let token = Token::new().allow("doc:*", &["doc-read"]).text();
    let empty = run(&node, &["doc", "get", "plan", "--token", &token]).await;
    assert_eq!((empty.code, &*empty.stdout), (Some(0), ""), "{}", empty.stderr);
    let none = run(&node, &["doc", "get", "plan", "notes", "--token", &token]).await;
    assert_eq!(none.code, Some(1));
    assert!(none.stderr.contains("(not_found)"), "{}", none.stderr);
    let missing = run(&node, &["doc", "import", "plan", "/nowhere", "--token", &token]).await;
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
    // The first of several nodes that can be reached is asked.
    let urls = format!("http://127.0.0.1:1,{}", node.url());
    let found = run(&node, &["doc", "get", "plan", "--token", &token, "--url", &urls]).await;
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    let nobody = run(&node, &["doc", "get", "plan", "--url", "http://127.0.0.1:1"]).await;
    assert_eq!(nobody.code, Some(1));
    node.stop().await;
}
