//! The plain HTTP API: every mistake has its status and its code.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::interval;

use crate::support::eventually::soon;
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::settings::Settings;

#[tokio::test]
async fn requests_that_cannot_be_carried_out() {
    let node = Node::start(
        Settings::default()
            .namespace("small", "payload_max = \"1000B\"")
            .namespace("keyed", "keyed = true"),
    )
    .await;
    let text = |length: usize| format!(r#"{{"data": "{}"}}"#, "x".repeat(length));
    let long_key = "k".repeat(129);
    let cases = [
        ("bad JSON", Request::publish("demo:a", "{"), 400, "bad_request"),
        (
            "no JSON at all",
            Request::publish("demo:a", [0xff, 0xfe]),
            400,
            "bad_request",
        ),
        (
            "an unknown field",
            Request::publish("demo:a", r#"{"dta": "x"}"#),
            422,
            "bad_request",
        ),
        (
            "a number as data",
            Request::publish("demo:a", r#"{"data": 5}"#),
            422,
            "bad_request",
        ),
        (
            "both forms of data",
            Request::publish("demo:a", r#"{"data": "", "data_base64": ""}"#),
            400,
            "bad_request",
        ),
        (
            "bad base64",
            Request::publish("demo:a", r#"{"data_base64": "%%"}"#),
            400,
            "bad_request",
        ),
        (
            "a body beyond the limit",
            Request::publish("demo:a", text(200_000)),
            413,
            "payload_too_large",
        ),
        (
            "a payload beyond the limit",
            Request::publish("small:a", text(1_001)),
            413,
            "payload_too_large",
        ),
        (
            "an unknown namespace",
            Request::publish("nowhere:a", text(1)),
            404,
            "unknown_namespace",
        ),
        (
            "a bad name",
            Request::publish("no-namespace", text(1)),
            400,
            "bad_channel_name",
        ),
        ("no key", Request::publish("keyed:a", text(1)), 400, "key_mismatch"),
        (
            "a key too many",
            Request::publish("demo:a", r#"{"data": "", "key": "k"}"#),
            400,
            "key_mismatch",
        ),
        (
            "an idempotency key too long",
            Request::publish("demo:a", text(1)).header("idempotency-key", &long_key),
            400,
            "bad_request",
        ),
        (
            "a name that is no text",
            Request::post("/v1/channels/%ff/messages", text(1)),
            400,
            "bad_channel_name",
        ),
        (
            "an empty name",
            Request::post("/v1/channels//messages", text(1)),
            400,
            "bad_channel_name",
        ),
        ("an unknown path", Request::get("/v1/nothing"), 404, "not_found"),
        (
            "a wrong method",
            Request::new("DELETE", "/v1/channels/demo:a/messages"),
            405,
            "method_not_allowed",
        ),
        (
            "a session without an upgrade",
            Request::get("/connect"),
            426,
            "upgrade_required",
        ),
        ("an old WebSocket", Request::upgrade_to(8), 400, "bad_request"),
    ];
    for (what, request, status, code) in cases {
        let answer = request.send(node.address()).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{what}: {answer:?}");
    }
    let at_the_limit = Request::publish("small:a", text(1_000)).send(node.address()).await;
    assert_eq!(at_the_limit.status, 200, "{at_the_limit:?}");
    let binary = format!(r#"{{"data_base64": "{}"}}"#, STANDARD.encode([0xff; 64 * 1024]));
    let largest = Request::publish("demo:a", binary).send(node.address()).await;
    assert_eq!(largest.status, 200, "{largest:?}");
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn heads_that_are_none() {
    let node = Node::start(Settings::default()).await;
    let long_header = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(5_000));
    for (what, bytes) in [
        (
            "no HTTP",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello".to_vec(),
        ),
        ("a long header", long_header.into_bytes()),
        ("many headers", many_headers.into_bytes()),
        ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
    ] {
        let mut stream = TcpStream::connect(node.address()).await.expect("the port is open");
        let _ = stream.write_all(&bytes).await; // it may hang up before it has read all
        let mut answer = Vec::new();
        let _ = soon("the end of the connection", stream.read_to_end(&mut answer)).await; // or be reset
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{what}: {answer}"
        );
    }
    node.is_unharmed().await;
    node.stop().await;
}

/// The attack is named after a slow primate: a byte now and then keeps a connection for ever.
#[tokio::test]
async fn requests_that_come_a_byte_at_a_time() {
    let node = Node::start(Settings::default().set("limits.http_header_timeout", "1s")).await;
    let body = Request::publish("demo:a", r#"{"data": "this takes a while"}"#).bytes(node.address());
    let (head, body) = body.split_at(body.len() - 30);
    let upgrade = Request::upgrade().bytes(node.address());
    for (what, at_once, slowly) in [
        ("a head", &b""[..], &upgrade[..]),
        ("a body", head, body),
        ("nothing", b"", b""),
    ] {
        let mut stream = TcpStream::connect(node.address()).await.expect("the port is open");
        let began = Instant::now();
        stream.write_all(at_once).await.expect("the node reads");
        let (mut reading, mut writing) = stream.split();
        let trickle = async {
            let mut ticks = interval(Duration::from_millis(200));
            for byte in slowly {
                ticks.tick().await;
                // What has been cut takes no more.
                let _ = writing.write_all(&[*byte]).await;
            }
            std::future::pending().await
        };
        let mut answer = Vec::new();
        let cut = async {
            let _ = soon("the cut", reading.read_to_end(&mut answer)).await; // or a reset
        };
        tokio::select! {
            () = cut => {}
            () = trickle => {}
        }
        let after = began.elapsed();
        assert!(
            (Duration::from_millis(800)..Duration::from_millis(4_500)).contains(&after),
            "{what}: cut after {after:?}"
        );
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
            "{what}: {answer}"
        );
    }
    node.is_unharmed().await;
    node.stop().await;
}
