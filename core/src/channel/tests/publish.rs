//! Which publishes are taken.

use super::*;

#[test]
fn messages_are_numbered_without_gaps() {
    let mut owner = Owner::new(Config::default());
    for seq in 1..=5 {
        let effects = owner.say("hello");
        assert_eq!(acked(&effects), seq);
        assert_eq!(fanned_out(&effects), [seq]);
    }
    assert_eq!(owner.view().head(), Seq(5));
}

#[test]
fn a_message_carries_what_was_published() {
    let mut owner = Owner::new(Config::default());
    let effects = owner.say("hello");
    let Some(Effect::FanOut(message)) = effects.first() else {
        panic!("{effects:?}");
    };
    let expected = Message {
        seq: Seq(1),
        term: Term(3),
        time: NOON,
        key: None,
        deleted: false,
        payload: Bytes::from_static(b"hello"),
    };
    assert_eq!(**message, expected);
    let ack = ack(&effects);
    assert_eq!(ack.position, Some(owner.at(1)));
    assert_eq!((ack.copies, ack.duplicate), (1, false));
}

#[test]
fn a_step_of_the_wall_clock_moves_only_the_stamp() {
    let mut owner = Owner::new(Config::default());
    owner.say("a");
    owner.now.wall = WallTime(5);
    assert_eq!(acked(&owner.say("b")), 2);
    owner.pass(seconds(100));
    assert!(owner.wake().is_empty());
    assert_eq!(owner.view().history().len(), 2);
}

#[test]
fn a_retry_is_answered_as_the_first_attempt() {
    let mut owner = Owner::new(Config::default());
    owner.say("another's");
    let first = owner.anna(1);
    let again = owner.anna(1);
    assert!(fanned_out(&again).is_empty());
    assert_eq!(ack(&again).position, ack(&first).position);
    assert_eq!((ack(&first).duplicate, ack(&again).duplicate), (false, true));
    assert_eq!(owner.view().head(), Seq(2));
}

#[test]
fn a_gap_names_the_serial_that_is_next() {
    let mut owner = Owner::new(Config::default());
    let gap = |expected| Refusal::SerialGap {
        expected: Serial(expected),
    };
    let unknown = owner.publish(number(9, 7), "too early");
    assert_eq!(*refusal(&unknown), gap(7), "an unknown publisher starts at its base");
    assert!(owner.channel().view().is_none(), "nothing is created for it");
    assert_eq!(acked(&owner.publish(number(7, 7), "first")), 1);
    assert_eq!(*refusal(&owner.publish(number(9, 7), "too early")), gap(8));
    assert_eq!(acked(&owner.publish(number(8, 7), "next, whatever the base")), 2);
}

#[test]
fn a_late_copy_of_an_old_publish_does_not_stop_its_publisher() {
    // After a loss of history the copy was first; the publisher has results up to eight.
    let mut owner = Owner::new(Config::default());
    owner.anna(5);
    assert_eq!(acked(&owner.publish(number(9, 9), "on")), 2);
    assert_eq!(refusal(&owner.publish(number(7, 5), "late")), &Refusal::OutcomeUnknown);
    assert_eq!(acked(&owner.publish(number(10, 9), "on")), 3);
}

#[test]
fn serials_that_make_no_sense_are_refused() {
    let mut owner = Owner::new(Config::default());
    for (serial, base) in [(0, 0), (0, 1), (1, 0), (1, 2)] {
        let effects = owner.publish(number(serial, base), "x");
        assert!(matches!(refusal(&effects), Refusal::BadRequest(_)), "{serial} {base}");
    }
    owner.anna(1);
    assert!(matches!(
        refusal(&owner.publish(number(2, 3), "x")),
        Refusal::BadRequest(_)
    ));
    let gap = Refusal::SerialGap { expected: Serial(2) };
    assert_eq!(*refusal(&owner.publish(number(u64::MAX, 1), "x")), gap);
}

#[test]
fn an_old_first_attempt_of_an_unknown_publisher_is_not_accepted() {
    let mut owner = Owner::new(Config::default());
    let publish = |owner: &mut Owner, since: WallTime| {
        owner.send(Request::Publish(Publish {
            to: 1,
            origin: number(1, 1),
            key: None,
            deleted: false,
            payload: Bytes::new(),
            since,
        }))
    };
    let five_minutes = 5 * 60 * 1_000;
    for since in [0, NOON.0 - five_minutes - 1, NOON.0 + five_minutes + 1, u64::MAX] {
        let effects = publish(&mut owner, WallTime(since));
        assert_eq!(*refusal(&effects), Refusal::OutcomeUnknown, "{since}");
    }
    assert_eq!(acked(&publish(&mut owner, WallTime(NOON.0 - five_minutes))), 1);
    let known = publish(&mut owner, WallTime(0));
    assert!(ack(&known).duplicate, "a known publisher may be as old as it likes");
}

#[test]
fn results_are_kept_for_the_last_64() {
    let mut owner = Owner::new(Config::default());
    for serial in 1..=65 {
        owner.anna(serial);
    }
    assert_eq!(*refusal(&owner.anna(1)), Refusal::OutcomeUnknown);
    assert_eq!(acked(&owner.anna(2)), 2);
    assert_eq!(acked(&owner.anna(65)), 65);
}

#[test]
fn the_subject_is_part_of_the_publisher() {
    let mut owner = Owner::new(Config::default());
    owner.anna(1);
    let thief = Origin::Publisher {
        author: Author {
            subject: Subject::new("mallory"),
            ..anna()
        },
        serial: Serial(1),
        base: Serial(1),
    };
    let effects = owner.publish(thief, "x");
    assert_eq!(acked(&effects), 2);
    assert!(!ack(&effects).duplicate);
}

#[test]
fn a_skip_retires_a_serial() {
    let mut owner = Owner::new(Config::default());
    owner.anna(1);
    let skipped = owner.skip(2);
    assert_eq!((&ack(&skipped).position, ack(&skipped).duplicate), (&None, false));
    assert_eq!(owner.view().head(), Seq(1), "nothing is published");
    let again = owner.skip(2);
    assert_eq!((&ack(&again).position, ack(&again).duplicate), (&None, true));
    assert_eq!(*refusal(&owner.anna(2)), Refusal::SerialSkipped);
    assert_eq!(acked(&owner.anna(3)), 2);
}

#[test]
fn a_skip_of_what_was_published_answers_its_position() {
    let mut owner = Owner::new(Config::default());
    owner.anna(1);
    let effects = owner.skip(1);
    assert_eq!(acked(&effects), 1);
    assert!(ack(&effects).duplicate);
}

#[test]
fn a_skip_passes_the_same_table() {
    let mut owner = Owner::new(Config::default());
    let skipped = owner.skip(4);
    assert_eq!(
        ack(&skipped).position,
        None,
        "a first serial may be skipped, at its base"
    );
    let gap = Refusal::SerialGap { expected: Serial(5) };
    assert_eq!(*refusal(&owner.skip_from(6, 5)), gap);
    assert!(matches!(refusal(&owner.skip(0)), Refusal::BadRequest(_)));
    assert_eq!(*refusal(&owner.skip(3)), Refusal::OutcomeUnknown);
}

#[test]
fn an_idempotency_key_publishes_once() {
    let mut owner = Owner::new(Config::default());
    assert_eq!(acked(&owner.publish(request("order-1"), "a")), 1);
    let again = owner.publish(request("order-1"), "a");
    assert_eq!(acked(&again), 1);
    assert!(ack(&again).duplicate && fanned_out(&again).is_empty());
    assert_eq!(acked(&owner.publish(request("order-2"), "b")), 2);
    owner.pass(seconds(120));
    assert_eq!(acked(&owner.publish(request("order-1"), "a")), 3, "the key has aged");
    assert_eq!(acked(&owner.publish(request("order-1"), "a")), 3);
}

#[test]
fn an_anonymous_publish_is_never_a_repetition() {
    let mut owner = Owner::new(Config::default());
    assert_eq!(acked(&owner.say("same")), 1);
    assert_eq!(acked(&owner.say("same")), 2);
}

#[test]
fn a_payload_has_a_bound() {
    let mut owner = Owner::new(Config {
        payload_bytes_max: 4,
        ..Config::default()
    });
    assert_eq!(acked(&owner.say("four")), 1);
    let refusal = refusal(&owner.say("fives")).clone();
    assert_eq!(refusal, Refusal::PayloadTooLarge { bytes: 5, bytes_max: 4 });
    assert_eq!(refusal.retry_after(), None);
}

#[test]
fn a_refused_publish_does_not_use_its_serial_up() {
    let mut owner = Owner::new(Config {
        payload_bytes_max: 5,
        ..Config::default()
    });
    assert!(matches!(
        refusal(&owner.publish(number(1, 1), "too long")),
        Refusal::PayloadTooLarge { .. }
    ));
    assert_eq!(acked(&owner.publish(number(1, 1), "short")), 1);
}

#[test]
fn keys_belong_to_keyed_channels() {
    let mut owner = Owner::new(Config::default());
    let mismatch = Refusal::KeyMismatch { keyed: false };
    assert_eq!(*refusal(&owner.set("k", Some("v"))), mismatch);
    let unkeyed_removal = owner.send(Request::Publish(Publish {
        to: 1,
        origin: Origin::Anonymous,
        key: None,
        deleted: true,
        payload: Bytes::new(),
        since: NOON,
    }));
    assert_eq!(*refusal(&unkeyed_removal), mismatch);
    assert!(mismatch.to_string().contains("no keys"));
}

#[test]
fn publishers_are_bounded_until_some_expire() {
    let mut owner = Owner::new(Config {
        publishers_max: 2,
        ..Config::default()
    });
    let publisher = |id: u8| Origin::Publisher {
        author: Author {
            subject: Subject::new("s"),
            publisher: PublisherId([id; 16]),
        },
        serial: Serial(1),
        base: Serial(1),
    };
    owner.publish(publisher(1), "x");
    owner.publish(publisher(2), "x");
    let full = owner.publish(publisher(3), "x");
    assert_eq!(*refusal(&full), Refusal::SlotFull);
    assert!(refusal(&full).retry_after().is_some());
    owner.pass(Duration::from_millis(599_999));
    assert_eq!(*refusal(&owner.publish(publisher(3), "x")), Refusal::SlotFull);
    owner.pass(Duration::from_millis(1));
    assert_eq!(acked(&owner.publish(publisher(3), "x")), 3, "the others have expired");
}
