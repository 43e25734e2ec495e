//! Channels that keep nothing.

use super::*;

fn ephemeral() -> Config {
    Config {
        durability: Durability::Ephemeral,
        ..Config::default()
    }
}

#[test]
fn nothing_is_proposed_and_everything_is_answered_at_once() {
    let mut owner = Owner::new(ephemeral());
    owner.stalled = true;
    let effects = owner.anna(1);
    assert_eq!((fanned_out(&effects), acked(&effects)), (vec![1], 1));
    assert_eq!(ack(&effects).copies, 1);
    assert!(owner.proposed.is_empty());
    assert!(owner.view().history().is_empty());
    assert!(owner.channel().is_idle());
}

#[test]
fn repetitions_are_recognised() {
    let mut owner = Owner::new(ephemeral());
    owner.anna(1);
    assert!(ack(&owner.anna(1)).duplicate);
    assert_eq!(ack(&owner.skip(2)).position, None);
    assert_eq!(*refusal(&owner.anna(2)), Refusal::SerialSkipped);
}

#[test]
fn a_reader_resumes_at_the_head_only() {
    let mut owner = Owner::new(ephemeral());
    let first = owner.attach(From::Head);
    assert_eq!(first.outcome, Outcome::Rewound(0));
    owner.say("a");
    owner.say("b");
    let head = owner.attach(From::Position(owner.at(2)));
    assert_eq!(head.outcome, Outcome::Resumed);
    let behind = owner.attach(From::Position(owner.at(1)));
    assert_eq!(behind.outcome, Outcome::Discontinuity(Reason::NoHistory));
    assert_eq!(behind.position, owner.at(2));
}

#[test]
fn the_head_survives_retirement() {
    let mut owner = Owner::new(ephemeral());
    owner.anna(1);
    let head = owner.at(1);
    owner.retire();
    assert_eq!(owner.attach(From::Position(head)).outcome, Outcome::Resumed);
    assert!(ack(&owner.anna(1)).duplicate);
    assert_eq!(acked(&owner.anna(2)), 2);
}

#[test]
fn the_head_does_not_survive_a_crash() {
    let mut owner = Owner::new(ephemeral());
    owner.say("x");
    let head = owner.at(1);
    owner.crash();
    let attachment = owner.attach(From::Position(head));
    assert_eq!(attachment.outcome, Outcome::Discontinuity(Reason::Expired));
}

#[test]
fn a_parked_head_is_forgotten_in_time() {
    let mut owner = Owner::new(ephemeral());
    owner.say("x");
    let head = owner.at(1);
    let config = owner.channel().config().clone();
    let park = slot::Input::Park {
        channel: name("t:a"),
        retired: owner.channel.take().unwrap().retire(),
    };
    owner.slot.handle(park, owner.now.instant, &mut Vec::new());
    owner.pass(seconds(24 * 3600));
    let mut out = Vec::new();
    owner
        .slot
        .handle(slot::Input::Wake(slot::Timer::Due), owner.now.instant, &mut out);
    assert_eq!(out, []);
    owner.open(config);
    let attachment = owner.attach(From::Position(head));
    assert_eq!(attachment.outcome, Outcome::Discontinuity(Reason::Expired));
}

/// An actor starts although another one runs, which is then parked.
fn outlived(config: Config) -> Owner {
    let mut owner = Owner::new(config.clone());
    owner.say("x");
    let early = owner.channel.take().unwrap();
    owner.open(config);
    let park = slot::Input::Park {
        channel: name("t:a"),
        retired: early.retire(),
    };
    owner.slot.handle(park, owner.now.instant, &mut Vec::new());
    owner
}

#[test]
fn what_an_earlier_actor_leaves_is_out_of_date() {
    let mut owner = outlived(ephemeral());
    owner.crash();
    assert_eq!(owner.channel().view(), None);
}

#[test]
fn an_earlier_actor_that_ends_silences_nobody() {
    let mut owner = outlived(Config::default());
    assert_eq!(acked(&owner.say("y")), 2);
}

#[test]
fn values_of_a_keyed_channel_are_held_in_memory() {
    let mut owner = Owner::new(Config {
        keyed: true,
        ..ephemeral()
    });
    owner.set("a", Some("1"));
    owner.set("b", Some("2"));
    owner.set("a", None);
    let attachment = owner.attach(From::Position(owner.at(2)));
    assert_eq!(attachment.outcome, Outcome::Resumed);
    let Some(Values::Changed(messages)) = attachment.values else {
        panic!("{attachment:?}");
    };
    assert_eq!(messages.len(), 1);
    assert!(messages[0].deleted);
}

#[test]
fn a_forgotten_one_begins_again() {
    let mut owner = Owner::new(ephemeral());
    owner.say("x");
    let epoch = owner.view().epoch().clone();
    owner.pass(seconds(24 * 3600));
    owner.send(Input::Due { attended: false });
    assert!(owner.channel().view().is_none());
    assert_eq!(acked(&owner.say("y")), 1);
    assert_ne!(*owner.view().epoch(), epoch);
}
