//! The end of a client.

use super::*;

#[test]
fn closing_says_goodbye_and_ends_every_subscription() {
    let mut bench = Bench::open();
    bench.attach(3);
    let did = bench.feed(Input::Close);
    assert_eq!((did.names(), did.farewell()), (vec!["goodbye"], 1000));
    assert!(did.hung_up && did.events.is_empty());
    assert_eq!(did.ended, [0]);
    assert_eq!(*did.closed(), CloseReason::Application);
    assert_eq!(bench.session.wake_at(), None);
    assert!(bench.publish("late").sent.is_empty());
}

#[test]
fn closing_waits_for_publishes_in_flight_but_not_for_ever() {
    let mut bench = Bench::open();
    let request = bench.publish("hi").request();
    assert!(bench.feed(Input::Close).states.is_empty());
    let did = bench.ack(request, 1);
    assert!(did.answers[0].is_ok());
    assert_eq!(*did.closed(), CloseReason::Application);

    let mut bench = Bench::new(&[A], "", false);
    bench.feed(Input::Start);
    bench.publish("hi");
    bench.feed(Input::Close);
    assert_eq!(bench.wakes_at(), 5_000);
    let did = bench.wake(5_000);
    assert!(did.sent.is_empty(), "there is nobody to say goodbye to");
    assert_eq!(
        did.answers,
        [Err(PublishError::Closed {
            reason: CloseReason::Application,
            sent: false
        })]
    );
}

#[test]
fn a_client_that_is_told_to_stay_away_tells_everyone() {
    let mut bench = Bench::open();
    bench.attach(3);
    bench.subscribe("demo:other", SubscribeOptions::default());
    bench.publish("hi");
    let did = bench.goodbye(4409);
    let reason = CloseReason::Server {
        code: 4409,
        reason: "go".into(),
    };
    assert!(did.sent.is_empty(), "the server has left");
    assert_eq!(
        did.answers,
        [Err(PublishError::Closed {
            reason: reason.clone(),
            sent: true
        })]
    );
    assert_eq!(did.subscribed, [(1, Err(SubscribeError::Closed(reason.clone())))]);
    let [(0, Event::Failed(SubscribeError::Closed(told)))] = &did.events[..] else {
        panic!("{did:?}")
    };
    assert_eq!(*told, reason);
    assert_eq!(did.ended, [0, 1]);
    assert!(bench.session.is_closed());
}
