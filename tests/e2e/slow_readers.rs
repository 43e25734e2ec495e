//! Two hundred readers stop reading and stay connected. The node's memory stays within what its bounds allow, the
//! others are served as fast as before, and when the two hundred read again each gets what its policy promises.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use starling_client::{Client, Event, SubscribeOptions};
use starling_mesh::transport::Transport;
use starling_protocol::close::CloseCode;
use starling_protocol::v1::{self, Policy, SkipReason};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};

use crate::support::eventually::soon;
use crate::support::from_environment;
use crate::support::node::Node;
use crate::support::raw::{Dialer, Heard};
use crate::support::reader::{Reader, Told};
use crate::support::settings::Settings;

const CHANNEL: &str = "demo:slow";

/// Readers that stop, a quarter with each policy.
const STALLED: usize = 200;

const POLICIES: [Policy; 4] = [Policy::Recover, Policy::Latest, Policy::Drop, Policy::Disconnect];

/// Readers that go on.
const OTHERS: usize = 5;

/// Messages a second, and the bytes of each.
const RATE: u32 = 100;
const PAYLOAD_BYTES: usize = 512;

/// How long the others are watched before anybody stops.
const BASELINE: Duration = Duration::from_secs(3);

/// What the node may hold for one session that does not read: `session.send_queue`.
const SEND_QUEUE_BYTES: u64 = 64 * 1024;

/// The same inside QUIC, until it is acknowledged.
const SEND_WINDOW_BYTES: u64 = 128 * 1024;

/// What else grows meanwhile: the channel's history and ring, and what the allocator keeps.
const REST_BYTES: u64 = 16 * 1024 * 1024;

/// By how much the slowest hundredth of deliveries may grow on a machine that does other things too.
const NOISE: Duration = Duration::from_millis(50);

/// A client that stopped reading still says now and then that it lives: it is slow, not gone.
const PING_EVERY: Duration = Duration::from_secs(3);

/// How long all of them together may take to catch up.
const CATCH_UP_MAX: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_websocket() {
    stall(Transport::WebSocket, SEND_QUEUE_BYTES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_webtransport() {
    stall(Transport::WebTransport, SEND_QUEUE_BYTES + SEND_WINDOW_BYTES).await;
}

async fn stall(transport: Transport, bound: u64) {
    let time = Duration::from_secs(from_environment("STARLING_STALL_SECONDS", 20));
    let node = Node::start(Settings::default()).await;
    let clock = Instant::now();
    let latencies = Latencies::default();
    let mut others = Vec::new();
    for _ in 0..OTHERS {
        let client = node.client(transport);
        others.push(tokio::spawn(watch_latency(client, clock, latencies.clone())));
    }
    let publisher = node.client(transport);
    soon("the publisher", publisher.connected()).await.expect("connected");
    node.carries(OTHERS as u32 + 1, transport).await;
    let (stop, stopped) = watch::channel(false);
    let publishing = tokio::spawn(publish(publisher, clock, stopped));
    sleep(BASELINE).await;
    let baseline = latencies.take();

    let (read_again, told) = watch::channel(false);
    let dialer = Dialer::narrow(&node, transport).await;
    let mut stalled = Vec::new();
    for number in 0..STALLED {
        let policy = POLICIES[number % POLICIES.len()];
        let reader = Reader::attach(dialer.open().await, CHANNEL, None, policy).await;
        stalled.push((policy, tokio::spawn(sit_out(reader, told.clone()))));
    }
    node.carries((STALLED + OTHERS) as u32 + 1, transport).await;
    let before = node.resident_bytes();
    latencies.take();
    let growth = watch_memory(&node, before, time).await;
    let meanwhile = latencies.take();
    node.carries((STALLED + OTHERS) as u32 + 1, transport).await;

    stop.send_replace(true);
    let head = soon("the last acknowledgement", publishing).await.expect("no panic");
    read_again.send_replace(true);
    let ends = stalled
        .into_iter()
        .map(|(policy, reader)| catch_up(policy, reader, head));
    let ends = timeout(CATCH_UP_MAX, join_all(ends))
        .await
        .expect("everybody catches up");
    let count = |end| ends.iter().filter(|other| **other == end).count();
    let quarter = STALLED / POLICIES.len();
    assert_eq!(count(End::CaughtUp), STALLED - quarter);
    assert!(count(End::Dismissed) > count(End::Unheard), "{ends:?}");
    assert_eq!(node.metrics().await.closed(transport, "slow"), quarter as f64);
    others.iter().for_each(JoinHandle::abort);

    let (baseline, meanwhile) = (p99(baseline), p99(meanwhile));
    println!(
        "{}: {STALLED} stalled for {time:?}; memory grew by {} KiB of {} allowed; p99 {baseline:?} before, {meanwhile:?} meanwhile",
        transport.name(),
        growth / 1024,
        (bound * STALLED as u64 + REST_BYTES) / 1024,
    );
    assert!(
        growth <= bound * STALLED as u64 + REST_BYTES,
        "memory grew by {growth} bytes"
    );
    assert!(
        meanwhile <= (baseline * 2).max(baseline + NOISE),
        "p99 went from {baseline:?} to {meanwhile:?}"
    );
    node.is_unharmed().await;
    node.stop().await;
}

/// Publishes until told to stop, and gives the seq of the last message.
async fn publish(client: Client, clock: Instant, mut stopped: watch::Receiver<bool>) -> u64 {
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    let mut last = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => break,
        }
        let mut payload = vec![0; PAYLOAD_BYTES];
        payload[..8].copy_from_slice(&(clock.elapsed().as_nanos() as u64).to_be_bytes());
        last = Some(client.enqueue(CHANNEL, payload).await.expect("the client goes on"));
    }
    let last = last.expect("something was published").await;
    last.expect("acknowledged").position.seq
}

/// Deliveries, by how long they took.
#[derive(Clone, Default)]
struct Latencies(Arc<Mutex<Vec<Duration>>>);

impl Latencies {
    fn add(&self, one: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }

    fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn p99(mut latencies: Vec<Duration>) -> Duration {
    assert!(latencies.len() > 500, "{} deliveries are too few", latencies.len());
    latencies.sort_unstable();
    latencies[latencies.len() * 99 / 100]
}

async fn watch_latency(client: Client, clock: Instant, latencies: Latencies) {
    let mut events = client
        .subscribe(CHANNEL, SubscribeOptions::default())
        .await
        .expect("attached");
    loop {
        match events.next().await.expect("the subscription goes on") {
            Event::Message(message) => latencies.add(clock.elapsed().saturating_sub(published_at(&message.payload))),
            Event::Attached { .. } => {}
            other => panic!("{other:?} to a reader that kept up"),
        }
    }
}

fn published_at(payload: &Bytes) -> Duration {
    Duration::from_nanos(u64::from_be_bytes(payload[..8].try_into().expect("eight bytes")))
}

/// The most that the node grew by.
async fn watch_memory(node: &Node, before: u64, time: Duration) -> u64 {
    let mut growth = 0;
    let mut ticks = interval(Duration::from_millis(250));
    let began = Instant::now();
    while began.elapsed() < time {
        ticks.tick().await;
        growth = growth.max(node.resident_bytes().saturating_sub(before));
    }
    growth
}

/// Reads nothing until told to.
async fn sit_out(mut reader: Reader, mut told: watch::Receiver<bool>) -> Reader {
    let mut ticks = interval(PING_EVERY);
    loop {
        tokio::select! {
            _ = told.changed() => return reader,
            _ = ticks.tick() => reader.raw.send(v1::Ping { nonce: 0 }).await,
        }
    }
}

/// How a reader that stopped for a while went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It came to the head.
    CaughtUp,
    /// It was told goodbye, for being slow.
    Dismissed,
    /// It was told, and could not read so far in the time a goodbye gets.
    Unheard,
}

/// Reads on to the head, or to the goodbye, and checks that it is what the policy promises.
async fn catch_up(policy: Policy, reader: JoinHandle<Reader>, head: u64) -> End {
    let mut reader = reader.await.expect("the server keeps the connection");
    let (began_at, mut messages, mut skipped, mut lagged, mut pages) = (reader.last, 0, Vec::new(), 0, 0);
    while reader.last < head {
        let heard = reader.raw.next().await;
        if policy == Policy::Disconnect && matches!(heard, Heard::Closed(_)) {
            return End::Unheard;
        }
        let Some(told) = reader.take(heard).await else {
            continue;
        };
        match told {
            Told::Messages { entries, is_page } => {
                messages += entries.len() as u64;
                pages += u64::from(is_page);
                assert!(!is_page || lagged > 0, "nobody pulled, and there is a page");
            }
            Told::Skipped { count, reason } => skipped.push((count, reason)),
            Told::Lagged => {
                lagged += 1;
                reader.pull().await;
            }
            Told::Goodbye(code) => {
                let slow = u32::from(CloseCode::Slow.number());
                assert_eq!((policy, code), (Policy::Disconnect, slow));
                return End::Dismissed;
            }
            Told::Discontinuity(reason) => panic!("{reason:?} to a reader with {policy:?}"),
        }
    }
    let left_out: u64 = skipped.iter().map(|(count, _)| count).sum();
    assert_eq!(
        messages + left_out,
        head - began_at,
        "{policy:?}: every message came or was counted"
    );
    let of = |reason| skipped.iter().filter(|(_, other)| *other == reason).count();
    match policy {
        Policy::Recover => assert!(
            left_out == 0 && lagged > 0 && pages > 0,
            "{lagged} times behind, {pages} pages"
        ),
        Policy::Drop => assert!(
            of(SkipReason::Slow) > 0 && of(SkipReason::Superseded) == 0 && lagged == 0,
            "{skipped:?}"
        ),
        Policy::Latest => assert!(of(SkipReason::Superseded) > 0 && lagged == 0, "{skipped:?}"),
        Policy::Disconnect | Policy::Unspecified => panic!("{policy:?} came to the head"),
    }
    End::CaughtUp
}
