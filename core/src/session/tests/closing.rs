//! The end of a session, and what is answered before it.

use super::*;

#[test]
fn a_closed_session_leaves_all_its_channels() {
    let mut harness = Harness::open();
    harness.attached(1, "chat:a", 1, 0, 0);
    harness.attached(2, "chat:b", 2, 0, 0);
    let effects = harness.handle(Input::Dismiss(Farewell::Draining));
    assert!(
        matches!(
            effects[..],
            [
                Effect::Leave { .. },
                Effect::Leave { .. },
                Effect::Close(Farewell::Draining)
            ]
        ),
        "{effects:?}"
    );
}

#[test]
fn a_node_that_stops_answers_what_it_has_taken_first() {
    let mut harness = Harness::open();
    harness.publish(7, "chat:a", b"x");
    assert_eq!(
        harness.handle(Input::Dismiss(Farewell::Draining)).len(),
        0,
        "an ack is due"
    );
    assert!(harness.publish(8, "chat:a", b"x").is_empty(), "nothing new is taken");
    let effects = harness.handle(Input::Acknowledged {
        request: RequestId(7),
        serial: Serial(1),
        ack: channel::Ack {
            position: Some(position(1)),
            copies: 1,
            duplicate: false,
        },
    });
    assert!(
        matches!(
            effects[..],
            [Effect::Send(Answer::Ack { .. }), Effect::Close(Farewell::Draining)]
        ),
        "{effects:?}"
    );
}

#[test]
fn who_is_sent_to_another_node_is_answered_first_and_told_why() {
    let mut harness = Harness::open();
    harness.publish(7, "chat:a", b"x");
    assert!(harness.handle(Input::Dismiss(Farewell::Rebalanced)).is_empty());
    harness.now.instant += DRAINING_TIME_MAX;
    let effects = harness.handle(Input::Wake);
    assert!(
        matches!(effects[..], [Effect::Close(Farewell::Rebalanced)]),
        "{effects:?}"
    );
    let mut idle = Harness::open();
    let effects = idle.handle(Input::Dismiss(Farewell::Rebalanced));
    assert!(
        matches!(effects[..], [Effect::Close(Farewell::Rebalanced)]),
        "{effects:?}"
    );
}

#[test]
fn a_node_that_stops_does_not_wait_for_ever() {
    let mut harness = Harness::open();
    harness.publish(7, "chat:a", b"x");
    harness.handle(Input::Dismiss(Farewell::Draining));
    let deadline = harness.session.wake_at().expect("it waits");
    assert_eq!(deadline, harness.now.instant + DRAINING_TIME_MAX);
    harness.now.instant = deadline;
    let effects = harness.handle(Input::Wake);
    assert!(
        matches!(effects[..], [Effect::Close(Farewell::Draining)]),
        "{effects:?}"
    );
}
