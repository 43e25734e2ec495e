use bytes::Bytes;
use serde_json::{Value, json as value};
use starling_client::{Reason, SkipReason};

use super::*;

fn position(seq: u64) -> Position {
    Position {
        epoch: "0-ab12".into(),
        seq,
        term: 1,
    }
}

fn message(seq: u64, payload: &'static [u8]) -> Message {
    Message {
        channel: "demo:a".into(),
        position: position(seq),
        time_ms: 1_700_000_000_000,
        key: None,
        deleted: false,
        payload: Bytes::from_static(payload),
        replayed: false,
    }
}

fn parsed(line: &[u8]) -> Value {
    assert!(!line.contains(&b'\n'), "one object a line");
    serde_json::from_slice(line).expect("it is JSON")
}

/// The only line shown of an event, as JSON and as text.
fn both(event: &Event) -> (To, Value, String) {
    let [json] = &shown("demo:a", event, true)[..] else {
        panic!("{event:?}: one line of JSON")
    };
    let [text] = &shown("demo:a", event, false)[..] else {
        panic!("{event:?}: one line of text")
    };
    assert_eq!(json.to, text.to);
    (
        json.to,
        parsed(&json.line),
        String::from_utf8_lossy(&text.line).into_owned(),
    )
}

#[test]
fn an_acknowledgement_tells_where_the_message_stands() {
    let published = Published {
        position: position(7),
        serial: 3,
        copies: 2,
        duplicate: false,
    };
    let line = acknowledged("demo:a", &published, true);
    let expected = value!({ "channel": "demo:a", "epoch": "0-ab12", "seq": 7, "serial": 3, "copies": 2 });
    assert_eq!(parsed(&line), expected);
    assert_eq!(acknowledged("demo:a", &published, false), b"0-ab12:7:1");
    let again = acknowledged(
        "demo:a",
        &Published {
            duplicate: true,
            ..published
        },
        true,
    );
    assert_eq!(parsed(&again)["duplicate"], true);
}

#[test]
fn a_message_that_was_not_acknowledged_keeps_its_place() {
    let line = unacknowledged("demo:a", 4, &PublishError::OutcomeUnknown);
    let expected = value!({
        "channel": "demo:a",
        "line": 4,
        "error": PublishError::OutcomeUnknown.to_string(),
        "code": "outcome_unknown",
    });
    assert_eq!(parsed(&line), expected);
    let line = unacknowledged("demo:a", 1, &PublishError::TimedOut { cause: None });
    assert_eq!(parsed(&line)["code"], "timed_out");
}

#[test]
fn a_message_is_its_data() {
    let (to, json, text) = both(&Event::Message(message(7, "h\u{e9}\n".as_bytes())));
    let expected = value!({
        "channel": "demo:a", "epoch": "0-ab12", "seq": 7, "data": "h\u{e9}\n", "replayed": false,
        "time_ms": 1_700_000_000_000_u64,
    });
    assert_eq!((to, json, text.as_str()), (To::Message, expected, "h\u{e9}\n"));
}

#[test]
fn what_is_no_text_is_written_in_base64() {
    let shown = shown("demo:a", &Event::Message(message(7, &[0xff, 0x00])), true);
    let json = parsed(&shown[0].line);
    assert_eq!(
        (json.get("data"), json.get("data_base64")),
        (None, Some(&value!("/wA=")))
    );
    assert_eq!(
        super::shown("demo:a", &Event::Message(message(7, &[0xff, 0x00])), false)[0].line,
        [0xff, 0x00]
    );
}

#[test]
fn keys_and_removals_are_told() {
    let removed = Message {
        key: Some("k".to_owned()),
        deleted: true,
        replayed: true,
        ..message(9, b"")
    };
    let json = parsed(&shown("demo:a", &Event::Message(removed), true)[0].line);
    assert_eq!(
        (&json["key"], &json["deleted"], &json["replayed"]),
        (&value!("k"), &value!(true), &value!(true))
    );
}

#[test]
fn what_was_left_out_or_lost_is_told() {
    let (to, json, text) = both(&Event::Skipped {
        to: 9,
        count: 3,
        reason: SkipReason::Slow,
    });
    let expected = value!({ "channel": "demo:a", "skipped": 3, "to": 9, "reason": "slow" });
    assert_eq!((to, json), (To::Notice, expected));
    assert_eq!(text, "demo:a: 3 messages up to 9 were left out (slow)");

    let (to, json, text) = both(&Event::Discontinuity {
        reason: Reason::NodeRestarted,
        position: position(4),
    });
    let expected = value!({ "channel": "demo:a", "discontinuity": "node_restarted", "epoch": "0-ab12", "seq": 4 });
    assert_eq!((to, json), (To::Notice, expected));
    assert_eq!(
        text,
        "demo:a: messages were lost (node_restarted); going on after 0-ab12:4:1"
    );
}

#[test]
fn the_state_of_a_keyed_channel_is_opened_by_a_line_of_its_own() {
    let entries = vec![Message {
        key: Some("k".to_owned()),
        replayed: true,
        ..message(3, b"v")
    }];
    let state = KeyedState {
        replace: true,
        first: true,
        last: true,
        at: position(5),
        entries,
    };
    let lines = shown("demo:a", &Event::KeyedState(state.clone()), true);
    let expected = value!({ "channel": "demo:a", "state": "replace", "epoch": "0-ab12", "seq": 5 });
    assert_eq!(
        (lines.len(), lines[0].to, parsed(&lines[0].line)),
        (2, To::Notice, expected)
    );
    assert_eq!(
        (lines[1].to, &parsed(&lines[1].line)["key"]),
        (To::Message, &value!("k"))
    );

    let later = shown("demo:a", &Event::KeyedState(KeyedState { first: false, ..state }), true);
    assert_eq!(later.len(), 1, "a later part opens nothing");
}
