use bytes::Bytes;
use futures_util::stream;
use starling_client::{CloseReason, Message, Reason, SubscribeError};

use super::*;

fn message(seq: u64) -> Event {
    let position = Position {
        epoch: "e".into(),
        seq,
        term: 1,
    };
    let payload = Bytes::from(format!("m{seq}"));
    let channel = "demo:a".into();
    Event::Message(Message {
        channel,
        position,
        time_ms: 1,
        key: None,
        deleted: false,
        payload,
        replayed: false,
    })
}

fn lost() -> Event {
    Event::Discontinuity {
        reason: Reason::Expired,
        position: Position {
            epoch: "f".into(),
            seq: 0,
            term: 1,
        },
    }
}

/// Reads events to the end; gives the outcome and what was printed.
async fn printed(events: Vec<Event>, count: Option<u64>, reading: Reading) -> (Result<Exit, Failure>, String) {
    let mut bytes = Vec::new();
    let mut reader = Reader::new(Output::new(&mut bytes), reading);
    let events = stream::iter(events.into_iter().map(|event| ("demo:a".to_owned(), event)));
    let exit = read(events, count, &mut reader).await;
    (
        exit,
        String::from_utf8(bytes).expect("what these tests publish is text"),
    )
}

#[tokio::test]
async fn data_alone_is_printed_unless_asked_for_more() {
    let events = || vec![message(1), lost(), message(2), message(3)];
    let (exit, text) = printed(events(), Some(2), Reading::default()).await;
    assert_eq!(text, "m1\nm2\n", "only messages count, and the third is one too many");
    assert!(matches!(exit, Ok(Exit::Done)));

    let (exit, text) = printed(
        events(),
        Some(2),
        Reading {
            json: true,
            strict: false,
        },
    )
    .await;
    let kinds: Vec<_> = text
        .lines()
        .map(|line| line.contains("\"discontinuity\":\"expired\""))
        .collect();
    assert_eq!(kinds, [false, true, false]);
    assert!(matches!(exit, Ok(Exit::Done)));
}

#[tokio::test]
async fn a_strict_reader_ends_at_the_first_loss() {
    let (exit, text) = printed(
        vec![message(1), lost(), message(2)],
        None,
        Reading {
            json: true,
            strict: true,
        },
    )
    .await;
    assert!(matches!(exit, Ok(Exit::Lost)));
    assert_eq!(text.lines().count(), 2, "the loss itself is printed: {text}");
}

#[tokio::test]
async fn a_subscription_that_failed_is_a_failure() {
    let failed = Event::Failed(SubscribeError::Closed(CloseReason::Application));
    let (exit, _) = printed(vec![failed], None, Reading::default()).await;
    assert!(matches!(exit, Err(Failure::Server(text)) if text.starts_with("demo:a: ")));
    let (exit, _) = printed(Vec::new(), None, Reading::default()).await;
    assert!(matches!(exit, Err(Failure::Server(_))));
}
