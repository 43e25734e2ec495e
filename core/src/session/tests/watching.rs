//! Presence: what a session may ask, and what it is told.

use bytes::Bytes;

use super::*;
use crate::access::Operation;
use crate::presence::message::Ephemeral;
use crate::presence::{ClientId, Mode, gateway};

fn enter(harness: &mut Harness, request: u64, channel: &str, state: &'static [u8]) -> Vec<Effect> {
    harness.receive(Request::Enter {
        request: RequestId(request),
        channel: name(channel),
        state: Bytes::from_static(state),
    })
}

fn entered(harness: &mut Harness, request: u64, channel: &str) {
    let asked = enter(harness, request, channel, b"here");
    assert!(matches!(asked[..], [Effect::Enter { .. }]), "{asked:?}");
    let told = answered(harness, request, Some(Ok(ClientId([7; 16]))));
    assert!(matches!(told[..], [Effect::Send(Answer::Entered { .. })]), "{told:?}");
}

fn leave(harness: &mut Harness, request: u64, channel: &str) -> Vec<Effect> {
    harness.receive(Request::LeavePresence {
        request: RequestId(request),
        channel: name(channel),
    })
}

fn answered(harness: &mut Harness, request: u64, answer: Option<Result<ClientId, gateway::Refusal>>) -> Vec<Effect> {
    let request = RequestId(request);
    harness.handle(Input::PresenceAnswered { request, answer })
}

fn watch(harness: &mut Harness, request: u64, channel: &str) -> Vec<Effect> {
    harness.receive(Request::Watch {
        request: RequestId(request),
        channel: name(channel),
        mode: Mode::Roster,
    })
}

fn watched(harness: &mut Harness, request: u64, place: Place, id: u32) -> Vec<Effect> {
    harness.handle(Input::Watched {
        request: RequestId(request),
        place,
        channel_id: ChannelId(id),
    })
}

fn ephemeral(number: u64) -> Ephemeral {
    Ephemeral {
        number,
        state: Bytes::new(),
    }
}

fn cursor(harness: &mut Harness, channel: &str, number: u64) -> Vec<Effect> {
    harness.receive(Request::Ephemeral {
        channel: name(channel),
        ephemeral: ephemeral(number),
    })
}

fn datagram(harness: &mut Harness, channel: &str, number: u64) -> Vec<Effect> {
    harness.handle(Input::Datagram {
        channel: name(channel),
        ephemeral: ephemeral(number),
    })
}

#[test]
fn who_enters_is_answered_and_may_change_and_leave() {
    let mut harness = Harness::open();
    assert_eq!(refusal(&leave(&mut harness, 1, "chat:a")), &Refusal::NotEntered);
    assert!(cursor(&mut harness, "chat:a", 1).is_empty(), "of nobody who is there");
    entered(&mut harness, 2, "chat:a");
    entered(&mut harness, 3, "chat:a");
    assert!(matches!(
        cursor(&mut harness, "chat:a", 1)[..],
        [Effect::Ephemeral { .. }]
    ));
    let asked = leave(&mut harness, 4, "chat:a");
    assert!(matches!(asked[..], [Effect::LeavePresence { .. }]), "{asked:?}");
    let told = answered(&mut harness, 4, Some(Ok(ClientId([7; 16]))));
    assert!(matches!(told[..], [Effect::Send(Answer::Left { .. })]), "{told:?}");
    assert_eq!(refusal(&leave(&mut harness, 5, "chat:a")), &Refusal::NotEntered);
    assert!(
        answered(&mut harness, 5, Some(Ok(ClientId([7; 16])))).is_empty(),
        "nobody waits for it"
    );
}

#[test]
fn what_is_refused_is_no_entry_and_what_nobody_answered_may_be() {
    let mut harness = Harness::open();
    enter(&mut harness, 1, "chat:a", b"");
    let told = answered(&mut harness, 1, Some(Err(gateway::Refusal::Overloaded)));
    assert_eq!(refusal(&told), &Refusal::PresenceFull);
    assert_eq!(refusal(&leave(&mut harness, 2, "chat:a")), &Refusal::NotEntered);
    enter(&mut harness, 3, "chat:a", b"");
    assert_eq!(refusal(&answered(&mut harness, 3, None)), &Refusal::Unavailable);
    assert!(matches!(
        leave(&mut harness, 4, "chat:a")[..],
        [Effect::LeavePresence { .. }]
    ));
}

#[test]
fn states_entries_and_rates_have_limits() {
    let mut harness = Harness::open();
    let too_long = enter(&mut harness, 1, "chat:a", b"eleven chars");
    let (bytes, bytes_max) = (12, 10);
    assert_eq!(refusal(&too_long), &Refusal::StateTooLarge { bytes, bytes_max });
    entered(&mut harness, 2, "chat:a");
    entered(&mut harness, 3, "chat:b");
    let third = enter(&mut harness, 4, "chat:c", b"");
    assert_eq!(refusal(&third), &Refusal::TooManyEntries { max: 2 });
    entered(&mut harness, 5, "chat:b");

    let mut slow = Harness::new(|settings| {
        settings.presence_interval = Some(SECOND);
        settings.ephemeral_interval = Some(SECOND);
    });
    slow.say_hello("*", Operations::ALL);
    entered(&mut slow, 1, "chat:a");
    entered(&mut slow, 2, "chat:a");
    let limited = enter(&mut slow, 3, "chat:a", b"");
    let limit = Limit::PresenceRate;
    assert!(
        matches!(refusal(&limited), Refusal::RateLimited { limit: met, .. } if *met == limit),
        "{limited:?}"
    );
    assert_eq!(
        cursor(&mut slow, "chat:a", 1).len() + cursor(&mut slow, "chat:a", 2).len(),
        2
    );
    assert!(cursor(&mut slow, "chat:a", 3).is_empty(), "dropped, and nobody told");
}

#[test]
fn of_ephemeral_states_none_is_taken_that_is_older_than_the_newest_however_it_comes() {
    let mut harness = Harness::open();
    entered(&mut harness, 1, "chat:a");
    entered(&mut harness, 2, "chat:b");
    let is_taken = |effects: Vec<Effect>| match &effects[..] {
        [] => false,
        [Effect::Ephemeral { .. }] => true,
        other => panic!("{other:?}"),
    };
    assert!(is_taken(datagram(&mut harness, "chat:a", 5)));
    assert!(!is_taken(datagram(&mut harness, "chat:a", 4)), "it was overtaken");
    assert!(!is_taken(datagram(&mut harness, "chat:a", 5)), "it came twice");
    assert!(
        !is_taken(cursor(&mut harness, "chat:a", 5)),
        "it was said again, and had come"
    );
    assert!(
        is_taken(cursor(&mut harness, "chat:a", 6)),
        "what was lost is said again"
    );
    assert!(!is_taken(datagram(&mut harness, "chat:a", 6)), "and comes after that");
    assert!(
        is_taken(datagram(&mut harness, "chat:b", 5)),
        "each channel counts by itself"
    );
    entered(&mut harness, 3, "chat:a");
    assert!(
        !is_taken(datagram(&mut harness, "chat:a", 6)),
        "to change a state is not to begin again"
    );
}

#[test]
fn a_datagram_is_bounded_as_a_frame_is_and_what_is_dropped_may_be_said_again() {
    let mut slow = Harness::new(|settings| settings.ephemeral_interval = Some(SECOND / 2));
    slow.say_hello("*", Operations::ALL);
    entered(&mut slow, 1, "chat:a");
    let taken: usize = (1..=9).map(|number| datagram(&mut slow, "chat:a", number).len()).sum();
    assert_eq!(taken, 3, "as many as in a second, and one that is due");
    slow.at(SECOND);
    assert_eq!(cursor(&mut slow, "chat:a", 9).len(), 1);
}

#[test]
fn a_datagram_out_of_place_means_nothing() {
    let mut harness = Harness::new(|_| {});
    assert!(datagram(&mut harness, "chat:a", 1).is_empty(), "before the hello");
    harness.say_hello("*", Operations::ALL);
    assert!(datagram(&mut harness, "chat:a", 1).is_empty(), "of nobody who is there");
    entered(&mut harness, 1, "chat:a");
    assert_eq!(datagram(&mut harness, "chat:a", 2).len(), 1);
    leave(&mut harness, 2, "chat:a");
    assert!(datagram(&mut harness, "chat:a", 3).is_empty(), "of one that has left");
    harness.receive(Request::Goodbye { returns: false });
    assert!(datagram(&mut harness, "chat:a", 4).is_empty(), "after the end");
}

#[test]
fn without_the_right_nobody_enters_or_watches() {
    let mut harness = Harness::new(|_| {});
    let others = Operations::NONE.with(Operation::Subscribe).with(Operation::Publish);
    harness.say_hello("chat:*", others);
    for refused in [enter(&mut harness, 1, "chat:a", b""), watch(&mut harness, 2, "chat:a")] {
        assert!(matches!(refusal(&refused), Refusal::Forbidden { .. }), "{refused:?}");
    }
    let mut harness = Harness::open();
    for refused in [enter(&mut harness, 1, "none:a", b""), watch(&mut harness, 2, "none:a")] {
        assert!(matches!(refusal(&refused), Refusal::UnknownNamespace(_)), "{refused:?}");
    }
}

#[test]
fn a_watch_has_a_place_until_it_is_detached() {
    let mut harness = Harness::open();
    let asked = watch(&mut harness, 1, "chat:a");
    assert!(matches!(asked[..], [Effect::Watch { place: PLACE, .. }]), "{asked:?}");
    let told = watched(&mut harness, 1, PLACE, 7);
    assert!(matches!(told[..], [Effect::Send(Answer::Watched { .. })]), "{told:?}");
    // Again: the same place, and answered again.
    assert!(matches!(
        watch(&mut harness, 2, "chat:a")[..],
        [Effect::Watch { place: PLACE, .. }]
    ));
    assert_eq!(watched(&mut harness, 2, PLACE, 7).len(), 1);
    // It takes the room of a channel that is read: this session may hold two.
    harness.attached(3, "chat:b", 8, 0, 0);
    assert_eq!(
        refusal(&watch(&mut harness, 4, "chat:c")),
        &Refusal::TooManyChannels { max: 2 }
    );
    let detached = harness.receive(Request::Detach {
        request: RequestId(5),
        channel_id: ChannelId(7),
    });
    let expected = [
        Effect::Unwatch { place: PLACE },
        Effect::Send(Answer::Detached {
            request: RequestId(5),
            channel_id: ChannelId(7),
        }),
    ];
    assert_eq!(format!("{detached:?}"), format!("{expected:?}"));
    assert!(matches!(
        watch(&mut harness, 6, "chat:c")[..],
        [Effect::Watch { place: PLACE, .. }]
    ));
    // An answer to whoever was here before changes nothing.
    assert!(watched(&mut harness, 2, PLACE, 7).is_empty());
    assert_eq!(watched(&mut harness, 6, PLACE, 9).len(), 1);
}

#[test]
fn a_watch_that_is_refused_frees_its_place() {
    let mut harness = Harness::open();
    watch(&mut harness, 1, "chat:a");
    let told = harness.handle(Input::WatchRefused {
        request: RequestId(1),
        place: PLACE,
        refusal: Refusal::PresenceFull,
    });
    assert!(
        matches!(told[..], [Effect::Unwatch { .. }, Effect::Send(Answer::Refused { .. })]),
        "{told:?}"
    );
    assert!(matches!(
        watch(&mut harness, 2, "chat:b")[..],
        [Effect::Watch { place: PLACE, .. }]
    ));
}

#[test]
fn what_is_asked_about_a_watch_that_ends_is_answered_all_the_same() {
    let mut harness = Harness::open();
    watch(&mut harness, 1, "chat:a");
    watched(&mut harness, 1, PLACE, 7);
    watch(&mut harness, 2, "chat:a");
    let detached = harness.receive(Request::Detach {
        request: RequestId(3),
        channel_id: ChannelId(7),
    });
    let answers = detached.iter().filter(|effect| matches!(effect, Effect::Send(_)));
    assert_eq!(answers.count(), 2, "{detached:?}");
}

#[test]
fn a_narrower_grant_leaves_and_watches_no_more() {
    let mut harness = Harness::open();
    entered(&mut harness, 1, "chat:a");
    watch(&mut harness, 2, "chat:a");
    watched(&mut harness, 2, PLACE, 7);
    let effects = harness.handle(Input::Reauthenticated {
        request: RequestId(3),
        verdict: Ok(Arc::new(grant("chat:*", Operations::NONE.with(Operation::Subscribe)))),
    });
    assert!(
        matches!(
            &effects[..],
            [
                Effect::Send(Answer::Refreshed { .. }),
                Effect::Send(Answer::TakenOut { channel, refusal: Refusal::Forbidden { .. } }),
                Effect::LeavePresence { request: RequestId(0), .. },
                Effect::Unwatch { .. },
                Effect::Send(Answer::Withdrawn { .. }),
                Effect::Send(Answer::Detached { .. })
            ] if *channel == name("chat:a")
        ),
        "{effects:?}"
    );
    assert_eq!(refusal(&leave(&mut harness, 4, "chat:a")), &Refusal::NotEntered);
}

#[test]
fn what_is_asked_about_an_entry_that_is_taken_away_is_refused_and_not_answered_later() {
    let mut harness = Harness::open();
    entered(&mut harness, 1, "chat:a");
    enter(&mut harness, 2, "chat:a", b"changed");
    enter(&mut harness, 3, "chat:b", b"new");
    let effects = harness.handle(Input::Reauthenticated {
        request: RequestId(4),
        verdict: Ok(Arc::new(grant("chat:*", Operations::NONE.with(Operation::Subscribe)))),
    });
    assert!(
        matches!(
            &effects[..],
            [
                Effect::Send(Answer::Refreshed { .. }),
                // It was there, and is told before its request is refused: a refusal alone would leave it there as it was.
                Effect::Send(Answer::TakenOut { .. }),
                Effect::Send(Answer::Refused {
                    request: RequestId(2),
                    ..
                }),
                Effect::LeavePresence { .. },
                // It was never there.
                Effect::Send(Answer::Refused {
                    request: RequestId(3),
                    ..
                }),
                Effect::LeavePresence { .. },
            ]
        ),
        "{effects:?}"
    );
    for request in [2, 3] {
        let late = answered(&mut harness, request, Some(Ok(ClientId([7; 16]))));
        assert!(late.is_empty(), "{late:?}");
    }
}

#[test]
fn a_leave_is_answered_though_the_right_to_be_there_ended() {
    let mut harness = Harness::open();
    entered(&mut harness, 1, "chat:a");
    leave(&mut harness, 2, "chat:a");
    let effects = harness.handle(Input::Reauthenticated {
        request: RequestId(3),
        verdict: Ok(Arc::new(grant("chat:*", Operations::NONE.with(Operation::Subscribe)))),
    });
    assert!(
        matches!(effects[..], [Effect::Send(Answer::Refreshed { .. })]),
        "{effects:?}"
    );
    let told = answered(&mut harness, 2, Some(Ok(ClientId([7; 16]))));
    assert!(matches!(told[..], [Effect::Send(Answer::Left { .. })]), "{told:?}");
}

#[test]
fn a_session_that_ends_watches_nothing() {
    let mut harness = Harness::open();
    watch(&mut harness, 1, "chat:a");
    let effects = harness.receive(Request::Goodbye { returns: false });
    assert!(matches!(effects[0], Effect::Unwatch { place: PLACE }), "{effects:?}");
    assert!(farewell(&effects).is_final());
}
