//! Pages of foreign sites: a browser says where a page comes from, and the node looks before it does anything else.

use starling_mesh::transport::Transport;
use wtransport::error::ConnectingError;

use crate::support::eventually::soon;
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::raw::webtransport::Endpoint;
use crate::support::settings::Settings;

/// Origins that no node of these tests lets in.
const FOREIGN: &[&str] = &[
    "null",
    "https://evil.example",
    "https://app.example.org.evil.io",
    "https://evilapp.example.org",
    "https://app.example.org:8443",
    "http://app.example.org",
    "https://app.example.org/",
    "HTTPS://APP.EXAMPLE.ORG",
    "https://app.example.org@evil.io",
    "https://evil.io#https://app.example.org",
    "http://localhost.evil.io",
    "http://127.0.0.1.evil.io",
    "file://",
    "*",
    "",
];

#[tokio::test]
async fn a_page_must_be_on_the_list() {
    let node = Node::start(Settings::default().set("client.origins", "https://app.example.org")).await;
    let own = node.url();
    for origin in FOREIGN.iter().copied().chain(["http://localhost:5173"]) {
        is_let_in(&node, Some(origin), false).await;
    }
    for origin in [None, Some("https://app.example.org"), Some(own.as_str())] {
        is_let_in(&node, origin, true).await;
    }
    let counted = node
        .metrics()
        .await
        .value("starling_auth_failures_total{reason=\"origin\"}");
    assert_eq!(counted, 4.0 * (FOREIGN.len() as f64 + 1.0), "each refusal is counted");
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_page_reads_answers_only_if_it_is_on_the_list() {
    let node = Node::start(Settings::default().set("client.origins", "https://app.example.org")).await;
    let ask = async |request: Request, origin: Option<&str>| match origin {
        Some(origin) => request.header("origin", origin).send(node.address()).await,
        None => request.send(node.address()).await,
    };
    let preflight = |path: &str| {
        Request::new("OPTIONS", path)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,idempotency-key")
    };
    let paths = [
        "/v1/channels/demo:a/messages",
        "/v1/broadcast",
        "/.well-known/starling",
        "/openapi.json",
    ];
    for path in paths {
        let answer = ask(preflight(path), Some("https://app.example.org")).await;
        assert_eq!((answer.status, &*answer.body), (204, ""), "{path}: {answer:?}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://app.example.org")
        );
        let allows = |header: &str, what: &str| answer.header(header).is_some_and(|value| value.contains(what));
        assert!(allows("access-control-allow-methods", "post"), "{answer:?}");
        for header in ["authorization", "content-type", "idempotency-key"] {
            assert!(allows("access-control-allow-headers", header), "{answer:?}");
        }
        assert!(
            allows("access-control-max-age", "600") && allows("vary", "origin"),
            "{answer:?}"
        );
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            None,
            "there are no cookies"
        );
    }
    // What is refused is to be read, too: by those who may.
    for (request, status) in [
        (Request::get("/v1/channels/demo:a"), 200),
        (Request::get("/v1/nothing"), 404),
        (Request::new("OPTIONS", "/v1/broadcast"), 405),
    ] {
        let answer = ask(request, Some("https://app.example.org")).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://app.example.org")
        );
        assert_eq!(answer.header("access-control-expose-headers"), Some("retry-after"));
    }
    for path in paths {
        for origin in FOREIGN {
            let answer = ask(preflight(path), Some(origin)).await;
            assert_eq!(answer.refusal(), (403, "forbidden_origin".to_owned()), "{origin}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        }
        let no_page = ask(preflight(path), None).await;
        assert_eq!(no_page.refusal(), (405, "method_not_allowed".to_owned()));
        assert_eq!(no_page.header("access-control-allow-origin"), None);
        assert_eq!(
            no_page.header("vary"),
            Some("origin"),
            "a cache must not show it to a page"
        );
    }
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn pages_of_this_machine_may_be_let_in_together() {
    let node = Node::start(Settings::default().set("client.origins", "loopback")).await;
    for origin in FOREIGN.iter().copied().chain(["https://app.example.org"]) {
        is_let_in(&node, Some(origin), false).await;
    }
    for origin in [
        "http://localhost:5173",
        "http://127.0.0.1",
        "https://[::1]:8080",
        "http://app.localhost:3000",
    ] {
        is_let_in(&node, Some(origin), true).await;
    }
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_no_proof() {
    let node = Node::start(Settings::default()).await;
    // DNS rebinding: the page and the address it asks for have the same name, which is the attacker's.
    let rebound = Request::publish("demo:a", "{}")
        .header("host", "evil.example")
        .header("origin", "http://evil.example");
    assert_eq!(
        rebound.send(node.address()).await.refusal(),
        (403, "forbidden_origin".to_owned())
    );
    node.stop().await;
}

/// Whether a page is let in: over WebSocket, WebTransport, and both kinds of HTTP request.
async fn is_let_in(node: &Node, origin: Option<&str>, expected: bool) {
    let with_origin = |request: Request| match origin {
        Some(origin) => request.header("origin", origin),
        None => request,
    };
    let requests = [
        ("upgrade", Request::upgrade(), 101),
        ("publish", Request::publish("demo:a", r#"{"data": "hi"}"#), 200),
        ("discovery", Request::get("/.well-known/starling"), 200),
    ];
    for (what, request, success) in requests {
        let answer = with_origin(request).send(node.address()).await;
        if expected {
            assert_eq!(answer.status, success, "{origin:?}, {what}: {answer:?}");
            // Its browser lets the page read the answer, and no cache gives it to a page of another origin.
            let readable = origin.map(|origin| format!("access-control-allow-origin: {origin}\r\n"));
            assert!(
                readable.is_none_or(|header| answer.head.contains(&header)),
                "{answer:?}"
            );
            assert!(answer.head.contains("vary: origin\r\n"), "{answer:?}");
        } else {
            assert!(
                !answer.head.contains("access-control"),
                "{origin:?}, {what}: {answer:?}"
            );
            assert_eq!(
                answer.refusal(),
                (403, "forbidden_origin".to_owned()),
                "{origin:?}, {what}"
            );
        }
    }
    let endpoint = Endpoint::new(node, false).await;
    let header = origin.map(|origin| ("origin", origin));
    let session = soon("an answer", endpoint.session(header.as_slice())).await;
    match session {
        Ok(_) => assert!(expected, "{origin:?} came in over {}", Transport::WebTransport.name()),
        Err(ConnectingError::SessionRejected) => assert!(!expected, "{origin:?} was turned away"),
        Err(other) => panic!("{origin:?}: {other}"),
    }
}
