//! Being there: said, said again, refused, and ended.

use super::*;

#[test]
fn a_hello_says_which_client_it_is_each_time() {
    let mut bench = Bench::new(&[A, B], "", false);
    bench.feed(Input::Start);
    let first = bench.dialed();
    bench.frame(welcome());
    bench.lost();
    let second = bench.reconnect();
    for did in [&first, &second] {
        let Some(client_frame::Body::Hello(hello)) = did.sent.first() else {
            panic!("{did:?}")
        };
        assert_eq!(hello.client, [8; 16][..]);
    }
}

#[test]
fn after_each_reconnect_the_newest_state_is_said_again() {
    let mut bench = entered("here");
    let request = bench.update(0, "typing").request();
    assert_eq!(bench.frame(taken(request)).present, [(0, Ok(()))]);
    bench.lost();
    assert!(bench.update(0, "away").sent.is_empty(), "there is no connection");
    let did = bench.reconnect();
    assert_eq!(states(&did), ["away"]);
    let did = bench.frame(taken(did.request()));
    assert_eq!(did.present, [(0, Ok(()))], "who updates waited for the next connection");
    bench.lost();
    assert_eq!(states(&bench.reconnect()), ["away"]);
}

#[test]
fn what_is_said_while_an_answer_is_due_is_merged() {
    let mut bench = Bench::open();
    let request = bench.enter(LOBBY, "1").request();
    for state in ["2", "3", "4"] {
        assert!(bench.update(0, state).sent.is_empty());
    }
    let did = bench.frame(taken(request));
    assert_eq!((states(&did), did.present.len()), (vec!["4".to_owned()], 0));
    let did = bench.frame(taken(did.request()));
    assert_eq!(did.present, [(0, Ok(()))]);
    let did = bench.update(0, "4");
    assert_eq!(
        (did.names(), did.present),
        (vec![], vec![(0, Ok(()))]),
        "it is said already"
    );
}

#[test]
fn a_state_that_is_refused_takes_nothing_away() {
    let mut bench = entered("short");
    let request = bench.update(0, "long").request();
    let did = bench.frame(refusal(request, 0, ErrorCode::PayloadTooLarge));
    assert!(
        matches!(did.present[..], [(0, Err(PresenceError::Refused(_)))]),
        "{did:?}"
    );
    assert!(did.sent.is_empty() && did.out.is_empty());
    bench.lost();
    let did = bench.reconnect();
    assert_eq!(states(&did), ["short"]);

    // The same when the connection was lost before the answer.
    bench.frame(taken(did.request()));
    bench.update(0, "long");
    bench.lost();
    let did = bench.reconnect();
    assert_eq!(states(&did), ["long"]);
    let did = bench.frame(refusal(did.request(), 0, ErrorCode::PayloadTooLarge));
    assert_eq!((states(&did), did.present.len()), (vec!["short".to_owned()], 1));
}

#[test]
fn an_entry_that_may_not_be_ends() {
    let mut bench = Bench::open();
    let request = bench.enter(LOBBY, "").request();
    let did = bench.frame(refusal(request, 0, ErrorCode::Forbidden));
    let [(0, Err(PresenceError::Refused(refused)))] = &did.present[..] else {
        panic!("{did:?}")
    };
    assert_eq!(refused.code(), Some(ErrorCode::Forbidden));

    let mut bench = entered("");
    bench.lost();
    let request = bench.reconnect().request();
    let did = bench.frame(refusal(request, 0, ErrorCode::Forbidden));
    assert!(matches!(did.out[..], [(0, PresenceError::Refused(_))]), "{did:?}");
    bench.lost();
    assert!(states(&bench.reconnect()).is_empty());
    assert_eq!(states(&bench.enter(LOBBY, "again")), ["again"], "it may be tried again");
}

#[test]
fn an_entry_that_the_server_takes_away_ends_with_the_reason() {
    let taken_out = |channel: &str| v1::Error {
        channel: channel.into(),
        ..refusal(0, 0, ErrorCode::Forbidden)
    };
    let mut bench = entered("here");
    let did = bench.frame(taken_out("demo:elsewhere"));
    assert!(did.out.is_empty(), "it is not there");
    let did = bench.frame(taken_out(LOBBY));
    let [(0, PresenceError::Refused(refused))] = &did.out[..] else {
        panic!("{did:?}")
    };
    assert_eq!(refused.code(), Some(ErrorCode::Forbidden));
    assert_eq!((did.left, did.sent.len()), (vec![0], 0), "there is nothing to leave");
    bench.lost();
    assert!(states(&bench.reconnect()).is_empty());

    // What was on its way may be taken all the same, where a token with more rights came right behind.
    let mut bench = entered("here");
    let request = bench.update(0, "changed").request();
    let did = bench.frame(taken_out(LOBBY));
    assert!(
        matches!(did.present[..], [(0, Err(PresenceError::Refused(_)))]),
        "{did:?}"
    );
    assert_eq!((did.out.len(), did.names()), (1, vec!["leave"]));
    let leave = did.request();
    assert!(bench.frame(taken(request)).sent.is_empty());
    assert_eq!(bench.frame(v1::Left { request: leave }).left, [0]);
}

#[test]
fn a_refusal_for_now_is_tried_again_until_the_time_is_over() {
    let mut bench = Bench::open();
    let request = bench.enter(LOBBY, "").request();
    let busy = v1::Error {
        retry_after_ms: 300,
        ..refusal(request, 0, ErrorCode::Busy)
    };
    let did = bench.frame(busy);
    assert!(did.present.is_empty() && did.sent.is_empty());
    assert!(bench.wake(299).sent.is_empty());
    let did = bench.wake(401);
    assert_eq!(did.names(), ["enter"]);
    bench.frame(refusal(did.request(), 0, ErrorCode::Unavailable));
    let did = bench.wake(2_000);
    let cause = Some("unavailable: no".to_owned());
    assert_eq!(did.present, [(0, Err(PresenceError::TimedOut { cause }))]);
    assert_eq!(did.left, [0], "the node holds nothing that would have to be taken away");

    // An update that is out of time is still the newest.
    let mut bench = entered("old");
    bench.lost();
    bench.update(0, "new");
    let did = bench.wake(2_001);
    assert!(
        matches!(did.present[..], [(0, Err(PresenceError::TimedOut { .. }))]),
        "{did:?}"
    );
    bench.dialed();
    assert_eq!(states(&bench.frame(welcome())), ["new"]);
}

#[test]
fn what_was_asked_too_fast_waits_together() {
    let mut bench = Bench::open();
    let request = bench.enter("demo:a", "").request();
    let too_fast = v1::Error {
        retry_after_ms: 5,
        ..refusal(request, 0, ErrorCode::RateLimited)
    };
    bench.frame(too_fast);
    assert!(bench.enter("demo:b", "").sent.is_empty());
    assert!(bench.watch("demo:c", WatchOptions::default()).sent.is_empty());
    assert_eq!(bench.wakes_at(), 250);
    assert_eq!(bench.wake(250).names(), ["enter", "enter", "watch"]);
}

#[test]
fn many_are_entered_and_watched_in_groups() {
    let mut bench = Bench::new(&[A], "", false);
    bench.feed(Input::Start);
    for channel in 0..40 {
        bench.enter(&format!("demo:{channel}"), "");
        bench.watch(&format!("demo:{channel}"), WatchOptions::default());
    }
    bench.dialed();
    let did = bench.frame(welcome());
    let count = |name: &str| did.names().iter().filter(|sent| **sent == name).count();
    assert_eq!((count("enter"), count("watch")), (32, 32));
    let Some(client_frame::Body::Enter(first)) = did.sent.first() else {
        panic!("{did:?}")
    };
    let request = first.request;
    assert_eq!(bench.frame(taken(request)).names(), ["enter"]);
}

#[test]
fn leaving_is_asked_for_until_it_is_so() {
    let mut bench = entered("");
    let did = bench.leave(0);
    assert_eq!((did.names(), did.left.len()), (vec!["leave"], 0));
    let did = bench.frame(refusal(did.request(), 0, ErrorCode::RateLimited));
    assert!(did.left.is_empty());
    let did = bench.wake(250);
    assert_eq!(did.names(), ["leave"]);
    assert_eq!(bench.frame(v1::Left { request: did.request() }).left, [0]);

    let mut bench = entered("");
    let request = bench.leave(0).request();
    assert_eq!(bench.frame(refusal(request, 0, ErrorCode::NotEntered)).left, [0]);

    let mut bench = entered("");
    bench.leave(0);
    assert_eq!(bench.lost().left, [0], "it ends with the connection");
    assert!(states(&bench.reconnect()).is_empty());
}

#[test]
fn an_entry_dropped_before_its_answer_is_left_afterwards() {
    let mut bench = Bench::open();
    let request = bench.enter(LOBBY, "").request();
    assert_eq!(bench.leave(0).names(), ["leave"]);
    assert!(bench.frame(taken(request)).present.is_empty());
}

#[test]
fn a_channel_is_entered_again_after_it_was_left() {
    let mut bench = entered("");
    let did = bench.enter(LOBBY, "twice");
    assert_eq!(did.present, [(1, Err(PresenceError::AlreadyEntered))]);
    let leave = bench.leave(0).request();
    assert_eq!(states(&bench.enter(LOBBY, "again")), ["again"], "behind the leave");
    let did = bench.frame(refusal(leave, 0, ErrorCode::RateLimited));
    assert_eq!(did.left, [0], "the new entry is not to be taken away");
    assert!(bench.wake(300).sent.is_empty());

    // A leave that was not sent yet is not needed any more.
    let mut bench = entered("");
    let request = bench.leave(0).request();
    bench.frame(refusal(request, 0, ErrorCode::RateLimited));
    assert_eq!(bench.enter(LOBBY, "again").left, [0]);
    assert_eq!(bench.wake(250).names(), ["enter"]);
}
