//! A channel that a store keeps: through restarts, and with more than memory holds.

use super::*;
use crate::channel::stored::Damage;
use crate::id::Term;

fn config() -> Config {
    Config {
        durability: Durability::Stored,
        memory: Memory {
            messages: 4,
            bytes: 1 << 20,
        },
        ..Config::default()
    }
}

fn filled(config: Config, messages: u64) -> Owner {
    let mut owner = Owner::new(config);
    for serial in 1..=messages {
        owner.publish(number(serial, serial), "0123456789");
    }
    owner
}

fn range(owner: &Owner, after: u64) -> Range {
    Range {
        epoch: Some(owner.view().epoch().clone()),
        after: Seq(after),
        bytes_max: 10_000,
        messages_max: 100,
    }
}

#[test]
fn memory_holds_the_newest_and_the_store_is_asked_for_the_rest() {
    let mut owner = filled(config(), 10);
    let history = owner.view().history();
    assert_eq!((history.floor(), history.resident()), (Seq(1), Seq(7)));
    assert_eq!((history.len(), history.bytes()), (10, 100));
    let (newest, older) = (range(&owner, 6), range(&owner, 2));
    assert!(matches!(owner.read(newest), Page::Messages { messages, .. } if messages.len() == 4));
    let page = owner.read(older);
    let after = owner.at(2);
    assert_eq!(
        page,
        Page::Stored {
            after,
            through: Seq(6),
            bytes_max: 10_000,
            messages_max: 100
        }
    );
}

#[test]
fn a_restart_loses_nothing_that_was_synced() {
    let mut owner = filled(config(), 10);
    let before = owner.at(10);
    owner.restart();
    let attachment = owner.attach(From::Position(before.clone()));
    assert_eq!(attachment.outcome, Outcome::Resumed);
    assert_eq!(attachment.head, before, "the same epoch, the same place");
    assert_eq!(owner.attach(From::Rewind(8)).outcome, Outcome::Rewound(8));
    assert_eq!(acked(&owner.anna(10)), 10);
    assert!(ack(&owner.anna(10)).duplicate, "a retry is known");
    assert_eq!(acked(&owner.anna(11)), 11);
    assert_eq!(owner.at(11).term, Term(6), "and the next message is another owner's");
    assert_eq!(owner.at(10).term, Term(3));
}

#[test]
fn what_was_not_synced_was_seen_by_nobody() {
    let mut owner = filled(config(), 3);
    owner.store_stalled = true;
    assert_eq!(owner.anna(4), []);
    let at_three = owner.at(3);
    assert_eq!(owner.attach(From::Head).head, at_three);
    owner.restart();
    assert_eq!(owner.attach(From::Head).head, at_three);
    assert_eq!(acked(&owner.anna(4)), 4);
}

#[test]
fn a_failed_batch_refuses_and_the_truth_is_the_stores() {
    let mut owner = filled(config(), 3);
    owner.store_stalled = true;
    assert_eq!(owner.anna(4), []);
    // It was written, and the answer said that it was not.
    let batch = owner.batches.pop_front().unwrap();
    for entry in &batch.entries {
        crate::channel::state::apply(&mut owner.store, &entry.change, owner.now.instant).unwrap();
    }
    let mut seen = Vec::new();
    let failed = slot::Input::StoreFailed {
        channel: name("t:a"),
        through: batch.through,
        failure: slot::StoreFailure::Unavailable,
    };
    owner.slot_turn(failed, &mut seen);
    assert_eq!(refusal(&seen), &Refusal::Unavailable);
    owner.store_stalled = false;
    let again = owner.anna(4);
    assert!(ack(&again).duplicate);
    assert_eq!(acked(&again), 4);
}

#[test]
fn requests_and_skips_are_known_after_a_restart() {
    let mut owner = filled(config(), 1);
    owner.skip(2);
    owner.publish(request("k"), "hello");
    owner.restart();
    let repeated = owner.publish(request("k"), "hello");
    assert_eq!((acked(&repeated), ack(&repeated).duplicate), (2, true));
    assert_eq!(refusal(&owner.anna(2)), &Refusal::SerialSkipped);
    owner.pass(seconds(120));
    owner.restart();
    assert_eq!(acked(&owner.publish(request("k"), "hello")), 3, "its time is over");
}

#[test]
fn the_window_bounds_what_the_store_keeps() {
    let of = |messages, bytes| Config {
        window: Window {
            messages,
            bytes,
            age: seconds(100),
        },
        ..config()
    };
    let owner = filled(of(150, 1 << 20), 300);
    assert_eq!(owner.view().history().floor(), Seq(151));
    // By bytes the store keeps up to a chunk too much, and never too little.
    let mut owner = filled(of(10_000, 1_000), 300);
    let kept = owner.view().history().len() as u64;
    assert!((100..100 + spilled::CHUNK_MESSAGES).contains(&kept), "{kept}");
    let floor = owner.view().history().floor();
    owner.restart();
    assert_eq!(owner.view().history().floor(), floor);
    owner.pass(seconds(101));
    owner.attended = true;
    owner.pass(seconds(20));
    owner.wake();
    owner.restart();
    assert_eq!(owner.view().history().len(), 0, "all of it was too old");
    assert_eq!(owner.view().head(), Seq(300), "and the place is kept");
}

#[test]
fn ages_go_on_through_a_restart() {
    let mut owner = filled(config(), 1);
    owner.pass(seconds(130));
    owner.restart();
    owner.pass(seconds(6));
    owner.wake();
    assert_eq!(owner.view().history().len(), 0);
}

#[test]
fn values_and_removals_come_back() {
    let mut owner = Owner::new(Config {
        keyed: true,
        ..config()
    });
    owner.set("a", Some("1"));
    owner.set("b", Some("2"));
    let at = owner.at(2);
    owner.set("a", None);
    owner.set("c", Some("3"));
    owner.restart();
    let Some(Values::Replace(values)) = owner.attach(From::Head).values else {
        panic!("a keyed channel gives its values");
    };
    assert_eq!(payloads(&values), ["2", "3"]);
    let Some(Values::Changed(changed)) = owner.attach(From::Position(at)).values else {
        panic!("the tombstone is known");
    };
    assert_eq!(payloads(&changed), ["", "3"]);
    assert!(changed[0].deleted);
}

#[test]
fn a_forgotten_channel_says_so_after_a_restart() {
    let mut owner = filled(config(), 3);
    let before = owner.at(3);
    owner.pass(Config::default().head_age);
    owner.wake();
    assert_eq!(owner.at(3), before, "first its messages go");
    owner.wake();
    owner.restart();
    let attachment = owner.attach(From::Position(before));
    assert_eq!(attachment.outcome, Outcome::Discontinuity(Reason::Expired));
}

#[test]
fn what_is_kept_is_not_forgotten_with_its_channel() {
    let long = |keyed| Config {
        keyed,
        window: Window {
            age: seconds(30 * 24 * 3600),
            ..Config::default().window
        },
        ..config()
    };
    let mut owner = filled(long(false), 3);
    owner.pass(Config::default().head_age * 2);
    owner.wake();
    assert_eq!(owner.view().history().len(), 3);
    let mut owner = Owner::new(Config {
        keyed: true,
        ..config()
    });
    owner.set("a", Some("1"));
    for _ in 0..3 {
        owner.pass(Config::default().head_age * 2);
        owner.wake();
    }
    assert_eq!((owner.view().history().len(), owner.view().keys().len()), (0, 1));
    owner.set("a", None);
    for _ in 0..3 {
        owner.pass(Config::default().head_age * 2);
        owner.wake();
    }
    assert!(owner.channel().view().is_none(), "nothing is left of it");
}

#[test]
fn what_a_store_gives_is_checked() {
    let owner = filled(config(), 200);
    let memory = owner.channel().config().memory;
    let stored = owner.store.as_ref().unwrap().to_stored(memory, owner.now);
    let restore = |change: &dyn Fn(&mut Stored)| {
        let mut damaged = stored.clone();
        change(&mut damaged);
        State::restore(&damaged, owner.now)
    };
    assert!(restore(&|_| {}).is_ok());
    for change in [
        (|stored: &mut Stored| stored.head = Seq(201)) as fn(&mut Stored),
        |stored| stored.floor = Seq(2),
        |stored| {
            stored.messages.remove(1);
        },
        |stored| {
            stored.spilled.remove(1);
        },
        |stored| stored.keyed = true,
    ] {
        assert_eq!(restore(&change), Err(Damage::Messages));
    }
    let serial = |stored: &mut Stored| {
        stored.results.remove(3);
    };
    assert_eq!(restore(&serial), Err(Damage::Serials));
    let term = |stored: &mut Stored| stored.terms.push((Seq(1), Term(9)));
    assert_eq!(restore(&term), Err(Damage::Terms));
    let value = |stored: &mut Stored| stored.values.push(Arc::clone(&stored.messages[0]));
    assert_eq!(restore(&value), Err(Damage::Values));
}
