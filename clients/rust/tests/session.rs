//! The life of a session against a scripted server, over a WebSocket.

mod support;

use futures_util::StreamExt;
use starling_client::{
    Client, CloseReason, Event, Outcome, PublishError, State, SubscribeError, SubscribeOptions, TokenError,
    TokenRequest, Transport, Transports,
};
use starling_protocol::v1::{self, attach};
use support::{LOBBY, Server, ack, page, publication, seqs, subscribed};

#[tokio::test]
async fn a_client_connects_subscribes_and_publishes() {
    let server = Server::start().await;
    let client = server
        .builder()
        .token("secret")
        .agent("test/1")
        .transport(Transports::WebSocket)
        .build();
    let client = client.expect("good settings");
    let mut session = server.accept().await;
    let hello = expect!(session, Hello);
    assert_eq!((hello.token.as_str(), hello.agent.as_str()), ("secret", "test/1"));
    assert_ne!(hello.publisher, [0; 16][..], "random bits");
    session.send(support::welcome()).await;
    client.connected().await.expect("welcome came");
    let connected = State::Connected {
        transport: Transport::WebSocket,
        node: "a".into(),
        session: "s1".into(),
    };
    assert_eq!(*client.state().borrow(), connected);

    let (subscription, ()) = tokio::join!(client.subscribe(LOBBY, SubscribeOptions::rewind(2)), async {
        let attach = session.attach(10, 11).await;
        assert_eq!(attach.from, Some(attach::From::Rewind(2)));
    });
    let mut subscription = subscription.expect("it was attached");
    session.send(page(10, 11, 3)).await;
    session.send(publication(12)).await;
    let events: Vec<_> = subscription.by_ref().take(3).collect().await;
    let [
        Event::Attached {
            head: 11,
            outcome: Outcome::Resumed,
            ..
        },
        Event::Message(past),
        Event::Message(live),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert!(past.replayed && !live.replayed);
    assert_eq!(
        (live.payload.as_ref(), live.position.to_string()),
        (&b"message 12"[..], "0-a:12:1".to_owned())
    );
    assert_eq!(
        subscription.position().map(ToString::to_string),
        Some("0-a:12:1".into())
    );

    let (published, ()) = tokio::join!(client.publish(LOBBY, "hi"), async {
        let publish = expect!(session, Publish);
        assert_eq!((publish.serial, publish.base, publish.since_ms), (1, 1, 1_000_000));
        session.send(ack(&publish, 13)).await;
    });
    let published = published.expect("it was acknowledged");
    assert_eq!(
        (published.position.seq, published.copies, published.duplicate),
        (13, 1, false)
    );
    assert_eq!(client.stats().acknowledged, 1);
}

#[tokio::test]
async fn a_goodbye_leads_to_another_node() {
    let (server, other) = (Server::start().await, Server::start().await);
    let client = server.client();
    let (mut subscription, mut session) = subscribed(&client, &server).await;
    let goodbye = v1::Goodbye {
        code: 4501,
        alternates: vec![other.url()],
        ..v1::Goodbye::default()
    };
    session.send(goodbye).await;
    session.closed().await;
    let mut session = other.session().await;
    session.attach(10, 10).await;
    session.send(publication(11)).await;
    assert_eq!(seqs(&mut subscription, 1).await, [11]);
}

#[tokio::test]
async fn a_node_that_is_gone_is_replaced_by_another() {
    let server = Server::start().await;
    let nobody = Server::start().await.url();
    let client = Client::builder(nobody)
        .url(server.url())
        .transport(Transports::WebSocket)
        .build();
    let client = client.expect("good settings");
    let _session = server.session().await;
    client.connected().await.expect("the second node answers");
    assert_eq!(client.stats().failures, 0, "both are of one attempt");
}

#[tokio::test]
async fn what_is_not_a_frame_ends_the_connection_with_a_reason() {
    let server = Server::start().await;
    let client = server.client();
    let mut session = server.session().await;
    session.send_raw(b"\xff\xff\xff").await;
    assert_eq!(expect!(session, Goodbye).code, 4400);
    session.closed().await;
    let _session = server.session().await;
    client.connected().await.expect("it returns");
    assert_eq!(client.stats().violations, 1);
}

#[tokio::test]
async fn closing_waits_for_outcomes_and_says_goodbye() {
    let server = Server::start().await;
    let client = server.client();
    let (mut subscription, mut session) = subscribed(&client, &server).await;
    let pending = client.enqueue(LOBBY, "last").await.expect("room in flight");
    let ((), ()) = tokio::join!(client.close(), async {
        let publish = expect!(session, Publish);
        session.send(ack(&publish, 11)).await;
        assert_eq!(expect!(session, Goodbye).code, 1000);
        session.closed().await;
    });
    assert_eq!(pending.await.expect("acknowledged").position.seq, 11);
    assert!(
        matches!(subscription.next().await, Some(Event::Attached { .. })),
        "what was queued is still there"
    );
    assert!(subscription.next().await.is_none());
    assert_eq!(
        *client.state().borrow(),
        State::Closed {
            reason: CloseReason::Application
        }
    );

    client.close().await;
    let late = client.publish(LOBBY, "too late").await;
    assert!(
        matches!(late, Err(PublishError::Closed { sent: false, .. })),
        "{late:?}"
    );
    let late = client.subscribe(LOBBY, SubscribeOptions::default()).await;
    assert_eq!(late.err(), Some(SubscribeError::Closed(CloseReason::Application)));
}

#[tokio::test]
async fn a_client_that_nobody_holds_leaves() {
    let server = Server::start().await;
    let client = server.client();
    let (subscription, mut session) = subscribed(&client, &server).await;
    drop(client);
    session.send(v1::Ping { nonce: 1 }).await;
    expect!(session, Pong);
    drop(subscription);
    loop {
        match session.receive().await {
            v1::client_frame::Body::Goodbye(goodbye) => break assert_eq!(goodbye.code, 1000),
            v1::client_frame::Body::Detach(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_asked_for_again() {
    let server = Server::start().await;
    let client = server
        .builder()
        .transport(Transports::WebSocket)
        .token_provider(|why| async move {
            match why {
                TokenRequest::First => Ok("old".to_owned()),
                TokenRequest::Replace => Ok("new".to_owned()),
                other => Err(TokenError::Denied(format!("{other:?}"))),
            }
        })
        .build()
        .expect("good settings");
    let mut session = server.accept().await;
    assert_eq!(expect!(session, Hello).token, "old");
    session
        .send(v1::Goodbye {
            code: 4401,
            ..v1::Goodbye::default()
        })
        .await;
    let mut session = server.accept().await;
    assert_eq!(expect!(session, Hello).token, "new");
    session
        .send(v1::Goodbye {
            code: 4401,
            reason: "still not".into(),
            ..v1::Goodbye::default()
        })
        .await;
    let closed = client.connected().await.expect_err("it stops for good");
    assert_eq!(
        closed,
        CloseReason::Server {
            code: 4401,
            reason: "still not".into()
        }
    );
}
