//! Ephemeral state: by frames and by datagrams, and of it the newest.

use super::*;

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
