//! What time demands.

use super::*;

fn state(owner: &Owner) -> Option<&State> {
    owner.slot.channel(&name("t:a"))
}

#[test]
fn old_messages_are_dropped_together() {
    let mut owner = Owner::new(Config::default());
    for _ in 0..15 {
        owner.say("x");
        owner.pass(seconds(1));
    }
    owner.pass(seconds(119));
    owner.wake();
    assert_eq!(owner.view().history().len(), 15, "the oldest is due an eighth later");
    owner.pass(seconds(1));
    owner.wake();
    assert_eq!(
        owner.view().history().floor(),
        Seq(16),
        "all of the age are gone at once"
    );
    assert_eq!(state(&owner).unwrap().view(), owner.view());
}

#[test]
fn a_younger_message_stays() {
    let mut owner = Owner::new(Config::default());
    owner.say("old");
    owner.pass(seconds(100));
    owner.say("young");
    owner.pass(seconds(35));
    owner.wake();
    assert_eq!(owner.view().history().floor(), Seq(2));
    assert_eq!(owner.view().head(), Seq(2));
}

#[test]
fn publishers_expire_ten_minutes_after_their_last_entry() {
    let mut owner = Owner::new(Config::default());
    owner.anna(1);
    owner.pass(seconds(599));
    assert!(ack(&owner.anna(1)).duplicate);
    owner.pass(seconds(76));
    owner.wake();
    assert!(state(&owner).unwrap().publishers().is_empty());
    let stale = owner.send(Request::Publish(Publish {
        to: 1,
        origin: number(1, 1),
        key: None,
        deleted: false,
        payload: Bytes::new(),
        since: NOON,
    }));
    assert_eq!(
        *refusal(&stale),
        Refusal::OutcomeUnknown,
        "a late copy is not published again"
    );
    assert_eq!(acked(&owner.anna(2)), 2, "the publisher itself goes on");
}

#[test]
fn many_publishers_go_in_several_entries() {
    let mut owner = Owner::new(Config::default());
    for n in 0..257_u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_le_bytes());
        let author = Author {
            subject: Subject::new("s"),
            publisher: PublisherId(id),
        };
        owner.publish(
            Origin::Publisher {
                author,
                serial: Serial(1),
                base: Serial(1),
            },
            "x",
        );
    }
    owner.pass(seconds(675));
    owner.wake();
    assert_eq!(state(&owner).unwrap().publishers().len(), 1);
    owner.wake();
    assert_eq!(state(&owner).unwrap().publishers().len(), 0);
}

#[test]
fn an_unused_channel_is_forgotten() {
    let mut owner = Owner::new(Config::default());
    owner.say("x");
    let epoch = owner.view().epoch().clone();
    owner.pass(seconds(24 * 3600 - 1));
    owner.wake();
    assert!(state(&owner).is_some());
    owner.pass(seconds(31));
    owner.wake();
    assert!(state(&owner).is_none());
    assert!(owner.channel().view().is_none());
    assert_eq!(acked(&owner.say("again")), 1);
    assert_ne!(*owner.view().epoch(), epoch);
}

#[test]
fn a_channel_in_use_is_not_forgotten() {
    let mut owner = Owner::new(Config::default());
    owner.say("x");
    owner.pass(seconds(23 * 3600));
    owner.attach(From::Head);
    owner.pass(seconds(2 * 3600));
    owner.wake();
    assert!(state(&owner).is_some(), "a reader came an hour ago");
    owner.attended = true;
    owner.pass(seconds(24 * 3600));
    owner.wake();
    assert_eq!(state(&owner).unwrap().used(), owner.now.instant, "the slot is told");
    owner.attended = false;
    owner.pass(seconds(24 * 3600 - 1));
    owner.wake();
    assert!(state(&owner).is_some(), "readers were there a day ago");
    owner.pass(seconds(31));
    owner.wake();
    assert!(state(&owner).is_none());
}

#[test]
fn a_use_counts_beyond_retirement() {
    let mut owner = Owner::new(Config::default());
    owner.say("x");
    owner.pass(seconds(3600));
    owner.attach(From::Head);
    owner.retire();
    assert_eq!(state(&owner).unwrap().used(), owner.now.instant);
}

#[test]
fn a_channel_somebody_waits_for_is_not_forgotten() {
    let mut owner = Owner::new(Config::default());
    owner.say("x");
    owner.stalled = true;
    owner.say("y");
    owner.pass(seconds(24 * 3600));
    owner.send(Input::Due { attended: false });
    assert_eq!(acked(&owner.resume()), 2);
    assert!(state(&owner).is_some());
}

#[test]
fn nothing_due_proposes_nothing() {
    let mut owner = Owner::new(Config::default());
    let before = owner.slot.committed();
    owner.send(Input::Due { attended: false });
    owner.send(Input::Due { attended: true });
    assert_eq!(owner.slot.committed(), before);
    owner.say("x");
    let before = owner.slot.committed();
    owner.send(Input::Due { attended: false });
    assert_eq!(owner.slot.committed(), before);
}

#[test]
fn the_next_due_is_the_first_of_all() {
    let config = Config {
        keyed: true,
        ..Config::default()
    };
    let mut owner = Owner::new(config.clone());
    let due = |owner: &Owner, config: &Config| {
        let due = state(owner).unwrap().next_due(config);
        due.map(|due| (due - start()).as_secs())
    };
    owner.attach(From::Head);
    assert_eq!(due(&owner, &config), Some(24 * 3600));
    owner.set("a", Some("1"));
    assert_eq!(due(&owner, &config), Some(135));
    let patient = Config {
        window: Window {
            age: Duration::MAX,
            ..config.window
        },
        head_age: Duration::MAX,
        ..config
    };
    assert_eq!(due(&owner, &patient), None, "ages without end are not reached");
    owner.set("a", None);
    assert_eq!(due(&owner, &patient), Some(675));
}
