//! A client against a scripted server, over a WebSocket: what the rules promise, on a real wire.

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use starling_client::{
    Client, CloseReason, ErrorCode, Event, Outcome, PublishError, PublishOptions, State, SubscribeError,
    SubscribeOptions, Subscription, TokenError, TokenRequest, Transport, Transports,
};
use starling_protocol::v1::{self, attach};
use support::{LOBBY, Server, ack, attached, page, position, publication};
use tokio::time::timeout;

/// The seqs of the next `count` messages.
async fn seqs(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        if let Event::Message(message) = subscription.next().await.expect("a live subscription") {
            seqs.push(message.position.seq);
        }
    }
    seqs
}

/// A subscription to the lobby after seq 10, which is the head.
async fn subscribed(client: &Client, server: &Server) -> (Subscription, support::Session) {
    let (subscription, session) = tokio::join!(client.subscribe(LOBBY, SubscribeOptions::default()), async {
        let mut session = server.session().await;
        session.attach(10, 10).await;
        session
    });
    (subscription.expect("it was attached"), session)
}

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
async fn after_a_cut_the_reader_goes_on_where_it_was() {
    let server = Server::start().await;
    let client = server.client();
    let (mut subscription, mut session) = subscribed(&client, &server).await;
    session.send(publication(11)).await;
    session.send(publication(12)).await;
    assert_eq!(seqs(&mut subscription, 2).await, [11, 12]);
    session.cut();

    let mut session = server.session().await;
    let attach = session.attach(12, 14).await;
    assert_eq!(attach.from, Some(attach::From::Position(position(12))));
    session.send(page(12, 14, 3)).await;
    session.send(publication(14)).await;
    session.send(publication(15)).await;
    assert_eq!(seqs(&mut subscription, 3).await, [13, 14, 15]);
    assert_eq!((client.stats().sessions, client.stats().duplicates), (2, 1));
}

#[tokio::test]
async fn after_a_cut_publishes_are_sent_again_with_their_serials() {
    let server = Server::start().await;
    let client = server.client();
    let mut session = server.session().await;
    let mut pending = Vec::new();
    for payload in ["a", "b", "c"] {
        pending.push(client.enqueue(LOBBY, payload).await.expect("room in flight"));
    }
    let first = expect!(session, Publish);
    session.send(ack(&first, 1)).await;
    let second = expect!(session, Publish);
    assert_eq!(pending.remove(0).await.expect("acknowledged").position.seq, 1);
    session.cut();

    let mut session = server.session().await;
    let again = expect!(session, Publish);
    assert_eq!(
        (again.serial, again.since_ms, &again.payload),
        (second.serial, second.since_ms, &second.payload)
    );
    assert_eq!(again.base, 2, "the first has its result");
    session
        .send(v1::Ack {
            duplicate: true,
            ..ack(&again, 2)
        })
        .await;
    let third = expect!(session, Publish);
    session.send(ack(&third, 3)).await;
    let published = [pending.remove(0).await, pending.remove(0).await].map(|outcome| outcome.expect("acknowledged"));
    assert_eq!(
        published.map(|one| (one.serial, one.position.seq, one.duplicate)),
        [(2, 2, true), (3, 3, false)]
    );
}

#[tokio::test]
async fn a_gap_is_pulled_and_a_slow_reader_pulls_what_it_missed() {
    let server = Server::start().await;
    let client = server.client();
    let (mut subscription, mut session) = subscribed(&client, &server).await;
    session.send(publication(13)).await;
    assert_eq!(expect!(session, Pull), v1::Pull { channel_id: 5, seq: 10 });
    session.send(page(10, 13, 3)).await;
    assert_eq!(seqs(&mut subscription, 3).await, [11, 12, 13]);
    session.send(v1::Lagged { channel_id: 5, seq: 13 }).await;
    assert_eq!(expect!(session, Pull).seq, 13);
    assert_eq!((client.stats().gaps, client.stats().pulls), (1, 2));
}

#[tokio::test]
async fn an_application_that_does_not_read_fills_its_queue_and_no_more() {
    let server = Server::start().await;
    let client = server.client();
    let options = SubscribeOptions {
        queue_events: 4,
        ..SubscribeOptions::default()
    };
    let (subscription, mut session) = tokio::join!(client.subscribe(LOBBY, options), async {
        let mut session = server.session().await;
        session.attach(0, 0).await;
        session
    });
    let mut subscription = subscription.expect("it was attached");
    for seq in 1..=20 {
        session.send(publication(seq)).await;
    }
    // Answered only after all of it was handled.
    session.send(v1::Ping { nonce: 1 }).await;
    expect!(session, Pong);
    assert_eq!(client.stats().overflows, 1);
    assert_eq!(seqs(&mut subscription, 3).await, [1, 2, 3]);
    assert_eq!(expect!(session, Pull).seq, 3);
    session.send(page(3, 20, 3)).await;
    assert_eq!(seqs(&mut subscription, 17).await, (4..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn pages_come_back_as_credit_when_they_were_read() {
    let server = Server::start().await;
    let client = server.client();
    let (mut subscription, mut session) = subscribed(&client, &server).await;
    session.send(page(10, 14, 40_000)).await;
    session.send(v1::Ping { nonce: 1 }).await;
    expect!(session, Pong);
    assert_eq!(seqs(&mut subscription, 3).await, [11, 12, 13]);
    session.send(v1::Ping { nonce: 2 }).await;
    assert_eq!(
        expect!(session, Pong).nonce,
        2,
        "no credit before the whole page was read"
    );
    assert_eq!(seqs(&mut subscription, 1).await, [14]);
    let bytes = starling_protocol::frame::encode_server(page(10, 14, 40_000)).body_bytes();
    assert_eq!(expect!(session, Credit).bytes as usize, bytes);
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
    assert_eq!(client.stats().failures, 1);
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
async fn a_refused_subscription_says_why() {
    let server = Server::start().await;
    let client = server.client();
    let (refused, ()) = tokio::join!(client.subscribe("secret:room", SubscribeOptions::default()), async {
        let mut session = server.session().await;
        let request = expect!(session, Attach).request;
        let code = ErrorCode::Forbidden.into();
        session
            .send(v1::Error {
                request,
                code,
                message: "not yours".into(),
                ..v1::Error::default()
            })
            .await;
    });
    let SubscribeError::Refused(refusal) = refused.expect_err("it is forbidden") else {
        panic!("refused for good")
    };
    assert_eq!(
        (refusal.code(), refusal.message.as_str()),
        (Some(ErrorCode::Forbidden), "not yours")
    );
}

#[tokio::test]
async fn dropping_a_subscription_leaves_the_channel_which_can_be_taken_up_again() {
    let server = Server::start().await;
    let client = server.client();
    let (subscription, mut session) = subscribed(&client, &server).await;
    drop(subscription);
    let detach = expect!(session, Detach);
    let (again, ()) = tokio::join!(client.subscribe(LOBBY, SubscribeOptions::default()), async {
        session
            .send(v1::Detached {
                request: detach.request,
                channel_id: 5,
            })
            .await;
        session.attach(11, 11).await;
    });
    let mut again = again.expect("it was attached");
    session.send(publication(12)).await;
    assert_eq!(seqs(&mut again, 1).await, [12]);

    let given_up = timeout(
        Duration::from_millis(20),
        client.subscribe("demo:slow", SubscribeOptions::default()),
    );
    assert!(given_up.await.is_err());
    let attach = expect!(session, Attach);
    session
        .send(v1::Attached {
            channel_id: 6,
            ..attached(&attach, 0, 0)
        })
        .await;
    assert_eq!(expect!(session, Detach).channel_id, 6, "nobody waits for it any more");
}

#[tokio::test]
async fn publishes_wait_for_room_and_keep_their_order() {
    let server = Server::start().await;
    let client = server.client();
    let mut session = server.session().await;
    let mut pending = Vec::new();
    for n in 0..64 {
        pending.push(client.enqueue(LOBBY, n.to_string()).await.expect("room in flight"));
    }
    let one_more = timeout(Duration::from_millis(50), client.enqueue(LOBBY, "64"));
    assert!(one_more.await.is_err(), "64 have no outcome");
    for n in 0..64 {
        let publish = expect!(session, Publish);
        assert_eq!(publish.payload, n.to_string());
        session.send(ack(&publish, n + 1)).await;
    }
    for (at, pending) in pending.into_iter().enumerate() {
        assert_eq!(pending.await.expect("acknowledged").position.seq, at as u64 + 1);
    }
    let _outcome = client.enqueue(LOBBY, "64").await.expect("room again");
    assert_eq!(expect!(session, Publish).serial, 65);
}

#[tokio::test]
async fn a_publish_that_is_out_of_time_is_retired_first() {
    let server = Server::start().await;
    let client = server.client();
    let mut session = server.session().await;
    let options = PublishOptions {
        timeout: Duration::from_millis(50),
        ..PublishOptions::new(LOBBY, "late")
    };
    let (outcome, ()) = tokio::join!(client.publish_with(options), async {
        let publish = expect!(session, Publish);
        let skip = expect!(session, Skip);
        assert_eq!((skip.serial, skip.since_ms), (publish.serial, publish.since_ms));
        let v1::Skip { request, serial, .. } = skip;
        session
            .send(v1::Ack {
                request,
                serial,
                skipped: true,
                ..v1::Ack::default()
            })
            .await;
    });
    assert!(matches!(outcome, Err(PublishError::TimedOut { .. })), "{outcome:?}");
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
