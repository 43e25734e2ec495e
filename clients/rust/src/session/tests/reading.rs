//! Messages, over reconnects and with page credit.

use super::*;

#[test]
fn a_reconnect_goes_on_after_what_was_queued() {
    let mut bench = Bench::open();
    bench.attach(3);
    assert_eq!(bench.frame(publication(5, 4)).seqs(), [4]);
    bench.lost();
    let did = bench.reconnect();
    let Some(client_frame::Body::Attach(attach)) = did.sent.last() else {
        panic!("{did:?}")
    };
    assert_eq!(attach.from, Some(v1::attach::From::Position(wire(4))));

    assert_eq!(
        bench.frame(publication(5, 5)).farewell(),
        4400,
        "channel ids are of one connection"
    );
    let did = bench.reconnect();
    let did = bench.frame(attached(did.request(), LOBBY, 9, 4));
    assert!(
        matches!(did.events[..], [(0, Event::Attached { .. })]),
        "each attachment is told"
    );
    assert!(did.subscribed.is_empty(), "but nobody waits for it any more");
    assert_eq!(bench.frame(publication(9, 5)).seqs(), [5]);
}

#[test]
fn every_kind_of_frame_finds_its_subscription() {
    let mut bench = Bench::open();
    bench.attach(3);
    let entry = |seq| v1::PageEntry {
        seq,
        term: 1,
        ..v1::PageEntry::default()
    };
    let page = v1::Page {
        channel_id: 5,
        after: 3,
        entries: vec![entry(4), entry(5)],
    };
    assert_eq!(bench.frame(page).seqs(), [4, 5]);
    let did = bench.frame(v1::Skipped {
        channel_id: 5,
        to: 9,
        count: 4,
        reason: 1,
    });
    assert!(matches!(did.events[..], [(0, Event::Skipped { to: 9, .. })]));
    assert_eq!(bench.frame(v1::Lagged { channel_id: 5, seq: 9 }).names(), ["pull"]);
    let did = bench.frame(v1::Discontinuity {
        channel_id: 5,
        reason: 5,
        position: Some(wire(20)),
    });
    assert!(matches!(did.events[..], [(0, Event::Discontinuity { .. })]));
    let snapshot = v1::Snapshot {
        channel_id: 5,
        replace: true,
        at: Some(wire(21)),
        entries: Vec::new(),
        last: true,
    };
    assert!(matches!(bench.frame(snapshot).events[..], [(0, Event::KeyedState(_))]));
    assert_eq!(bench.frame(publication(5, 22)).seqs(), [22]);
}

#[test]
fn page_credit_comes_back_when_the_application_took_the_page() {
    let mut bench = Bench::open();
    bench.attach(3);
    let page = |after| v1::Page {
        channel_id: 5,
        after,
        entries: vec![v1::PageEntry {
            seq: after + 1,
            term: 1,
            ..v1::PageEntry::default()
        }],
    };
    let fed = |bench: &mut Bench, after| {
        bench.feed(Input::Frame {
            frame: page(after).into(),
            bytes: 200_000,
        })
    };
    assert!(fed(&mut bench, 3).sent.is_empty());
    let credit = crate::credit::Credit {
        connection: 1,
        bytes: 200_000,
    };
    let taken = Taken {
        events: 2,
        bytes: 0,
        credit,
    };
    let did = bench.feed(Input::Taken {
        id: SubscriptionId(0),
        taken,
    });
    assert_eq!(did.sent, [client_frame::Body::Credit(v1::Credit { bytes: 200_000 })]);

    fed(&mut bench, 4);
    let did = bench.feed(Input::Unsubscribe(SubscriptionId(0)));
    assert_eq!(did.names(), ["detach", "credit"], "what the dropped queue held");
    let did = fed(&mut bench, 5);
    assert_eq!(did.names(), ["credit"], "and what comes for it later");
}

#[test]
fn more_pages_than_the_credit_allows_break_the_rules() {
    let mut bench = Bench::open();
    bench.attach(3);
    let did: Vec<_> = (3..7)
        .map(|after| {
            let entries = vec![v1::PageEntry {
                seq: after + 1,
                term: 1,
                ..v1::PageEntry::default()
            }];
            let frame = v1::Page {
                channel_id: 5,
                after,
                entries,
            }
            .into();
            bench.feed(Input::Frame {
                frame,
                bytes: limits::PAGE_BYTES_MAX,
            })
        })
        .collect();
    assert_eq!(did[3].farewell(), 4400);
}

#[test]
fn a_slow_subscription_holds_up_no_other() {
    let mut bench = Bench::open();
    let options = SubscribeOptions {
        queue_events: 1,
        ..SubscribeOptions::default()
    };
    let request = bench.subscribe(LOBBY, options).request();
    bench.frame(attached(request, LOBBY, 5, 0));
    let request = bench.subscribe("demo:other", SubscribeOptions::default()).request();
    bench.frame(attached(request, "demo:other", 6, 0));
    assert!(bench.frame(publication(5, 1)).events.is_empty(), "its queue is full");
    assert_eq!(bench.frame(publication(6, 1)).seqs(), [1]);
    let taken = Taken {
        events: 1,
        bytes: 160,
        ..Taken::default()
    };
    let did = bench.feed(Input::Taken {
        id: SubscriptionId(0),
        taken,
    });
    assert_eq!(did.sent, [client_frame::Body::Pull(v1::Pull { channel_id: 5, seq: 0 })]);
}

#[test]
fn pages_that_are_not_read_keep_no_other_from_its_pages() {
    let mut bench = Bench::open();
    bench.attach(0);
    let request = bench.subscribe("demo:other", SubscribeOptions::default()).request();
    bench.frame(v1::Attached {
        head: 9,
        ..attached(request, "demo:other", 6, 0)
    });
    let page = |channel_id, after| {
        let entries = vec![v1::PageEntry {
            seq: after + 1,
            term: 1,
            ..v1::PageEntry::default()
        }];
        Input::Frame {
            frame: v1::Page {
                channel_id,
                after,
                entries,
            }
            .into(),
            bytes: limits::PAGE_BYTES_MAX,
        }
    };
    bench.feed(page(5, 0));
    bench.feed(page(5, 1));
    assert_eq!(bench.wakes_at(), 1_000);
    assert!(bench.wake(999).sent.is_empty());
    let did = bench.wake(1_000);
    assert_eq!(
        did.sent,
        [client_frame::Body::Credit(v1::Credit {
            bytes: 2 * limits::PAGE_BYTES_MAX as u32
        })]
    );
    assert_eq!(bench.feed(page(6, 0)).seqs(), [1]);

    let did = bench.feed(page(5, 2));
    assert_eq!(
        (did.seqs(), did.names()),
        (vec![], vec!["credit"]),
        "more of what is not read stays with the server"
    );
    let credit = crate::credit::Credit {
        connection: 1,
        bytes: limits::PAGE_BYTES_MAX as u32,
    };
    let taken = Taken {
        events: 2,
        bytes: 0,
        credit,
    };
    let did = bench.feed(Input::Taken {
        id: SubscriptionId(0),
        taken,
    });
    assert_eq!(
        did.sent,
        [client_frame::Body::Pull(v1::Pull { channel_id: 5, seq: 2 })],
        "and no credit twice"
    );
}

#[test]
fn page_credit_is_left_to_a_slow_reader_that_nobody_waits_for() {
    let mut bench = Bench::open();
    bench.attach(0);
    let request = bench.subscribe("demo:other", SubscribeOptions::default()).request();
    bench.frame(attached(request, "demo:other", 6, 0));
    for after in 0..2 {
        let entries = vec![v1::PageEntry {
            seq: after + 1,
            term: 1,
            ..v1::PageEntry::default()
        }];
        let frame = v1::Page {
            channel_id: 5,
            after,
            entries,
        }
        .into();
        bench.feed(Input::Frame {
            frame,
            bytes: limits::PAGE_BYTES_MAX,
        });
    }
    assert_eq!(bench.wakes_at(), 1_500, "the ping after what came");
    bench.wake(1_500);
    bench.frame(v1::Pong { nonce: 1, time_ms: 0 });
    assert_eq!(bench.wakes_at(), 11_500, "the heartbeat");
}
