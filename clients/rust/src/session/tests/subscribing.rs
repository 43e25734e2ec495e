//! Subscriptions, from attach to detach.

use super::*;

#[test]
fn a_subscription_is_attached_and_told() {
    let mut bench = Bench::open();
    let options = SubscribeOptions {
        from: From::Rewind(9),
        ..SubscribeOptions::default()
    };
    let did = bench.subscribe(LOBBY, options);
    let [client_frame::Body::Attach(attach)] = &did.sent[..] else {
        panic!("{did:?}")
    };
    assert_eq!(
        (attach.channel.as_str(), &attach.from),
        (LOBBY, &Some(v1::attach::From::Rewind(9)))
    );
    let did = bench.frame(attached(attach.request, LOBBY, 5, 3));
    assert_eq!(did.subscribed, [(0, Ok(()))]);
    assert!(matches!(did.events[..], [(0, Event::Attached { .. })]));
}

#[test]
fn a_channel_is_subscribed_once() {
    let mut bench = Bench::open();
    bench.attach(3);
    let did = bench.subscribe(LOBBY, SubscribeOptions::default());
    assert_eq!(did.subscribed, [(1, Err(SubscribeError::AlreadySubscribed))]);
    bench.feed(Input::Unsubscribe(SubscriptionId(1)));
    assert_eq!(bench.frame(publication(5, 4)).seqs(), [4], "the first goes on");
}

#[test]
fn a_refusal_for_good_ends_the_wait() {
    let mut bench = Bench::open();
    let request = bench.subscribe(LOBBY, SubscribeOptions::default()).request();
    let did = bench.frame(refusal(request, 0, ErrorCode::Forbidden));
    let [(0, Err(SubscribeError::Refused(refusal)))] = &did.subscribed[..] else {
        panic!("{did:?}")
    };
    assert_eq!(refusal.code(), Some(ErrorCode::Forbidden));
    assert_eq!(did.ended, [0]);
    assert_eq!(
        bench.subscribe(LOBBY, SubscribeOptions::default()).names(),
        ["attach"],
        "it may be tried again"
    );
}

#[test]
fn a_refusal_for_now_is_tried_again_until_the_time_is_over() {
    let mut bench = Bench::open();
    let options = SubscribeOptions {
        timeout: Duration::from_secs(2),
        ..SubscribeOptions::default()
    };
    let request = bench.subscribe(LOBBY, options).request();
    let busy = v1::Error {
        retry_after_ms: 300,
        ..refusal(request, 0, ErrorCode::Busy)
    };
    let did = bench.frame(busy);
    assert!(did.subscribed.is_empty() && did.sent.is_empty());
    assert!(bench.wake(299).sent.is_empty());
    let did = bench.wake(401);
    assert_eq!(did.names(), ["attach"]);
    bench.frame(refusal(did.request(), 0, ErrorCode::Unavailable));
    let did = bench.wake(2_000);
    let cause = Some("unavailable: no".to_owned());
    assert_eq!(did.subscribed, [(0, Err(SubscribeError::TimedOut { cause }))]);
}

#[test]
fn when_attaches_come_too_fast_all_wait_together() {
    let mut bench = Bench::open();
    let too_fast = |request, retry_after_ms| v1::Error {
        retry_after_ms,
        ..refusal(request, 0, ErrorCode::RateLimited)
    };
    let subscribe = |bench: &mut Bench, channel| bench.subscribe(channel, SubscribeOptions::default());
    let first = subscribe(&mut bench, "demo:a").request();
    let second = subscribe(&mut bench, "demo:b").request();
    bench.frame(too_fast(first, 5));
    bench.frame(too_fast(second, 5));
    assert!(
        subscribe(&mut bench, "demo:c").sent.is_empty(),
        "nor a channel that was not refused"
    );
    assert_eq!(bench.wakes_at(), 250);
    assert!(bench.wake(249).sent.is_empty());
    let did = bench.wake(250);
    assert_eq!(did.names(), ["attach"; 3]);
    // What the server asks for counts if it is longer, and one that was refused often does not wait longer than others.
    let mut request = did.request();
    for at in [2_250, 4_250, 6_250, 8_250_u64] {
        bench.frame(too_fast(request, 2_000));
        assert_eq!(bench.wakes_at(), u128::from(at));
        request = bench.wake(at).request();
    }
    // A new connection begins anew.
    bench.frame(too_fast(request, 60_000));
    bench.lost();
    assert!(bench.reconnect().names().contains(&"attach"));
}

#[test]
fn a_subscription_without_a_connection_fails_with_the_reason() {
    let mut bench = Bench::new(&[A], "", false);
    bench.feed(Input::Start);
    bench.subscribe(
        LOBBY,
        SubscribeOptions {
            timeout: Duration::from_secs(2),
            ..SubscribeOptions::default()
        },
    );
    bench.feed(Input::DialFailed("connection refused".into()));
    let did = bench.wake(2_000);
    let cause = Some("connection refused".to_owned());
    assert_eq!(did.subscribed, [(0, Err(SubscribeError::TimedOut { cause }))]);
}

#[test]
fn dropping_leaves_the_channel_and_what_was_on_its_way_is_ignored() {
    let mut bench = Bench::open();
    bench.attach(3);
    let did = bench.feed(Input::Unsubscribe(SubscriptionId(0)));
    assert_eq!((did.names(), did.ended.as_slice()), (vec!["detach"], &[0][..]));
    assert!(bench.frame(publication(5, 4)).events.is_empty());
    bench.frame(v1::Detached {
        request: did.request(),
        channel_id: 5,
    });
    assert_eq!(
        bench.frame(publication(5, 5)).farewell(),
        4400,
        "nothing is on its way any more"
    );
}

#[test]
fn a_channel_is_attached_again_only_after_it_was_left() {
    let mut bench = Bench::open();
    bench.attach(3);
    let detach = bench.feed(Input::Unsubscribe(SubscriptionId(0))).request();
    assert!(bench.subscribe(LOBBY, SubscribeOptions::default()).sent.is_empty());
    assert!(bench.frame(publication(5, 4)).events.is_empty());
    let did = bench.frame(v1::Detached {
        request: detach,
        channel_id: 5,
    });
    assert_eq!(did.names(), ["attach"]);
    bench.frame(attached(did.request(), LOBBY, 5, 4));
    assert_eq!(bench.frame(publication(5, 5)).seqs(), [5]);
}

#[test]
fn a_subscription_dropped_while_it_is_attached_is_left_afterwards() {
    let mut bench = Bench::open();
    let request = bench.subscribe(LOBBY, SubscribeOptions::default()).request();
    assert!(bench.feed(Input::Unsubscribe(SubscriptionId(0))).sent.is_empty());
    assert!(
        bench.subscribe(LOBBY, SubscribeOptions::default()).sent.is_empty(),
        "the first is not answered yet"
    );
    let did = bench.frame(attached(request, LOBBY, 5, 4));
    assert_eq!(did.names(), ["detach"]);
    let did = bench.frame(v1::Detached {
        request: did.request(),
        channel_id: 5,
    });
    assert_eq!(did.names(), ["attach"], "now the second");

    let mut bench = Bench::open();
    let request = bench.subscribe(LOBBY, SubscribeOptions::default()).request();
    bench.feed(Input::Unsubscribe(SubscriptionId(0)));
    bench.subscribe(LOBBY, SubscribeOptions::default());
    assert_eq!(
        bench.frame(refusal(request, 0, ErrorCode::Forbidden)).names(),
        ["attach"]
    );
}

#[test]
fn a_fault_of_a_channel_leaves_it_and_comes_back() {
    for code in [ErrorCode::Unavailable, ErrorCode::NotAttached] {
        let mut bench = Bench::open();
        bench.attach(3);
        let did = bench.frame(refusal(0, 5, code));
        assert_eq!(did.names(), ["detach"]);
        assert!(
            bench.frame(publication(5, 4)).events.is_empty(),
            "of the place that is left"
        );
        bench.frame(refusal(did.request(), 0, ErrorCode::NotAttached));
        let did = bench.wake(200);
        let [client_frame::Body::Attach(attach)] = &did.sent[..] else {
            panic!("{did:?}")
        };
        assert_eq!(attach.from, Some(v1::attach::From::Position(wire(3))));
    }
    let mut bench = Bench::open();
    bench.attach(3);
    let did = bench.frame(refusal(0, 5, ErrorCode::Forbidden));
    assert!(
        matches!(did.events[..], [(0, Event::Failed(SubscribeError::Refused(_)))]),
        "{did:?}"
    );
    assert_eq!((did.names(), did.ended.as_slice()), (vec!["detach"], &[0][..]));
    assert!(
        bench
            .frame(v1::Detached {
                request: 0,
                channel_id: 5
            })
            .sent
            .is_empty(),
        "the server left it, too"
    );
    assert!(!bench.frame(refusal(did.request(), 0, ErrorCode::NotAttached)).hung_up);
}

#[test]
fn a_channel_that_the_server_left_is_attached_again() {
    let mut bench = Bench::open();
    bench.attach(3);
    bench.frame(v1::Detached {
        request: 0,
        channel_id: 5,
    });
    assert_eq!(bench.wake(200).names(), ["attach"]);
}

#[test]
fn a_keyed_channel_asks_for_what_changed_instead_of_losing_it() {
    let mut bench = Bench::open();
    let request = bench
        .subscribe(LOBBY, SubscribeOptions::after(Position::from_wire(wire(3))))
        .request();
    bench.frame(v1::Attached {
        keyed: true,
        ..attached(request, LOBBY, 5, 3)
    });
    let lost = v1::Discontinuity {
        channel_id: 5,
        reason: 5,
        position: Some(wire(90)),
    };
    let did = bench.frame(lost);
    assert_eq!((did.names(), did.events.len()), (vec!["detach"], 0));
    let did = bench.frame(v1::Detached {
        request: did.request(),
        channel_id: 5,
    });
    let [client_frame::Body::Attach(attach)] = &did.sent[..] else {
        panic!("{did:?}")
    };
    assert_eq!(attach.from, Some(v1::attach::From::Position(wire(3))));
}

#[test]
fn attaches_go_out_in_groups() {
    let mut bench = Bench::new(&[A], "", false);
    bench.feed(Input::Start);
    for channel in 0..70 {
        bench.subscribe(&format!("demo:{channel}"), SubscribeOptions::default());
    }
    bench.dialed();
    let did = bench.frame(welcome());
    assert_eq!(did.sent.len(), 64);
    let Some(client_frame::Body::Attach(first)) = did.sent.first() else {
        panic!("{did:?}")
    };
    assert_eq!(
        bench.frame(attached(first.request, &first.channel, 1, 0)).names(),
        ["attach"]
    );
}

#[test]
fn answers_that_confuse_channels_break_the_rules() {
    let mut bench = Bench::open();
    bench.attach(3);
    let request = bench.subscribe("demo:other", SubscribeOptions::default()).request();
    assert_eq!(bench.frame(attached(request, "demo:third", 6, 0)).farewell(), 4400);

    let mut bench = Bench::open();
    bench.attach(3);
    let request = bench.subscribe("demo:other", SubscribeOptions::default()).request();
    assert_eq!(
        bench.frame(attached(request, "demo:other", 5, 0)).farewell(),
        4400,
        "the id of the lobby"
    );
}
