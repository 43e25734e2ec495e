//! Getting a session, and getting another.

use super::*;

#[test]
fn a_session_opens_with_hello_and_welcome() {
    let mut bench = Bench::new(&[A], "secret", false);
    assert_eq!(bench.feed(Input::Start).dialed, ["http://a/"]);
    let did = bench.dialed();
    let [client_frame::Body::Hello(hello)] = &did.sent[..] else {
        panic!("{did:?}")
    };
    assert_eq!((hello.version_min, hello.version_max), (1, 1));
    assert_eq!((hello.token.as_str(), hello.agent.as_str()), ("secret", "test/1"));
    assert_eq!(hello.publisher, Bytes::from_static(&[7; 16]));
    assert_eq!(hello.page_credit, limits::PAGE_CREDIT_BYTES_DEFAULT);

    assert!(
        bench.subscribe(LOBBY, SubscribeOptions::default()).sent.is_empty(),
        "not before welcome"
    );
    assert!(bench.publish("hi").sent.is_empty());
    let did = bench.frame(welcome());
    assert_eq!(did.names(), ["attach", "publish"]);
    let connected = State::Connected {
        transport: Transport::WebSocket,
        node: "a".into(),
        session: "s1".into(),
    };
    assert_eq!(did.states, [connected]);
}

#[test]
fn a_server_that_does_not_answer_hello_is_given_up() {
    let mut bench = Bench::new(&[A, B], "", false);
    bench.feed(Input::Start);
    bench.dialed();
    assert_eq!(bench.wakes_at(), 5_000);
    let did = bench.wake(5_000);
    assert!(did.hung_up);
    assert!(matches!(did.states[..], [State::Reconnecting { attempt: 1, .. }]));
    assert_eq!(
        bench.wake(5_500).dialed,
        ["http://b/", "http://a/"],
        "the other node first"
    );
}

#[test]
fn attempts_are_spread_and_rarer() {
    let mut bench = Bench::new(&[A], "", false);
    bench.feed(Input::Start);
    let mut waited = Vec::new();
    for attempt in 0..12 {
        let before = bench.now;
        let did = bench.feed(Input::DialFailed("refused".into()));
        assert_eq!(
            did.states,
            [State::Reconnecting {
                attempt: attempt + 1,
                error: "refused".into()
            }]
        );
        let wait = bench
            .session
            .wake_at()
            .expect("a back-off")
            .saturating_duration_since(before);
        assert!(
            wait <= Duration::from_millis(500 << attempt.min(6)).min(Duration::from_secs(30)),
            "{wait:?}"
        );
        waited.push(wait);
        let ms = u64::try_from(bench.wakes_at()).expect("a short test") + 1;
        assert_eq!(bench.wake(ms).dialed.len(), 1);
    }
    assert!(waited.iter().any(|wait| *wait > Duration::from_secs(4)), "{waited:?}");
    assert_eq!(bench.session.stats().failures, 12);
}

#[test]
fn a_session_makes_up_for_a_failure_with_each_five_seconds_with_a_minute_for_all_and_dropped_soon_for_none() {
    let mut bench = Bench::open();
    let mut attempts = Vec::new();
    for lasted in [0, 4_999, 0, 10_000, 60_000] {
        bench.now += Duration::from_millis(lasted);
        let did = bench.lost();
        let [State::Reconnecting { attempt, .. }] = &did.states[..] else {
            panic!("{did:?}")
        };
        attempts.push(*attempt);
        bench.reconnect();
    }
    assert_eq!(attempts, [1, 2, 3, 2, 1]);
}

#[test]
fn goodbye_says_whether_when_and_where_to_return() {
    let mut bench = Bench::open();
    let did = bench.frame(v1::Goodbye {
        code: CloseCode::Draining.number().into(),
        reason: "stopping".into(),
        retry_after_ms: 2_000,
        alternates: vec!["http://c".into()],
    });
    assert!(did.hung_up && did.sent.is_empty());
    assert!(matches!(&did.states[..], [State::Reconnecting { error, .. }] if error == "stopping"));
    assert_eq!(bench.wakes_at(), 2_000, "who is sent on does not wait by itself");
    assert!(bench.wake(1_999).dialed.is_empty());
    let did = bench.wake(2_000);
    assert_eq!(
        did.dialed,
        ["http://c/", "http://b/", "http://a/"],
        "then the nodes that were given, the one that stops last"
    );

    for code in [4400, 4403, 4406, 4409, 4413, 4450] {
        let did = Bench::open().goodbye(code);
        assert_eq!(
            *did.closed(),
            CloseReason::Server {
                code,
                reason: "go".into()
            }
        );
    }
    for code in [1000, 4500, 4502, 4503, 4504, 4508, 4599] {
        assert!(
            matches!(Bench::open().goodbye(code).states[..], [State::Reconnecting { .. }]),
            "{code}"
        );
    }
}

#[test]
fn a_close_code_without_a_goodbye_counts_the_same() {
    let did = Bench::open().feed(Input::Lost(Ending {
        code: Some(4409),
        ..Ending::default()
    }));
    assert!(matches!(did.closed(), CloseReason::Server { code: 4409, .. }));
    let did = Bench::open().feed(Input::Lost(Ending {
        code: Some(1006),
        ..Ending::default()
    }));
    assert!(matches!(did.states[..], [State::Reconnecting { .. }]));
}

#[test]
fn a_client_that_was_given_one_url_returns_to_another_node() {
    let mut bench = Bench::new(&[A], "secret", false);
    bench.feed(Input::Start);
    let base = bench.contenders[0].clone();
    bench.feed(Input::Dialed {
        base: base.clone(),
        transport: Transport::WebSocket,
        nodes: ["http://a", "http://b"]
            .map(|url| Url::parse(url).expect("a URL"))
            .to_vec(),
    });
    bench.frame(welcome());
    bench.lost();
    let did = bench.wake(501);
    assert_eq!(did.dialed, ["http://b/", "http://a/"]);
    // Both are tried, and the one that was lost answers again: the other goes first next time, too.
    bench.feed(Input::Dialed {
        base,
        transport: Transport::WebSocket,
        nodes: Vec::new(),
    });
    bench.frame(welcome());
    bench.lost();
    assert_eq!(bench.wake(2_000).dialed, ["http://b/", "http://a/"]);
}

#[test]
fn a_steady_session_makes_the_next_failure_the_first() {
    let mut bench = Bench::open();
    bench.lost();
    bench.reconnect();
    assert!(matches!(
        bench.lost().states[..],
        [State::Reconnecting { attempt: 2, .. }]
    ));
    bench.reconnect();
    let opened = bench.now.duration_since(bench.start).as_millis() as u64;
    for beat in 1..7 {
        bench.now = bench.start + Duration::from_millis(opened + beat * 10_000);
        bench.frame(v1::Ping { nonce: 1 });
    }
    assert!(matches!(
        bench.lost().states[..],
        [State::Reconnecting { attempt: 1, .. }]
    ));
}

#[test]
fn a_silent_gateway_is_left() {
    let mut bench = Bench::open();
    assert_eq!(bench.wakes_at(), 10_000);
    assert_eq!(bench.wake(10_000).names(), ["ping"]);
    assert_eq!(bench.wakes_at(), 15_000);
    let did = bench.wake(15_000);
    assert_eq!(did.farewell(), 4504);
    assert!(did.hung_up);
    assert_eq!(bench.session.stats().silences, 1);

    let mut bench = Bench::open();
    bench.wake(10_000);
    bench.now = bench.start + Duration::from_millis(15_000);
    let heard = Some(bench.start + Duration::from_millis(14_000));
    assert!(
        !bench.feed(Input::Wake { heard }).hung_up,
        "half a frame is a sign of life"
    );
}

#[test]
fn a_gateway_that_falls_silent_in_the_middle_of_a_stream_is_left_within_seconds() {
    let mut bench = Bench::open();
    bench.attach(0);
    for seq in 1..=10 {
        bench.now = bench.start + Duration::from_millis(seq * 100);
        bench.frame(publication(5, seq));
    }
    assert_eq!(bench.wakes_at(), 2_500);
    assert_eq!(bench.wake(2_500).names(), ["ping"]);
    assert_eq!(bench.wakes_at(), 3_500);
    let did = bench.wake(3_500);
    assert_eq!(did.farewell(), 4504);
    assert!(did.hung_up);
}

#[test]
fn a_stream_that_has_ended_is_asked_after_once() {
    let mut bench = Bench::open();
    bench.attach(0);
    (1..=10).for_each(|seq| assert!(bench.frame(publication(5, seq)).sent.is_empty()));
    assert_eq!(bench.wake(1_500).names(), ["ping"]);
    bench.frame(v1::Pong { nonce: 1, time_ms: 0 });
    assert_eq!(bench.wakes_at(), 11_500, "the heartbeat's ping is the next");
}

#[test]
fn pings_are_answered() {
    let did = Bench::open().frame(v1::Ping { nonce: 9 });
    assert_eq!(did.sent, [client_frame::Body::Pong(v1::Pong { nonce: 9, time_ms: 0 })]);
}

#[test]
fn what_breaks_the_rules_ends_the_connection_and_not_the_client() {
    let bad = [
        server_frame::Body::from(welcome()),
        v1::Detached {
            request: 77,
            channel_id: 1,
        }
        .into(),
        v1::Ack {
            request: 77,
            serial: 1,
            position: Some(wire(1)),
            ..v1::Ack::default()
        }
        .into(),
        refusal(77, 0, ErrorCode::Busy).into(),
        v1::Refreshed {
            request: 77,
            expires_ms: 0,
        }
        .into(),
        attached(77, LOBBY, 5, 0).into(),
        publication(99, 1).into(),
        v1::Page {
            channel_id: 99,
            ..v1::Page::default()
        }
        .into(),
        v1::Snapshot {
            channel_id: 99,
            ..v1::Snapshot::default()
        }
        .into(),
        v1::Skipped {
            channel_id: 99,
            to: 1,
            count: 1,
            reason: 1,
        }
        .into(),
        v1::Lagged { channel_id: 99, seq: 1 }.into(),
        v1::Discontinuity {
            channel_id: 99,
            ..v1::Discontinuity::default()
        }
        .into(),
    ];
    for frame in bad {
        let name = frame.name();
        let mut bench = Bench::open();
        let did = bench.frame(frame);
        assert_eq!(did.farewell(), 4400, "{name}");
        assert!(
            did.hung_up && matches!(did.states[..], [State::Reconnecting { .. }]),
            "{name}"
        );
        assert_eq!(bench.session.stats().violations, 1);
    }
    let did = Bench::open().feed(Input::BadFrame("x".repeat(5_000)));
    let [client_frame::Body::Goodbye(goodbye)] = &did.sent[..] else {
        panic!("{did:?}")
    };
    assert_eq!(goodbye.reason.len(), limits::TEXT_BYTES_MAX);
}

#[test]
fn nothing_but_welcome_or_goodbye_answers_hello() {
    let greeted = || {
        let mut bench = Bench::new(&[A], "", false);
        bench.feed(Input::Start);
        bench.dialed();
        bench
    };
    assert_eq!(greeted().frame(v1::Ping { nonce: 1 }).farewell(), 4400);
    assert_eq!(
        greeted()
            .frame(v1::Welcome {
                version: 2,
                ..welcome()
            })
            .farewell(),
        4400
    );
    assert!(matches!(
        greeted().goodbye(4406).closed(),
        CloseReason::Server { code: 4406, .. }
    ));
}

#[test]
fn what_arrives_after_the_end_of_a_connection_is_nobodys() {
    let mut bench = Bench::open();
    bench.lost();
    let did = bench.frame(v1::Ping { nonce: 1 });
    assert!(did.sent.is_empty() && did.states.is_empty());
    assert!(!bench.lost().hung_up);
    assert!(bench.dialed().sent.is_empty(), "a connection that nobody waits for");
}
