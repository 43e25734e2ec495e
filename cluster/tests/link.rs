//! Messages between nodes, over real sockets: in order and once, whatever happens to the way.

mod support;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use bytes::Bytes;
use starling_cluster::link::{
    Cause, Event, FRAME_BYTES_MAX, Incoming, LANES, Lane, Link, Outgoing, PeerState, Refusal, SLOT_LANES, SendError,
    Settings,
};
use support::linked::{self, Node, join, start};
use support::relay::{Relay, Way};
use support::{eventually, node, soon};

fn message(lane: Lane, number: u64) -> Outgoing {
    let body = Bytes::from(format!("body {number}"));
    Outgoing::new(lane, &number, [body, Bytes::new()]).expect("it is short")
}

async fn next(node: &mut Node, lane: Lane) -> Incoming {
    let came = soon("a message", node.inboxes[lane.index()].recv()).await;
    came.expect("the node runs")
}

/// Takes messages until number `last` of a lane, and holds them to be those after `first` in order.
async fn expect(node: &mut Node, lane: Lane, first: u64, last: u64) {
    for number in first..=last {
        let came = next(node, lane).await;
        assert_eq!((came.decode::<u64>().expect("a number"), came.lane), (number, lane));
        assert_eq!(came.payloads[0], format!("body {number}"));
        assert!(came.payloads[1].is_empty());
    }
}

async fn send_all(link: &Link, lane: Lane, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        link.send(&message(lane, number)).await.expect("it is kept");
    }
}

/// Links two nodes through a relay that the test holds.
async fn join_through_relay(a: &mut Node, b: &mut Node, seed: u64) -> (Relay, Link, Link) {
    let relay = Relay::start(b.address, seed).await;
    let links = (a.keep(&b.id, relay.address), b.keep(&a.id, a.address));
    a.until(&Event::Up(b.id.clone())).await;
    b.until(&Event::Up(a.id.clone())).await;
    (relay, links.0, links.1)
}

#[tokio::test]
async fn messages_arrive_in_order_in_their_lanes_both_ways() {
    let (mut a, mut b) = (start("a", 1), start("b", 1));
    let (to_b, to_a) = join(&mut a, &mut b).await;
    let lanes = [Lane::Control, Lane::Slot(0), Lane::Slot(7), Lane::Slot(1_023)];
    for number in 1..=100 {
        for lane in lanes {
            to_b.try_send(&message(lane, number)).expect("there is room");
            to_a.try_send(&message(lane, number)).expect("there is room");
        }
    }
    for lane in [Lane::Control, Lane::Slot(0)] {
        expect(&mut a, lane, 1, 100).await;
        expect(&mut b, lane, 1, 100).await;
    }
    // Two slots of one lane come as they were sent, among each other too.
    for number in 1..=100 {
        for lane in [Lane::Slot(7), Lane::Slot(1_023)] {
            let came = next(&mut b, lane).await;
            assert_eq!((came.decode::<u64>().expect("a number"), came.lane), (number, lane));
            assert_eq!(came.from, a.id);
        }
    }
    assert_eq!((a.counts.of("links up"), b.counts.of("links up")), (1, 1));
    assert_eq!(
        (a.counts.of("handshake dialled"), b.counts.of("handshake accepted")),
        (1, 1)
    );
}

#[tokio::test]
async fn what_is_sent_before_there_is_a_link_arrives_when_there_is_one() {
    let (mut a, mut b) = (start("a", 1), start("b", 1));
    let to_a = b.keep(&a.id, a.address);
    send_all(&to_a, Lane::Slot(1), 1..=10).await;
    assert_eq!(to_a.state(), PeerState::Down);
    let to_b = a.keep(&b.id, b.address);
    send_all(&to_b, Lane::Control, 1..=10).await;
    expect(&mut a, Lane::Slot(1), 1, 10).await;
    expect(&mut b, Lane::Control, 1, 10).await;
}

#[tokio::test]
async fn a_link_that_breaks_again_and_again_loses_nothing_and_repeats_nothing() {
    const MESSAGES: u64 = 3_000;
    let (mut a, mut b) = (start("a", 1), start("b", 1));
    let (relay, to_b, to_a) = join_through_relay(&mut a, &mut b, 8_121).await;
    relay.lose(5);
    let senders = [
        (to_b.clone(), Lane::Slot(3)),
        (to_b, Lane::Control),
        (to_a, Lane::Slot(3)),
    ];
    let senders = senders.map(|(link, lane)| {
        tokio::spawn(async move {
            for number in 1..=MESSAGES {
                link.send(&message(lane, number)).await.expect("it is kept");
                if number % 50 == 0 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        })
    });
    let cuts = tokio::spawn(async move {
        // Cut until QUIC or the beats have given the connection up, on one way and on both.
        for way in 0..3 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            match way {
                0 => relay.cut_both(true),
                1 => relay.cut(Way::There, true),
                _ => relay.cut(Way::Back, true),
            }
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            relay.cut_both(false);
        }
        relay
    });
    expect(&mut b, Lane::Slot(3), 1, MESSAGES).await;
    expect(&mut b, Lane::Control, 1, MESSAGES).await;
    expect(&mut a, Lane::Slot(3), 1, MESSAGES).await;
    for sender in senders {
        sender.await.expect("it ends");
    }
    let _relay = cuts.await.expect("it ends");
    for node in [&mut a, &mut b] {
        assert!(
            node.inboxes.iter_mut().all(|inbox| inbox.try_recv().is_err()),
            "nothing comes twice"
        );
        assert!(!node.came().iter().any(|event| matches!(event, Event::Reset(_))));
    }
    assert!(a.counts.of("handshake dialled") > 1, "it broke");
    assert!(
        a.counts.of("resends") + b.counts.of("resends") > 0,
        "and there was something to send again"
    );
}

#[tokio::test]
async fn a_lane_that_nobody_reads_fills_says_so_and_holds_up_no_other() {
    let settings = Settings {
        queue_bytes: 2 * LANES * FRAME_BYTES_MAX,
        ..Settings::default()
    };
    let mut a = linked::start_with("a", 1, linked::agreement(), settings, linked::authority());
    let mut b = start("b", 1);
    let (to_b, _) = join(&mut a, &mut b).await;
    let stuck = Lane::Slot(0);
    let big = |lane| Outgoing::new(lane, &0u64, [Bytes::from(vec![7; FRAME_BYTES_MAX / 2])]).expect("it fits");
    // What b's inbox, b's window, and a's lane hold; then no more.
    let full = soon("the lane fills", async {
        let mut sent = 0;
        loop {
            match tokio::time::timeout(Duration::from_secs(1), to_b.send(&big(stuck))).await {
                Ok(result) => result.expect("the peer is there"),
                Err(_) => return sent,
            }
            sent += 1;
        }
    })
    .await;
    assert!((8..=20).contains(&full), "{full} halves of a mebibyte");
    assert_eq!(to_b.try_send(&big(stuck)), Err(SendError::LinkFull));
    assert_eq!(a.counts.of("limit cluster.link_queue"), 1);
    // All others go on, each with its own room.
    for slot in 1..u16::try_from(SLOT_LANES).expect("eight") {
        for number in 1..=50 {
            to_b.send(&message(Lane::Slot(slot), number))
                .await
                .expect("there is room");
        }
        expect(&mut b, Lane::Slot(slot), 1, 50).await;
    }
    send_all(&to_b, Lane::Control, 1..=50).await;
    expect(&mut b, Lane::Control, 1, 50).await;
    assert_eq!((to_b.state(), a.counts.of("links suspect")), (PeerState::Up, 0));
    // Read on, and it moves on.
    for _ in 0..full {
        assert_eq!(next(&mut b, stuck).await.payloads[0].len(), FRAME_BYTES_MAX / 2);
    }
    to_b.send(&big(stuck)).await.expect("there is room again");
}

#[tokio::test]
async fn a_message_that_no_frame_holds_is_refused_where_it_is_sent() {
    let (mut a, mut b) = (start("a", 1), start("b", 1));
    let (to_b, _) = join(&mut a, &mut b).await;
    let long = Outgoing::new(Lane::Control, &0u8, [Bytes::from(vec![0; FRAME_BYTES_MAX])]).expect("a short header");
    assert_eq!(to_b.try_send(&long), Err(SendError::TooLong));
    assert_eq!(to_b.send(&long).await, Err(SendError::TooLong));
    assert!(Outgoing::new(Lane::Control, &vec![0u8; 70_000], []).is_err());
}

#[tokio::test]
async fn a_peer_that_goes_silent_is_suspected_then_down_and_up_again_when_it_is_back() {
    let (mut a, mut b) = (start("a", 1), start("b", 1));
    let (relay, ..) = join_through_relay(&mut a, &mut b, 1).await;
    for way in [None, Some(Way::There), Some(Way::Back)] {
        let cut = Instant::now();
        match way {
            None => relay.cut_both(true),
            Some(way) => relay.cut(way, true),
        }
        // Both find out, whichever way is cut: each says when it last heard the other.
        a.until(&Event::Suspect(b.id.clone())).await;
        let suspected = cut.elapsed();
        // When a is not heard, b gives the connection up as well, and either may be what a sees first.
        soon("b is down for a", async {
            while !matches!(
                a.events.recv().await.expect("few"),
                Event::Down(_, Cause::Silent | Cause::Deaf)
            ) {}
        })
        .await;
        let down = cut.elapsed();
        assert!(
            suspected >= Duration::from_millis(500) && down >= Duration::from_millis(1_300),
            "{suspected:?} {down:?}"
        );
        assert!(down < Duration::from_secs(4), "{down:?}");
        soon("b is down too", async {
            while !matches!(b.events.recv().await.expect("few"), Event::Down(..)) {}
        })
        .await;
        relay.cut_both(false);
        a.until(&Event::Up(b.id.clone())).await;
        b.until(&Event::Up(a.id.clone())).await;
    }
}

#[tokio::test]
async fn a_client_port_that_refuses_makes_it_quick() {
    let (mut a, mut b) = (start("a", 1), start("b", 1));
    let (relay, ..) = join_through_relay(&mut a, &mut b, 1).await;
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let probe = Some(port.local_addr().expect("bound"));
    let target = starling_cluster::link::Target {
        address: relay.address,
        probe,
    };
    a.links.keep(&b.id, target).expect("known");
    // While the port answers, only time tells.
    relay.cut_both(true);
    a.until(&Event::Down(b.id.clone(), Cause::Silent)).await;
    relay.cut_both(false);
    a.until(&Event::Up(b.id.clone())).await;
    drop(port);
    relay.cut_both(true);
    a.until(&Event::Suspect(b.id.clone())).await;
    let suspected = Instant::now();
    a.until(&Event::Down(b.id.clone(), Cause::Refused)).await;
    assert!(
        suspected.elapsed() < Duration::from_millis(500),
        "{:?}",
        suspected.elapsed()
    );
}

#[test]
fn a_starved_node_accuses_nobody_and_is_suspected_itself() {
    let others = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let starved = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut b = others.block_on(async { start("b", 1) });
    starved.block_on(async {
        let mut a = start("a", 1);
        a.keep(&b.id, b.address);
        b.keep(&a.id, a.address);
        a.until(&Event::Up(b.id.clone())).await;
        for _ in 0..3 {
            // Nothing of a runs, while b goes on on its own thread.
            std::thread::sleep(Duration::from_millis(1_000));
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        assert_eq!(a.came(), [], "a heard nothing for a second, and knows why");
        let accused = Event::Suspect(a.id.clone());
        assert!(b.came().contains(&accused), "b, who was awake, did suspect it");
    });
}

#[tokio::test]
async fn a_peer_that_ends_says_so() {
    let (mut a, mut b) = (start("a", 1), start("b", 1));
    join(&mut a, &mut b).await;
    let id = b.id.clone();
    soon("it closes", b.links.close()).await;
    a.until(&Event::Down(id, Cause::Farewell)).await;
}

#[tokio::test]
async fn a_new_generation_begins_anew_and_the_old_link_is_gone() {
    for restarted in ["a", "b"] {
        let (mut a, mut b) = (start("a", 1), start("b", 1));
        let (to_b, to_a) = join(&mut a, &mut b).await;
        send_all(&to_b, Lane::Slot(5), 1..=20).await;
        send_all(&to_a, Lane::Slot(5), 1..=20).await;
        expect(&mut b, Lane::Slot(5), 1, 20).await;
        expect(&mut a, Lane::Slot(5), 1, 20).await;
        let (mut stays, goes, old) = if restarted == "a" { (b, a, to_a) } else { (a, b, to_b) };
        let before = goes.id.clone();
        soon("it closes", goes.links.close()).await;
        let mut fresh = start(restarted, 2);
        let to_fresh = stays.keep(&fresh.id, fresh.address);
        let from_fresh = fresh.keep(&stays.id, stays.address);
        stays.until(&Event::Reset(before.clone())).await;
        stays.until(&Event::Up(fresh.id.clone())).await;
        send_all(&to_fresh, Lane::Slot(5), 1..=5).await;
        send_all(&from_fresh, Lane::Slot(5), 1..=5).await;
        expect(&mut fresh, Lane::Slot(5), 1, 5).await;
        expect(&mut stays, Lane::Slot(5), 1, 5).await;
        assert_eq!(old.try_send(&message(Lane::Control, 1)), Err(SendError::Gone));
        assert!(
            stays.links.keep(&before, linked::at(stays.address)).is_none(),
            "nobody goes back to an older one"
        );
    }
}

#[tokio::test]
async fn a_peer_that_restarts_unannounced_resets_the_connection_that_it_does_not_know() {
    let identity = linked::credentials(linked::authority(), "b");
    let on = |socket, generation| {
        let (agreement, settings) = (linked::agreement(), Settings::default());
        linked::start_on(socket, "b", generation, agreement, settings, identity.clone())
    };
    let mut a = start("a", 1);
    let mut b = on(UdpSocket::bind("127.0.0.1:0").expect("a port"), 1);
    let (relay, ..) = join_through_relay(&mut a, &mut b, 1).await;
    let (id, address) = (b.id.clone(), b.address);
    // Its farewell is lost.
    relay.cut_both(true);
    soon("it ends", b.links.close()).await;
    drop(b.links);
    let mut socket = None;
    eventually("the port is free again", || {
        socket = UdpSocket::bind(address).ok();
        socket.is_some()
    })
    .await;
    let _again = on(socket.expect("bound"), 2);
    relay.cut_both(false);
    // It dials again at once, and learns who is there now, before silence would have told it anything.
    let refused = Event::Refused(id.clone(), Refusal::WrongGeneration);
    let first = soon("what a learns first", async {
        loop {
            match a.events.recv().await.expect("few events") {
                Event::Suspect(_) => {}
                event => return event,
            }
        }
    })
    .await;
    assert_eq!(first, refused);
}

#[tokio::test]
async fn an_end_that_forgot_and_remembers_again_makes_both_begin_anew() {
    for forgetful in ["a", "b"] {
        let (mut a, mut b) = (start("a", 1), start("b", 1));
        let (to_b, to_a) = join(&mut a, &mut b).await;
        send_all(&to_b, Lane::Slot(5), 1..=20).await;
        send_all(&to_a, Lane::Slot(5), 1..=20).await;
        expect(&mut b, Lane::Slot(5), 1, 20).await;
        expect(&mut a, Lane::Slot(5), 1, 20).await;
        let (one, other) = if forgetful == "a" {
            (&mut a, &mut b)
        } else {
            (&mut b, &mut a)
        };
        one.links.forget(&other.id);
        let to_other = one.keep(&other.id, other.address);
        other.until(&Event::Reset(one.id.clone())).await;
        other.until(&Event::Up(one.id.clone())).await;
        let to_one = other.links.of(&one.id.name).expect("it is kept");
        send_all(&to_other, Lane::Slot(5), 1..=5).await;
        send_all(&to_one, Lane::Slot(5), 1..=5).await;
        expect(other, Lane::Slot(5), 1, 5).await;
        expect(one, Lane::Slot(5), 1, 5).await;
        assert_eq!(one.counts.of(&format!("forgotten {}", other.id.name)), 1);
    }
}

#[tokio::test]
async fn a_node_that_came_unasked_is_a_peer_while_it_lives() {
    let (a, mut b) = (start("a", 1), start("b", 1));
    a.keep(&b.id, b.address);
    b.until(&Event::Up(a.id.clone())).await;
    assert_eq!(b.links.of(&a.id.name).map(|link| link.state()), Some(PeerState::Up));
    soon("it closes", a.links.close()).await;
    b.until(&Event::Down(a.id.clone(), Cause::Farewell)).await;
    eventually("it is forgotten", || b.links.all().is_empty()).await;
}

#[tokio::test]
async fn three_nodes_have_one_connection_for_each_pair() {
    let mut nodes = [start("a", 1), start("b", 1), start("c", 1)];
    let places: Vec<_> = nodes.iter().map(|node| (node.id.clone(), node.address)).collect();
    for node in &nodes {
        for (id, address) in places.iter().filter(|(id, _)| *id != node.id) {
            node.keep(id, *address);
        }
    }
    for node in &mut nodes {
        let counts = node.counts.clone();
        eventually("both others are up", || counts.of("links up") == 2).await;
    }
    let handshakes = |kind: &str| nodes.iter().map(|node| node.counts.of(kind)).collect::<Vec<_>>();
    assert_eq!(handshakes("handshake dialled"), [2, 1, 0]);
    assert_eq!(handshakes("handshake accepted"), [0, 1, 2]);
    eventually("round trips are told", || nodes[0].counts.of("round trip b") > 0).await;
    assert_eq!(nodes[0].links.all().len(), 2);
    assert!(nodes[0].links.of(&node("d", 1).name).is_none());
}
