//! Each way a token can be wrong, and what one permits.

use std::time::Duration;

use serde_json::{Value, json};
use starling_mesh::transport::Transport;
use starling_protocol::close::CloseCode;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, ErrorCode, attach};
use tokio::time::sleep;

use super::{log_has_no_secret, session, settings};
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Dialer, Raw, attach_to, hello, publish};
use crate::support::token::{SECRET, Token, seconds};

over_both! {
    tokens_that_are_not_accepted
    a_session_may_do_what_its_token_says
    who_guesses_is_held_up
}

async fn tokens_that_are_not_accepted(transport: Transport) {
    let settings = settings().set("auth.audience", "chat").set("auth.issuer", "login");
    let node = Node::start(settings).await;
    let good = Token::of_everything().claim("aud", "chat").claim("iss", "login");
    session(&node, transport, &good).await;
    let other = || good.clone();
    let unsigned = {
        let text = other().head("alg", "none").text();
        format!("{}.", text.rsplit_once('.').expect("three parts").0)
    };
    let cases = [
        ("forged", other().signed_with("x".repeat(40)).text(), "bad_signature"),
        ("alg none", unsigned, "wrong_algorithm"),
        (
            "another algorithm",
            other().head("alg", "RS256").text(),
            "wrong_algorithm",
        ),
        (
            "an unknown key",
            other().head("kid", "../../etc/passwd").text(),
            "unknown_key",
        ),
        (
            "another audience",
            other().claim("aud", "mail").text(),
            "wrong_audience",
        ),
        (
            "no audience",
            other().claim("aud", Value::Null).text(),
            "wrong_audience",
        ),
        ("another issuer", other().claim("iss", "evil").text(), "wrong_issuer"),
        ("expired", other().ends_in(-1).text(), "expired"),
        (
            "not yet valid",
            other().claim("nbf", seconds() + 30).text(),
            "not_yet_valid",
        ),
        ("no end", other().claim("exp", Value::Null).text(), "no_expiry"),
        (
            "an end that is text",
            other().claim("exp", "tomorrow").text(),
            "bad_claims",
        ),
        ("an end too far away", other().ends_in(90_000).text(), "too_lasting"),
        (
            "an unknown claim of ours",
            other().claim("starling", json!({ "admin": true })).text(),
            "bad_claims",
        ),
        ("no JWT", "sesame".to_owned(), "malformed"),
        ("none at all", String::new(), "missing"),
    ];
    let tokens: Vec<_> = cases
        .iter()
        .map(|(_, token, _)| token.clone())
        .filter(|token| token.len() > 10)
        .collect();
    for (what, token, reason) in cases {
        let before = failures(&node, reason).await;
        let mut raw = Raw::connect(&node, transport).await;
        raw.send(v1::Hello { token, ..hello() }).await;
        let goodbye = raw.farewell().await;
        assert_eq!(
            goodbye.code,
            u32::from(CloseCode::Unauthorized.number()),
            "{what}: {goodbye:?}"
        );
        assert!(
            goodbye.reason.len() > 15 && !goodbye.reason.contains(SECRET),
            "{what}: {goodbye:?}"
        );
        assert_eq!(failures(&node, reason).await, before + 1.0, "{what}");
    }
    // What is longer than a token may be is no frame of ours; what is longer than a hello may be is not read.
    for (bytes, code) in [(3_073, CloseCode::ProtocolError), (4_096, CloseCode::FrameTooLarge)] {
        let mut raw = Raw::connect(&node, transport).await;
        let token = "x".repeat(bytes);
        raw.send(v1::Hello { token, ..hello() }).await;
        assert_eq!(raw.farewell().await.code, u32::from(code.number()), "{bytes} bytes");
    }
    session(&node, transport, &good).await;
    log_has_no_secret(&node, &tokens);
    node.carries(0, transport).await;
    node.stop().await;
}

/// How many were not let in for this reason.
async fn failures(node: &Node, reason: &str) -> f64 {
    let metrics = node.metrics().await;
    metrics.value(&format!("starling_auth_failures_total{{reason=\"{reason}\"}}"))
}

async fn who_guesses_is_held_up(transport: Transport) {
    let node = Node::start(settings().set("limits.auth_failure_rate", "5")).await;
    let dialer = Dialer::new(&node, transport).await;
    let mut living = session(&node, transport, &Token::of_everything()).await;
    let forged = Token::of_everything().signed_with("q".repeat(40)).text();
    let mut codes = Vec::new();
    for _ in 0..40 {
        let mut raw = dialer.connect().await;
        let token = forged.clone();
        raw.send(v1::Hello { token, ..hello() }).await;
        let goodbye = raw.farewell().await;
        if goodbye.code == u32::from(CloseCode::Overloaded.number()) {
            assert!((1..=4_000).contains(&goodbye.retry_after_ms), "{goodbye:?}");
        }
        codes.push(goodbye.code);
    }
    let count = |code: CloseCode| codes.iter().filter(|one| **one == u32::from(code.number())).count();
    let (looked_at, held_up) = (count(CloseCode::Unauthorized), count(CloseCode::Overloaded));
    assert!(looked_at > 5 && held_up > 0, "{codes:?}");
    assert_eq!(looked_at + held_up, 40, "{codes:?}");
    assert_eq!(failures(&node, "too_often").await, held_up as f64);
    // Who is in is not asked again, and a moment later a good token is good.
    living.send(publish(1, "demo:a", "x")).await;
    living.ack(1).await;
    sleep(Duration::from_millis(400)).await;
    let late = session(&node, transport, &Token::of_everything()).await;
    drop((living, late));
    node.stop().await;
}

async fn a_session_may_do_what_its_token_says(transport: Transport) {
    let node = Node::start(settings()).await;
    let token = Token::new()
        .allow("demo:read:*", &["subscribe"])
        .allow("demo:write", &["publish"])
        .allow("demo:all", &["publish", "subscribe", "history"]);
    let mut raw = session(&node, transport, &token).await;
    raw.send(attach_to(1, "demo:read:a", None)).await;
    assert!(matches!(raw.answer(1).await, Body::Attached(_)));
    raw.send(publish(2, "demo:write", "x")).await;
    assert!(matches!(raw.answer(2).await, Body::Error(error) if error.code() == ErrorCode::SerialGap));
    let rewind = || Some(attach::From::Rewind(5));
    raw.send(attach_to(3, "demo:all", rewind())).await;
    assert!(matches!(raw.answer(3).await, Body::Attached(_)));
    let refused: [v1::client_frame::Body; 5] = [
        attach_to(11, "demo:write", None).into(),
        attach_to(12, "demo:read:a", rewind()).into(),
        attach_to(13, "demo:other", None).into(),
        publish(14, "demo:read:a", "x").into(),
        publish(15, "demo:other", "x").into(),
    ];
    for (number, request) in refused.into_iter().enumerate() {
        raw.send(request).await;
        let error = raw.refusal(11 + number as u64).await;
        assert_eq!(error.code(), ErrorCode::Forbidden, "{error:?}");
    }
    // One that grants nothing is a session all the same.
    let mut raw = session(&node, transport, &Token::new()).await;
    raw.send(attach_to(1, "demo:all", None)).await;
    assert_eq!(raw.refusal(1).await.code(), ErrorCode::Forbidden);
    drop(raw);
    node.stop().await;
}
