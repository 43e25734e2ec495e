//! Publishing against a scripted server, over a WebSocket.

mod support;

use std::time::Duration;

use starling_client::{PublishError, PublishOptions};
use starling_protocol::v1;
use support::{LOBBY, Server, ack};
use tokio::time::timeout;

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
