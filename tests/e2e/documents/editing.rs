//! Edits, what is missing, who is there.

use starling_mesh::transport::Transport;
use starling_protocol::limits;
use starling_protocol::v1::{self, DocumentPiece};

use super::{Editor, typing};
use crate::editors::{Line, hex, serving};
use crate::support::directory::Directory;
use crate::support::node::Node;
use crate::support::over_both;

over_both! {
    what_one_types_is_saved_and_others_see_it
    a_document_larger_than_a_frame_travels_in_parts
    whoever_returns_is_sent_what_is_missing_and_sends_what_is
    who_is_there_is_seen_and_goes_with_its_session
}

async fn what_one_types_is_saved_and_others_see_it(transport: Transport) {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut anna = Editor::open(&node, transport, 1, "plan").await;
    assert!(anna.opened.may_write && anna.opened.may_show);
    assert_eq!(
        anna.hears(DocumentPiece::StateVector).await,
        [0][..],
        "nothing is there"
    );
    let mut bert = Editor::open(&node, transport, 2, "doc:plan").await;
    assert_eq!(bert.document_id, anna.document_id, "one document by both names");

    let update = anna.types("hi").await;
    anna.is_saved().await;
    assert_eq!(bert.hears(DocumentPiece::Update).await, update);
    assert!(anna.pieces.is_empty(), "nobody is told what it has said itself");

    // An editor of y-websocket has the same document.
    let mut line = Line::open(&node, "/yjs/plan").await;
    line.say("00 00 01 00").await;
    let mut heard = Vec::new();
    for _ in 0..2 {
        heard.push(line.hears().await.expect("a message"));
    }
    let framed = format!("00 01 {:02x} {}", update.len(), hex(&update));
    assert!(heard.contains(&framed), "{heard:?}");
    line.say("00 02 0c 01 01 03 00 04 01 01 74 02 68 6f 00").await;
    assert_eq!(anna.hears(DocumentPiece::Update).await, typing(3, 0, "ho"));

    // One that is closed is told nothing, and opens again.
    bert.raw
        .send(v1::CloseDocument {
            document_id: bert.document_id,
        })
        .await;
    let mut bert = Editor::of(bert.raw, 2, "plan").await;
    bert.pieces.clear();
    anna.types(" there").await;
    anna.is_saved().await;
    assert_eq!(bert.hears(DocumentPiece::Update).await, typing(1, 2, " there"));
    drop((anna, bert, line));
    node.is_unharmed().await;
    node.stop().await;
}

async fn a_document_larger_than_a_frame_travels_in_parts(transport: Transport) {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut anna = Editor::open(&node, transport, 1, "large").await;
    let mut bert = Editor::open(&node, transport, 2, "large").await;
    let text = "0123456789".repeat(2 * limits::SERVER_FRAME_BYTES_MAX / 10);
    let update = anna.types(&text).await;
    anna.is_saved().await;
    assert_eq!(bert.hears(DocumentPiece::Update).await, update, "as it happens");
    let mut carl = Editor::open(&node, transport, 3, "large").await;
    assert_eq!(carl.whole().await, update, "and for whoever comes");
    drop((anna, bert, carl));
    node.is_unharmed().await;
    node.stop().await;
}

async fn whoever_returns_is_sent_what_is_missing_and_sends_what_is(transport: Transport) {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut anna = Editor::open(&node, transport, 1, "plan").await;
    anna.types("one").await;
    anna.is_saved().await;
    // It goes on without a connection.
    let missed = anna.typing(" two");
    drop(anna);
    let mut bert = Editor::open(&node, transport, 2, "plan").await;
    bert.types("three").await;
    bert.is_saved().await;

    let mut anna = Editor::open(&node, transport, 1, "plan").await;
    let theirs = anna.hears(DocumentPiece::StateVector).await;
    assert!(
        theirs[..] == [2, 2, 5, 1, 3] || theirs[..] == [1, 1, 3],
        "at least: {theirs:?}"
    );
    anna.send(DocumentPiece::StateVector, &[1, 1, 7]).await;
    assert_eq!(anna.hears(DocumentPiece::Missing).await, typing(2, 0, "three"));
    anna.send(DocumentPiece::Missing, &missed).await;
    anna.is_saved().await;
    assert_eq!(bert.hears(DocumentPiece::Update).await, missed);
    drop((anna, bert));
    node.stop().await;

    // It is in the store, whoever asks.
    let node = Node::start(serving(&directory)).await;
    let mut carl = Editor::open(&node, transport, 3, "plan").await;
    let stored = carl.hears(DocumentPiece::StateVector).await;
    assert!(
        stored[..] == [2, 2, 5, 1, 7] || stored[..] == [2, 1, 7, 2, 5],
        "{stored:?}"
    );
    drop(carl);
    node.stop().await;
}

async fn who_is_there_is_seen_and_goes_with_its_session(transport: Transport) {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut anna = Editor::open(&node, transport, 1, "plan").await;
    // Client 1, clock 1, the state {}.
    let here = [1, 1, 1, 2, b'{', b'}'];
    anna.send(DocumentPiece::Awareness, &here).await;
    let mut bert = Editor::open(&node, transport, 2, "plan").await;
    assert_eq!(bert.hears(DocumentPiece::Awareness).await, here[..]);
    drop(anna);
    let gone = [1, 1, 2, 4, b'n', b'u', b'l', b'l'];
    assert_eq!(bert.hears(DocumentPiece::Awareness).await, gone[..]);
    drop(bert);
    node.is_unharmed().await;
    node.stop().await;
}
