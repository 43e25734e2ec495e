//! The demo page: served where it is wanted, and able to do nothing but what it needs.

use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::settings::Settings;

#[tokio::test]
async fn the_demo_is_served_where_it_is_wanted() {
    let node = Node::start(Settings::default().set("client.demo", "true")).await;
    for (path, kind) in [
        ("/", "text/html"),
        ("/demo/main.js", "text/javascript"),
        ("/demo/style.css", "text/css"),
        ("/demo/sdk/client.js", "text/javascript"),
        ("/demo/sdk/worker.js", "text/javascript"),
    ] {
        let answer = Request::get(path).send(node.address()).await;
        assert_eq!(answer.status, 200, "{path}");
        let header = |name| answer.header(name).unwrap_or_default();
        assert!(header("content-type").starts_with(kind), "{path}: {answer:?}");
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
    }
    for path in [
        "/demo/",
        "/demo/none.js",
        "/demo/../config.rs",
        "/demo/%2e%2e/config.rs",
    ] {
        assert_eq!(Request::get(path).send(node.address()).await.status, 404, "{path}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_node_shows_strangers_nothing_unless_told_to() {
    let node = Node::start(Settings::default()).await;
    for path in ["/", "/demo/main.js"] {
        assert_eq!(
            Request::get(path).send(node.address()).await.refusal(),
            (404, "not_found".to_owned())
        );
    }
    node.stop().await;
}
