//! Being in a channel and watching one, over connections.

use super::*;

/// Enters the lobby as the first that is held, and is answered.
fn entered(state: &'static str) -> Bench {
    let mut bench = Bench::open();
    let request = bench.enter(LOBBY, state).request();
    let did = bench.frame(taken(request));
    assert_eq!(did.present, [(0, Ok(()))]);
    bench
}

/// Watches the lobby as the first that is held, and is shown a client.
fn watching() -> Bench {
    let mut bench = Bench::open();
    let request = bench.watch(LOBBY, WatchOptions::default()).request();
    assert_eq!(bench.frame(watched(request)).present, [(0, Ok(()))]);
    assert_eq!(bench.frame(roster(&[1])).told.len(), 1);
    bench
}

fn watched(request: u64) -> v1::Watched {
    v1::Watched {
        request,
        channel_id: 9,
        channel: LOBBY.into(),
    }
}

fn roster(clients: &[u8]) -> v1::Roster {
    let present = |client: &u8| v1::Present {
        client: Bytes::copy_from_slice(&[*client; 16]),
        node: "a".into(),
        ..v1::Present::default()
    };
    v1::Roster {
        channel_id: 9,
        first: true,
        last: true,
        clients: clients.iter().map(present).collect(),
    }
}

/// The states that were said, by Enter.
fn states(did: &Did) -> Vec<String> {
    let state = |frame: &client_frame::Body| match frame {
        client_frame::Body::Enter(enter) => Some(String::from_utf8_lossy(&enter.state).into_owned()),
        _ => None,
    };
    did.sent.iter().filter_map(state).collect()
}

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

#[test]
fn of_ephemeral_states_the_newest_is_sent_now_and_then() {
    fn say(bench: &mut Bench, state: &'static str) -> Did {
        bench.feed(Input::Ephemeral {
            id: SubscriptionId(0),
            state: state.into(),
        })
    }
    fn said(did: &Did) -> Option<(u64, &[u8])> {
        match &did.sent[..] {
            [client_frame::Body::Ephemeral(frame)] => Some((frame.number, &frame.state)),
            _ => None,
        }
    }
    let mut bench = Bench::open();
    let request = bench.enter(LOBBY, "").request();
    assert!(
        say(&mut bench, "early").sent.is_empty(),
        "no node answers for the entry"
    );
    assert!(bench.frame(taken(request)).sent.is_empty());
    assert_eq!(
        said(&say(&mut bench, "1")),
        Some((1_000_000, &b"1"[..])),
        "by the server's clock"
    );
    assert!(say(&mut bench, "2").sent.is_empty());
    assert!(say(&mut bench, "3").sent.is_empty());
    assert_eq!(bench.wakes_at(), 33);
    assert_eq!(said(&bench.wake(33)), Some((1_000_001, &b"3"[..])));
    assert!(bench.wake(100).sent.is_empty(), "said once");
    // After a reconnect it rises on.
    bench.lost();
    assert!(say(&mut bench, "lost").sent.is_empty());
    let request = bench.reconnect().request();
    assert!(bench.frame(taken(request)).sent.is_empty());
    let did = say(&mut bench, "4");
    assert_eq!(said(&did).map(|(number, _)| number), Some(1_000_002));
}

/// Enters the lobby over a transport with datagrams.
fn entered_with_datagrams() -> Bench {
    let mut bench = Bench::new(&[A], "", false);
    bench.feed(Input::Start);
    bench.dialed();
    bench.frame(v1::Welcome {
        datagram_bytes: limits::DATAGRAM_BYTES_MAX as u32,
        ..welcome()
    });
    let request = bench.enter(LOBBY, "").request();
    bench.frame(taken(request));
    bench
}

fn cursor(bench: &mut Bench, state: impl Into<Bytes>) -> Did {
    bench.feed(Input::Ephemeral {
        id: SubscriptionId(0),
        state: state.into(),
    })
}

/// Numbers and states.
type Moments = Vec<(u64, Bytes)>;

/// What was said for the moment: by frames, and by datagrams.
fn moments(did: &Did) -> (Moments, Moments) {
    let moment = |frame: &client_frame::Body| match frame {
        client_frame::Body::Ephemeral(frame) => Some((frame.number, frame.state.clone())),
        _ => None,
    };
    let (sent, datagrams) = (
        did.sent.iter().filter_map(moment),
        did.datagrams.iter().filter_map(moment),
    );
    (sent.collect(), datagrams.collect())
}

#[test]
fn of_datagrams_the_last_is_said_once_more_by_the_stream() {
    let mut bench = entered_with_datagrams();
    let first = (1_000_000, Bytes::from("1"));
    assert_eq!(moments(&cursor(&mut bench, "1")), (vec![], vec![first]));
    cursor(&mut bench, "2");
    let second = (1_000_001, Bytes::from("2"));
    assert_eq!(moments(&bench.wake(33)), (vec![], vec![second.clone()]));
    assert_eq!(bench.wakes_at(), 133, "a hundred after the last");
    assert_eq!(moments(&bench.wake(132)), (vec![], vec![]));
    assert_eq!(moments(&bench.wake(133)), (vec![second], vec![]), "with its number");
    assert_eq!(moments(&bench.wake(1_000)), (vec![], vec![]), "once");

    // What was on its way when the connection was lost is not said on the next.
    cursor(&mut bench, "3");
    bench.lost();
    bench.reconnect();
    assert_eq!(moments(&bench.wake(2_000)), (vec![], vec![]));
}

#[test]
fn a_server_without_datagrams_or_with_short_ones_gets_frames() {
    let mut bench = entered("");
    let did = cursor(&mut bench, "1");
    assert_eq!((moments(&did).0.len(), did.datagrams.len()), (1, 0));
    assert_eq!(moments(&bench.wake(500)), (vec![], vec![]), "nothing was lost");

    let mut bench = entered_with_datagrams();
    bench.session.common.datagram_bytes = 100;
    let did = cursor(&mut bench, vec![0; 100]);
    assert_eq!((moments(&did).0.len(), did.datagrams.len()), (1, 0));
}

#[test]
fn hello_asks_for_datagrams_where_there_are_any() {
    for (transport, expected) in [(Transport::WebSocket, false), (Transport::WebTransport, true)] {
        let mut bench = Bench::new(&[A], "", false);
        bench.feed(Input::Start);
        let did = bench.feed(Input::Dialed {
            base: A.parse().expect("a URL"),
            transport,
            nodes: Vec::new(),
        });
        let Some(client_frame::Body::Hello(hello)) = did.sent.first() else {
            panic!("{did:?}")
        };
        assert_eq!(hello.datagrams, expected);
    }
}

#[test]
fn what_comes_by_datagrams_is_told_in_order_and_breaks_no_rules() {
    let said = |channel_id, number, client: &[u8]| {
        let state = v1::EphemeralState {
            client: client.to_vec().into(),
            number,
            state: number.to_string().into(),
        };
        let states = vec![state];
        v1::Ephemerals { channel_id, states }
    };
    let told = |did: &Did| -> Vec<String> {
        let state = |told: &Told| match told {
            Told::Ephemeral(_, state) => String::from_utf8_lossy(state).into_owned(),
            other => panic!("{other:?}"),
        };
        did.told.iter().map(state).collect()
    };
    let mut bench = Bench::open();
    let did = bench.feed(Input::Datagram(said(9, 1, &[1; 16])));
    assert!(did.told.is_empty() && did.sent.is_empty(), "it overtook the answer");
    let mut bench = watching();
    assert_eq!(told(&bench.feed(Input::Datagram(said(9, 5, &[1; 16])))), ["5"]);
    assert!(
        told(&bench.feed(Input::Datagram(said(9, 4, &[1; 16])))).is_empty(),
        "it was overtaken"
    );
    assert!(
        told(&bench.frame(said(9, 5, &[1; 16]))).is_empty(),
        "it is told once more"
    );
    assert_eq!(
        told(&bench.frame(said(9, 6, &[1; 16]))),
        ["6"],
        "what was lost is told once more"
    );
    for nonsense in [said(9, 7, &[1; 3]), said(10, 7, &[1; 16]), said(9, 7, &[2; 16])] {
        let did = bench.feed(Input::Datagram(nonsense));
        assert!(did.told.is_empty() && did.sent.is_empty(), "{did:?}");
    }
    bench.lost();
    let did = bench.feed(Input::Datagram(said(9, 8, &[1; 16])));
    assert!(
        did.told.is_empty() && did.sent.is_empty(),
        "it is of a connection that was given up"
    );
}

#[test]
fn after_a_reconnect_a_watch_goes_on_with_the_difference() {
    let mut bench = watching();
    let did = bench.lost();
    assert!(
        matches!(&did.told[..], [Told::Certainty(certainty)] if certainty.stale),
        "{did:?}"
    );
    let did = bench.reconnect();
    let Some(client_frame::Body::Watch(watch)) = did.sent.last() else {
        panic!("{did:?}")
    };
    assert_eq!((watch.channel.as_str(), watch.count), (LOBBY, false));
    bench.frame(v1::Watched {
        channel_id: 70,
        ..watched(watch.request)
    });
    let did = bench.frame(v1::Roster {
        channel_id: 70,
        ..roster(&[2])
    });
    assert!(matches!(&did.told[..], [Told::Joined(_), Told::Left(_)]), "{did:?}");
}

#[test]
fn presence_that_nobody_asked_for_breaks_the_rules() {
    let nobodys: [server_frame::Body; 7] = [
        taken(4).into(),
        v1::Left { request: 4 }.into(),
        watched(4).into(),
        roster(&[]).into(),
        v1::PresenceChanges {
            channel_id: 9,
            ..v1::PresenceChanges::default()
        }
        .into(),
        v1::Occupancy {
            channel_id: 9,
            ..v1::Occupancy::default()
        }
        .into(),
        v1::Ephemerals {
            channel_id: 9,
            ..v1::Ephemerals::default()
        }
        .into(),
    ];
    for frame in nobodys {
        let mut bench = Bench::open();
        assert_eq!(bench.frame(frame).farewell(), 4400);
    }
    // The id of a channel that is attached is none of presence, and the other way round.
    let mut bench = Bench::open();
    bench.attach(3);
    let certainty = v1::Certainty {
        channel_id: 5,
        ..v1::Certainty::default()
    };
    assert_eq!(bench.frame(certainty).farewell(), 4400);
    let mut bench = watching();
    assert_eq!(bench.frame(publication(9, 1)).farewell(), 4400);
}

#[test]
fn a_watch_that_is_dropped_is_left_and_can_be_taken_up_again() {
    let mut bench = watching();
    let did = bench.watch(LOBBY, WatchOptions::count());
    assert_eq!(did.present, [(1, Err(PresenceError::AlreadyWatched))]);
    let did = bench.leave(0);
    assert_eq!((did.names(), did.unwatched.as_slice()), (vec!["detach"], &[0][..]));
    assert!(bench.frame(roster(&[3])).told.is_empty(), "it was on its way");
    assert!(
        bench.watch(LOBBY, WatchOptions::count()).sent.is_empty(),
        "not left yet"
    );
    let did = bench.frame(v1::Detached {
        request: did.request(),
        channel_id: 9,
    });
    let [client_frame::Body::Watch(watch)] = &did.sent[..] else {
        panic!("{did:?}")
    };
    assert!(watch.count);
    bench.frame(watched(watch.request));
    let occupancy = v1::Occupancy {
        channel_id: 9,
        members: 2,
        clients: 3,
    };
    assert!(matches!(bench.frame(occupancy).told[..], [Told::Occupancy(_)]));
}

#[test]
fn a_watch_that_the_server_ended_begins_again_unless_it_may_not() {
    let mut bench = watching();
    let did = bench.frame(v1::Detached {
        request: 0,
        channel_id: 9,
    });
    assert!(
        matches!(&did.told[..], [Told::Certainty(certainty)] if certainty.stale),
        "{did:?}"
    );
    assert_eq!(bench.wake(200).names(), ["watch"]);

    let mut bench = watching();
    let did = bench.frame(refusal(0, 9, ErrorCode::Forbidden));
    assert!(
        matches!(did.told[..], [Told::Failed(PresenceError::Refused(_))]),
        "{did:?}"
    );
    assert_eq!((did.names(), did.unwatched.as_slice()), (vec!["detach"], &[0][..]));
    bench.frame(v1::Detached {
        request: 0,
        channel_id: 9,
    });
    assert!(!bench.frame(refusal(did.request(), 0, ErrorCode::NotAttached)).hung_up);
}

#[test]
fn a_refused_watch_says_why() {
    let mut bench = Bench::open();
    let request = bench.watch(LOBBY, WatchOptions::default()).request();
    let did = bench.frame(refusal(request, 0, ErrorCode::UnknownNamespace));
    assert!(
        matches!(did.present[..], [(0, Err(PresenceError::Refused(_)))]),
        "{did:?}"
    );
    assert_eq!(bench.watch(LOBBY, WatchOptions::default()).names(), ["watch"]);

    let options = WatchOptions {
        timeout: Duration::from_secs(1),
        ..WatchOptions::default()
    };
    let request = bench.watch("demo:slow", options).request();
    let did = bench.wake(1_000);
    assert!(
        matches!(did.present[..], [(2, Err(PresenceError::TimedOut { .. }))]),
        "{did:?}"
    );
    // The answer comes after all: nobody waits for it.
    let late = v1::Watched {
        channel_id: 10,
        channel: "demo:slow".into(),
        ..watched(request)
    };
    assert_eq!(bench.frame(late).names(), ["detach"]);
}

#[test]
fn closing_tells_everybody() {
    let mut bench = entered("");
    let request = bench.watch(LOBBY, WatchOptions::default()).request();
    bench.frame(watched(request));
    bench.enter("demo:other", "");
    let did = bench.feed(Input::Close);
    assert_eq!(did.farewell(), 1000);
    let closed = || PresenceError::Closed(CloseReason::Application);
    assert_eq!(did.out, [(0, closed()), (2, closed())]);
    assert_eq!(
        (did.unwatched.as_slice(), did.present),
        (&[1][..], vec![(2, Err(closed()))])
    );
}

/// An answer to Enter, as a node gives it.
pub(super) fn taken(request: u64) -> v1::Entered {
    v1::Entered {
        request,
        client: vec![7; 16].into(),
    }
}
