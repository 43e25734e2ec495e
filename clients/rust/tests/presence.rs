//! Being in a channel and watching one against a scripted server, over a WebSocket.

mod support;

use std::time::Duration;

use bytes::Bytes;
use starling_client::{
    Certainty, Client, CloseReason, Entry, ErrorCode, Occupancy, PresenceError, PresenceEvent, Transports, Watch,
    WatchOptions,
};
use starling_protocol::v1;
use support::{LOBBY, Server, Session, welcome};
use tokio::time::timeout;

/// A client that is in the lobby.
async fn entered(client: &Client, session: &mut Session, state: &'static str) -> Entry {
    let (entry, ()) = tokio::join!(client.enter(LOBBY, state), answer(session, state));
    entry.expect("the node answers for it")
}

/// Answers the next Enter, which says this.
async fn answer(session: &mut Session, state: &str) {
    let enter = expect!(session, Enter);
    assert_eq!((enter.channel.as_str(), &*enter.state), (LOBBY, state.as_bytes()));
    session.send(taken(enter.request)).await;
}

/// A client that watches the lobby.
async fn watching(client: &Client, session: &mut Session, options: WatchOptions) -> Watch {
    let (watch, ()) = tokio::join!(client.watch(LOBBY, options), watched(session));
    watch.expect("the node watches")
}

/// Answers the next Watch, as channel 9.
async fn watched(session: &mut Session) {
    let v1::Watch { request, channel, .. } = expect!(session, Watch);
    session
        .send(v1::Watched {
            request,
            channel_id: 9,
            channel,
        })
        .await;
}

fn roster(clients: &[(u8, &str)]) -> v1::Roster {
    v1::Roster {
        channel_id: 9,
        first: true,
        last: true,
        clients: clients
            .iter()
            .map(|(client, member)| present(*client, member))
            .collect(),
    }
}

fn present(client: u8, member: &str) -> v1::Present {
    v1::Present {
        client: Bytes::copy_from_slice(&[client; 16]),
        member: member.into(),
        node: "a".into(),
        state: "{}".into(),
    }
}

/// What the next events say, in short.
async fn told(watch: &mut Watch, events: usize) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..events {
        let member = |present: &starling_client::Present| present.member.clone().unwrap_or_default();
        told.push(match watch.next().await.expect("a live watch") {
            PresenceEvent::Roster(everybody) => format!("{} there", everybody.len()),
            PresenceEvent::Joined { present, first } => format!("joined {} {first}", member(&present)),
            PresenceEvent::Updated(present) => format!("updated {}", member(&present)),
            PresenceEvent::Left { present, last } => format!("left {} {last}", member(&present)),
            PresenceEvent::Occupancy(Occupancy { members, clients }) => format!("{members} by {clients}"),
            PresenceEvent::Certainty(Certainty { stale, uncertain }) => format!("stale {stale} {uncertain:?}"),
            PresenceEvent::Ephemeral { present, state } => format!("{} at {state:?}", member(&present)),
            other => panic!("{other:?}"),
        });
    }
    told
}

#[tokio::test]
async fn a_client_is_there_again_after_a_cut_as_the_same_and_with_its_newest_state() {
    let server = Server::start().await;
    let builder = server.builder().transport(Transports::WebSocket).client_secret([3; 16]);
    let client = builder.build().expect("good settings");
    let mut session = server.accept().await;
    assert_eq!(expect!(session, Hello).client, [3; 16][..]);
    session.send(welcome()).await;
    let entry = entered(&client, &mut session, "here").await;
    let (updated, ()) = tokio::join!(entry.update("typing"), answer(&mut session, "typing"));
    updated.expect("the node took it");
    session.cut();

    let mut session = server.accept().await;
    assert_eq!(expect!(session, Hello).client, [3; 16][..]);
    session.send(welcome()).await;
    answer(&mut session, "typing").await;
    // What is entered on the new connection can be spoken in.
    session.send(v1::Ping { nonce: 1 }).await;
    expect!(session, Pong);
    entry.ephemeral("12,7").expect("it is short");
    let ephemeral = expect!(session, Ephemeral);
    assert_eq!((ephemeral.channel.as_str(), &*ephemeral.state), (LOBBY, &b"12,7"[..]));

    let ((), ()) = tokio::join!(entry.leave(), async {
        let leave = expect!(session, Leave);
        assert_eq!(leave.channel, LOBBY);
        session.send(v1::Left { request: leave.request }).await;
    });
    entered(&client, &mut session, "again").await;
    assert_eq!(
        expect!(session, Leave).channel,
        LOBBY,
        "an entry that is dropped leaves"
    );
}

#[tokio::test]
async fn each_client_draws_a_secret_of_its_own() {
    let server = Server::start().await;
    let (_one, _other) = (server.client(), server.client());
    let (mut one, mut other) = (server.accept().await, server.accept().await);
    let (one, other) = (expect!(one, Hello), expect!(other, Hello));
    assert_eq!((one.client.len(), other.client.len()), (16, 16));
    assert_ne!(one.client, other.client);
    assert_ne!(one.client, one.publisher);
}

#[tokio::test]
async fn the_newest_update_counts() {
    let server = Server::start().await;
    let client = server.client();
    let mut session = server.session().await;
    let entry = entered(&client, &mut session, "1").await;
    let (older, newer, ()) = tokio::join!(entry.update("2"), entry.update("3"), async {
        let first = expect!(session, Enter);
        session.send(taken(first.request)).await;
        answer(&mut session, "3").await;
    });
    assert_eq!((older, newer), (Err(PresenceError::Superseded), Ok(())));
}

#[tokio::test]
async fn an_entry_that_is_refused_later_says_so() {
    let server = Server::start().await;
    let client = server.client();
    let mut session = server.session().await;
    let entry = entered(&client, &mut session, "here").await;
    session.cut();
    let mut session = server.session().await;
    let request = expect!(session, Enter).request;
    let code = ErrorCode::Forbidden.into();
    let forbidden = v1::Error {
        request,
        code,
        ..v1::Error::default()
    };
    session.send(forbidden).await;
    let PresenceError::Refused(refusal) = entry.ended().await else {
        panic!("refused for good")
    };
    assert_eq!(refusal.code(), Some(ErrorCode::Forbidden));
    assert_eq!(entry.update("late").await, Err(PresenceError::Refused(refusal)));
    timeout(Duration::from_secs(5), entry.leave())
        .await
        .expect("there is nothing to wait for");
}

#[tokio::test]
async fn a_watch_adds_up_what_it_is_told() {
    let server = Server::start().await;
    let client = server.client();
    let mut session = server.session().await;
    let mut watch = watching(&client, &mut session, WatchOptions::default()).await;
    session.send(roster(&[(1, "anna"), (2, "anna"), (3, "")])).await;
    let changes = v1::PresenceChanges {
        channel_id: 9,
        joined: vec![present(4, "bert")],
        left: vec![v1::Absent {
            client: Bytes::from_static(&[1; 16]),
        }],
        ..v1::PresenceChanges::default()
    };
    session.send(changes).await;
    let cursor = v1::EphemeralState {
        client: Bytes::from_static(&[4; 16]),
        number: 1,
        state: "9".into(),
    };
    let ephemerals = v1::Ephemerals {
        channel_id: 9,
        states: vec![cursor],
    };
    session.send(ephemerals).await;
    assert_eq!(
        told(&mut watch, 4).await,
        ["3 there", "joined bert true", "left anna false", "bert at b\"9\""]
    );
    let there = Occupancy { members: 3, clients: 3 };
    assert_eq!((watch.roster().len(), watch.occupancy()), (3, there));

    session.cut();
    let mut session = server.session().await;
    watched(&mut session).await;
    session.send(roster(&[(3, ""), (4, "bert")])).await;
    let certainty = v1::Certainty {
        channel_id: 9,
        stale: false,
        uncertain: vec!["b".into()],
    };
    session.send(certainty).await;
    assert_eq!(
        told(&mut watch, 3).await,
        ["stale true []", "left anna true", "stale false [\"b\"]"]
    );
    drop(watch);
    assert_eq!(expect!(session, Detach).channel_id, 9);
}

#[tokio::test]
async fn an_application_that_does_not_read_is_told_the_difference_later() {
    let server = Server::start().await;
    let client = server.client();
    let mut session = server.session().await;
    let options = WatchOptions {
        queue_events: 2,
        ..WatchOptions::default()
    };
    let mut watch = watching(&client, &mut session, options).await;
    session.send(roster(&[])).await;
    for client in 1..=200 {
        let changes = v1::PresenceChanges {
            channel_id: 9,
            joined: vec![present(client, "x")],
            left: vec![v1::Absent {
                client: Bytes::copy_from_slice(&[client - 1; 16]),
            }],
            ..v1::PresenceChanges::default()
        };
        session.send(changes).await;
    }
    // Answered only after all of it was handled.
    session.send(v1::Ping { nonce: 1 }).await;
    expect!(session, Pong);
    assert_eq!(client.stats().merged, 1);
    assert_eq!(
        told(&mut watch, 4).await,
        ["0 there", "joined x true", "left x true", "joined x true"]
    );
    assert_eq!(watch.roster().next().map(|last| last.client.as_bytes()[0]), Some(200));
}

#[tokio::test]
async fn what_cannot_be_is_refused_at_once() {
    let server = Server::start().await;
    let client = server.client();
    let mut session = server.session().await;
    let long = client.enter(LOBBY, vec![0; 4_097]).await;
    assert!(matches!(long, Err(PresenceError::StateTooLarge { .. })), "{long:?}");
    let nowhere = client.watch("", WatchOptions::count()).await;
    assert!(
        matches!(nowhere, Err(PresenceError::BadChannelName { bytes: 0 })),
        "{nowhere:?}"
    );
    let entry = entered(&client, &mut session, "").await;
    let twice = client.enter(LOBBY, "").await;
    assert!(matches!(twice, Err(PresenceError::AlreadyEntered)), "{twice:?}");
    let long = entry.ephemeral(vec![0; 513]);
    assert!(matches!(long, Err(PresenceError::StateTooLarge { .. })), "{long:?}");
    let ((), ()) = tokio::join!(client.close(), async {
        assert_eq!(
            expect!(session, Goodbye).code,
            1000,
            "the entry is still there until then"
        );
        session.closed().await;
    });
    assert_eq!(entry.ended().await, PresenceError::Closed(CloseReason::Application));
    let late = client.watch(LOBBY, WatchOptions::default()).await;
    assert!(matches!(late, Err(PresenceError::Closed(_))), "{late:?}");
}

/// An answer to Enter, as a node gives it.
fn taken(request: u64) -> v1::Entered {
    v1::Entered {
        request,
        client: vec![7; 16].into(),
    }
}
