//! What becomes of a message that cannot be published.

use super::*;

const TIMEOUT_MS: u64 = 1_000;

fn hasty(payload: &str) -> PublishOptions {
    PublishOptions {
        timeout: Duration::from_millis(TIMEOUT_MS),
        ..PublishOptions::new(LOBBY, payload.to_owned())
    }
}

fn is_refused(outcome: &Result<u64, PublishError>, code: ErrorCode) -> bool {
    matches!(outcome, Err(PublishError::Refused(refusal)) if refusal.code() == Some(code))
}

#[test]
fn a_refusal_for_good_is_reported_once_the_serial_is_retired() {
    let mut bench = Bench::connected();
    let first = bench.publish("a").request();
    let second = bench.publish("b").request();
    let did = bench.refused(first, 1, ErrorCode::Forbidden);
    assert_eq!(did.serials(), [-1]);
    assert!(did.answers.is_empty());
    assert_eq!(bench.gap(second, 2, 1).serials(), [2]);
    let did = bench.skipped(1);
    let (ticket, outcome) = did.answered();
    assert!(ticket == 1 && is_refused(&outcome, ErrorCode::Forbidden), "{outcome:?}");
    assert_eq!(bench.ack(2, 1).answered(), (2, Ok(1)));
    assert_eq!((bench.stats().failed, bench.stats().acknowledged), (1, 1));
}

#[test]
fn a_retired_serial_that_was_published_after_all_is_a_success() {
    let mut bench = Bench::connected();
    bench.publish_with(hasty("a"));
    assert_eq!(bench.wake(TIMEOUT_MS).serials(), [-1]);
    assert_eq!(bench.ack(1, 12).answered(), (1, Ok(12)));

    let mut bench = Bench::connected();
    bench.publish_with(hasty("a"));
    bench.wake(TIMEOUT_MS);
    let late = bench.ack(1, 12);
    assert_eq!(
        late.answered(),
        (1, Ok(12)),
        "the answer to the publish itself, behind the Skip"
    );
    assert!(bench.ack(1, 12).is_nothing(), "and then the answer to the Skip");
}

#[test]
fn a_skip_that_is_refused_leaves_what_was_known() {
    let mut bench = Bench::connected();
    let publish = bench.publish("a").request();
    let skip = bench.refused(publish, 1, ErrorCode::Forbidden).request();
    let (_, outcome) = bench.refused(skip, 1, ErrorCode::Forbidden).answered();
    assert!(
        is_refused(&outcome, ErrorCode::Forbidden),
        "it was sent once, and refused"
    );

    let mut bench = Bench::connected();
    bench.publish("a");
    bench.disconnect();
    let publish = bench.connect(64).request();
    let skip = bench.refused(publish, 1, ErrorCode::Forbidden).request();
    let (_, outcome) = bench.refused(skip, 1, ErrorCode::Forbidden).answered();
    assert_eq!(
        outcome,
        Err(PublishError::OutcomeUnknown),
        "the first sending may have been published"
    );
}

#[test]
fn a_message_that_was_never_sent_fails_in_time_and_leaves_no_hole() {
    let mut bench = Bench::new();
    bench.common.trouble = Some("connection refused".into());
    bench.publish_with(hasty("a"));
    assert!(bench.wake(TIMEOUT_MS - 1).is_nothing());
    let did = bench.wake(TIMEOUT_MS);
    assert_eq!(
        did.answered(),
        (
            1,
            Err(PublishError::TimedOut {
                cause: Some("connection refused".into())
            })
        )
    );
    assert_eq!(did.settled, [1]);
    bench.publish("b");
    assert_eq!(bench.connect(64).serials(), [1]);
}

#[test]
fn a_message_without_an_answer_is_retired_before_it_is_reported() {
    let mut bench = Bench::connected();
    let request = bench.publish_with(hasty("a")).request();
    let busy = v1::Error {
        request,
        code: ErrorCode::Busy.into(),
        retry_after_ms: 60_000,
        ..Default::default()
    };
    bench.refused_with(1, busy);
    assert!(bench.wake(TIMEOUT_MS).is_nothing(), "the channel is held");
    bench.disconnect();
    bench.connect(64);
    let did = bench.wake(61_000);
    assert_eq!(did.serials(), [-1]);
    let Err(PublishError::OutcomeUnknown) = did.answered().1 else {
        panic!("{did:?}")
    };
}

#[test]
fn nobody_waits_for_ever_for_a_retirement() {
    let mut bench = Bench::connected();
    bench.publish_with(hasty("a"));
    let skip = bench.wake(TIMEOUT_MS);
    assert_eq!(skip.serials(), [-1]);
    assert!(bench.wake(2 * TIMEOUT_MS - 1).is_nothing());
    let did = bench.wake(2 * TIMEOUT_MS);
    assert_eq!(did.answered(), (1, Err(PublishError::OutcomeUnknown)));
    assert!(
        did.settled.is_empty(),
        "the serial still has no result, and takes its room"
    );
    assert_eq!(bench.publisher.wake_at(), None, "nothing is left to wait for");
    bench.disconnect();
    assert_eq!(bench.connect(64).serials(), [-1]);
    let did = bench.skipped(1);
    assert!(did.answers.is_empty());
    assert_eq!(did.settled, [1]);
}

#[test]
fn a_timeout_names_what_stood_in_the_way() {
    let mut bench = Bench::connected();
    let request = bench.publish_with(hasty("a")).request();
    bench.refused(request, 1, ErrorCode::InsufficientReplicas);
    bench.wake(500);
    assert_eq!(bench.wake(TIMEOUT_MS).serials(), [-1]);
    let (_, outcome) = bench.skipped(1).answered();
    let cause = Some("insufficient_replicas: no".to_owned());
    assert_eq!(outcome, Err(PublishError::TimedOut { cause }));
}

#[test]
fn what_the_owner_forgot_or_retired_is_settled() {
    let mut bench = Bench::connected();
    let request = bench.publish("a").request();
    assert_eq!(
        bench.refused(request, 1, ErrorCode::OutcomeUnknown).answered(),
        (1, Err(PublishError::OutcomeUnknown))
    );
    let request = bench.publish("b").request();
    let did = bench.refused(request, 2, ErrorCode::SerialSkipped);
    assert!(is_refused(&did.answered().1, ErrorCode::SerialSkipped) && did.sent.is_empty());
    let did = bench.publish("c");
    assert!(
        matches!(did.sent[..], [Sent::Publish { serial: 3, base: 3, .. }]),
        "{did:?}"
    );
}

#[test]
fn what_is_too_large_is_not_sent() {
    let mut bench = Bench::connected();
    let did = bench.publish(&"x".repeat(1_001));
    assert_eq!(
        did.answered(),
        (
            1,
            Err(PublishError::TooLarge {
                bytes: 1_001,
                max: 1_000
            })
        )
    );
    assert_eq!(
        bench.publish(&"x".repeat(1_000)).serials(),
        [1],
        "its serial was not used"
    );

    bench.disconnect();
    bench.publisher.connected(Limits {
        payload_bytes: 999,
        in_flight: 64,
    });
    let did = bench.turn(|_, _| ());
    assert_eq!(
        did.serials(),
        [-1],
        "another node takes less than the one it was sent to"
    );
    assert_eq!(
        bench.skipped(1).answered().1,
        Err(PublishError::TooLarge { bytes: 1_000, max: 999 })
    );
}

#[test]
fn an_ack_that_says_skipped_answers_no_publish() {
    let mut bench = Bench::connected();
    bench.publish("a");
    let ack = v1::Ack {
        serial: 1,
        skipped: true,
        ..v1::Ack::default()
    };
    let did = bench.turn(|publisher, turn| assert!(publisher.ack(LOBBY, ack, turn).is_err()));
    assert!(did.is_nothing());
    assert_eq!(bench.ack(1, 3).answered(), (1, Ok(3)), "the publish goes on");
}

#[test]
fn closing_tells_what_was_sent_from_what_was_not() {
    let mut bench = Bench::new();
    bench.connect(1);
    bench.publish("a");
    bench.publish("b");
    let did = bench.turn(|publisher, turn| publisher.close(&CloseReason::Application, turn));
    let closed = |sent| {
        Err(PublishError::Closed {
            reason: CloseReason::Application,
            sent,
        })
    };
    assert_eq!(did.answers, [(1, closed(true)), (2, closed(false))]);
    assert_eq!(did.settled, [1, 2]);
    assert!(bench.publisher.is_idle());
}
