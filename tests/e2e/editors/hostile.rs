//! What strangers send where editors connect: each is told by its code, and nobody else notices.

use std::time::{Duration, Instant};

use super::{Line, serving};
use crate::support::directory::Directory;
use crate::support::eventually::soon;
use crate::support::node::Node;
use crate::support::raw::websocket::{Message, header};

#[tokio::test]
async fn what_is_no_message_closes_the_connection_and_nothing_else() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut honest = Line::open(&node, "/yjs/shared").await;
    assert_eq!(honest.hears().await.as_deref(), Ok("00 00 01 00"));
    for (path, frames) in [
        (
            "/yjs/shared",
            &[
                "",
                "07",
                "00",
                "00 03 00",
                "00 00 05 00",
                "00 02 ff ff ff ff 0f",
                "02 01 00",
                "ff ff ff ff ff ff ff ff ff ff 01",
                // An update that is none; one that announces more than it has.
                "00 02 03 07 07 07",
                "00 02 05 ff ff ff ff 07",
                // Bytes of the second encoding.
                "00 02 04 00 00 00 00",
            ][..],
        ),
        (
            "/hocuspocus",
            &[
                "",
                "01",
                "ff",
                "01 64 06 00",
                "01 64 63",
                "01 64 07 00 00",
                "01 ff 00 00 01 00",
            ][..],
        ),
    ] {
        for frame in frames {
            let mut line = Line::open(&node, path).await;
            line.say(frame).await;
            assert_eq!(line.code().await, Some(4400), "{path}: {frame:?}");
        }
    }
    // Nobody else has noticed.
    let hi = "00 02 0c 01 01 01 00 04 01 01 74 02 68 69 00";
    honest.say(hi).await;
    assert_eq!(honest.hears().await.as_deref(), Ok(hi));
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_frame_that_is_too_long_is_not_read() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    for path in ["/yjs/long", "/hocuspocus"] {
        let mut line = Line::open(&node, path).await;
        line.0.write(&header(2, 5 * 1024 * 1024)).await.expect("the node reads");
        assert_eq!(line.code().await, Some(1009), "{path}");
    }
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_token_is_bounded() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory).set("documents.message_rate", "0")).await;
    let mut frames = Line::open(&node, "/hocuspocus").await;
    for _ in 0..1_001 {
        frames.say("01 64 03").await;
    }
    assert_eq!(frames.code().await, Some(1009));
    let mut bytes = Line::open(&node, "/hocuspocus").await;
    let large = [&super::bytes("01 64 00 02 80 80 40")[..], &vec![0; 1024 * 1024]].concat();
    for _ in 0..6 {
        bytes.send(&large).await;
    }
    assert_eq!(bytes.code().await, Some(1009));
    let mut documents = Line::open(&node, "/hocuspocus").await;
    for number in 0..=100 {
        let name = super::hex(format!("{number:03}").as_bytes());
        documents.say(&format!("03 {name} 03")).await;
    }
    assert_eq!(documents.code().await, Some(1009));
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_token_does_not_stay() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    tokio::join!(says_nothing(&node), opens_and_closes(&node));
    node.stop().await;
}

async fn says_nothing(node: &Node) {
    let mut line = Line::open(node, "/hocuspocus").await;
    let closed = tokio::time::timeout(Duration::from_secs(25), line.0.next()).await;
    assert_eq!(closed, Ok(Message::Closed(Some(4408))), "after fifteen seconds");
}

/// Asks for a document and closes it, again and again.
async fn opens_and_closes(node: &Node) {
    let mut line = Line::open(node, "/hocuspocus").await;
    let began = Instant::now();
    let closed = loop {
        line.say("01 64 03").await;
        line.say("01 64 07").await;
        if let Ok(closed) = tokio::time::timeout(Duration::from_secs(1), line.0.next()).await {
            break closed;
        }
        assert!(began.elapsed() < Duration::from_secs(25), "it stays");
    };
    assert_eq!(closed, Message::Closed(Some(4408)));
}

#[tokio::test]
async fn pages_of_other_origins_do_not_connect() {
    use crate::support::http::Request;
    use crate::support::raw::websocket::Socket;
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    for path in ["/yjs/plan", "/hocuspocus"] {
        let request = Request::upgrade()
            .at(path)
            .header("origin", "https://elsewhere.example");
        let socket = soon("an answer", Socket::connect_to(node.address(), false, request)).await;
        assert!(socket.is_err(), "{path}");
    }
    node.stop().await;
}
