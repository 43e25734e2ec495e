//! How far back messages are kept.

use super::super::history::History;
use super::*;

fn window(messages: u32, bytes: u64, age: Duration) -> Config {
    Config {
        window: Window { messages, bytes, age },
        ..Config::default()
    }
}

fn floor(owner: &Owner) -> u64 {
    let history = owner.view().history();
    let kept = owner.view().head().next().0 - history.floor().0;
    assert_eq!(
        history.len() as u64,
        kept,
        "what is kept runs from the floor to the head"
    );
    assert_eq!(history.after(Seq(0)).count() as u64, kept);
    let weights = history.after(Seq(0)).map(|message| message.weight());
    assert_eq!(history.bytes(), weights.sum::<u64>());
    history.floor().0
}

#[test]
fn messages_are_bounded_by_number() {
    let mut owner = Owner::new(window(3, 1_000, seconds(60)));
    let floors: Vec<_> = (0..5)
        .map(|_| {
            owner.say("x");
            floor(&owner)
        })
        .collect();
    assert_eq!(floors, [1, 1, 1, 2, 3]);
}

#[test]
fn messages_are_bounded_by_bytes() {
    let mut owner = Owner::new(window(100, 10, seconds(60)));
    for (payload, expected) in [
        ("12345", 1),
        ("12345", 1),
        ("1", 2),
        ("1234567890", 4),
        ("1", 5),
        ("12345678901", 7),
        ("1", 7),
    ] {
        owner.say(payload);
        assert_eq!(floor(&owner), expected, "{payload}");
    }
}

#[test]
fn a_publish_drops_what_is_too_old() {
    let mut owner = Owner::new(window(100, 1_000, seconds(10)));
    owner.say("a");
    owner.pass(seconds(9));
    owner.say("b");
    assert_eq!(floor(&owner), 1);
    owner.pass(seconds(1));
    owner.say("c");
    assert_eq!(floor(&owner), 2);
}

#[test]
fn a_window_of_none_keeps_none() {
    let mut owner = Owner::new(window(0, 1_000, seconds(10)));
    owner.say("a");
    owner.say("b");
    assert_eq!(floor(&owner), 3);
    assert!(owner.view().history().is_empty());
}

#[test]
fn replicas_follow_the_entry_and_not_the_settings() {
    let mut owner = Owner::new(window(2, 1_000, seconds(10)));
    for _ in 0..4 {
        owner.say("x");
    }
    let state = owner.slot.channel(&name("t:a")).unwrap();
    assert_eq!(state.view(), owner.view());
    assert_eq!(state.view().history().floor(), Seq(3));
}

#[test]
fn room_is_given_back() {
    let mut history = History::default();
    let message = |seq| {
        Arc::new(Message {
            seq: Seq(seq),
            term: Term(1),
            time: NOON,
            key: None,
            deleted: false,
            payload: Bytes::new(),
        })
    };
    for seq in 1..=1_000 {
        history.append(&message(seq), Seq(1), start());
    }
    assert_eq!(history.after(Seq(990)).count(), 10);
    assert_eq!(history.after(Seq(1_000)).count(), 0);
    assert_eq!(history.after(Seq(u64::MAX)).count(), 0);
    history.truncate(Seq(1_001));
    assert!(history.is_empty());
    assert!(history.capacity() <= 32, "{}", history.capacity());
}
