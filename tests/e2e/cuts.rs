//! A proxy cuts connections at random while five hundred messages a second are published: every subscriber gets
//! exactly what was acknowledged, in one order, without a gap.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use futures_util::stream::{FuturesOrdered, StreamExt};
use starling_client::{Client, Event, Outcome, PublishOptions, Published, SubscribeOptions, Subscription};
use starling_mesh::transport::Transport;
use tokio::time::{Instant, interval, sleep_until, timeout};

use crate::support::eventually::{eventually_within, soon};
use crate::support::from_environment;
use crate::support::node::{Node, client};
use crate::support::proxy::{Cut, Proxy};
use crate::support::settings::Settings;

const CHANNEL: &str = "long:cuts";

/// Messages a second.
const RATE: u64 = 500;

/// How long a client that was cut often waits before it returns, at most, and some more: its back-off has a ceiling of
/// thirty seconds.
const RETURN_MAX: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_websocket() {
    cut(Transport::WebSocket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_webtransport() {
    cut(Transport::WebTransport).await;
}

async fn cut(transport: Transport) {
    let cuts = from_environment("STARLING_CUTS", 20);
    let time = Duration::from_secs(from_environment("STARLING_CUTS_SECONDS", 24));
    let seed = from_environment("STARLING_SEED", fastrand::u64(..));
    println!(
        "{cuts} cuts in {time:?} over {}: STARLING_SEED={seed}",
        transport.name()
    );

    // A heartbeat of a second, so that a half-open connection is noticed within the run; and a history that outlasts
    // the longest back-off, so that whatever is missing at the end was lost.
    let settings = Settings::default().set("session.heartbeat", "1s").namespace(
        "long",
        "publish_rate = 0\nhistory = { messages = 200000, bytes = \"64MiB\", age = \"10m\" }",
    );
    let node = Node::start(settings).await;
    let proxy = Proxy::start(node.address()).await;

    // The back-off of a client grows with each cut, so more cuts need more clients to hit.
    let subscribers: Vec<_> = (0..4 + cuts / 8).map(|_| client(&proxy.url(), transport)).collect();
    let subscriptions = subscribers
        .iter()
        .map(|one| one.subscribe(CHANNEL, SubscribeOptions::default()));
    let subscriptions = soon("every subscription", join_all(subscriptions)).await;
    let publisher = client(&proxy.url(), transport);
    soon("the publisher", publisher.connected()).await.expect("connected");
    node.carries(subscribers.len() as u32 + 1, transport).await;

    let reading: Vec<_> = subscriptions
        .into_iter()
        .map(|subscription| tokio::spawn(read(subscription.expect("attached"), RATE * time.as_secs())))
        .collect();
    let publishing = tokio::spawn(publish(publisher.clone(), RATE * time.as_secs()));
    let made = make_cuts(&proxy, transport, cuts, time, seed).await;

    let published = timeout(time + RETURN_MAX, publishing)
        .await
        .expect("every publish is answered")
        .expect("no panic");
    is_in_order(&published);
    for (number, read) in reading.into_iter().enumerate() {
        let read = timeout(RETURN_MAX, read).await;
        let read = read
            .unwrap_or_else(|_| panic!("subscriber {number} did not return"))
            .expect("no panic");
        assert!(
            read == published,
            "subscriber {number} has what was acknowledged, and nothing else"
        );
    }
    report(&node, &made, &publisher, &subscribers).await;
    node.is_unharmed().await;
    node.stop().await;
}

/// Publishes `count` numbers, `RATE` a second on average, and gives the positions of their acknowledgements.
async fn publish(client: Client, count: u64) -> Vec<(u64, u64)> {
    let mut ticks = interval(Duration::from_secs(1) / RATE as u32);
    let mut unanswered = FuturesOrdered::new();
    let mut published = Vec::new();
    let mut note = |outcome: Result<Published, _>| {
        let position = outcome.expect("acknowledged").position;
        published.push((position.seq, published.len() as u64));
    };
    for number in 0..count {
        ticks.tick().await;
        let options = PublishOptions {
            timeout: Duration::from_secs(600),
            ..PublishOptions::new(CHANNEL, number.to_string())
        };
        let mut enqueue = std::pin::pin!(client.enqueue_with(options));
        // Outcomes are taken meanwhile, as an application does.
        let pending = loop {
            tokio::select! {
                pending = &mut enqueue => break pending.expect("the client goes on"),
                Some(outcome) = unanswered.next(), if !unanswered.is_empty() => note(outcome),
            }
        };
        unanswered.push_back(pending);
    }
    while let Some(outcome) = unanswered.next().await {
        note(outcome);
    }
    published
}

/// Reads `count` messages: the seq of each, and the number in it.
async fn read(mut subscription: Subscription, count: u64) -> Vec<(u64, u64)> {
    let mut read = Vec::new();
    while (read.len() as u64) < count {
        match subscription.next().await.expect("the subscription goes on") {
            Event::Message(message) => {
                let number = std::str::from_utf8(&message.payload)
                    .ok()
                    .and_then(|text| text.parse().ok());
                read.push((message.position.seq, number.expect("a number")));
            }
            Event::Attached {
                outcome: Outcome::Resumed | Outcome::Rewound(0),
                ..
            } => {}
            other => panic!("{other:?} although nothing was lost"),
        }
    }
    read
}

/// One publisher's messages stand in the order in which it sent them, from the first seq on and without gaps.
fn is_in_order(published: &[(u64, u64)]) {
    for (at, (seq, number)) in published.iter().enumerate() {
        assert_eq!(
            (*seq, *number),
            (at as u64 + 1, at as u64),
            "the order of the acknowledgements"
        );
    }
}

/// Cuts connections at random moments, evenly spread.
async fn make_cuts(proxy: &Proxy, transport: Transport, cuts: u64, time: Duration, seed: u64) -> BTreeMap<Cut, u64> {
    let mut rng = Rng::with_seed(seed);
    let began = Instant::now();
    let mut made = BTreeMap::new();
    for number in 0..cuts {
        let share = (number as f64 + rng.f64()) / cuts as f64;
        sleep_until(began + time.mul_f64(share)).await;
        let whole = eventually_within(RETURN_MAX, "a connection to cut", async || {
            Some(proxy.whole(transport)).filter(|whole| !whole.is_empty())
        });
        let whole = whole.await;
        let (flow, cut) = (&whole[rng.usize(..whole.len())], Cut::over(transport));
        let cut = cut[rng.usize(..cut.len())];
        flow.cut(cut);
        *made.entry(cut).or_default() += 1;
    }
    made
}

/// Says what happened. A run in which nothing had to be recovered would show nothing.
async fn report(node: &Node, made: &BTreeMap<Cut, u64>, publisher: &Client, subscribers: &[Client]) {
    let all = || subscribers.iter().chain([publisher]).map(Client::stats);
    let (sessions, duplicates) = (all().map(|stats| stats.sessions), all().map(|stats| stats.duplicates));
    let (sessions, duplicates) = (sessions.sum::<u64>(), duplicates.sum::<u64>());
    let published = publisher.stats();
    println!(
        "cuts {made:?}; sessions {sessions}; published {} and {} again; came twice and left out {duplicates}",
        published.published, published.resent
    );
    assert!(
        sessions > subscribers.len() as u64 + 1,
        "somebody was cut off and returned"
    );
    assert_eq!(
        all().map(|stats| stats.violations).sum::<u64>(),
        0,
        "the node kept to the protocol"
    );
    let metrics = node.metrics().await;
    assert!(
        metrics.value("starling_recoveries_total{result=\"resumed\"}") > 0.0,
        "somebody resumed"
    );
    assert_eq!(
        metrics.value("starling_recoveries_total{result=\"discontinuity\"}"),
        0.0
    );
}
