//! Publishes, over reconnects and silence.

use super::*;

fn publishes(did: &Did) -> Vec<(u64, u64, u64)> {
    let publish = |frame: &client_frame::Body| match frame {
        client_frame::Body::Publish(frame) => Some((frame.serial, frame.base, frame.since_ms)),
        _ => None,
    };
    did.sent.iter().filter_map(publish).collect()
}

#[test]
fn a_publish_is_acknowledged() {
    let mut bench = Bench::open();
    let did = bench.publish("hi");
    assert_eq!(publishes(&did), [(1, 1, 1_000_000)]);
    let did = bench.ack(did.request(), 1);
    let [Ok(published)] = &did.answers[..] else {
        panic!("{did:?}")
    };
    assert_eq!(
        (
            published.position.seq,
            published.serial,
            published.copies,
            published.duplicate
        ),
        (1, 1, 1, false)
    );
}

#[test]
fn the_servers_clock_follows_the_frames_that_carry_it() {
    let mut bench = Bench::open();
    bench.attach(3);
    bench.frame(v1::Pong {
        nonce: 0,
        time_ms: 1_000_100,
    });
    assert_eq!(publishes(&bench.publish("a")), [(1, 1, 1_000_100)]);
    bench.frame(v1::Publication {
        time_ms: 1_000_200,
        ..publication(5, 4)
    });
    assert_eq!(publishes(&bench.publish("b")), [(2, 1, 1_000_200)]);
    let entries = vec![v1::PageEntry {
        seq: 5,
        term: 1,
        time_ms: 1_000_150,
        ..v1::PageEntry::default()
    }];
    bench.frame(v1::Page {
        channel_id: 5,
        after: 4,
        entries,
    });
    assert_eq!(
        publishes(&bench.publish("c")),
        [(3, 1, 1_000_200)],
        "a message of the past does not turn it back"
    );
    bench.lost();
    let mut again = bench.wake(1_000);
    again.join(bench.dialed());
    again.join(bench.frame(v1::Welcome {
        time_ms: 900_000,
        ..welcome()
    }));
    assert_eq!(
        publishes(&again),
        [(1, 1, 1_000_100), (2, 1, 1_000_200), (3, 1, 1_000_200)],
        "as first sent"
    );
    assert_eq!(
        publishes(&bench.publish("d")),
        [(4, 1, 900_000)],
        "another node has another clock"
    );
}

#[test]
fn a_gateway_that_takes_a_publish_and_dies_is_noticed_soon() {
    let mut bench = Bench::open();
    bench.publish("hi");
    assert_eq!(bench.wakes_at(), 1_500);
    assert_eq!(bench.wake(1_500).names(), ["ping"]);
    assert_eq!(bench.wakes_at(), 2_500);
    let did = bench.wake(2_500);
    assert!(did.hung_up && did.farewell() == 4504);
    assert_eq!(publishes(&bench.reconnect()), [(1, 1, 1_000_000)]);
}

#[test]
fn a_slow_owner_behind_a_gateway_that_lives_is_waited_for() {
    let mut bench = Bench::open();
    bench.publish("hi");
    bench.wake(1_500);
    bench.now = bench.start + Duration::from_millis(1_600);
    bench.frame(v1::Pong {
        nonce: 1,
        time_ms: 1_001_600,
    });
    assert_eq!(bench.wakes_at(), 3_100);
    assert_eq!(bench.wake(3_100).names(), ["ping"]);
}

#[test]
fn an_ack_of_another_serial_breaks_the_rules() {
    let mut bench = Bench::open();
    let request = bench.publish("hi").request();
    assert_eq!(bench.ack(request, 2).farewell(), 4400);
    assert_eq!(
        publishes(&bench.reconnect()),
        [(1, 1, 1_000_000)],
        "the publish goes on"
    );
}

#[test]
fn a_gap_is_answered_from_the_serial_asked_for() {
    let mut bench = Bench::open();
    let first = bench.publish("a").request();
    let second = bench.publish("b").request();
    bench.frame(refusal(first, 0, ErrorCode::InsufficientReplicas));
    let gap = v1::Error {
        expected_serial: 1,
        ..refusal(second, 0, ErrorCode::SerialGap)
    };
    assert!(bench.frame(gap).sent.is_empty());
    assert_eq!(publishes(&bench.wake(200)), [(1, 1, 1_000_000), (2, 1, 1_000_000)]);
}
