//! Sessions that end with their token, and tokens that follow one another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use starling_client::{Client, Event, SubscribeOptions, Transports};
use starling_mesh::transport::Transport;
use starling_protocol::close::CloseCode;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, ErrorCode};
use tokio::time::sleep;

use super::{session, settings};
use crate::support::eventually::soon;
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Raw, publish};
use crate::support::token::{ALL, Token};

over_both! {
    a_session_ends_with_its_token
    a_refresh_keeps_the_session
    a_narrower_token_leaves_what_it_does_not_cover
    a_refresh_that_is_refused_changes_nothing
    a_client_refreshes_ahead_of_the_end
}

async fn a_session_ends_with_its_token(transport: Transport) {
    let node = Node::start(settings()).await;
    // Tokens end at whole seconds: this one in two to three.
    let began = Instant::now();
    let mut raw = session(&node, transport, &Token::of_everything().ends_in(3)).await;
    raw.attach("demo:a").await;
    let goodbye = raw.farewell().await;
    let after = began.elapsed();
    assert_eq!(goodbye.code, u32::from(CloseCode::TokenExpired.number()), "{goodbye:?}");
    assert!(
        (Duration::from_millis(1_800)..Duration::from_millis(4_500)).contains(&after),
        "after {after:?}"
    );
    assert_eq!(node.metrics().await.closed(transport, "token_expired"), 1.0);
    node.carries(0, transport).await;
    node.stop().await;
}

async fn a_refresh_keeps_the_session(transport: Transport) {
    let node = Node::start(settings()).await;
    let mut raw = session(&node, transport, &Token::of_everything().ends_in(3)).await;
    raw.attach("demo:a").await;
    let expires_ms = refresh(&mut raw, 2, &Token::of_everything()).await.expect("accepted");
    assert!(expires_ms > 0);
    sleep(Duration::from_millis(3_500)).await;
    raw.send(publish(1, "demo:a", "still here")).await;
    assert_eq!(raw.ack(1).await.serial, 1);
    drop(raw);
    node.stop().await;
}

async fn a_narrower_token_leaves_what_it_does_not_cover(transport: Transport) {
    let node = Node::start(settings()).await;
    let mut raw = session(&node, transport, &Token::of_everything()).await;
    let kept = raw.attach("demo:kept").await;
    let lost = raw.attach("demo:lost").await;
    raw.send(v1::Refresh {
        request: 7,
        token: Token::new().allow("demo:kept", ALL).text(),
    })
    .await;
    let Body::Refreshed(refreshed) = raw.frame().await else {
        panic!("the refresh is answered first");
    };
    assert_eq!(refreshed.request, 7);
    let Body::Error(error) = raw.frame().await else {
        panic!("the channel was not withdrawn");
    };
    assert_eq!(
        (error.request, error.channel_id, error.code()),
        (0, lost, ErrorCode::Forbidden)
    );
    let Body::Detached(detached) = raw.frame().await else {
        panic!("the channel was not left");
    };
    assert_eq!((detached.request, detached.channel_id), (0, lost));
    // Nothing of the one channel comes any more, and everything of the other.
    let mut other = session(&node, transport, &Token::of_everything().claim("sub", "ben")).await;
    for (serial, channel) in [(1, "demo:lost"), (1, "demo:kept")] {
        other.send(publish(serial, channel, "x")).await;
        other.ack(serial).await;
    }
    let Body::Publication(publication) = raw.frame().await else {
        panic!("the other channel goes on");
    };
    assert_eq!(publication.channel_id, kept);
    drop((raw, other));
    node.stop().await;
}

async fn a_refresh_that_is_refused_changes_nothing(transport: Transport) {
    let node = Node::start(settings()).await;
    let mut raw = session(&node, transport, &Token::of_everything().ends_in(4)).await;
    raw.attach("demo:a").await;
    let refused = [
        Token::of_everything().claim("sub", "ben"),
        Token::of_everything().signed_with("y".repeat(40)),
        Token::of_everything().ends_in(-5),
    ];
    for (number, token) in refused.iter().enumerate() {
        let error = refresh(&mut raw, 10 + number as u64, token).await.expect_err("refused");
        assert_eq!(error.code(), ErrorCode::Unauthorized, "{error:?}");
    }
    let too_long = v1::Refresh {
        request: 20,
        token: "x".repeat(3_073),
    };
    raw.send(too_long).await;
    assert_eq!(raw.refusal(20).await.code(), ErrorCode::BadRequest);
    raw.send(publish(1, "demo:a", "the old token still holds")).await;
    raw.ack(1).await;
    loop {
        match raw.frame().await {
            Body::Goodbye(goodbye) => {
                assert_eq!(goodbye.code, u32::from(CloseCode::TokenExpired.number()), "{goodbye:?}");
                break;
            }
            Body::Publication(_) => {}
            other => panic!("{other:?}"),
        }
    }
    drop(raw);
    node.stop().await;
}

/// Tokens of four seconds, and a client that lives for ten: it never loses its session, nor a message.
async fn a_client_refreshes_ahead_of_the_end(transport: Transport) {
    let node = Node::start(settings()).await;
    let asked = Arc::new(AtomicU64::new(0));
    let provide = {
        let asked = Arc::clone(&asked);
        move |_why| {
            asked.fetch_add(1, Ordering::Relaxed);
            let token = Token::of_everything().ends_in(4).text();
            async move { Ok(token) }
        }
    };
    let client = Client::builder(node.url())
        .transport(match transport {
            Transport::WebSocket => Transports::WebSocket,
            Transport::WebTransport => Transports::WebTransport,
        })
        .token_provider(provide)
        .build()
        .expect("the address of a node");
    let mut events = client
        .subscribe("demo:a", SubscribeOptions::default())
        .await
        .expect("attached");
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < Duration::from_secs(10) {
        let text = number.to_string();
        soon("an acknowledgement", client.publish("demo:a", text.clone()))
            .await
            .expect("published");
        loop {
            match soon("the message", events.next()).await {
                Some(Event::Message(message)) => {
                    assert_eq!(message.payload, text.as_bytes());
                    break;
                }
                Some(Event::Attached { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        number += 1;
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(client.stats().sessions, 1);
    assert!(asked.load(Ordering::Relaxed) >= 3, "{asked:?} tokens for ten seconds");
    client.close().await;
    node.stop().await;
}

/// Presents a new token: when it ends, or why it is refused.
async fn refresh(raw: &mut Raw, request: u64, token: &Token) -> Result<u64, v1::Error> {
    let token = token.text();
    raw.send(v1::Refresh { request, token }).await;
    loop {
        match raw.frame().await {
            Body::Refreshed(refreshed) if refreshed.request == request => return Ok(refreshed.expires_ms),
            Body::Error(error) if error.request == request => return Err(error),
            Body::Publication(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
