//! Datagrams that nobody can read, at the ports for gossip and for links: of every length, of the greatest, and as many as
//! the network carries.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use fastrand::Rng;

use crate::support::cluster::{Cluster, Slots, is_ready};
use crate::support::eventually::eventually;
use crate::support::from_environment;
use crate::support::node::Node;
use crate::support::stream::Stream;

/// The largest payload of UDP.
const DATAGRAM_BYTES_MAX: usize = 65_507;

/// Every length up to this is sent. Longer ones are cut by the network into pieces, and are sent as the greatest.
const LENGTH_MAX: usize = 1_500;

/// Datagrams of the greatest length of each kind.
const GREAT: usize = 100;

/// Handshakes that are none. QUIC takes one of four for one, by two bits that chance sets, and drops the others unseen.
const HANDSHAKES: usize = 400;

/// Datagrams of the greatest length that are sent without waiting for anybody: 130 MB.
const FLOOD: usize = 2_000;

/// Bytes on their way at once, and what the system keeps beside those of each datagram, so that a socket's buffer drops none.
const TOGETHER_BYTES_MAX: usize = 80 * 1024;
const OVERHEAD_BYTES: usize = 1_024;

/// What a node may keep of all that. Its own work, meanwhile, takes some.
const GROWTH_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What was counted of datagrams that are not for this node.
async fn counted(node: &Node) -> f64 {
    let metrics = node.metrics().await;
    metrics.sum("starling_cluster_gossip_refused_total", &[]) + metrics.sum("starling_cluster_link_strays_total", &[])
}

/// Handshakes that failed.
async fn failed(node: &Node) -> f64 {
    let metrics = node.metrics().await;
    metrics.value("starling_cluster_link_handshakes_total{result=\"unreachable\"}")
}

/// Whoever sends, and what it gets for that.
struct Stranger {
    socket: UdpSocket,
    sent_bytes: usize,
    answered_bytes: usize,
}

impl Stranger {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("a socket");
        Self {
            socket,
            sent_bytes: 0,
            answered_bytes: 0,
        }
    }

    /// Sends these to a port of a node, and sees that each is counted.
    async fn send(&mut self, node: &Node, to: SocketAddr, datagrams: impl Iterator<Item = Vec<u8>>) {
        let mut expected = counted(node).await;
        let mut together = 0;
        let mut datagrams = datagrams.peekable();
        while let Some(datagram) = datagrams.next() {
            self.throw(to, &datagram);
            expected += 1.0;
            together += datagram.len() + OVERHEAD_BYTES;
            let next = datagrams
                .peek()
                .map_or(TOGETHER_BYTES_MAX, |next| next.len() + OVERHEAD_BYTES);
            if together + next > TOGETHER_BYTES_MAX {
                together = 0;
                let what = format!("each up to one of {} bytes to be counted at {to}", datagram.len());
                eventually(&what, async || (counted(node).await >= expected).then_some(())).await;
            }
        }
        assert_eq!(counted(node).await, expected, "each is counted once");
        self.hear();
    }

    fn throw(&mut self, to: SocketAddr, datagram: &[u8]) {
        // A send that found no room is no datagram.
        while self.socket.send_to(datagram, to).is_err() {
            std::thread::yield_now();
        }
        self.sent_bytes += datagram.len();
    }

    fn hear(&mut self) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        while let Ok(bytes) = self.socket.recv(&mut buffer) {
            self.answered_bytes += bytes;
        }
    }
}

fn random(dice: &mut Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    dice.fill(&mut bytes);
    bytes
}

/// What looks like the first packet of a handshake in QUIC's version 1, as long as one has to be, up to where it is sealed.
fn handshake(dice: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![0xc3, 0, 0, 0, 1, 8];
    bytes.extend(random(dice, 8)); // whom it is for
    bytes.push(8);
    bytes.extend(random(dice, 8)); // whom it is from
    bytes.push(0); // no token
    let rest: u16 = 1_200 - 26;
    bytes.extend((0x4000 | rest).to_be_bytes());
    bytes.extend(random(dice, usize::from(rest)));
    bytes
}

#[tokio::test]
async fn garbage_at_either_port_is_counted_and_changes_nothing() {
    let seed = from_environment("STARLING_SEED", fastrand::u64(..));
    println!("garbage of STARLING_SEED={seed}");
    let mut dice = Rng::with_seed(seed);
    let cluster = Cluster::new();
    let link = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let link = link.expect("a port");
    let a = Node::start(cluster.settings("a").set("cluster.link_listen", &link.to_string())).await;
    let (b, c) = (cluster.start("b").await, cluster.start("c").await);
    for node in [&a, &b, &c] {
        is_ready(node, 200).await;
    }
    let gossip = SocketAddr::from(([127, 0, 0, 1], cluster.gossip_port("a")));
    let before = Slots::whole(&a).await;
    let channels: Vec<_> = ["a", "b", "c"].map(|owner| before.channels("demo", owner, 2)).concat();
    let stream = Stream::start(&b, &c, &channels, Duration::from_millis(5)).await;
    stream.goes_on(5).await;
    let memory = a.resident_bytes();

    let mut stranger = Stranger::new();
    for port in [gossip, link] {
        // An empty one asks nothing of QUIC.
        let lengths = usize::from(port == link)..=LENGTH_MAX;
        let garbage = lengths.map(|length| random(&mut dice, length));
        stranger.send(&a, port, garbage).await;
        for byte in [0, 0x40, 0xc0, 0xff] {
            let great = (0..GREAT / 4).map(|_| vec![byte; DATAGRAM_BYTES_MAX]);
            stranger.send(&a, port, great).await;
        }
        let great = (0..GREAT).map(|_| random(&mut dice, DATAGRAM_BYTES_MAX));
        stranger.send(&a, port, great).await;
    }
    let before_them = failed(&a).await;
    for _ in 0..HANDSHAKES / 16 {
        for _ in 0..16 {
            stranger.throw(link, &handshake(&mut dice));
        }
        // What follows is looked at after them.
        stranger.send(&a, link, std::iter::once(vec![0x40; 32])).await;
    }
    eventually("handshakes to be counted", async || {
        (failed(&a).await >= before_them + (HANDSHAKES / 8) as f64).then_some(())
    })
    .await;
    assert!(
        stranger.answered_bytes <= stranger.sent_bytes / 3,
        "{} bytes for {}",
        stranger.answered_bytes,
        stranger.sent_bytes
    );
    stream.goes_on(5).await;

    // As many as pass: not all are looked at, and those that are cost no memory.
    let seen = counted(&a).await;
    for port in [gossip, link] {
        let great = random(&mut dice, DATAGRAM_BYTES_MAX);
        for _ in 0..FLOOD {
            stranger.throw(port, &great);
            tokio::task::yield_now().await;
        }
    }
    eventually("a part of the flood to be counted", async || {
        (counted(&a).await > seen + 100.0).then_some(())
    })
    .await;
    stream.goes_on(5).await;
    stream.stop().await;
    let growth = a.resident_bytes().saturating_sub(memory);
    assert!(growth < GROWTH_BYTES_MAX, "{growth} bytes are kept");
    let said = a.log().text();
    let refusals = said
        .lines()
        .filter(|line| line.contains("a datagram of gossip was refused") || line.contains("a link was not taken"));
    assert!(refusals.count() < 50, "a flood fills no log:\n{said}");
    assert_eq!(Slots::whole(&b).await, before, "nothing has changed hands");
    for node in [a, b, c] {
        is_ready(&node, 200).await;
        node.log().has_no_panic();
    }
}
