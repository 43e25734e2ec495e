//! Rights and limits.

use std::time::Duration;

use starling_mesh::transport::Transport;
use starling_protocol::v1::{self, DocumentPiece, ErrorCode};
use tokio::time::Instant;

use super::{Editor, open_frame, refused, typing};
use crate::auth::{session, settings};
use crate::editors::serving;
use crate::support::directory::Directory;
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Dialer, Raw};
use crate::support::token::Token;

over_both! {
    what_cannot_be_opened_is_refused_with_its_code
    reading_writing_and_being_shown_are_rights_of_their_own
    another_token_acts_on_documents_that_are_open
    what_no_client_writes_is_refused_and_the_session_goes_on
    whoever_sends_faster_than_the_rate_is_read_later_and_loses_nothing
    whoever_does_not_keep_up_opens_the_document_again
}

async fn what_cannot_be_opened_is_refused_with_its_code(transport: Transport) {
    let directory = Directory::new();
    let few = serving(&directory).set("documents.per_session_max", "2");
    let node = Node::start(few).await;
    let mut raw = Raw::open(&node, transport).await;
    raw.send(open_frame(1, "My Room")).await;
    assert_eq!(refused(&mut raw, 1).await, ErrorCode::BadChannelName);
    for (request, document) in [(2, "a"), (3, "b")] {
        raw.send(open_frame(request, document)).await;
        assert!(matches!(
            raw.answer(request).await,
            v1::server_frame::Body::DocumentOpened(_)
        ));
    }
    raw.send(open_frame(4, "doc:a")).await;
    assert_eq!(refused(&mut raw, 4).await, ErrorCode::BadRequest, "it is open");
    raw.send(open_frame(5, "c")).await;
    assert_eq!(refused(&mut raw, 5).await, ErrorCode::TooManyDocuments);
    assert_eq!(node.metrics().await.limited("documents_per_session_max"), 1.0);
    drop(raw);
    node.stop().await;

    let off = Node::start(serving(&directory).set("documents.enabled", "false")).await;
    let mut raw = Raw::open(&off, transport).await;
    raw.send(open_frame(1, "plan")).await;
    assert_eq!(refused(&mut raw, 1).await, ErrorCode::DocumentsOff);
    drop(raw);
    off.stop().await;
}

/// A token for documents.
fn token(rights: &[&str]) -> Token {
    Token::new().claim("sub", "anna").allow("doc:*", rights)
}

async fn reading_writing_and_being_shown_are_rights_of_their_own(transport: Transport) {
    let directory = Directory::new();
    let served = settings().set("documents.enabled", "true");
    let node = Node::start(served.set("node.data_dir", directory.text())).await;
    let mut stranger = session(&node, transport, &token(&["doc-write", "awareness"])).await;
    stranger.send(open_frame(1, "plan")).await;
    assert_eq!(refused(&mut stranger, 1).await, ErrorCode::Forbidden);

    let reader = session(&node, transport, &token(&["doc-read"])).await;
    let mut reader = Editor::of(reader, 1, "plan").await;
    assert!(!reader.opened.may_write && !reader.opened.may_show);
    reader.types("mine").await;
    let refusal = reader.is_refused().await;
    assert_eq!((refusal.code(), refusal.edit), (ErrorCode::Forbidden, reader.edits));
    reader.text.clear();
    reader.send(DocumentPiece::Missing, &[0, 0]).await;
    reader.is_saved().await; // it has nothing that the node lacks
    reader.send(DocumentPiece::Awareness, &[1, 1, 1, 2, b'{', b'}']).await;
    let refusal = reader.is_refused().await;
    assert_eq!(refusal.piece(), DocumentPiece::Awareness);
    assert_eq!(refusal.code(), ErrorCode::Forbidden);
    assert_eq!(reader.whole().await, [0, 0][..], "nothing was written");
    drop((stranger, reader));
    node.stop().await;
}

async fn another_token_acts_on_documents_that_are_open(transport: Transport) {
    let directory = Directory::new();
    let served = settings().set("documents.enabled", "true");
    let node = Node::start(served.set("node.data_dir", directory.text())).await;
    let all = ["doc-read", "doc-write", "awareness"];
    let anna = session(&node, transport, &token(&all)).await;
    let mut anna = Editor::of(anna, 1, "plan").await;
    let refresh = |rights: &[&str]| v1::Refresh {
        request: 9,
        token: token(rights).text(),
    };
    anna.raw.send(refresh(&["doc-read"])).await;
    anna.until(|it| !it.opened.may_write).await;
    assert_eq!(anna.opened.request, 0, "nobody asked");
    anna.types("mine").await;
    assert_eq!(anna.is_refused().await.code(), ErrorCode::Forbidden);
    anna.raw.send(refresh(&all)).await;
    anna.until(|it| it.opened.may_write).await;
    anna.text.clear();
    anna.types("mine").await;
    anna.is_saved().await;
    anna.raw.send(refresh(&["subscribe"])).await;
    let closed = anna.is_refused().await;
    assert_eq!(
        (closed.piece(), closed.code(), closed.retry_after_ms),
        (DocumentPiece::Unspecified, ErrorCode::Forbidden, 0)
    );
    drop(anna);
    node.stop().await;
}

async fn what_no_client_writes_is_refused_and_the_session_goes_on(transport: Transport) {
    let directory = Directory::new();
    let node = Node::start(serving(&directory)).await;
    let mut anna = Editor::open(&node, transport, 1, "plan").await;
    let mut bert = Editor::open(&node, transport, 2, "plan").await;
    for garbage in [&[][..], &[9, 9, 9], &[255; 40], &[0]] {
        anna.send(DocumentPiece::Update, garbage).await;
        let refusal = anna.is_refused().await;
        assert_eq!((refusal.code(), refusal.edit), (ErrorCode::BadUpdate, anna.edits));
    }
    anna.send(DocumentPiece::StateVector, &[255; 40]).await;
    let refusal = anna.is_refused().await;
    assert_eq!(refusal.piece(), DocumentPiece::StateVector);
    anna.send(DocumentPiece::Awareness, &[255; 40]).await;
    let refusal = anna.is_refused().await;
    assert_eq!(
        (refusal.piece(), refusal.code()),
        (DocumentPiece::Awareness, ErrorCode::BadUpdate)
    );
    // A piece that is mixed with another, one that is too long, and a document that nobody has opened.
    let part = |document_id, edit, more| v1::DocumentPart {
        document_id,
        piece: DocumentPiece::Update.into(),
        edit,
        data: typing(1, 0, "a").into(),
        more,
    };
    anna.raw.send(part(anna.document_id, 100, true)).await;
    anna.raw.send(part(anna.document_id, 101, false)).await;
    assert_eq!(anna.is_refused().await.code(), ErrorCode::BadUpdate);
    anna.raw.send(part(anna.document_id + 1_000, 102, false)).await;
    anna.edits = 200;
    anna.send_parts(DocumentPiece::Update, &vec![0; 5 * 1024 * 1024], 60_000)
        .await;
    let refusal = anna.is_refused().await;
    assert_eq!((refusal.code(), refusal.edit), (ErrorCode::BadUpdate, 201));
    let update = anna.types("still here").await;
    anna.is_saved().await;
    assert_eq!(bert.hears(DocumentPiece::Update).await, update);
    drop((anna, bert));
    node.is_unharmed().await;
    node.stop().await;
}

async fn whoever_sends_faster_than_the_rate_is_read_later_and_loses_nothing(transport: Transport) {
    let directory = Directory::new();
    let slow = serving(&directory).set("documents.message_rate", "20");
    let node = Node::start(slow).await;
    let mut anna = Editor::open(&node, transport, 1, "plan").await;
    let began = Instant::now();
    for _ in 0..60 {
        anna.types("a").await;
    }
    anna.is_saved().await;
    // Twenty come at once, and forty after them.
    assert!(began.elapsed() > Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert_eq!(anna.whole().await.len(), typing(1, 0, &"a".repeat(60)).len());
    drop(anna);
    node.stop().await;
}

async fn whoever_does_not_keep_up_opens_the_document_again(transport: Transport) {
    let directory = Directory::new();
    let fast = serving(&directory).set("documents.message_rate", "0");
    let node = Node::start(fast).await;
    let idle = Dialer::narrow(&node, transport).await.open().await;
    let mut idle = Editor::of(idle, 2, "plan").await;
    let mut anna = Editor::open(&node, transport, 1, "plan").await;
    let text = "0123456789".repeat(10_000);
    for _ in 0..200 {
        anna.types(&text).await;
        anna.is_saved().await;
        if node.metrics().await.slow("document_closed") > 0.0 {
            break;
        }
    }
    idle.until(|it| !it.refused.is_empty()).await;
    let closed = idle.is_refused().await;
    assert_eq!(
        (closed.piece(), closed.code()),
        (DocumentPiece::Unspecified, ErrorCode::Busy)
    );
    assert!(closed.retry_after_ms > 0);
    let mut idle = Editor::of(idle.raw, 2, "plan").await;
    assert_eq!(idle.whole().await, anna.whole().await);
    drop((anna, idle));
    node.is_unharmed().await;
    node.stop().await;
}
