//! y-websocket, as captured between its client 3.1.0 and its own server.

use super::{Line, serving};
use crate::support::directory::Directory;
use crate::support::node::Node;

/// An update of client 1: the text "t" is "hi".
const HI: &str = "00 02 0c 01 01 01 00 04 01 01 74 02 68 69 00";

#[tokio::test]
async fn bytes_are_those_of_its_own_server() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut line = Line::open(&node, "/yjs/golden").await;
    line.say("00 00 01 00").await;
    line.say("01 06 01 01 00 02 7b 7d").await;
    // Both ask for what they lack, and are answered; the awareness comes back.
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(line.hears().await.expect("a message"));
    }
    heard.sort();
    assert_eq!(heard, ["00 00 01 00", "00 01 02 00 00", "01 06 01 01 00 02 7b 7d"]);
    // Nothing is not given back.
    line.say("00 01 02 00 00").await;
    line.say(HI).await;
    assert_eq!(line.hears().await.as_deref(), Ok(HI), "once it is saved");
    let mut other = Line::open(&node, "/yjs/golden").await;
    assert_eq!(
        other.hears().await.as_deref(),
        Ok("00 00 01 00"),
        "what is there at least"
    );
    assert_eq!(
        other.hears().await.as_deref(),
        Ok("01 06 01 01 00 02 7b 7d"),
        "who is there"
    );
    other.say("00 00 01 00").await;
    let whole = "00 01 0c 01 01 01 00 04 01 01 74 02 68 69 00";
    assert_eq!(other.hears().await.as_deref(), Ok(whole));
    // Several messages in one frame; who is gone is told to those who are there.
    other.say("03 01 08 01 02 01 04 6e 75 6c 6c").await;
    assert_eq!(
        other.hears().await.as_deref(),
        Ok("01 06 01 01 00 02 7b 7d"),
        "it asked who is there"
    );
    drop(line);
    assert_eq!(
        other.hears().await.as_deref(),
        Ok("01 08 01 01 01 04 6e 75 6c 6c"),
        "it is gone"
    );
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn rooms_without_a_namespace_are_in_the_one_for_those() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut short = Line::open(&node, "/yjs/team/plan").await;
    let mut whole = Line::open(&node, "/yjs/doc:team%2Fplan").await;
    for line in [&mut short, &mut whole] {
        assert_eq!(line.hears().await.as_deref(), Ok("00 00 01 00"));
    }
    short.say(HI).await;
    assert_eq!(whole.hears().await.as_deref(), Ok(HI));
    let mut none = Line::open(&node, "/yjs/a%20b").await;
    assert_eq!(none.code().await, Some(4400));
    node.stop().await;
}

#[tokio::test]
async fn what_is_saved_survives_a_crash() {
    let directory = Directory::new();
    let mut node = Node::start(serving(&directory)).await;
    let mut line = Line::open(&node, "/yjs/crash").await;
    assert_eq!(line.hears().await.as_deref(), Ok("00 00 01 00"));
    line.say(HI).await;
    assert_eq!(line.hears().await.as_deref(), Ok(HI));
    node.kill().await;
    let node = Node::start_again(node).await;
    let mut line = Line::open(&node, "/yjs/crash").await;
    assert_eq!(line.hears().await.as_deref(), Ok("00 00 03 01 01 02"));
    node.stop().await;
}
