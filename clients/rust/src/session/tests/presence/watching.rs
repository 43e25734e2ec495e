//! Watching who is there.

use super::*;

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
