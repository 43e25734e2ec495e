//! Versions of documents: kept, listed, read, restored, deleted; and made by themselves.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::editors::serving;
use crate::support::api::Api;
use crate::support::directory::Directory;
use crate::support::eventually::{becomes, eventually};
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::token::{SECRET, Token};

const DOCUMENT: &str = "/v1/documents/plan";

async fn append(api: &Api, text: &str) {
    let body = json!({ "part": "t", "inserts": [{ "text": text }] });
    assert_eq!(api.post(&format!("{DOCUMENT}/text"), &body).await.status, 200);
}

async fn text(api: &Api) -> String {
    api.get(&format!("{DOCUMENT}/parts/t")).await.body
}

async fn delete(api: &Api, path: &str) -> u16 {
    api.send("delete", path, Request::new("DELETE", path)).await.status
}

async fn order(api: &Api, path: &str) -> u16 {
    api.send("post", path, Request::new("POST", path)).await.status
}

#[tokio::test]
async fn a_document_is_made_what_it_was_and_back_again() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory).set("documents.version_every", "0s")).await;
    let api = Api::of(&node).await;
    let versions = format!("{DOCUMENT}/versions");
    assert_eq!(api.get(&versions).await.json()["versions"], json!([]));
    assert_eq!(
        api.post(&versions, &json!({ "name": "x" })).await.refusal(),
        (404, "not_found".to_owned())
    );

    append(&api, "one").await;
    let kept = api.post(&versions, &json!({ "name": "first" })).await.json();
    assert_eq!(kept, json!({ "document": "doc:plan", "version": 1 }));
    append(&api, ", two").await;
    assert_eq!(
        api.post(&versions, &json!({ "name": "second" })).await.json()["version"],
        2
    );
    assert_eq!(order(&api, &format!("{versions}/1/restore")).await, 200);
    assert_eq!(text(&api).await, "one");
    assert_eq!(order(&api, &format!("{versions}/2/restore")).await, 200);
    assert_eq!(text(&api).await, "one, two");

    let listed = api.get(&versions).await.json();
    let names: Vec<_> = listed["versions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["second", "first"]);
    assert_eq!(listed["versions"][0]["edits"], 2);
    let page = api.get(&format!("{versions}?limit=1")).await.json();
    assert_eq!(page["next"], 2);
    assert_eq!(
        api.get(&format!("{versions}?limit=1&before=2")).await.json()["versions"][0]["version"],
        1
    );

    // A version is an update like any other.
    let update = api.get(&format!("{versions}/1")).await.bytes;
    assert_eq!(api.post_bytes("/v1/documents/copy/update", update).await.status, 200);
    assert_eq!(api.get("/v1/documents/copy/parts/t").await.body, "one");
    assert_eq!(delete(&api, &format!("{versions}/1")).await, 200);
    assert_eq!(delete(&api, &format!("{versions}/1")).await, 404);
    assert_eq!(order(&api, &format!("{versions}/1/restore")).await, 404);
    for (path, status) in [
        (format!("{versions}/0"), 400),
        (format!("{versions}/first"), 400),
        (format!("{versions}/9"), 404),
        (format!("{versions}?before=x"), 400),
    ] {
        assert_eq!(api.get(&path).await.status, status, "{path}");
    }
    for name in [String::new(), "n".repeat(129)] {
        assert_eq!(api.post(&versions, &json!({ "name": name })).await.status, 400);
    }
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_document_that_many_restore_at_once_is_restored_once() {
    let directory = Directory::new();
    let settings = serving(&directory).set("documents.version_every", "0s");
    let node = Node::start(settings.set("documents.idle", "100ms")).await;
    let api = Api::of(&node).await;
    let versions = format!("{DOCUMENT}/versions");
    append(&api, "one").await;
    append(&api, ", two").await;
    assert_eq!(api.post(&versions, &json!({ "name": "both" })).await.status, 200);
    append(&api, ", three").await;
    assert_eq!(api.post(&versions, &json!({ "name": "all" })).await.status, 200);
    // What is deleted by one is inserted once more by the next.
    for (version, shown) in [
        (1, "one, two"),
        (2, "one, two, three"),
        (1, "one, two"),
        (2, "one, two, three"),
    ] {
        // Nobody has it in memory.
        eventually("the document out of memory", async || {
            let open = node.metrics().await.value(r#"starling_documents_open{part="owner"}"#);
            (open == 0.0).then_some(())
        })
        .await;
        let restore = format!("{versions}/{version}/restore");
        let begun = std::time::Instant::now();
        let orders = join_all((0..8).map(|_| order(&api, &restore))).await;
        assert!(
            orders.contains(&200) && orders.iter().all(|status| [200, 503].contains(status)),
            "{orders:?}"
        );
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(text(&api).await, shown);
    }
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_hundred_have_a_name() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory).set("limits.http_publish_rate", "0")).await;
    let api = Api::of(&node).await;
    append(&api, "one").await;
    let versions = format!("{DOCUMENT}/versions");
    for _ in 0..100 {
        assert_eq!(api.post(&versions, &json!({ "name": "again" })).await.status, 200);
    }
    let full = api.post(&versions, &json!({ "name": "too many" })).await;
    assert_eq!(full.refusal(), (409, "versions_full".to_owned()));
    node.stop().await;
}

#[tokio::test]
async fn rows_give_way_to_a_snapshot_and_a_snapshot_becomes_a_version() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let api = Api::of(&node).await;
    assert_eq!(
        order(&api, &format!("{DOCUMENT}/compact")).await,
        404,
        "there is nothing of it"
    );
    append(&api, "one").await;
    // The gateway leaves after each request, and with the last who has it open a snapshot is made.
    let made = async || -> Value {
        let listed = api.get(&format!("{DOCUMENT}/versions")).await.json();
        listed["versions"].clone()
    };
    becomes("versions", 1, async || made().await.as_array().map_or(0, Vec::len)).await;
    let first = made().await[0].clone();
    assert!(first["name"].is_null() && first["author"].is_null(), "{first}");
    assert_eq!(first["edits"], 1);
    append(&api, ", two").await;
    assert_eq!(order(&api, &format!("{DOCUMENT}/compact")).await, 200);
    let stats = api.get(&format!("{DOCUMENT}/stats")).await.json();
    assert_eq!(stats["stored"]["snapshot"]["through"], 2, "{stats}");
    assert_eq!(stats["stored"]["rows"]["count"], 0, "{stats}");
    assert_eq!(text(&api).await, "one, two");
    append(&api, ", three").await;
    assert_eq!(
        made().await.as_array().map(Vec::len),
        Some(1),
        "an hour has not gone by"
    );
    node.stop().await;
}

#[tokio::test]
async fn who_only_reads_restores_nothing_and_the_maker_is_named() {
    let directory = Directory::new();
    let settings = serving(&directory).set("auth.anonymous", "false");
    let node = Node::start(settings.key("app", &format!("secret = \"{SECRET}\""))).await;
    let api = Api::of(&node).await;
    let bearer = |operations: &[&str]| format!("Bearer {}", Token::new().allow("doc:*", operations).text());
    let (reads, both) = (bearer(&["doc-read"]), bearer(&["doc-read", "doc-write"]));
    let send = async |method: &str, path: &str, token: &str, body: &str| {
        let request = match body {
            "" => Request::new(method, path),
            body => Request::post(path, body),
        };
        api.send(&method.to_lowercase(), path, request.header("authorization", token))
            .await
    };
    let versions = format!("{DOCUMENT}/versions");
    let insert = r#"{"part": "t", "inserts": [{"text": "one"}]}"#;
    assert_eq!(
        send("POST", &format!("{DOCUMENT}/text"), &both, insert).await.status,
        200
    );
    assert_eq!(send("POST", &versions, &both, r#"{"name": "first"}"#).await.status, 200);
    let listed = send("GET", &versions, &reads, "").await.json();
    let first = listed["versions"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["name"] == "first");
    let first = first.expect("it is listed");
    assert_eq!(first["author"], "anna");
    let one = format!("{versions}/{}", first["version"]);
    let (restore, compact) = (format!("{one}/restore"), format!("{DOCUMENT}/compact"));
    let orders = [
        ("POST", &versions, r#"{"name": "x"}"#),
        ("DELETE", &one, ""),
        ("POST", &restore, ""),
        ("POST", &compact, ""),
    ];
    for (method, path, body) in orders {
        let answer = send(method, path, &reads, body).await;
        assert_eq!(answer.refusal(), (403, "forbidden".to_owned()), "{method} {path}");
    }
    node.stop().await;
}
