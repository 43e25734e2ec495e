//! Publishing: room, limits and rates.

use super::*;

#[test]
fn publishing_takes_room_among_the_unanswered() {
    let mut harness = Harness::open();
    assert!(matches!(
        harness.publish(1, "chat:a", b"x")[..],
        [Effect::Publish { .. }]
    ));
    assert!(matches!(
        harness.publish(2, "chat:a", b"x")[..],
        [Effect::Publish { .. }]
    ));
    assert_eq!(
        *refusal(&harness.publish(3, "chat:a", b"x")),
        Refusal::TooManyInFlight { max: 2 }
    );
    let ack = channel::Ack {
        position: Some(position(1)),
        copies: 1,
        duplicate: false,
    };
    let effects = harness.handle(Input::Acknowledged {
        request: RequestId(1),
        serial: Serial(1),
        ack,
    });
    assert!(matches!(effects[..], [Effect::Send(Answer::Ack { .. })]));
    assert!(matches!(
        harness.publish(4, "chat:a", b"x")[..],
        [Effect::Publish { .. }]
    ));
}

#[test]
fn publishing_has_limits_of_size_right_and_rate() {
    let mut harness = Harness::open();
    let large: &'static [u8] = &[0; 101];
    assert_eq!(
        *refusal(&harness.publish(1, "chat:a", large)),
        Refusal::PayloadTooLarge {
            bytes: 101,
            bytes_max: 100
        }
    );
    assert!(matches!(
        harness.publish(2, "slow:a", b"x")[..],
        [Effect::Publish { .. }]
    ));
    assert!(
        matches!(harness.publish(3, "slow:a", b"x")[..], [Effect::Publish { .. }]),
        "one second of burst"
    );
    let mut harness = Harness::new(|settings| settings.publishes_in_flight_max = 100);
    harness.say_hello("*", Operations::ALL);
    harness.publish(1, "slow:a", b"x");
    harness.publish(2, "slow:a", b"x");
    assert!(matches!(
        refusal(&harness.publish(3, "slow:a", b"x")),
        Refusal::RateLimited {
            limit: Limit::PublishRate,
            ..
        }
    ));
    let mut reader = Harness::new(|_| {});
    reader.say_hello("*", Operations::default().with(Operation::Subscribe));
    assert!(matches!(
        refusal(&reader.publish(1, "chat:a", b"x")),
        Refusal::Forbidden { .. }
    ));
}

#[test]
fn publishing_has_a_limit_of_bytes_that_what_is_refused_does_not_use_up() {
    let mut harness = Harness::open();
    let payload: &'static [u8] = &[0; 100];
    let publish = |harness: &mut Harness, request| {
        let effects = harness.publish(request, "narrow:a", payload);
        harness.handle(Input::PublishRefused {
            request: RequestId(request),
            refusal: Refusal::Busy,
        }); // it is answered, one way or the other
        effects
    };
    for request in 1..=3 {
        assert!(
            matches!(publish(&mut harness, request)[..], [Effect::Publish { .. }]),
            "{request}"
        );
    }
    let limited = |retry_after| Refusal::RateLimited {
        limit: Limit::PublishBytes,
        retry_after,
    };
    assert_eq!(*refusal(&publish(&mut harness, 4)), limited(SECOND / 2));
    assert_eq!(*refusal(&publish(&mut harness, 5)), limited(SECOND / 2));
    harness.at(SECOND / 2);
    assert!(matches!(publish(&mut harness, 6)[..], [Effect::Publish { .. }]));
    assert!(
        matches!(harness.publish(7, "chat:a", payload)[..], [Effect::Publish { .. }]),
        "another namespace has no such limit"
    );
}
