//! Silence, and what is done about it.

use super::*;

#[test]
fn silence_is_asked_about_once_and_then_ends_the_session() {
    let mut harness = Harness::open();
    assert_eq!(harness.session.wake_at(), Some(harness.start + 10 * SECOND));
    harness.at(10 * SECOND);
    assert!(matches!(harness.handle(Input::Wake)[..], [Effect::Send(Answer::Ping)]));
    assert_eq!(harness.session.wake_at(), Some(harness.start + 15 * SECOND));
    harness.at(14 * SECOND);
    assert!(harness.handle(Input::Wake).is_empty(), "asked once");
    harness.at(15 * SECOND);
    assert_eq!(*farewell(&harness.handle(Input::Wake)), Farewell::Silent);
}

#[test]
fn a_client_that_was_to_be_missed_is_missed_late() {
    let mut harness = Harness::open();
    assert_eq!(harness.session.late(harness.start + 15 * SECOND), Duration::ZERO);
    assert_eq!(harness.session.late(harness.start + 18 * SECOND), 3 * SECOND);
    // Nothing that the client said while the node stood still is held against it.
    harness.at(18 * SECOND);
    harness.receive(Request::Pong);
    assert!(
        harness
            .handle(Input::Wake)
            .iter()
            .all(|effect| !matches!(effect, Effect::Close(_)))
    );
    assert_eq!(harness.session.late(harness.start + 18 * SECOND), Duration::ZERO);
}

#[test]
fn a_client_that_answers_is_asked_again_a_heartbeat_later() {
    let mut harness = Harness::open();
    harness.at(10 * SECOND);
    harness.handle(Input::Wake);
    harness.at(11 * SECOND);
    assert!(harness.receive(Request::Pong).is_empty());
    assert_eq!(harness.session.wake_at(), Some(harness.start + 20 * SECOND));
    harness.at(20 * SECOND);
    assert!(matches!(harness.handle(Input::Wake)[..], [Effect::Send(Answer::Ping)]));
}

#[test]
fn a_client_that_only_sends_hears_from_us_every_heartbeat() {
    let mut harness = Harness::open();
    for second in 1..=9 {
        harness.at(second * SECOND);
        harness.receive(Request::Pong);
    }
    assert_eq!(harness.session.wake_at(), Some(harness.start + 10 * SECOND));
    let wrote = harness.start + 9 * SECOND;
    harness.session.wrote(wrote);
    assert_eq!(harness.session.wake_at(), Some(harness.start + 19 * SECOND));
}

#[test]
fn a_client_that_does_not_read_is_slow_not_silent() {
    let mut harness = Harness::open();
    harness.handle(Input::Stuck);
    harness.at(15 * SECOND);
    assert_eq!(*farewell(&harness.handle(Input::Wake)), Farewell::Slow);
}
