//! Channels that hold a value per key.

use super::*;

fn keyed() -> Config {
    Config {
        keyed: true,
        ..Config::default()
    }
}

fn changed(attachment: &Attachment) -> Vec<(&str, bool)> {
    match &attachment.values {
        Some(Values::Changed(messages)) => entries(messages),
        other => panic!("{other:?}"),
    }
}

fn replaced(attachment: &Attachment) -> Vec<(&str, bool)> {
    match &attachment.values {
        Some(Values::Replace(messages)) => entries(messages),
        other => panic!("{other:?}"),
    }
}

/// Key and whether it was removed.
fn entries(messages: &[Arc<Message>]) -> Vec<(&str, bool)> {
    messages
        .iter()
        .map(|message| (message.key.as_ref().unwrap().as_str(), message.deleted))
        .collect()
}

#[test]
fn a_new_reader_gets_every_value() {
    let mut owner = Owner::new(keyed());
    owner.set("a", Some("1"));
    owner.set("b", Some("2"));
    owner.set("a", Some("3"));
    owner.set("c", Some("4"));
    owner.set("b", None);
    for from in [From::Head, From::Rewind(10)] {
        let attachment = owner.attach(from);
        assert_eq!(attachment.outcome, Outcome::Rewound(0));
        assert_eq!(attachment.position, owner.at(5));
        assert_eq!(replaced(&attachment), [("a", false), ("c", false)]);
        let Some(Values::Replace(messages)) = &attachment.values else {
            unreachable!()
        };
        assert_eq!(payloads(messages), ["3", "4"]);
    }
}

#[test]
fn a_reader_that_comes_back_gets_what_changed() {
    let mut owner = Owner::new(keyed());
    owner.set("a", Some("1"));
    owner.set("b", Some("2"));
    let position = owner.at(2);
    owner.set("c", Some("3"));
    owner.set("c", Some("4"));
    owner.set("a", None);
    let attachment = owner.attach(From::Position(position));
    assert_eq!(attachment.outcome, Outcome::Resumed);
    assert_eq!(
        attachment.position,
        owner.at(5),
        "the values stand for what lies between"
    );
    assert_eq!(changed(&attachment), [("c", false), ("a", true)]);
    let head = owner.attach(From::Position(owner.at(5)));
    assert_eq!(changed(&head), []);
}

#[test]
fn what_changed_is_known_beyond_history() {
    let mut owner = Owner::new(Config {
        window: Window {
            messages: 1,
            ..keyed().window
        },
        ..keyed()
    });
    for n in 0..5 {
        owner.set(&format!("k{n}"), Some("v"));
    }
    let attachment = owner.attach(From::Position(owner.at(1)));
    assert_eq!(attachment.outcome, Outcome::Resumed);
    assert_eq!(changed(&attachment).len(), 4);
}

#[test]
fn below_the_tombstone_floor_everything_is_replaced() {
    let mut owner = Owner::new(keyed());
    owner.set("a", Some("1"));
    owner.set("b", Some("2"));
    owner.set("a", None);
    owner.pass(seconds(600 + 75));
    owner.wake();
    assert_eq!(owner.view().keys().floor(), Seq(3));
    let below = owner.attach(From::Position(owner.at(2)));
    assert_eq!(below.outcome, Outcome::Discontinuity(Reason::WindowExceeded));
    assert_eq!(replaced(&below), [("b", false)]);
    let at = owner.attach(From::Position(owner.at(3)));
    assert_eq!(at.outcome, Outcome::Resumed);
    assert_eq!(changed(&at), []);
}

#[test]
fn a_discontinuity_replaces_everything() {
    let mut owner = Owner::new(keyed());
    owner.set("a", Some("1"));
    let position = Position {
        epoch: Epoch::parse("other").unwrap(),
        seq: Seq(1),
        term: Term(0),
    };
    let attachment = owner.attach(From::Position(position));
    assert_eq!(attachment.outcome, Outcome::Discontinuity(Reason::UnknownEpoch));
    assert_eq!(replaced(&attachment), [("a", false)]);
}

#[test]
fn removing_what_is_not_there_is_a_message_and_nothing_else() {
    let mut owner = Owner::new(keyed());
    assert_eq!(acked(&owner.set("a", None)), 1);
    owner.set("a", Some("1"));
    owner.set("a", None);
    let effects = owner.set("a", None);
    assert_eq!((acked(&effects), fanned_out(&effects)), (4, vec![4]));
    assert!(owner.view().keys().is_empty());
    let attachment = owner.attach(From::Position(owner.at(0)));
    assert_eq!(changed(&attachment), [("a", true)]);
    let Some(Values::Changed(messages)) = attachment.values else {
        unreachable!()
    };
    assert_eq!(messages[0].seq, Seq(4), "the latest removal counts");
}

/// With the policy `latest`, a reader is not sent a removal that a later one replaces, and then
/// stands between the two with the value still in its hands.
#[test]
fn a_reader_between_two_removals_is_told() {
    let mut owner = Owner::new(keyed());
    owner.set("a", Some("1"));
    owner.set("a", None);
    owner.set("a", None);
    let attachment = owner.attach(From::Position(owner.at(2)));
    assert_eq!(changed(&attachment), [("a", true)]);

    owner.set("b", Some("1"));
    owner.set("b", None);
    owner.pass(seconds(3600));
    owner.wake();
    assert_eq!(owner.view().keys().floor(), Seq(5), "both removals are forgotten");
    owner.set("b", None);
    let attachment = owner.attach(From::Position(owner.at(5)));
    assert!(!matches!(attachment.values, Some(Values::Changed(_))), "{attachment:?}");
}

#[test]
fn a_key_that_returns_is_no_longer_removed() {
    let mut owner = Owner::new(keyed());
    owner.set("a", Some("1"));
    owner.set("a", None);
    owner.set("a", Some("2"));
    assert_eq!(owner.view().keys().len(), 1);
    owner.pass(seconds(3600));
    owner.wake();
    assert_eq!(owner.view().keys().floor(), Seq(0), "there is no tombstone to forget");
    let attachment = owner.attach(From::Position(owner.at(1)));
    assert_eq!(changed(&attachment), [("a", false)]);
}

#[test]
fn a_publish_names_its_key() {
    let mut owner = Owner::new(keyed());
    let mismatch = Refusal::KeyMismatch { keyed: true };
    assert_eq!(*refusal(&owner.say("no key")), mismatch);
    assert!(mismatch.to_string().contains("value per key"));
    let payload = owner.send(Request::Publish(Publish {
        to: 1,
        origin: Origin::Anonymous,
        key: Some(Key::parse("a").unwrap()),
        deleted: true,
        payload: Bytes::from_static(b"x"),
        since: NOON,
    }));
    assert!(matches!(refusal(&payload), Refusal::BadRequest(_)));
}

#[test]
fn keys_are_bounded() {
    let mut owner = Owner::new(Config { keys_max: 2, ..keyed() });
    owner.set("a", Some("1"));
    owner.set("b", Some("2"));
    assert_eq!(*refusal(&owner.set("c", Some("3"))), Refusal::TooManyKeys);
    assert_eq!(acked(&owner.set("a", Some("4"))), 3, "a key that is there may change");
    assert_eq!(acked(&owner.set("c", None)), 4, "removing needs no room");
    assert_eq!(acked(&owner.set("a", None)), 5);
    assert_eq!(acked(&owner.set("c", Some("6"))), 6, "a removed key makes room");
    assert_eq!(owner.view().keys().floor(), Seq(5), "by being forgotten early");
    assert_eq!(*refusal(&owner.set("d", Some("7"))), Refusal::TooManyKeys);
}

#[test]
fn a_lowered_bound_holds_for_what_comes() {
    let mut owner = Owner::new(keyed());
    for key in ["a", "b", "c"] {
        owner.set(key, Some("v"));
    }
    owner.set("a", None);
    owner.open(Config { keys_max: 2, ..keyed() });
    assert_eq!(*refusal(&owner.set("d", Some("v"))), Refusal::TooManyKeys);
    assert_eq!(acked(&owner.set("b", None)), 5);
    assert_eq!(acked(&owner.set("d", Some("v"))), 6);
}

#[test]
fn room_is_made_from_the_older_half_of_the_tombstones() {
    let mut owner = Owner::new(Config { keys_max: 4, ..keyed() });
    for key in ["a", "b", "c", "d"] {
        owner.set(key, Some("v"));
        owner.set(key, None);
    }
    owner.set("e", Some("v"));
    assert_eq!(owner.view().keys().floor(), Seq(4));
    let attachment = owner.attach(From::Position(owner.at(4)));
    assert_eq!(changed(&attachment), [("c", true), ("d", true), ("e", false)]);
}

#[test]
fn values_are_bounded_by_bytes() {
    let mut owner = Owner::new(Config {
        values_bytes_max: 10,
        ..keyed()
    });
    assert_eq!(acked(&owner.set("a", Some("1234"))), 1);
    assert_eq!(acked(&owner.set("b", Some("1234"))), 2);
    assert_eq!(*refusal(&owner.set("c", Some(""))), Refusal::TooManyKeys);
    assert_eq!(*refusal(&owner.set("a", Some("12345"))), Refusal::TooManyKeys);
    assert_eq!(acked(&owner.set("a", Some("123"))), 3);
    assert_eq!(acked(&owner.set("c", Some(""))), 4);
    assert_eq!(acked(&owner.set("b", None)), 5);
    assert_eq!(acked(&owner.set("c", Some("12345"))), 6);
}

#[test]
fn values_are_shown_once_committed() {
    let mut owner = Owner::new(keyed());
    owner.set("a", Some("old"));
    owner.stalled = true;
    owner.set("a", Some("new"));
    let attachment = owner.attach(From::Head);
    let Some(Values::Replace(messages)) = &attachment.values else {
        panic!("{attachment:?}");
    };
    assert_eq!(payloads(messages), ["old"]);
    assert_eq!(attachment.position.seq, Seq(1));
    assert_eq!(fanned_out(&owner.resume()), [2]);
}

#[test]
fn a_channel_stays_as_it_was_created() {
    let mut owner = Owner::new(keyed());
    owner.set("a", Some("1"));
    owner.open(Config::default());
    assert_eq!(*refusal(&owner.say("x")), Refusal::KeyMismatch { keyed: true });
    assert_eq!(acked(&owner.set("a", Some("2"))), 2);
}
