//! How a node comes and goes: a crash, a stop in order, and clients that fall silent.

use std::time::{Duration, Instant};

use starling_client::{Event, Reason, State, SubscribeOptions};
use starling_mesh::transport::Transport;
use starling_protocol::close::CloseCode;
use starling_protocol::v1::server_frame::Body;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::directory::Directory;
use crate::support::eventually::{becomes, soon};
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Dialer, Heard, Raw, publish};
use crate::support::settings::Settings;

over_both! {
    a_crash_is_told_and_publishing_goes_on
    a_silent_client_is_cut_off
    a_reader_that_is_far_behind_still_hears_the_goodbye
}

#[tokio::test]
async fn a_node_that_stops_says_so_to_everyone_first() {
    let mut node = Node::start(Settings::default()).await;
    let mut sessions = Vec::new();
    for transport in Transport::ALL {
        sessions.push(Raw::open(&node, transport).await);
    }
    assert_eq!(Request::get("/health/ready").send(node.admin()).await.status, 200);

    node.terminate();
    // These clients do not leave when they are told, so that the node drains for a while.
    becomes("readiness while it drains", 503, async || {
        Request::get("/health/ready").send(node.admin()).await.status
    })
    .await;
    assert_eq!(Request::get("/health/live").send(node.admin()).await.status, 200);
    for session in &mut sessions {
        assert_eq!(session.farewell().await.code, u32::from(CloseCode::Draining.number()));
    }
    drop(sessions);
    assert_eq!(node.ended().await, Some(0), "{}", node.log().text());
    node.log().has_no_panic();
}

#[tokio::test]
async fn a_node_that_stops_answers_the_request_it_is_reading() {
    let mut node = Node::start(Settings::default()).await;
    let body = r#"{"data":"the last one"}"#;
    let (first, rest) = body.split_at(10);
    let mut stream = TcpStream::connect(node.address())
        .await
        .expect("the node takes a connection");
    let head = format!(
        "POST /v1/channels/demo:last/messages HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        node.address(),
        body.len()
    );
    stream
        .write_all(format!("{head}{first}").as_bytes())
        .await
        .expect("the head is taken");
    // An answer to another one says that the node has read the first.
    assert_eq!(
        Request::get("/.well-known/starling").send(node.address()).await.status,
        200
    );
    node.terminate();
    becomes("readiness while it drains", 503, async || {
        Request::get("/health/ready").send(node.admin()).await.status
    })
    .await;
    stream.write_all(rest.as_bytes()).await.expect("the rest is taken");
    let mut answer = String::new();
    soon("the answer, and the end", stream.read_to_string(&mut answer))
        .await
        .expect("read");
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""seq":1"#),
        "{answer}"
    );
    assert_eq!(node.ended().await, Some(0), "{}", node.log().text());
}

#[tokio::test]
async fn a_node_without_clients_stops_at_once() {
    let mut node = Node::start(Settings::default()).await;
    let began = Instant::now();
    node.terminate();
    assert_eq!(node.ended().await, Some(0), "{}", node.log().text());
    assert!(began.elapsed() < Duration::from_secs(4), "nobody had to be waited for");
}

async fn a_crash_is_told_and_publishing_goes_on(transport: Transport) {
    const CHANNEL: &str = "demo:crash";
    let mut node = Node::start(Settings::default().set("session.heartbeat", "1s")).await;
    let client = node.client(transport);
    let mut events = soon("a subscription", client.subscribe(CHANNEL, SubscribeOptions::default()))
        .await
        .expect("attached");
    let mut heard = Vec::new();
    for number in 1..=5 {
        let published = soon("an ack", client.publish(CHANNEL, number.to_string())).await;
        assert_eq!(published.expect("acknowledged").position.seq, number);
    }
    // What was acknowledged is on its way to readers, and a crash may overtake it: this one has it.
    let mut epoch = None;
    while heard.len() < 5 {
        if let Event::Message(message) = soon("an event", events.next()).await.expect("the subscription goes on") {
            heard.push(String::from_utf8_lossy(&message.payload).into_owned());
            epoch = Some(message.position.epoch);
        }
    }
    assert_eq!(heard, ["1", "2", "3", "4", "5"]);
    node.carries(1, transport).await;

    node.kill().await;
    let mut state = client.state();
    let lost = state.wait_for(|state| matches!(state, State::Reconnecting { .. }));
    soon("the client to notice", lost).await.expect("the client goes on");
    let meanwhile = client.enqueue(CHANNEL, "meanwhile").await.expect("the client goes on");
    let node = Node::start_again(node).await;
    let after = soon("an ack after the crash", client.publish(CHANNEL, "after"))
        .await
        .expect("acknowledged");
    let meanwhile = soon("an ack", meanwhile).await.expect("acknowledged");
    node.carries(1, transport).await;

    // The news that the history is gone, and then another one from its beginning. Whoever comes first after a crash
    // begins it: the publish that waited, or the reader, who then is there before it.
    let lost = loop {
        match soon("an event", events.next()).await.expect("the subscription goes on") {
            Event::Discontinuity { reason, position } => {
                assert_eq!(reason, Reason::NodeRestarted);
                break position;
            }
            Event::Attached { .. } => {}
            other => panic!("{other:?} before the news that messages are lost"),
        }
    };
    assert_ne!(Some(&lost.epoch), epoch.as_ref(), "a new history has a new name");
    assert_eq!((meanwhile.position.seq, after.position.seq), (1, 2));
    for (seq, text) in [(1, "meanwhile"), (2, "after")].into_iter().skip(lost.seq as usize) {
        match soon("a message", events.next()).await {
            Some(Event::Message(message)) => {
                assert_eq!((message.position.seq, &*message.payload), (seq, text.as_bytes()));
                assert_eq!(
                    (&message.position.epoch, &after.position.epoch),
                    (&lost.epoch, &lost.epoch)
                );
            }
            other => panic!("{other:?} instead of {text:?}"),
        }
    }
    node.stop().await;
}

/// QUIC alone: TCP tells by itself. The heartbeat is long, so that it is the reset that tells, and not silence.
#[tokio::test]
async fn a_node_that_is_back_says_that_it_does_not_know_a_connection() {
    let directory = Directory::new();
    let settings = Settings::default()
        .set("session.heartbeat", "4s")
        .set("node.data_dir", directory.text());
    let mut node = Node::start(settings).await;
    let client = node.client(Transport::WebTransport);
    let mut events = soon(
        "a subscription",
        client.subscribe("demo:back", SubscribeOptions::default()),
    )
    .await
    .expect("attached");
    soon("the attach", events.next())
        .await
        .expect("the subscription goes on");
    node.kill().await;
    let node = Node::start_again(node).await;
    let mut state = client.state();
    let lost = state.wait_for(|state| matches!(state, State::Reconnecting { .. }));
    let lost = soon("the client to notice", lost)
        .await
        .expect("the client goes on")
        .clone();
    let State::Reconnecting { error, .. } = lost else {
        unreachable!("it was waited for");
    };
    assert!(error.contains("reset by peer"), "not by silence: {error}");
    node.stop().await;
}

async fn a_silent_client_is_cut_off(transport: Transport) {
    const HEARTBEAT: Duration = Duration::from_secs(2);
    let node = Node::start(Settings::default().set("session.heartbeat", "2s")).await;
    let mut silent = Raw::open(&node, transport).await;
    let mut alive = Raw::open(&node, transport).await;
    let began = Instant::now();
    let cut = async {
        let mut pings = 0;
        loop {
            match silent.next().await {
                Heard::Frame(Body::Ping(_)) => pings += 1,
                Heard::Frame(Body::Goodbye(goodbye)) => return (goodbye.code, pings, began.elapsed()),
                other => panic!("{other:?}"),
            }
        }
    };
    let kept = async {
        // The last frame arrives after the other was cut off: an answered ping is life enough.
        while began.elapsed() < HEARTBEAT * 3 {
            match alive.next().await {
                Heard::Frame(Body::Ping(ping)) => {
                    alive
                        .send(starling_protocol::v1::Pong {
                            nonce: ping.nonce,
                            time_ms: 0,
                        })
                        .await;
                }
                other => panic!("{other:?}"),
            }
        }
    };
    let ((code, pings, after), ()) = tokio::join!(cut, kept);
    assert_eq!(code, u32::from(CloseCode::Silent.number()));
    assert_eq!(pings, 1, "it was asked before");
    let expected = HEARTBEAT * 3 / 2;
    assert!(
        after >= expected - Duration::from_millis(200),
        "cut off after {after:?}"
    );
    assert!(
        after < expected + Duration::from_millis(1_500),
        "cut off after {after:?}"
    );
    assert_eq!(node.metrics().await.closed(transport, "silent"), 1.0);
    node.is_unharmed().await;
    node.stop().await;
}

async fn a_reader_that_is_far_behind_still_hears_the_goodbye(transport: Transport) {
    const CHANNEL: &str = "demo:backlog";
    const STANDS_STILL: Duration = Duration::from_millis(2_500);
    let mut node = Node::start(Settings::default()).await;
    let mut reader = Dialer::narrow(&node, transport).await.open().await;
    reader.attach(CHANNEL).await;
    let mut publisher = Raw::open(&node, transport).await;
    for serial in 1..=50 {
        publisher.send(publish(serial, CHANNEL, vec![b'x'; 8 * 1024])).await;
        publisher.ack(serial).await;
    }
    drop(publisher);

    node.terminate();
    // As long as a phone needs for what is on its way to it, and its reader for nothing.
    tokio::time::sleep(STANDS_STILL).await;
    let code = loop {
        match reader.next().await {
            Heard::Frame(Body::Goodbye(goodbye)) => break goodbye.code,
            Heard::Frame(_) => {}
            Heard::Closed(code) => panic!("closed with {code:?} and without a goodbye"),
        }
    };
    assert_eq!(code, u32::from(CloseCode::Draining.number()));
    drop(reader);
    assert_eq!(node.ended().await, Some(0), "{}", node.log().text());
}
