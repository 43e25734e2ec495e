//! Reading against a scripted server, over a WebSocket.

mod support;

use std::time::Duration;

use starling_client::{ErrorCode, SubscribeError, SubscribeOptions};
use starling_protocol::v1::{self, attach};
use support::{LOBBY, Server, attached, page, position, publication, seqs, subscribed};
use tokio::time::timeout;

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
