//! The network as those who use it see it: two namespaces, UDP and TCP between them, each fault measured.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use super::*;

const LEFT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const RIGHT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

/// How long a receiver waits for what is not coming any more.
const PATIENCE: Duration = Duration::from_secs(2);

struct Pair {
    emulator: Emulator,
    left: Namespace,
    right: Namespace,
}

impl Pair {
    fn new(there: Rule) -> Self {
        let left = Namespace::create("left").expect("this takes root");
        let right = Namespace::create("right").expect("this takes root");
        let emulator = Emulator::start(&[(&left, LEFT), (&right, RIGHT)], 8121).expect("it runs");
        emulator.set(Port(0), Port(1), there);
        Self { emulator, left, right }
    }

    /// Sends so many datagrams from left to right; gives the numbers in the order of their arrival, with the time each took.
    fn datagrams(&self, count: u32) -> Vec<(u32, Duration)> {
        let receiver = inside(&self.right, || UdpSocket::bind((RIGHT, 0)).expect("bound"));
        receiver.set_read_timeout(Some(PATIENCE)).expect("set");
        let to = receiver.local_addr().expect("bound");
        let began = Instant::now();
        let receiving = thread::spawn(move || {
            let mut got = Vec::new();
            let mut bytes = [0; 16];
            while let Ok(16) = receiver.recv(&mut bytes) {
                let number = u32::from_be_bytes(bytes[..4].try_into().expect("four"));
                let sent = u64::from_be_bytes(bytes[8..].try_into().expect("eight"));
                got.push((number, began.elapsed().saturating_sub(Duration::from_nanos(sent))));
            }
            got
        });
        let sender = inside(&self.left, || UdpSocket::bind((LEFT, 0)).expect("bound"));
        for number in 0..count {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            bytes[8..].copy_from_slice(&(began.elapsed().as_nanos() as u64).to_be_bytes());
            sender.send_to(&bytes, to).expect("sent");
            // Two thousand a second: nothing is dropped for want of room.
            thread::sleep(Duration::from_micros(500));
        }
        receiving.join().expect("no panic")
    }

    /// Sends bytes over TCP from left to right and gives those that came.
    fn stream(&self, bytes: Vec<u8>) -> Vec<u8> {
        let listener = inside(&self.right, || TcpListener::bind((RIGHT, 0)).expect("bound"));
        let to = listener.local_addr().expect("bound");
        let receiving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let mut got = Vec::new();
            stream.read_to_end(&mut got).expect("read");
            got
        });
        let mut sender = inside(&self.left, || TcpStream::connect(to).expect("connected"));
        sender.write_all(&bytes).expect("written");
        drop(sender);
        receiving.join().expect("no panic")
    }
}

/// Does something on a thread inside a namespace; what it opens there stays there.
fn inside<T: Send>(namespace: &Namespace, act: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let entered = scope.spawn(|| {
            namespace.enter().expect("entered");
            act()
        });
        entered.join().expect("no panic")
    })
}

#[test]
fn a_network_without_rules_carries_everything_in_order() {
    let pair = Pair::new(Rule::default());
    let numbers: Vec<_> = pair.datagrams(500).into_iter().map(|(number, _)| number).collect();
    assert!(numbers.iter().copied().eq(0..500), "{numbers:?}");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    assert!(pair.stream(bytes.clone()) == bytes);
    assert_eq!(pair.emulator.counts().dropped.load(Ordering::Relaxed), 0);
}

#[test]
fn packets_are_lost_by_their_share() {
    let pair = Pair::new(Rule {
        loss: 0.2,
        ..Rule::default()
    });
    let got = pair.datagrams(1_000).len();
    assert!((740..860).contains(&got), "{got} of 1000 came");
    let bytes = vec![7; 200_000];
    assert!(pair.stream(bytes.clone()) == bytes, "TCP mends it");
}

#[test]
fn packets_are_delayed_doubled_and_overtaken() {
    let pair = Pair::new(Rule {
        delay: Duration::from_millis(40),
        duplicate: 0.3,
        reorder: 0.1,
        ..Rule::default()
    });
    let got = pair.datagrams(1_000);
    let shortest = got.iter().map(|(_, took)| *took).min().expect("some came");
    assert!(shortest >= Duration::from_millis(40), "{shortest:?}");
    let mut took: Vec<_> = got.iter().map(|(_, took)| *took).collect();
    took.sort_unstable();
    let median = took[took.len() / 2];
    assert!(median < Duration::from_millis(60), "{median:?}");
    assert!((1_220..1_380).contains(&got.len()), "{} came", got.len());
    let overtaken = got.windows(2).filter(|pair| pair[1].0 < pair[0].0).count();
    assert!((50..350).contains(&overtaken), "{overtaken} came after a later one");
    let bytes = vec![7; 50_000];
    assert!(pair.stream(bytes.clone()) == bytes, "TCP mends it");
}

#[test]
fn a_cut_stops_one_direction_until_it_is_healed() {
    let pair = Pair::new(Rule::CUT);
    assert_eq!(pair.datagrams(50), []);
    // The other direction is as it was.
    let receiver = inside(&pair.left, || UdpSocket::bind((LEFT, 0)).expect("bound"));
    receiver.set_read_timeout(Some(PATIENCE)).expect("set");
    let sender = inside(&pair.right, || UdpSocket::bind((RIGHT, 0)).expect("bound"));
    sender
        .send_to(b"hello", receiver.local_addr().expect("bound"))
        .expect("sent");
    assert_eq!(receiver.recv(&mut [0; 8]).expect("it came"), 5);
    // A connection in the making goes on when the cut is healed.
    let (told, connecting) = sync_channel(1);
    thread::scope(|scope| {
        let listener = inside(&pair.right, || TcpListener::bind((RIGHT, 0)).expect("bound"));
        let to: SocketAddrV4 = match listener.local_addr().expect("bound") {
            std::net::SocketAddr::V4(to) => to,
            other => panic!("{other} is no IPv4"),
        };
        scope.spawn(move || {
            inside(&pair.left, || {
                told.send(()).expect("somebody waits");
                TcpStream::connect(to).expect("connected in the end")
            })
        });
        connecting.recv().expect("it connects");
        pair.emulator.set(Port(0), Port(1), Rule::default());
        listener.accept().expect("the second attempt of its kernel passes");
    });
}

#[test]
fn what_is_no_ipv4_packet_goes_nowhere() {
    let mut packet = [0; 40];
    packet[16..20].copy_from_slice(&RIGHT.octets());
    packet[0] = 0x45;
    assert_eq!(destination(&packet), Some(RIGHT));
    packet[0] = 0x60;
    assert_eq!(destination(&packet), None);
    assert_eq!(destination(&[0x45; 19]), None);
    assert_eq!(destination(&[]), None);
}
