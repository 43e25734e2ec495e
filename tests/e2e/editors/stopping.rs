//! A node that is told to stop with edits that it has not saved.

use std::time::Duration;

use rusqlite::Connection;

use super::{Line, serving};
use crate::support::directory::Directory;
use crate::support::eventually::eventually;
use crate::support::node::Node;

/// An update of client 1: the text "t" is "hi". And all of that document, as who has nothing of it is told.
const HI: &str = "00 02 0c 01 01 01 00 04 01 01 74 02 68 69 00";
const WHOLE: &str = "00 01 0c 01 01 01 00 04 01 01 74 02 68 69 00";

#[tokio::test]
async fn what_is_in_hand_is_saved_though_its_editor_has_left() {
    let directory = Directory::new();
    let mut node = Node::start(serving(&directory)).await;
    let mut editor = Line::open(&node, "/yjs/plan").await;
    editor.say("00 00 01 00").await;
    editor.hears().await.expect("the document is loaded");
    // Somebody else writes in the file, so that nobody can.
    let file = Connection::open(directory.path().join("starling.db")).expect("opens");
    file.execute_batch("BEGIN IMMEDIATE").expect("takes the lock");
    editor.say(HI).await;
    let unsaved = async || {
        let metrics = node.metrics().await;
        (metrics.value("starling_documents_unsaved") == 1.0).then_some(())
    };
    eventually("an edit in hand", unsaved).await;
    drop(editor);
    node.terminate();
    tokio::time::sleep(Duration::from_millis(500)).await;
    file.execute_batch("ROLLBACK").expect("lets go of it");
    assert_eq!(node.ended().await, Some(0));
    node.log().has_no_panic();
    let node = Node::start_again(node).await;
    let mut reader = Line::open(&node, "/yjs/plan").await;
    reader.say("00 00 01 00").await;
    while reader.hears().await.as_deref() != Ok(WHOLE) {}
    node.is_unharmed().await;
    node.stop().await;
}
