//! Nodes that meet, part and return, over real sockets: and what strangers send them in between.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use starling_cluster::gossip::{Change, Departure, Gossip, KeyRing, NodeFacts, Phase, Settings, State, Tuning};
use starling_cluster::link::Credentials;
use starling_core::id::NodeId;
use support::linked::{authority, credentials, credentials_that_trust, new_authority};
use support::{Counts, eventually, name, node, soon};
use tokio::sync::broadcast::Receiver;

const KEY: &str = "01";

struct Node {
    gossip: Gossip,
    address: SocketAddr,
    counts: Arc<Counts>,
    changes: Receiver<Change>,
}

fn ring(keys: &[&str]) -> KeyRing {
    let lines: Vec<_> = keys.iter().map(|digits| digits.repeat(32)).collect();
    KeyRing::parse(&lines.join("\n")).expect("keys")
}

fn facts(zone: &str) -> NodeFacts {
    NodeFacts {
        client_urls: vec!["http://127.0.0.1:4433".to_owned()],
        protocol: (1, 1),
        webtransport: None,
        link: ([127, 0, 0, 1], 4_435).into(),
        probe: Some(([127, 0, 0, 1], 4_433).into()),
        zone: zone.to_owned(),
        version: "0.1.0".to_owned(),
        wire: (1, 1),
        load: 0,
        phase: Phase::Serving,
        settings: 7,
        table: 0,
    }
}

/// Starts a node of the cluster "test" that calls upon `seeds`.
async fn start(me: NodeId, seeds: &[SocketAddr]) -> Node {
    start_in("test", ring(&[KEY]), me, seeds).await
}

async fn start_in(cluster: &str, ring: KeyRing, me: NodeId, seeds: &[SocketAddr]) -> Node {
    let credentials = credentials(authority(), me.name.as_str());
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    start_on(socket, address, cluster, ring, credentials, me, seeds).await
}

/// The same on a socket, at an address that others are told, and with a certificate.
async fn start_on(
    socket: UdpSocket,
    address: SocketAddr,
    cluster: &str,
    ring: KeyRing,
    credentials: Credentials,
    me: NodeId,
    seeds: &[SocketAddr],
) -> Node {
    let counts = Counts::new();
    let settings = Settings {
        me,
        cluster: cluster.to_owned(),
        advertised: address,
        seeds: seeds.iter().map(ToString::to_string).collect(),
        // Five times as fast as a real one, so that the tests wait a fifth.
        tuning: Tuning {
            interval: Duration::from_millis(50),
            ..Tuning::default()
        },
    };
    let gossip = Gossip::start(settings, socket, ring, credentials, facts("z"), counts.clone())
        .await
        .expect("it starts");
    let changes = gossip.membership().changes();
    Node {
        gossip,
        address,
        counts,
        changes,
    }
}

impl Node {
    fn live(&self) -> Vec<NodeId> {
        let view = self.gossip.membership().view();
        let live = view.members.values().filter(|member| member.state == State::Live);
        live.map(|member| member.node.clone()).collect()
    }

    async fn sees(&self, others: &[NodeId]) {
        eventually(&format!("{} sees {others:?}", self.gossip.membership().me()), || {
            self.live() == others
        })
        .await;
    }

    /// The next change that is none of facts.
    async fn next(&mut self) -> Change {
        soon("a change", async {
            loop {
                match self.changes.recv().await.expect("few changes") {
                    Change::Changed(_) => {}
                    change => return change,
                }
            }
        })
        .await
    }
}

#[tokio::test]
async fn nodes_that_know_one_seed_find_each_other_and_what_they_say() {
    let a = start(node("a", 1), &[]).await;
    let mut b = start(node("b", 1), &[a.address]).await;
    let mut others = Vec::new();
    for at in ["c", "d"] {
        others.push(start(node(at, 1), &[a.address]).await);
    }
    let all = ["a", "b", "c", "d"].map(|text| node(text, 1));
    for node in [&a, &b].into_iter().chain(&others) {
        let rest: Vec<_> = all
            .iter()
            .filter(|id| *id != node.gossip.membership().me())
            .cloned()
            .collect();
        node.sees(&rest).await;
    }
    assert_eq!(a.counts.of("members live"), 3);
    assert!(a.counts.of("gossip sent") > 0 && a.counts.of("gossip received") > 0);
    let mut said = facts("elsewhere");
    (said.load, said.phase) = (12, Phase::Draining);
    b.gossip.say(said.clone()).expect("they hold");
    eventually("what b says is heard", || {
        let view = others[1].gossip.membership().view();
        view.members.get(&name("b")).is_some_and(|member| member.facts == said)
    })
    .await;
    said.zone = "x".repeat(65);
    assert!(b.gossip.say(said).is_err());
    assert_eq!(b.gossip.said().zone, "elsewhere");
}

#[tokio::test]
async fn a_node_that_stops_is_suspected_within_the_bound_and_one_that_leaves_is_not() {
    let mut a = start(node("a", 1), &[]).await;
    let b = start(node("b", 1), &[a.address]).await;
    let c = start(node("c", 1), &[a.address]).await;
    a.sees(&[node("b", 1), node("c", 1)]).await;
    c.sees(&[node("a", 1), node("b", 1)]).await;
    for _ in 0..2 {
        assert!(matches!(a.next().await, Change::Joined(_)));
    }
    let asked = Instant::now();
    b.gossip.stop().await;
    assert_eq!(a.next().await, Change::Suspected(node("b", 1)));
    // The detector is at its slowest when it has seen least: eight gaps of which the first five count as one interval each,
    // so less than a second here. The rest is for a machine that does much else.
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(a.counts.of("members suspected"), 1);
    c.gossip.leave().await;
    assert_eq!(a.next().await, Change::Left(node("c", 1), Departure::Said));
}

#[tokio::test]
async fn a_node_that_returns_is_a_new_generation() {
    let mut a = start(node("a", 1), &[]).await;
    let b = start(node("b", 1), &[a.address]).await;
    assert!(matches!(a.next().await, Change::Joined(_)));
    b.gossip.stop().await;
    let b = start(node("b", 2), &[a.address]).await;
    let mut changes = vec![a.next().await];
    while !matches!(changes.last(), Some(Change::Joined(_))) {
        changes.push(a.next().await);
    }
    assert!(
        changes.contains(&Change::Left(node("b", 1), Departure::Replaced)),
        "{changes:?}"
    );
    b.sees(&[node("a", 1)]).await;
    assert_eq!(a.live(), [node("b", 2)]);
}

#[tokio::test]
async fn of_two_nodes_with_one_name_the_younger_is_the_member_and_the_older_is_told() {
    let a = start(node("a", 1), &[]).await;
    let mut older = start(node("twin", 1), &[a.address]).await;
    a.sees(&[node("twin", 1)]).await;
    assert!(matches!(older.next().await, Change::Joined(_)));
    let younger = start(node("twin", 2), &[a.address, older.address]).await;
    assert_eq!(older.next().await, Change::Superseded(node("twin", 2)));
    a.sees(&[node("twin", 2)]).await;
    younger.sees(&[node("a", 1)]).await;
    eventually("the older is refused", || a.counts.of("refused old_generation") > 0).await;
    assert_eq!(a.live(), [node("twin", 2)]);
}

#[tokio::test]
async fn another_key_and_another_cluster_stay_strangers_and_are_counted() {
    let a = start(node("a", 1), &[]).await;
    let wrong_key = start_in("test", ring(&["02"]), node("b", 1), &[a.address]).await;
    let wrong_cluster = start_in("staging", ring(&[KEY]), node("c", 1), &[a.address]).await;
    let friend = start(node("d", 1), &[a.address]).await;
    eventually("both were refused several times", || {
        a.counts.of("refused unknown_key") > 3 && a.counts.of("refused forged") > 3
    })
    .await;
    a.sees(&[node("d", 1)]).await;
    friend.sees(&[node("a", 1)]).await;
    assert!(wrong_key.live().is_empty() && wrong_cluster.live().is_empty());
}

#[tokio::test]
async fn keys_are_changed_while_the_cluster_runs() {
    let a = start(node("a", 1), &[]).await;
    let b = start(node("b", 1), &[a.address]).await;
    a.sees(&[node("b", 1)]).await;
    for step in [&["01", "02"][..], &["02", "01"], &["02"]] {
        a.gossip.rekey(ring(step));
        b.gossip.rekey(ring(step));
    }
    // Only the new key lets somebody in now, so what comes in was sealed with it.
    let late = start_in("test", ring(&["02"]), node("c", 1), &[a.address]).await;
    late.sees(&[node("a", 1), node("b", 1)]).await;
    b.sees(&[node("a", 1), node("c", 1)]).await;
    let old = start(node("d", 1), &[a.address]).await;
    eventually("the old key is refused", || a.counts.of("refused unknown_key") > 0).await;
    assert!(old.live().is_empty());
}

/// A node that calls upon `seeds` with a certificate and trust of its own, and is said to gossip at `address`.
async fn start_with(credentials: Credentials, address: Option<SocketAddr>, me: NodeId, seeds: &[SocketAddr]) -> Node {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = address.unwrap_or_else(|| socket.local_addr().expect("bound"));
    start_on(socket, address, "test", ring(&[KEY]), credentials, me, seeds).await
}

#[tokio::test]
async fn who_has_the_key_and_no_certificate_ends_nobody_and_says_nothing_of_others() {
    let mut a = start(node("a", 5), &[]).await;
    let mut b = start(node("b", 5), &[a.address]).await;
    a.sees(&[node("b", 5)]).await;
    b.sees(&[node("a", 5)]).await;
    for node in [&mut a, &mut b] {
        assert!(matches!(node.next().await, Change::Joined(_)));
    }
    let (own, seeds) = (new_authority(), [a.address, b.address]);
    let mut impostors = Vec::new();
    for (generation, address) in [(6, None), (5, None), (5, Some(a.address))] {
        for text in ["a", "b"] {
            let credentials = credentials_that_trust(&[authority(), &own], &own, text);
            impostors.push(start_with(credentials, address, node(text, generation), &seeds).await);
        }
    }
    let mut said = facts("elsewhere");
    for phase in [Phase::Draining, Phase::Left] {
        for impostor in &mut impostors {
            (said.phase, said.load) = (phase, said.load + 1);
            impostor.gossip.say(said.clone()).expect("they hold");
        }
        let before = [&a, &b].map(|node| node.counts.of("refused untrusted"));
        eventually("each is told a hundred times more", || {
            let more = [&a, &b].map(|node| node.counts.of("refused untrusted"));
            more.iter().zip(before).all(|(more, before)| *more >= before + 100)
        })
        .await;
    }
    for (node, other) in [(&mut a, node("b", 5)), (&mut b, node("a", 5))] {
        assert_eq!(node.live(), [other]);
        assert!(
            node.changes.try_recv().is_err(),
            "nothing changed, and nobody was superseded"
        );
    }
    let again = start(node("b", 7), &[a.address]).await;
    a.sees(&[node("b", 7)]).await;
    again.sees(&[node("a", 5)]).await;
}

#[tokio::test]
async fn authorities_are_changed_while_the_cluster_runs() {
    let (old, new) = (authority(), &new_authority());
    let mut a = start(node("a", 1), &[]).await;
    let b = start(node("b", 1), &[a.address]).await;
    a.sees(&[node("b", 1)]).await;
    let late = start_with(credentials(new, "c"), None, node("c", 1), &[a.address, b.address]).await;
    for node in [&a, &b, &late] {
        eventually("it is not believed", || node.counts.of("refused untrusted") > 0).await;
    }
    let mut said = facts("elsewhere");
    let steps: [(&[_], _); 3] = [(&[old, new], old), (&[old, new], new), (&[new], new)];
    for (trusted, authority) in steps {
        for (node, text) in [(&a, "a"), (&b, "b")] {
            node.gossip.renew(credentials_that_trust(trusted, authority, text));
        }
        said.load += 1;
        a.gossip.say(said.clone()).expect("they hold");
        eventually("it is heard", || {
            let view = b.gossip.membership().view();
            view.members.get(&name("a")).is_some_and(|member| member.facts == said)
        })
        .await;
    }
    // They say all of it again by themselves.
    late.sees(&[node("a", 1), node("b", 1)]).await;
    a.sees(&[node("b", 1), node("c", 1)]).await;
    b.sees(&[node("a", 1), node("c", 1)]).await;
}

/// Passes datagrams on between a node and its seed, and keeps a copy of the node's.
async fn capture(to: SocketAddr) -> (SocketAddr, Arc<std::sync::Mutex<Vec<Vec<u8>>>>) {
    let tap = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = tap.local_addr().expect("bound");
    let kept = Arc::<std::sync::Mutex<Vec<Vec<u8>>>>::default();
    let copies = kept.clone();
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        let mut node = to;
        while let Ok((length, from)) = tap.recv_from(&mut buffer).await {
            if from == to {
                // What cannot be passed on is lost, as on any way.
                let _ = tap.send_to(&buffer[..length], node).await;
                continue;
            }
            node = from;
            copies.lock().expect("not poisoned").push(buffer[..length].to_vec());
            if tap.send_to(&buffer[..length], to).await.is_err() {
                return;
            }
        }
    });
    (address, kept)
}

#[tokio::test]
async fn captured_datagrams_are_refused_and_revive_nobody() {
    let mut a = start(node("a", 1), &[]).await;
    let (tap, kept) = capture(a.address).await;
    let b = start(node("b", 1), &[tap]).await;
    a.sees(&[node("b", 1)]).await;
    assert!(matches!(a.next().await, Change::Joined(_)));
    b.gossip.stop().await;
    assert_eq!(a.next().await, Change::Suspected(node("b", 1)));
    let kept = kept.lock().expect("not poisoned").clone();
    assert!(!kept.is_empty());
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a port");
    for datagram in &kept {
        stranger.send_to(datagram, a.address).expect("loopback takes it");
    }
    let count = kept.len() as u64;
    eventually("every one was refused", || a.counts.of("refused replayed") == count).await;
    assert!(a.live().is_empty(), "b is still missing");
}

#[tokio::test]
async fn garbage_is_counted_and_changes_nothing() {
    const DATAGRAMS: u64 = 500;
    let a = start(node("a", 1), &[]).await;
    let b = start(node("b", 1), &[a.address]).await;
    a.sees(&[node("b", 1)]).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let mut dice = SmallRng::seed_from_u64(8_121);
    let mut sent_bytes = 0;
    for at in 0..DATAGRAMS {
        // The largest there is, all zeros, is the one that makes a bare chitchat unpack block after block.
        let length = if at % 5 == 0 {
            65_507
        } else {
            dice.random_range(0..1_500)
        };
        let mut garbage = vec![0; length];
        if at % 10 != 0 {
            dice.fill_bytes(&mut garbage);
        }
        stranger.send_to(&garbage, a.address).expect("loopback takes it");
        sent_bytes += length as u64;
        // No more on their way than a socket's buffer holds, so that each is looked at.
        if at % 2 == 1 {
            let sent = at + 1;
            eventually("it was refused", || {
                let reasons = ["short", "version", "unknown_key", "forged"];
                reasons
                    .map(|reason| a.counts.of(&format!("refused {reason}")))
                    .iter()
                    .sum::<u64>()
                    >= sent
            })
            .await;
        }
    }
    assert_eq!((a.live(), b.live()), (vec![node("b", 1)], vec![node("a", 1)]));
    assert!(
        a.counts.of("gossip received") > sent_bytes,
        "what is refused has come, too"
    );
}
