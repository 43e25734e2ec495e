//! The clients of a run: publishers and readers on every node, over both transports, each with the URLs of all nodes.
//!
//! | file | holds |
//! | --- | --- |
//! | `publisher.rs` | messages on a schedule, and what became of each |
//! | `reader.rs` | what a subscription tells, and how far it is |
//!
//! All that they do and see goes into the history, before anything else is done with it.

mod publisher;
mod reader;

use std::sync::Arc;
use std::time::Duration;

use starling_client::{Client, State, Transports};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

pub(crate) use reader::Progress;

use crate::error::Error;
use crate::history::{Event, Recorder};
use crate::setup::{NAMESPACE, Setup};

/// Channels. Of a thousand slots each is in another, as good as certainly, and every node owns some.
const CHANNELS: usize = 24;

/// Publishers and readers, spread evenly over nodes and over both transports.
const PUBLISHERS: usize = 12;
const READERS: usize = 12;

/// Publishes a second, over all publishers.
const RATE: u32 = 320;

/// Channels that a publisher goes through in turn, so that each has several publishers.
const PUBLISHES_TO: usize = 4;

/// Channels that a reader reads, so that each has several readers.
const READS: usize = 8;

/// How long clients may take to connect and to attach when nothing is wrong.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How long outcomes may take in the end: the client tries for half a minute, and settles what it gives up for as long
/// again.
const OUTCOMES_WITHIN: Duration = Duration::from_secs(70);

/// Names of the channels of a run.
pub(crate) fn channels() -> Vec<String> {
    (0..CHANNELS).map(|number| format!("{NAMESPACE}:{number}")).collect()
}

/// All clients, at work.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    publishers: JoinSet<()>,
    /// Held so that readers go on, and closed in the end.
    clients: Vec<Client>,
    progress: Arc<Progress>,
    watching: Vec<JoinHandle<()>>,
}

impl Load {
    /// Connects everybody, attaches the readers, and starts to publish.
    pub(crate) async fn start(setup: &Setup, recorder: &Arc<Recorder>) -> Result<Self, Error> {
        let channels = channels();
        let mut load = Self {
            stop: watch::Sender::new(false),
            publishers: JoinSet::new(),
            clients: Vec::new(),
            progress: Arc::default(),
            watching: Vec::new(),
        };
        let mut attaching = JoinSet::new();
        for number in 0..READERS {
            let (name, client) = load.client(setup, recorder, "s", number).await?;
            // Spread so that neighbours share some and no two read the same.
            for nth in 0..READS.min(channels.len()) {
                let channel = channels[(number * 2 + nth * 3) % channels.len()].clone();
                let (recorder, progress) = (Arc::clone(recorder), Arc::clone(&load.progress));
                attaching.spawn(reader::start(client.clone(), name.clone(), channel, recorder, progress));
            }
        }
        while let Some(attached) = attaching.join_next().await {
            let reading = attached.map_err(|error| client_failed("a reader", &error))??;
            load.watching.push(reading);
        }
        let mut ready = Vec::new();
        for number in 0..PUBLISHERS {
            let (name, client) = load.client(setup, recorder, "p", number).await?;
            let own = (0..PUBLISHES_TO).map(|nth| channels[(number * 2 + nth * 7) % channels.len()].clone());
            ready.push((name, client, own.collect::<Vec<_>>()));
        }
        let period = Duration::from_secs(1) * PUBLISHERS as u32 / RATE;
        for (name, client, own) in ready {
            let (recorder, stop) = (Arc::clone(recorder), load.stop.subscribe());
            load.publishers
                .spawn(publisher::run(client, name, own, period, recorder, stop));
        }
        Ok(load)
    }

    /// A client that is connected, to its own node first.
    async fn client(
        &mut self,
        setup: &Setup,
        recorder: &Arc<Recorder>,
        kind: &str,
        number: usize,
    ) -> Result<(String, Client), Error> {
        let nodes = setup.nodes.len();
        let mut urls = (0..nodes).map(|turn| setup.nodes[(number + turn) % nodes].url());
        let transport = match number / nodes % 2 {
            0 => Transports::WebSocket,
            _ => Transports::WebTransport,
        };
        let mut builder = Client::builder(urls.next().unwrap_or_default())
            .token(setup.token.clone())
            .transport(transport)
            .root_certificate(setup.authority.clone())
            .agent("starling-chaos");
        for url in urls {
            builder = builder.url(url);
        }
        let name = format!("{kind}{number}");
        let client = builder.build().map_err(|error| client_failed(&name, &error))?;
        self.watching.push(tokio::spawn(watch_state(
            client.clone(),
            name.clone(),
            Arc::clone(recorder),
        )));
        let connected = timeout(READY_WITHIN, client.connected()).await;
        connected
            .map_err(|_| {
                let state = format!("not connected within {READY_WITHIN:?}: {:?}", *client.state().borrow());
                client_failed(&name, &state)
            })?
            .map_err(|error| client_failed(&name, &error))?;
        self.clients.push(client.clone());
        Ok((name, client))
    }

    /// Publishes no more, and waits until every publish has its outcome.
    pub(crate) async fn settle(&mut self, setup: &Setup) -> Result<(), Error> {
        self.stop.send_replace(true);
        let all = async {
            while let Some(ended) = self.publishers.join_next().await {
                ended.map_err(|error| client_failed("a publisher", &error))?;
            }
            Ok(())
        };
        timeout(OUTCOMES_WITHIN, all).await.map_err(|_| Error::Late {
            what: "outcomes of all publishes".into(),
            seconds: OUTCOMES_WITHIN.as_secs(),
            logs: setup.directory.clone(),
        })?
    }

    /// Waits until every reader is where its channel ends; a reader that does not get there is a finding, not an error.
    pub(crate) async fn caught_up(&self, ends: &[(String, String, u64)], within: Duration) {
        let all = async {
            while !self.progress.is_at(ends) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let _late = timeout(within, all).await;
    }

    /// Frames from nodes that broke the protocol's rules, as the clients counted them.
    pub(crate) fn violations(&self) -> u64 {
        self.clients.iter().map(|client| client.stats().violations).sum()
    }

    /// Says goodbye.
    pub(crate) async fn close(self) {
        for task in &self.watching {
            task.abort();
        }
        let mut closing = JoinSet::new();
        for client in self.clients {
            closing.spawn(async move { client.close().await });
        }
        while closing.join_next().await.is_some() {}
    }
}

/// Notes where a client is.
async fn watch_state(client: Client, name: String, recorder: Arc<Recorder>) {
    let mut state = client.state();
    drop(client);
    loop {
        let now = state.borrow_and_update().clone();
        let (node, detail) = match &now {
            State::Connected {
                node,
                transport,
                session,
            } => (Some(node.clone()), format!("{transport} {session}")),
            State::Reconnecting { error, .. } => (None, error.clone()),
            other => (None, format!("{other:?}")),
        };
        recorder.note(Event::Connection {
            client: name.clone(),
            node,
            detail,
        });
        if state.changed().await.is_err() {
            return;
        }
    }
}

fn client_failed(client: &str, error: &dyn ToString) -> Error {
    Error::Client {
        what: client.to_owned(),
        said: error.to_string(),
    }
}
