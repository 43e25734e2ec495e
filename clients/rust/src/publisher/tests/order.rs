//! Serials, and sending again.

use super::*;

#[test]
fn serials_rise_by_one_on_each_channel_and_say_which_is_the_first_without_a_result() {
    let mut bench = Bench::connected();
    let first = bench.publish("a").sent;
    assert_eq!(
        first,
        [Sent::Publish {
            request: 1,
            serial: 1,
            base: 1,
            since_ms: 1_000,
            payload: "a".into()
        }]
    );
    bench.common.clock(1_500);
    let second = bench.publish("b").sent;
    assert_eq!(
        second,
        [Sent::Publish {
            request: 2,
            serial: 2,
            base: 1,
            since_ms: 1_500,
            payload: "b".into()
        }]
    );
    let elsewhere = bench.publish_with(PublishOptions::new("demo:other", "c")).sent;
    assert_eq!(
        elsewhere,
        [Sent::Publish {
            request: 3,
            serial: 1,
            base: 1,
            since_ms: 1_500,
            payload: "c".into()
        }]
    );

    let did = bench.ack(1, 40);
    assert_eq!(did.answered(), (1, Ok(40)));
    assert_eq!(did.settled, [1]);
    let third = bench.publish("d").sent;
    assert_eq!(
        third,
        [Sent::Publish {
            request: 4,
            serial: 3,
            base: 2,
            since_ms: 1_500,
            payload: "d".into()
        }]
    );
    bench.ack(2, 41);
    bench.ack(3, 42);
    assert_eq!(
        bench.publish("e").serials(),
        [4],
        "serials go on when nothing is in flight"
    );
    assert_eq!((bench.stats().published, bench.stats().acknowledged), (5, 3));
}

#[test]
fn what_has_no_result_is_sent_again_with_its_serial_before_anything_new() {
    let mut bench = Bench::connected();
    for payload in ["a", "b", "c"] {
        bench.publish(payload);
    }
    bench.ack(1, 40);
    bench.disconnect();
    assert!(bench.publish("d").is_nothing(), "not connected");
    let again = bench.connect(64).sent;
    assert_eq!(
        again,
        [
            Sent::Publish {
                request: 4,
                serial: 2,
                base: 2,
                since_ms: 1_000,
                payload: "b".into()
            },
            Sent::Publish {
                request: 5,
                serial: 3,
                base: 2,
                since_ms: 1_000,
                payload: "c".into()
            },
            Sent::Publish {
                request: 6,
                serial: 4,
                base: 2,
                since_ms: 2_000,
                payload: "d".into()
            },
        ]
    );
    let duplicate = bench.answer(v1::Ack {
        serial: 2,
        position: Some(v1::Position::default()),
        duplicate: true,
        ..v1::Ack::default()
    });
    assert!(matches!(
        &duplicate.answers[..],
        [(2, Ok(Published { duplicate: true, .. }))]
    ));
    assert_eq!((bench.stats().published, bench.stats().resent), (4, 2));
}

#[test]
fn only_so_many_are_in_flight() {
    let mut bench = Bench::new();
    bench.connect(2);
    assert_eq!(bench.publish("a").serials(), [1]);
    assert_eq!(bench.publish("b").serials(), [2]);
    assert!(bench.publish("c").is_nothing());
    assert_eq!(bench.ack(1, 1).serials(), [3]);
    bench.disconnect();
    assert_eq!(bench.connect(1).serials(), [2], "the oldest first");
    assert_eq!(bench.ack(2, 2).serials(), [3]);
}

#[test]
fn a_gap_is_closed_from_the_serial_asked_for() {
    let mut bench = Bench::connected();
    let requests = ["a", "b", "c"].map(|payload| bench.publish(payload).request());
    // The gateway lost the first; the owner refuses the others.
    assert!(bench.refused(requests[0], 1, ErrorCode::Unavailable).is_nothing());
    assert!(bench.gap(requests[1], 2, 1).is_nothing(), "held back with the first");
    assert!(bench.gap(requests[2], 3, 1).is_nothing());
    assert_eq!(bench.wake(200).serials(), [1, 2, 3]);
}

#[test]
fn a_gap_behind_a_serial_in_flight_is_sent_again_at_once() {
    let mut bench = Bench::connected();
    bench.publish("a");
    let second = bench.publish("b").request();
    assert_eq!(bench.gap(second, 2, 1).serials(), [2], "the first is on its way");
}

#[test]
fn a_serial_without_a_message_is_skipped_when_the_owner_asks_for_it() {
    let mut bench = Bench::connected();
    bench.publish("a");
    bench.ack(1, 1);
    let second = bench.publish("b").request();
    // The owner lost what it had acknowledged, and knows it no more.
    let did = bench.gap(second, 2, 1);
    assert_eq!(did.serials(), [-1, 2]);
    assert!(matches!(
        did.sent[0],
        Sent::Skip {
            base: 1,
            since_ms: 1_000,
            ..
        }
    ));
    assert!(bench.skipped(1).is_nothing(), "nobody waits for it");
    assert_eq!(bench.ack(2, 2).answered(), (2, Ok(2)));
}

#[test]
fn an_owner_that_asks_for_a_later_serial_has_forgotten_the_result() {
    let mut bench = Bench::connected();
    let first = bench.publish("a").request();
    let did = bench.gap(first, 1, 9);
    assert_eq!(did.answered(), (1, Err(PublishError::OutcomeUnknown)));
    assert_eq!(did.settled, [1]);
}

#[test]
fn views_that_do_not_agree_are_not_argued_about_in_haste() {
    let mut bench = Bench::connected();
    bench.publish("a");
    let mut request = bench.publish("b").request();
    for _ in 0..3 {
        request = bench.gap(request, 2, 1).request();
    }
    assert!(bench.gap(request, 2, 1).is_nothing(), "the fourth waits");
    assert_eq!(bench.wake(200).serials(), [2]);
}

#[test]
fn a_refusal_for_now_holds_the_channel_and_keeps_the_order() {
    let mut bench = Bench::connected();
    let first = bench.publish("a").request();
    let busy = v1::Error {
        request: first,
        code: ErrorCode::Busy.into(),
        retry_after_ms: 500,
        ..Default::default()
    };
    assert!(bench.refused_with(1, busy).is_nothing());
    assert!(bench.publish("b").is_nothing(), "it must not overtake");
    assert_eq!(
        bench.publish_with(PublishOptions::new("demo:other", "c")).serials(),
        [1],
        "others go on"
    );
    assert!(bench.wake(499).is_nothing());
    assert_eq!(bench.publisher.wake_at().map(|at| at > bench.now), Some(true));
    assert_eq!(bench.wake(700).serials(), [1, 2]);
}

/// Publishes so many at once, and has all of them refused for now: when the channel goes on, in milliseconds.
fn refused_together(bench: &mut Bench, requests: &[u64]) -> u64 {
    for (at, request) in requests.iter().enumerate() {
        let serial = at as u64 + 1;
        assert!(bench.refused(*request, serial, ErrorCode::Unavailable).is_nothing());
    }
    let wakes_at = bench.publisher.wake_at().expect("the end of the hold");
    // Rounded up, so that a wake-up at that millisecond is not too early.
    wakes_at.saturating_duration_since(bench.start).as_millis() as u64 + 1
}

#[test]
fn what_is_refused_together_is_one_failure() {
    let mut bench = Bench::connected();
    let requests: Vec<_> = (0..64).map(|_| bench.publish("a").request()).collect();
    let goes_on = refused_together(&mut bench, &requests);
    assert!(goes_on <= 101, "{goes_on} ms: the wait after one refusal");
    let again = bench.wake(goes_on);
    assert_eq!(again.serials(), (1..=64).collect::<Vec<_>>());
}

#[test]
fn a_channel_that_is_refused_again_and_again_is_asked_once_a_second() {
    let mut bench = Bench::connected();
    let mut requests: Vec<_> = (0..8).map(|_| bench.publish("a").request()).collect();
    let mut waits = Vec::new();
    let mut now = 0;
    for _ in 0..20 {
        let goes_on = refused_together(&mut bench, &requests);
        waits.push(goes_on - now);
        now = goes_on;
        requests = bench.wake(now).sent.iter().map(Sent::request).collect();
        assert_eq!(requests.len(), 8);
    }
    assert!(waits.iter().all(|wait| *wait <= 1_001), "{waits:?}");
    assert!(
        waits.iter().any(|wait| *wait > 500),
        "rarer with each failure: {waits:?}"
    );
}

#[test]
fn an_answer_counts_once_and_only_for_the_last_sending() {
    let mut bench = Bench::connected();
    let first = bench.publish("a").request();
    bench.disconnect();
    bench.connect(64);
    assert!(
        bench.refused(first, 1, ErrorCode::Forbidden).is_nothing(),
        "of the connection before"
    );
    assert_eq!(bench.ack(1, 7).answered(), (1, Ok(7)));
    assert!(bench.ack(1, 7).is_nothing());
    assert!(bench.publisher.is_idle());
}

#[test]
fn a_channel_that_was_forgotten_goes_on_above_all_its_serials() {
    let mut bench = Bench::connected();
    for _ in 0..3 {
        let did = bench.publish("a");
        let Some(Sent::Publish { serial, .. }) = did.sent.first() else {
            panic!("{did:?}")
        };
        bench.ack(*serial, 1);
    }
    for channel in 0..IDLE_MAX {
        bench.now += Duration::from_millis(1);
        let options = PublishOptions::new(format!("demo:{channel}"), "b");
        bench.publish_with(options);
        let ack = v1::Ack {
            serial: 1,
            position: Some(v1::Position::default()),
            ..v1::Ack::default()
        };
        bench.turn(|publisher, turn| publisher.ack(&format!("demo:{channel}"), ack, turn).expect("an ack"));
    }
    assert_eq!(bench.publisher.idle.len(), IDLE_MAX);
    assert_eq!(
        bench.publish("c").serials(),
        [4],
        "the next serial, and not one that was used"
    );
    assert_eq!(bench.publish_with(PublishOptions::new("demo:new", "d")).serials(), [4]);
}
