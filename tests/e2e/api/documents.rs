//! Documents that programs read and write, beside editors, and through any node.

use serde_json::json;

use crate::editors::{Line, bytes, serving};
use crate::support::api::Api;
use crate::support::cluster::{Cluster, Slots};
use crate::support::directory::Directory;
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::postgres::Postgres;
use crate::support::settings::Settings;
use crate::support::token::{SECRET, Token};

/// An update of client 1 as Yjs writes it: the text "t" is "hi".
const HI: &str = "01 01 01 00 04 01 01 74 02 68 69 00";

/// One of another client that builds on something that never came.
const ORPHAN: &str = "01 01 02 05 84 02 04 01 78 00";

#[tokio::test]
async fn what_programs_and_editors_write_they_read_of_each_other() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let api = Api::of(&node).await;
    let mut line = Line::open(&node, "/yjs/plan").await;
    assert_eq!(line.hears().await.as_deref(), Ok("00 00 01 00"));
    line.say(&format!("00 02 0c {HI}")).await;
    assert_eq!(line.hears().await, Ok(format!("00 02 0c {HI}")), "it is saved");

    let parts = api.get("/v1/documents/plan").await;
    assert_eq!(parts.json(), json!({ "document": "doc:plan", "parts": ["t"] }));
    let text = "/v1/documents/doc:plan/parts/t";
    assert_eq!(api.get(text).await.body, "hi");
    // One edit, of which each text stands where the ones before it have left its place; an emoji has two units.
    let body = json!({ "part": "t", "inserts": [
        { "text": " 😀" }, { "index": 5, "text": "!" }, { "index": 0, "text": "oh, " }, { "index": 1_000, "text": "?" },
    ] });
    let written = api.post("/v1/documents/plan/text", &body).await;
    assert_eq!(
        (written.status, written.json()),
        (200, json!({ "document": "doc:plan" }))
    );
    let heard = line.hears().await.expect("an update");
    assert!(heard.starts_with("00 02 "), "{heard}");
    assert_eq!(api.get(text).await.body, "oh, hi 😀!?");
    // Saved is saved.
    let stats = node.metrics().await;
    assert!(stats.value("starling_document_edits_saved_total") >= 2.0);
    let read = api.get(text).await;
    assert_eq!(read.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(read.header("x-content-type-options"), Some("nosniff"));
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn updates_are_read_and_applied() {
    let directory = Directory::new();
    let mut node = Node::start(serving(&directory)).await;
    let api = Api::of(&node).await;
    for _ in 0..2 {
        let written = api.post_bytes("/v1/documents/a/update", bytes(HI)).await;
        assert_eq!(written.status, 200, "{written:?}");
    }
    let whole = api.get("/v1/documents/a/update").await;
    assert_eq!(whole.header("content-type"), Some("application/octet-stream"));
    assert_eq!(
        api.post_bytes("/v1/documents/b%2Fc/update", whole.bytes.clone())
            .await
            .status,
        200
    );
    assert_eq!(api.get("/v1/documents/doc:b%2Fc/parts/t").await.body, "hi");
    // Of client 1 both units are known: in either alphabet, with padding or without.
    for since in ["AQEC", "AQEC=", "AA", "AA=="] {
        let rest = api.get(&format!("/v1/documents/a/update?since={since}")).await;
        let expected = if since.starts_with("AA") {
            bytes(HI).to_vec()
        } else {
            vec![0, 0]
        };
        assert_eq!(rest.bytes, expected, "{since}");
    }
    node.kill().await;
    let node = Node::start_again(node).await;
    assert_eq!(
        Api::of(&node).await.get("/v1/documents/a/parts/t").await.body,
        "hi",
        "it was told as saved"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_part_is_read_as_what_it_was_written_as() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let api = Api::of(&node).await;
    let written = include_str!("../../../core/src/document/golden/yjs13.txt");
    for (name, part, shape, expected) in [
        ("map whole", "m", "map", None),
        ("array whole", "a", "array", None),
        (
            "xml whole",
            "prosemirror",
            "xml",
            Some(r#"<paragraph align="left"><strong>Hello</strong></paragraph>tail"#),
        ),
        ("nested whole", "m", "map", Some("{}")),
    ] {
        let lines = written.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        let update = bytes(lines.expect("there is one of this name"));
        let document = format!("/v1/documents/{}", name.replace(' ', "-"));
        assert_eq!(api.post_bytes(&format!("{document}/update"), update).await.status, 200);
        let read = api.get(&format!("{document}/parts/{part}?as={shape}")).await;
        assert_eq!(read.status, 200, "{name}: {read:?}");
        match expected {
            Some(expected) => assert_eq!(read.body, expected, "{name}"),
            None => assert!(read.json().is_object() || read.json().is_array(), "{read:?}"),
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_carried_out() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let api = Api::of(&node).await;
    api.post_bytes("/v1/documents/a/update", bytes(HI)).await;
    let long = "p".repeat(256);
    for (path, status, code) in [
        ("/v1/documents/a%20b", 400, "bad_channel_name"),
        ("/v1/documents/a:", 400, "bad_channel_name"),
        ("/v1/documents/a/parts/other", 404, "not_found"),
        ("/v1/documents/a/parts/t?as=yaml", 400, "bad_request"),
        ("/v1/documents/a/parts/t?shape=text", 400, "bad_request"),
        (&*format!("/v1/documents/a/parts/{long}"), 400, "bad_request"),
        ("/v1/documents/a/update?since=%25", 400, "bad_request"),
        ("/v1/documents/a/update?since=AQ", 400, "bad_request"),
        ("/v1/documents/a/update?from=AA", 400, "bad_request"),
    ] {
        assert_eq!(api.get(path).await.refusal(), (status, code.to_owned()), "{path}");
    }
    let update = "/v1/documents/a/update";
    for (body, status, code) in [
        (vec![7, 7, 7], 400, "bad_update"),
        (vec![], 400, "bad_update"),
        (vec![0; 4 * 1024 * 1024 + 1], 413, "payload_too_large"),
    ] {
        let length = body.len();
        assert_eq!(
            api.post_bytes(update, body).await.refusal(),
            (status, code.to_owned()),
            "{length}"
        );
    }
    let json = api.post(update, &json!({})).await;
    assert_eq!(json.refusal(), (415, "unsupported_media_type".to_owned()));
    let text = "/v1/documents/a/text";
    let many = vec![json!({ "text": "x" }); 1_001];
    for (body, status, code) in [
        (json!({ "part": "t", "inserts": [] }), 400, "bad_request"),
        (json!({ "part": "t", "inserts": many }), 400, "bad_request"),
        (
            json!({ "part": long, "inserts": [{ "text": "x" }] }),
            400,
            "bad_request",
        ),
        (
            json!({ "part": "t", "inserts": [{ "index": -1, "text": "x" }] }),
            422,
            "bad_request",
        ),
        (json!({ "part": "t", "text": "x" }), 422, "bad_request"),
        (
            json!({ "part": "t", "inserts": [{ "text": "x".repeat(200_000) }] }),
            413,
            "payload_too_large",
        ),
    ] {
        assert_eq!(api.post(text, &body).await.refusal(), (status, code.to_owned()));
    }
    let html = Request::get("/v1/documents/a/parts/t").header("accept", "text/html");
    let html = api.send("get", "/v1/documents/a/parts/t", html).await;
    assert_eq!(html.refusal(), (406, "not_acceptable".to_owned()));
    let plain = Request::get("/v1/documents/a/parts/t").header("accept", "text/plain");
    assert_eq!(api.send("get", "/v1/documents/a/parts/t", plain).await.status, 200);
    assert_eq!(
        api.get("/v1/documents/a/parts/t").await.body,
        "hi",
        "nothing has changed"
    );
    // What waits for an edit that has not come is kept, and in no text.
    assert_eq!(api.post_bytes(update, bytes(ORPHAN)).await.status, 200);
    assert_eq!(api.get("/v1/documents/a/parts/t").await.body, "hi");
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_token_says_who_reads_and_who_writes() {
    let directory = Directory::new();
    let settings = serving(&directory).set("auth.anonymous", "false");
    let node = Node::start(settings.key("app", &format!("secret = \"{SECRET}\""))).await;
    let api = Api::of(&node).await;
    let bearer = |operations: &[&str]| format!("Bearer {}", Token::new().allow("doc:plan", operations).text());
    let (reads, writes) = (bearer(&["doc-read"]), bearer(&["doc-write"]));
    let get = async |path: &str, token: &str| {
        let request = Request::get(path).header("authorization", token);
        api.send("get", path, request).await
    };
    let post = async |token: &str| {
        let path = "/v1/documents/plan/text";
        let body = r#"{"part": "t", "inserts": [{"text": "hi"}]}"#;
        let request = Request::post(path, body).header("authorization", token);
        api.send("post", path, request).await
    };
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(post(&reads).await.refusal(), forbidden);
    assert_eq!(post(&writes).await.status, 200);
    assert_eq!(get("/v1/documents/plan/parts/t", &writes).await.refusal(), forbidden);
    assert_eq!(get("/v1/documents/plan/parts/t", &reads).await.body, "hi");
    assert_eq!(get("/v1/documents/other/update", &reads).await.refusal(), forbidden);
    let nobody = api.get("/v1/documents/plan").await;
    assert_eq!(nobody.refusal(), (401, "unauthorized".to_owned()));
    node.stop().await;
}

#[tokio::test]
async fn documents_that_nobody_uses_are_opened_no_faster_than_a_party_may() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory).set("slots.open_rate", "5")).await;
    let api = Api::of(&node).await;
    let mut refused = 0;
    for number in 0..30 {
        let answer = api.get(&format!("/v1/documents/{number}")).await;
        refused += usize::from(answer.status == 429);
    }
    assert!(refused > 10, "{refused} of 30");
    assert_eq!(
        api.get("/v1/documents/0").await.status,
        200,
        "one in use is for everybody"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_node_without_documents_says_so() {
    let node = Node::start(Settings::default()).await;
    let api = Api::of(&node).await;
    let off = (501, "documents_off".to_owned());
    assert_eq!(api.get("/v1/documents/plan").await.refusal(), off);
    assert_eq!(
        api.post_bytes("/v1/documents/plan/update", bytes(HI)).await.refusal(),
        off
    );
    node.stop().await;
}

#[tokio::test]
async fn any_node_asks_the_owner() {
    let database = Postgres::start();
    let url = database.database();
    let cluster = Cluster::new().with(|settings| settings.set("documents.enabled", "true").set("storage.url", &url));
    let nodes = cluster.three().await;
    let document = &Slots::whole(&nodes[0]).await.channels("doc", "b", 1)[0];
    let path = format!("/v1/documents/{document}");
    let (a, c) = (Api::of(&nodes[0]).await, Api::of(&nodes[2]).await);
    assert_eq!(a.post_bytes(&format!("{path}/update"), bytes(HI)).await.status, 200);
    let body = json!({ "part": "t", "inserts": [{ "text": "!" }, { "index": 0, "text": "oh, " }] });
    assert_eq!(c.post(&format!("{path}/text"), &body).await.status, 200);
    assert_eq!(a.get(&format!("{path}/parts/t")).await.body, "oh, hi!");
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn nodes_that_share_no_store_refuse_documents() {
    let nodes = Cluster::new()
        .with(|settings| settings.set("documents.enabled", "true"))
        .three()
        .await;
    for node in &nodes {
        let answer = Api::of(node).await.get("/v1/documents/plan").await;
        assert_eq!(answer.refusal(), (501, "store_not_shared".to_owned()));
    }
    for node in nodes {
        node.stop().await;
    }
}
