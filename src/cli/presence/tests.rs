use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use starling_client::{Certainty, ClientId, CloseReason, Occupancy, PresenceError, Present};

use super::*;

fn counted(clients: u64) -> PresenceEvent {
    PresenceEvent::Occupancy(Occupancy { members: 1, clients })
}

fn stale() -> PresenceEvent {
    PresenceEvent::Certainty(Certainty {
        stale: true,
        uncertain: vec!["b".to_owned()],
    })
}

/// Reads events to the end; gives the outcome and what was printed.
async fn printed(events: Vec<PresenceEvent>, reading: Reading) -> (Result<Exit, Failure>, String) {
    let mut bytes = Vec::new();
    let mut output = Output::new(&mut bytes);
    let exit = read("demo:a", stream::iter(events), reading, &mut output).await;
    (exit, String::from_utf8(bytes).expect("what these tests say is text"))
}

const JSON: Reading = Reading {
    watch: false,
    json: true,
};

#[tokio::test]
async fn it_ends_with_who_is_there_unless_it_watches() {
    let (exit, text) = printed(vec![counted(2), counted(3)], Reading::default()).await;
    assert!(matches!(exit, Ok(Exit::Done)));
    assert_eq!(text, "members 1 clients 2\n");
    let nobody = PresenceEvent::Roster(Vec::new());
    let (exit, text) = printed(vec![stale(), nobody, counted(3)], JSON).await;
    assert!(matches!(exit, Ok(Exit::Done)));
    assert_eq!(
        text,
        "{\"channel\":\"demo:a\",\"event\":\"certainty\",\"stale\":true,\"uncertain\":[\"b\"]}\n\
         {\"channel\":\"demo:a\",\"event\":\"roster\",\"clients\":0}\n"
    );
    let watching = Reading {
        watch: true,
        json: false,
    };
    let (exit, text) = printed(vec![counted(2), stale(), counted(3)], watching).await;
    assert_eq!(
        text, "members 1 clients 2\nmembers 1 clients 3\n",
        "doubt is told to a person"
    );
    assert!(matches!(exit, Err(Failure::Server(_))), "it does not end by itself");
}

#[tokio::test]
async fn a_watch_that_failed_is_a_failure() {
    let failed = PresenceEvent::Failed(PresenceError::Closed(CloseReason::Application));
    let (exit, _) = printed(vec![failed], Reading::default()).await;
    assert!(matches!(exit, Err(Failure::Server(text)) if text.starts_with("demo:a: ")));
}

#[test]
fn what_a_client_says_stays_on_its_line() {
    let line = |state: &'static [u8], member: Option<&str>, reading| {
        let present = Arc::new(Present {
            client: ClientId::from_bytes([0xab; 16]),
            member: member.map(str::to_owned),
            node: "a".to_owned(),
            state: Bytes::from_static(state),
        });
        let joined = PresenceEvent::Joined { present, first: true };
        let lines = shape::shown("demo:a", &joined, reading);
        let line = lines.last().expect("a line").line.clone();
        String::from_utf8(line).expect("text")
    };
    let id = "ab".repeat(16);
    let plain = Reading::default();
    assert_eq!(
        line(b"typing \xc3\xa4", Some("ada"), plain),
        format!("ada\t{id}\ta\ttyping \u{e4}")
    );
    assert_eq!(
        line(b"a\nb\x1b[2J", None, plain),
        format!("-\t{id}\ta\ta\\nb\\u{{1b}}[2J"),
        "neither a second line nor an order to the terminal"
    );
    let watching = Reading { watch: true, ..plain };
    assert_eq!(line(b"", Some("ada"), watching), format!("joined\tada\t{id}\ta\t"));
    assert_eq!(
        line(b"\xff", None, JSON),
        format!(
            "{{\"channel\":\"demo:a\",\"event\":\"joined\",\"client\":\"{id}\",\"node\":\"a\",\"state_base64\":\"/w==\",\"first\":true}}"
        )
    );
}
