//! Publishes that go on while something happens to a cluster, and what has to be so in the end: each was acknowledged, and
//! stands once and in order at a reader that stayed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use starling_client::{Client, Event, Message, Outcome, Position, PublishOptions, SubscribeOptions, Subscription};
use starling_mesh::transport::Transport;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::eventually::{eventually, soon};
use super::node::Node;

/// Publishes without an answer. Some are always on their way when something happens.
const IN_FLIGHT_MAX: usize = 16;

/// How long a publish may take. Nothing that is done to a cluster here keeps one for as long.
const TIMEOUT: Duration = Duration::from_secs(20);

/// See the module.
pub(crate) struct Stream {
    stop: oneshot::Sender<()>,
    publishing: JoinHandle<Done>,
    readers: Vec<Reading>,
    clients: [Client; 2],
    _tasks: JoinSet<()>,
}

/// What became of it.
#[derive(Default)]
pub(crate) struct Done {
    /// Where the publishes to each channel stand, in the order in which they were made.
    pub(crate) published: BTreeMap<String, Vec<Position>>,
    /// The longest that anybody waited for an acknowledgement.
    pub(crate) slowest: Duration,
}

/// What a reader of one channel was told.
#[derive(Clone)]
struct Reading {
    channel: String,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Stream {
    /// Publishes to these channels in turn through one node, with a pause after each, and reads them at another.
    pub(crate) async fn start(publisher: &Node, reader: &Node, channels: &[String], pause: Duration) -> Self {
        let clients = [publisher, reader].map(|node| node.client(Transport::WebSocket));
        let mut readers = Vec::new();
        let mut tasks = JoinSet::new();
        for channel in channels {
            let attached = clients[1].subscribe(&**channel, SubscribeOptions::rewind(1));
            let subscription = soon("a subscription", attached).await.expect("attached");
            let reading = Reading {
                channel: channel.clone(),
                messages: Arc::default(),
            };
            tasks.spawn(reading.clone().read(subscription));
            readers.push(reading);
        }
        let (stop, stopped) = oneshot::channel();
        let publishing = tokio::spawn(publish(clients[0].clone(), channels.to_vec(), pause, stopped));
        Self {
            stop,
            publishing,
            readers,
            clients,
            _tasks: tasks,
        }
    }

    /// Waits until so many more messages of each channel were read.
    pub(crate) async fn goes_on(&self, messages: usize) {
        let before: Vec<_> = self.readers.iter().map(|reading| reading.messages().len()).collect();
        eventually("the stream to go on", async || {
            let mut all = self.readers.iter().zip(&before);
            all.all(|(reading, before)| reading.messages().len() >= before + messages)
                .then_some(())
        })
        .await;
    }

    /// Publishes no more, and holds what was read against what was acknowledged.
    pub(crate) async fn stop(self) -> Done {
        // It ends by itself only with a panic, which is told below.
        let _ = self.stop.send(());
        let done = soon("every publish to be settled", self.publishing)
            .await
            .expect("every publish is acknowledged");
        for reading in &self.readers {
            let published = &done.published[&reading.channel];
            eventually("all that was acknowledged to be read", async || {
                (reading.messages().len() >= published.len()).then_some(())
            })
            .await;
            let messages = reading.messages();
            assert_eq!(messages.len(), published.len(), "{}", reading.channel);
            for (number, (message, position)) in messages.iter().zip(published).enumerate() {
                assert_eq!(message.position, *position, "message {number} of {}", reading.channel);
                assert_eq!(message.position.seq, number as u64 + 1, "one order, without a gap");
                assert_eq!(message.payload, number.to_string(), "once each, as they were published");
            }
        }
        for client in &self.clients {
            client.close().await;
        }
        done
    }
}

impl Reading {
    async fn read(self, mut events: Subscription) {
        while let Some(event) = events.next().await {
            match event {
                Event::Message(message) => self.messages().push(message),
                Event::Attached { outcome, .. } if !matches!(outcome, Outcome::Discontinuity(_)) => {}
                // Nothing more is read, which is noticed.
                other => panic!("a reader of {} is told {other:?}", self.channel),
            }
        }
    }

    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn publish(client: Client, channels: Vec<String>, pause: Duration, mut stopped: oneshot::Receiver<()>) -> Done {
    let mut done = Done::default();
    let mut waiting = FuturesUnordered::new();
    let mut outcomes: BTreeMap<String, BTreeMap<usize, Position>> = BTreeMap::new();
    let mut turn = 0;
    let mut ticks = tokio::time::interval(pause.max(Duration::from_micros(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut goes_on = true;
    while goes_on || !waiting.is_empty() {
        tokio::select! {
            _ = &mut stopped, if goes_on => goes_on = false,
            Some((number, channel, began, outcome)) = waiting.next() => {
                let began: Instant = began;
                let outcome: Result<starling_client::Published, _> = outcome;
                let published = outcome.unwrap_or_else(|error| panic!("message {number} of {channel}: {error}"));
                done.slowest = done.slowest.max(began.elapsed());
                outcomes.entry(channel).or_default().insert(number, published.position);
            }
            _ = ticks.tick(), if goes_on && waiting.len() < IN_FLIGHT_MAX => {
                let (number, channel) = (turn / channels.len(), &channels[turn % channels.len()]);
                turn += 1;
                let options = PublishOptions {
                    timeout: TIMEOUT,
                    ..PublishOptions::new(&**channel, number.to_string())
                };
                let pending = client.enqueue_with(options).await.expect("the client goes on");
                let (channel, began) = (channel.clone(), Instant::now());
                waiting.push(async move { (number, channel, began, pending.await) });
            }
        }
    }
    for channel in channels {
        let positions = outcomes.remove(&channel).unwrap_or_default().into_values().collect();
        done.published.insert(channel, positions);
    }
    done
}
