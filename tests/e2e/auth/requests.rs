//! API keys and tokens over HTTP.

use super::{log_has_no_secret, settings};
use crate::support::http::{Answer, Request};
use crate::support::node::Node;
use crate::support::token::Token;

const API_KEY: &str = "9c1a4be07d3f4f5fa2c88f1f0d6c7e35";

/// SHA-256 of [`API_KEY`], as `printf %s KEY | sha256sum` prints it.
fn hash() -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, API_KEY.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_request_may_do_what_its_key_or_its_token_says() {
    let settings = settings().api_key("orders", &hash(), "demo:orders:*");
    let node = Node::start(settings).await;
    let send = async |channel: &str, authorization: Option<&str>| -> Answer {
        let request = Request::publish(channel, r#"{"data": "x"}"#);
        let request = match authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        };
        request.send(node.address()).await
    };
    let bearer = |credentials: &str| format!("Bearer {credentials}");
    let token = Token::new().allow("demo:chat", &["publish"]).text();
    for (channel, credentials) in [("demo:orders:1", API_KEY), ("demo:chat", &token)] {
        let answer = send(channel, Some(&bearer(credentials))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = send(channel, Some(&format!("bearer  {credentials}"))).await;
        assert_eq!(answer.status, 200, "the scheme in any case: {answer:?}");
    }
    for (channel, credentials) in [
        ("demo:chat", API_KEY),
        ("demo:orders:1", &token),
        ("demo:orders", API_KEY),
    ] {
        let answer = send(channel, Some(&bearer(credentials))).await;
        assert_eq!(answer.refusal(), (403, "forbidden".to_owned()), "{channel}");
    }
    let expired = Token::of_everything().ends_in(-1).text();
    let forged = Token::of_everything().signed_with("z".repeat(40)).text();
    let long = Token::of_everything().claim("filler", "x".repeat(3_100)).text();
    let other_key = API_KEY.replace('9', "8");
    let wrong = [
        None,
        Some(bearer(&other_key)),
        Some(bearer(&hash())),
        Some(bearer(&expired)),
        Some(bearer(&forged)),
        Some(bearer(&long)),
        Some(bearer("")),
        Some(API_KEY.to_owned()),
        Some(format!("Basic {API_KEY}")),
    ];
    let count = wrong.len();
    for authorization in wrong {
        let answer = send("demo:orders:1", authorization.as_deref()).await;
        assert_eq!(answer.refusal(), (401, "unauthorized".to_owned()), "{authorization:?}");
        assert_eq!(answer.header("www-authenticate"), Some("bearer"), "{answer:?}");
    }
    let metrics = node.metrics().await;
    assert_eq!(
        metrics.value("starling_refusals_total{code=\"unauthorized\"}"),
        count as f64
    );
    for reason in ["missing", "unknown_api_key", "expired", "bad_signature", "too_long"] {
        let series = format!("starling_auth_failures_total{{reason=\"{reason}\"}}");
        assert!(metrics.value(&series) > 0.0, "{reason}");
    }
    log_has_no_secret(&node, &[token, expired, forged, API_KEY.to_owned()]);
    // Who may reach the node needs no key to learn where its transports are.
    assert_eq!(
        Request::get("/.well-known/starling").send(node.address()).await.status,
        200
    );
    node.stop().await;
}

#[tokio::test]
async fn who_guesses_is_held_up() {
    let settings = settings()
        .api_key("orders", &hash(), "demo:*")
        .set("limits.auth_failure_rate", "5");
    let node = Node::start(settings).await;
    let send = async |key: &str| {
        let request = Request::publish("demo:a", r#"{"data": "x"}"#);
        request
            .header("authorization", &format!("Bearer {key}"))
            .send(node.address())
            .await
    };
    for number in 0..30 {
        let answer = send("a guess").await;
        if answer.status == 429 {
            assert!(number > 5, "a second's worth may come at once");
            assert_eq!(answer.refusal(), (429, "rate_limited".to_owned()));
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert_eq!(node.metrics().await.limited("auth_failure_rate"), 1.0);
            return node.stop().await;
        }
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    panic!("nothing held it up");
}

#[tokio::test]
async fn parties_are_counted_by_whom_they_name() {
    let settings = settings()
        .api_key("orders", &hash(), "demo:*")
        .set("limits.http_publish_rate", "5");
    let node = Node::start(settings).await;
    let send = async |credentials: &str| {
        let request = Request::publish("demo:a", r#"{"data": "x"}"#);
        let request = request.header("authorization", &format!("Bearer {credentials}"));
        request.send(node.address()).await.status
    };
    let mut sent = 0;
    while send(API_KEY).await == 200 {
        sent += 1;
        assert!(sent < 30, "nothing held it back");
    }
    assert_eq!(send(API_KEY).await, 429);
    assert_eq!(send(&Token::of_everything().text()).await, 200, "Anna is somebody else");
    node.stop().await;
}

#[tokio::test]
async fn only_who_may_administer_everything_ends_the_sessions_of_others() {
    let node = Node::start(settings()).await;
    let disconnect = async |token: Token| {
        Request::post("/v1/disconnect", r#"{"subject": "ben"}"#)
            .header("authorization", &format!("Bearer {}", token.text()))
            .send(node.address())
            .await
    };
    for token in [Token::of_everything(), Token::new().allow("demo:*", &["admin"])] {
        assert_eq!(disconnect(token).await.refusal(), (403, "forbidden".to_owned()));
    }
    let answer = disconnect(Token::new().allow("*", &["admin"])).await;
    assert_eq!((answer.status, &*answer.body), (200, r#"{"disconnected":0}"#));
    node.stop().await;
}
