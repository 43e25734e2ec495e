//! Hocuspocus, as captured between its provider 4.8.0 and its own server 3.4.4.

use super::{Line, serving};
use crate::support::directory::Directory;
use crate::support::node::Node;

/// An update of client 1: the text "t" is "hi".
const HI: &str = "01 64 00 02 0c 01 01 01 00 04 01 01 74 02 68 69 00";

/// A token of nobody for the document "d".
const TOKEN: &str = "01 64 02 00 00 05 34 2e 38 2e 30";

const READ_WRITE: &str = "01 64 02 02 0a 72 65 61 64 2d 77 72 69 74 65";
const APPLIED: &str = "01 64 08 01";

#[tokio::test]
async fn bytes_are_those_of_its_own_server() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut line = Line::open(&node, "/hocuspocus").await;
    // A step before the token is answered waits for it.
    line.say("01 64 00 00 01 00").await;
    line.say(TOKEN).await;
    assert_eq!(line.hears().await.as_deref(), Ok(READ_WRITE));
    let mut heard = [
        line.hears().await.expect("a message"),
        line.hears().await.expect("a message"),
    ];
    heard.sort();
    assert_eq!(heard, ["01 64 00 00 01 00", "01 64 00 01 02 00 00"]);
    line.say("01 64 00 01 02 00 00").await;
    assert_eq!(line.hears().await.as_deref(), Ok(APPLIED));
    line.say(HI).await;
    assert_eq!(line.hears().await.as_deref(), Ok(APPLIED), "once it is saved");
    // The same document twice on one connection, by sessions.
    let session = |message: &str| format!("03 64 00 73 {message}");
    line.say(&session("02 00 00")).await;
    assert_eq!(
        line.hears().await,
        Ok(session("02 02 0a 72 65 61 64 2d 77 72 69 74 65"))
    );
    assert_eq!(line.hears().await, Ok(session("00 00 01 00")));
    // What the application says goes to the others.
    line.say("01 64 05 03 68 65 79").await;
    assert_eq!(line.hears().await, Ok(session("05 03 68 65 79")));
    line.say("09").await;
    assert_eq!(line.hears().await.as_deref(), Ok("0a"), "a ping is answered");
    line.say("01 64 07").await;
    let closed = line.hears().await.expect("a message");
    assert!(closed.starts_with("01 64 07 12 70 72 6f 76"), "{closed}");
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn an_editor_of_y_websocket_has_the_same_document() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut yjs = Line::open(&node, "/yjs/d").await;
    assert_eq!(yjs.hears().await.as_deref(), Ok("00 00 01 00"));
    let mut line = Line::open(&node, "/hocuspocus").await;
    line.say(TOKEN).await;
    assert_eq!(line.hears().await.as_deref(), Ok(READ_WRITE));
    line.say(HI).await;
    assert_eq!(yjs.hears().await, Ok(HI["01 64 ".len()..].to_owned()));
    node.stop().await;
}
