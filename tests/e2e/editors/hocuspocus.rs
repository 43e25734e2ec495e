//! Hocuspocus, as captured between its provider 4.8.0 and its own server 3.4.4.

use std::time::Duration;

use super::{Line, hex, serving};
use crate::support::directory::Directory;
use crate::support::node::Node;
use crate::support::raw::websocket::Message;
use crate::support::token::{SECRET, Token};

/// An update of client 1: the text "t" is "hi".
const HI: &str = "01 64 00 02 0c 01 01 01 00 04 01 01 74 02 68 69 00";

/// A token of nobody for the document "d".
const TOKEN: &str = "01 64 02 00 00 05 34 2e 38 2e 30";

const READ_WRITE: &str = "01 64 02 02 0a 72 65 61 64 2d 77 72 69 74 65";
const APPLIED: &str = "01 64 08 01";

/// The state vector of a document with nothing in it.
const STEP1: &str = "01 64 00 00 01 00";

/// The next two messages, sorted: a question and an answer come in any order.
async fn two(line: &mut Line) -> [String; 2] {
    let mut heard = [
        line.hears().await.expect("a message"),
        line.hears().await.expect("a message"),
    ];
    heard.sort();
    heard
}

/// A node where nobody may do anything without a token.
async fn guarded(directory: &Directory) -> Node {
    let settings = serving(directory).set("auth.anonymous", "false");
    let key = format!("secret = \"{SECRET}\"");
    Node::start(settings.key("app", &key)).await
}

/// A frame of Hocuspocus that presents a token, without its address.
fn presenting(token: &str) -> String {
    let length = token.len();
    assert!((128..16_384).contains(&length), "its length has two bytes");
    let length = [(length & 127) as u8 | 128, (length >> 7) as u8];
    format!("02 00 {} {}", hex(&length), hex(token.as_bytes()))
}

fn of_anna() -> String {
    let token = Token::new().allow("doc:*", &["doc-read", "doc-write", "awareness"]);
    presenting(&token.text())
}

#[tokio::test]
async fn bytes_are_those_of_its_own_server() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut line = Line::open(&node, "/hocuspocus").await;
    // What comes before the token waits for it.
    line.say("01 64 03").await;
    line.say(TOKEN).await;
    assert_eq!(line.hears().await.as_deref(), Ok(READ_WRITE));
    line.say(STEP1).await;
    assert_eq!(two(&mut line).await, [STEP1, "01 64 00 01 02 00 00"]);
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

#[tokio::test]
async fn a_provider_without_a_token_begins_where_anybody_may() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut line = Line::open(&node, "/hocuspocus").await;
    line.say(STEP1).await;
    assert_eq!(two(&mut line).await, [STEP1, "01 64 00 01 02 00 00"]);
    line.say(HI).await;
    assert_eq!(line.hears().await.as_deref(), Ok(APPLIED));
    // One that comes after all is answered, and another is not.
    line.say(TOKEN).await;
    assert_eq!(line.hears().await.as_deref(), Ok(READ_WRITE));
    line.say(TOKEN).await;
    line.say("09").await;
    assert_eq!(line.hears().await.as_deref(), Ok("0a"));
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_document_without_its_token_does_not_stay_beside_one_that_is_open() {
    let directory = Directory::new();
    let node = guarded(&directory).await;
    let mut line = Line::open(&node, "/hocuspocus").await;
    line.say(&format!("01 64 {}", of_anna())).await;
    assert_eq!(line.hears().await.as_deref(), Ok(READ_WRITE));
    assert_eq!(line.hears().await.as_deref(), Ok(STEP1));
    line.say("01 65 00 00 01 00").await;
    let closed = tokio::time::timeout(Duration::from_secs(25), line.0.next()).await;
    let Ok(Message::Binary(closed)) = closed else {
        panic!("after fifteen seconds: {closed:?}");
    };
    assert_eq!(&closed[..], b"\x01e\x07\x15no token came in time");
    line.say(HI).await;
    assert_eq!(line.hears().await.as_deref(), Ok(APPLIED));
    node.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_told_nothing_for_long_hears_something_that_all_versions_understand() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut line = Line::open(&node, "/hocuspocus").await;
    line.say(STEP1).await;
    two(&mut line).await;
    let heard = tokio::time::timeout(Duration::from_secs(25), line.0.next()).await;
    let nobody = super::bytes("01 64 01 01 00");
    assert_eq!(heard, Ok(Message::Binary(nobody)), "after fifteen seconds");
    node.stop().await;
}

#[tokio::test]
async fn providers_before_2_0_have_their_document_in_the_url() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut line = Line::open(&node, "/hocuspocus/d").await;
    let mut other = Line::open(&node, "/hocuspocus/doc:d").await;
    for line in [&mut line, &mut other] {
        line.say("00 00 01 00").await;
        assert_eq!(two(line).await, ["00 00 01 00", "00 01 02 00 00"]);
    }
    let hi = &HI["01 64 ".len()..];
    line.say(hi).await;
    for line in [&mut line, &mut other] {
        assert_eq!(line.hears().await.as_deref(), Ok(hi));
    }
    other.say("05 03 68 65 79").await;
    assert_eq!(line.hears().await.as_deref(), Ok("05 03 68 65 79"));
    line.say("00 02 03 07 07 07").await;
    assert_eq!(
        line.code().await,
        Some(1013),
        "it has no word for a document that is closed"
    );
    node.is_unharmed().await;
    node.stop().await;
}

#[tokio::test]
async fn providers_before_2_0_say_who_they_are() {
    let directory = Directory::new();
    let node = guarded(&directory).await;
    let mut line = Line::open(&node, "/hocuspocus/d").await;
    line.say(&of_anna()).await;
    assert_eq!(line.hears().await.as_deref(), Ok(&READ_WRITE["01 64 ".len()..]));
    let token = Token::new().allow("doc:*", &["doc-read"]).text();
    let mut line = Line::open(&node, &format!("/hocuspocus/d?token={token}")).await;
    assert_eq!(line.hears().await.as_deref(), Ok("02 02 08 72 65 61 64 6f 6e 6c 79"));
    let mut line = Line::open(&node, "/hocuspocus/d").await;
    line.say("02 00 02 6e 6f").await;
    let denied = line.hears().await.expect("a message");
    assert!(denied.starts_with("02 01 "), "{denied}");
    node.stop().await;
}
