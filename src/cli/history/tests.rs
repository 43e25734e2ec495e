use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use starling_client::{KeyedState, Message, Reason, SkipReason, Window};

use super::*;

fn position(seq: u64) -> Position {
    Position {
        epoch: "e".into(),
        seq,
        term: 1,
    }
}

fn attached(seq: u64, head: u64, outcome: Outcome, keyed: bool) -> Event {
    let window = Window {
        messages: 10,
        bytes: 10,
        age: Duration::from_secs(1),
    };
    Event::Attached {
        position: position(seq),
        head,
        outcome,
        window,
        keyed,
    }
}

fn message(seq: u64) -> Event {
    Event::Message(value(seq))
}

fn value(seq: u64) -> Message {
    let payload = Bytes::from(format!("m{seq}"));
    let channel = "demo:a".into();
    Message {
        channel,
        position: position(seq),
        time_ms: 1,
        key: None,
        deleted: false,
        payload,
        replayed: true,
    }
}

fn state(seqs: &[u64], last: bool) -> Event {
    let entries = seqs.iter().map(|seq| value(*seq)).collect();
    Event::KeyedState(KeyedState {
        replace: true,
        first: true,
        last,
        at: position(9),
        entries,
    })
}

/// Reads events that never end, as those of a live channel do; gives what was printed once the history ended.
async fn printed(since: u64, events: Vec<Event>) -> String {
    let mut bytes = Vec::new();
    let mut reader = Reader::new(Output::new(&mut bytes), Reading::default());
    let live = stream::iter(events).chain(stream::pending());
    let exit = tokio::time::timeout(Duration::from_secs(5), read_to_head("demo:a", since, live, &mut reader)).await;
    assert!(matches!(exit, Ok(Ok(Exit::Done))), "{exit:?}");
    String::from_utf8(bytes).expect("what these tests publish is text")
}

#[tokio::test(start_paused = true)]
async fn it_ends_at_what_was_the_newest_message() {
    let rewound = attached(3, 5, Outcome::Rewound(2), false);
    assert_eq!(
        printed(0, vec![rewound, message(4), message(5), message(6)]).await,
        "m4\nm5\n"
    );
    assert_eq!(printed(0, vec![attached(5, 5, Outcome::Rewound(0), false)]).await, "");
    assert_eq!(printed(5, vec![attached(5, 5, Outcome::Resumed, false)]).await, "");
    let skipped = Event::Skipped {
        to: 5,
        count: 1,
        reason: SkipReason::Slow,
    };
    assert_eq!(
        printed(0, vec![attached(3, 5, Outcome::Rewound(2), false), message(4), skipped]).await,
        "m4\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_shown_before_it_ends() {
    let lost = Outcome::Discontinuity(Reason::Expired);
    let discontinuity = || Event::Discontinuity {
        reason: Reason::Expired,
        position: position(5),
    };
    assert_eq!(printed(9, vec![attached(5, 5, lost, false), discontinuity()]).await, "");

    let mut bytes = Vec::new();
    let mut reader = Reader::new(
        Output::new(&mut bytes),
        Reading {
            json: false,
            strict: true,
        },
    );
    let events = stream::iter(vec![attached(5, 5, lost, false), discontinuity()]);
    let exit = read_to_head("demo:a", 9, events, &mut reader).await;
    assert!(matches!(exit, Ok(Exit::Lost)));
}

#[tokio::test(start_paused = true)]
async fn a_keyed_channel_ends_with_its_state() {
    let rewound = || attached(9, 9, Outcome::Rewound(0), true);
    assert_eq!(
        printed(0, vec![rewound(), state(&[2], false), state(&[7], true), message(10)]).await,
        "m2\nm7\n"
    );
    assert_eq!(printed(0, vec![rewound(), state(&[], true)]).await, "");
    assert_eq!(
        printed(4, vec![attached(9, 9, Outcome::Resumed, true), state(&[7], true)]).await,
        "m7\n"
    );
    // Nothing changed, or there is nothing: no state follows.
    assert_eq!(printed(9, vec![attached(9, 9, Outcome::Resumed, true)]).await, "");
    assert_eq!(printed(0, vec![attached(0, 0, Outcome::Rewound(0), true)]).await, "");
    let lost = attached(9, 9, Outcome::Discontinuity(Reason::Expired), true);
    let discontinuity = Event::Discontinuity {
        reason: Reason::Expired,
        position: position(9),
    };
    assert_eq!(printed(3, vec![lost, discontinuity, state(&[8], true)]).await, "m8\n");
}
