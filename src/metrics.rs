//! What the node counts. One struct of instruments, made once: a hot path touches an atomic and
//! looks nothing up. Never labelled by channel or user.

mod cluster;
mod document;
mod presence;
mod process;

use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use starling_core::channel::Outcome;
use starling_core::session::answer::Answer;

pub use document::DocumentPart;
pub use presence::{Datagram, PresenceHeld};

use crate::transport::Transport;
use crate::wire;

/// Bounds of the publish histogram, in seconds: from a tenth of a millisecond, which a local publish
/// takes, to five seconds, after which clients have tried elsewhere.
const PUBLISH_BOUNDS: [f64; 15] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// Bounds of how long connections lived, in seconds: from a failed try to a day.
const LIFETIME_BOUNDS: [f64; 8] = [1.0, 10.0, 60.0, 300.0, 1_800.0, 7_200.0, 28_800.0, 86_400.0];

/// Bounds of how many entries share a commit of the store: from a publish by itself to all that fits.
const ENTRIES_BOUNDS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 25.0, 100.0, 250.0, 1_000.0];

/// What a frame sent is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A message as it happens.
    Publication,
    /// Messages of the past.
    Page,
    /// Who is in a channel.
    Presence,
    /// What is said of documents.
    Document,
    /// Everything else.
    Control,
}

/// Every instrument of the node.
pub struct Metrics {
    recorder: PrometheusRecorder,
    hot: Instruments,
}

/// What is touched often, looked up once.
struct Instruments {
    connections: [Gauge; 2],
    subscriptions: Gauge,
    channels: Gauge,
    sent: [[Counter; 5]; 2],
    received: Counter,
    bytes_in: Counter,
    bytes_out: Counter,
    publish_duration: Histogram,
    lifetime: Histogram,
    dropped: Counter,
    fanout_frames: Counter,
    fanout_messages: Counter,
    document: document::Instruments,
    presence: presence::Instruments,
    process: process::Instruments,
    store: StoreInstruments,
}

/// What the store's threads touch.
struct StoreInstruments {
    queue: Gauge,
    batch: Histogram,
    commit: Histogram,
    entries: Counter,
    written: Counter,
    bytes: Gauge,
    writable: Gauge,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Instruments of their own for each node: two nodes in one process do not count together.
    ///
    /// # Panics
    /// Never: the bounds of the histograms are not empty.
    #[must_use]
    pub fn new() -> Self {
        let full = |name: &str| Matcher::Full(name.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(full("starling_publish_duration_seconds"), &PUBLISH_BOUNDS)
            .and_then(|it| it.set_buckets_for_metric(full("starling_connection_duration_seconds"), &LIFETIME_BOUNDS))
            .and_then(|it| it.set_buckets_for_metric(full("starling_store_commit_duration_seconds"), &PUBLISH_BOUNDS))
            .and_then(|it| it.set_buckets_for_metric(full("starling_store_commit_entries"), &ENTRIES_BOUNDS))
            .expect("bounds that are not empty are taken")
            .build_recorder();
        let sent = |kind: &'static str, transport: Transport| counter!("starling_messages_sent_total", "kind" => kind, "transport" => transport.name());
        let kinds =
            |transport| ["publication", "page", "presence", "document", "control"].map(|kind| sent(kind, transport));
        let make = || {
            describe();
            cluster::describe();
            document::describe();
            presence::describe();
            process::describe();
            gauge!("starling_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            Instruments {
                connections: Transport::ALL.map(|it| gauge!("starling_connections", "transport" => it.name())),
                subscriptions: gauge!("starling_subscriptions"),
                channels: gauge!("starling_channels"),
                sent: Transport::ALL.map(kinds),
                received: counter!("starling_messages_received_total"),
                bytes_in: counter!("starling_message_bytes_total", "direction" => "in"),
                bytes_out: counter!("starling_message_bytes_total", "direction" => "out"),
                publish_duration: histogram!("starling_publish_duration_seconds"),
                lifetime: histogram!("starling_connection_duration_seconds"),
                dropped: counter!("starling_dropped_messages_total", "reason" => "slow_reader"),
                fanout_frames: counter!("starling_cluster_fanout_frames_total"),
                fanout_messages: counter!("starling_cluster_fanout_messages_total"),
                document: document::Instruments::new(),
                presence: presence::Instruments::new(),
                process: process::Instruments::new(),
                store: StoreInstruments {
                    queue: gauge!("starling_store_queue_batches"),
                    batch: histogram!("starling_store_commit_entries"),
                    commit: histogram!("starling_store_commit_duration_seconds"),
                    entries: counter!("starling_store_entries_total"),
                    written: counter!("starling_store_written_bytes_total"),
                    bytes: gauge!("starling_store_bytes"),
                    writable: gauge!("starling_store_writable"),
                },
            }
        };
        Self {
            hot: metrics::with_local_recorder(&recorder, make),
            recorder,
        }
    }

    /// Everything, in the text format of Prometheus.
    #[must_use]
    pub fn render(&self, channels: usize) -> String {
        self.hot.channels.set(channels as f64);
        self.hot.process.read();
        let handle = self.recorder.handle();
        handle.run_upkeep();
        handle.render()
    }

    /// A frame of so many bytes came.
    pub fn received(&self, bytes: usize) {
        self.hot.received.increment(1);
        self.hot.bytes_in.increment(bytes as u64);
    }

    /// So many frames were queued for a client, so many bytes together.
    pub fn sent(&self, kind: FrameKind, transport: Transport, count: u64, bytes: usize) {
        self.hot.sent[transport as usize][kind as usize].increment(count);
        self.hot.bytes_out.increment(bytes as u64);
    }

    /// A publish was answered so long after it came.
    pub fn published(&self, after: Duration) {
        self.hot.publish_duration.record(after);
    }

    /// A session was admitted.
    pub fn opened(&self, transport: Transport) {
        self.hot.connections[transport as usize].increment(1.0);
        self.accepted(transport, "opened");
    }

    /// A session that had been admitted ended.
    pub fn ended(&self, transport: Transport, lived: Duration) {
        self.hot.connections[transport as usize].decrement(1.0);
        self.hot.lifetime.record(lived);
    }

    /// A connection that came was taken or not.
    pub fn accepted(&self, transport: Transport, result: &'static str) {
        self.count(
            || counter!("starling_connections_accepted_total", "transport" => transport.name(), "result" => result),
        );
    }

    /// A session was closed for a reason with this name.
    pub fn closed(&self, transport: Transport, code: &'static str) {
        self.count(|| counter!("starling_connections_closed_total", "transport" => transport.name(), "code" => code));
    }

    /// A reader joined a channel, or left.
    pub fn subscribed(&self, joined: bool) {
        self.hot.subscriptions.increment(if joined { 1.0 } else { -1.0 });
    }

    /// A client was told this.
    pub fn answered(&self, answer: &Answer) {
        match answer {
            Answer::Attached { attachment, .. } => {
                let result = match attachment.outcome {
                    Outcome::Resumed => "resumed",
                    Outcome::Rewound(_) => "rewound",
                    Outcome::Discontinuity(_) => "discontinuity",
                };
                self.count(|| counter!("starling_recoveries_total", "result" => result));
            }
            Answer::Refused { refusal, .. }
            | Answer::PullRefused { refusal, .. }
            | Answer::Withdrawn { refusal, .. }
            | Answer::TakenOut { refusal, .. } => {
                self.refused(wire::refusal_code(refusal).name(), refusal.limit());
            }
            _ => {}
        }
    }

    /// A request was refused with a code of this name, because of this limit if it was one.
    pub fn refused(&self, code: &'static str, limit: Option<&'static str>) {
        self.count(|| counter!("starling_refusals_total", "code" => code));
        if let Some(limit) = limit {
            self.count(|| counter!("starling_limits_reached_total", "limit" => limit));
        }
    }

    /// A slow reader got its policy's answer.
    pub fn slow(&self, action: &'static str) {
        self.count(|| counter!("starling_slow_consumers_total", "action" => action));
    }

    /// So many messages were left out for a slow reader.
    pub fn dropped(&self, count: u64) {
        self.hot.dropped.increment(count);
    }

    /// Somebody was not let in.
    pub fn unauthorized(&self, reason: &'static str) {
        self.count(|| counter!("starling_auth_failures_total", "reason" => reason));
    }

    /// An actor of this kind failed and was started again.
    pub fn restarted(&self, kind: &'static str) {
        self.count(|| counter!("starling_actor_restarts_total", "kind" => kind));
    }

    /// So many batches wait for the store.
    pub fn store_queue(&self, batches: usize) {
        self.hot.store.queue.set(batches as f64);
    }

    /// The store synced so many entries of so many bytes in one transaction.
    pub fn store_committed(&self, entries: usize, bytes: usize, took: Duration) {
        self.hot.store.batch.record(entries as f64);
        self.hot.store.commit.record(took);
        self.hot.store.entries.increment(entries as u64);
        self.hot.store.written.increment(bytes as u64);
    }

    /// Something of this kind failed in the store.
    pub fn store_failed(&self, kind: &'static str) {
        self.count(|| counter!("starling_store_errors_total", "kind" => kind));
    }

    /// Whether the store could be written last.
    pub fn store_writable(&self, writable: bool) {
        self.hot.store.writable.set(if writable { 1.0 } else { 0.0 });
    }

    /// The store's files take so many bytes.
    pub fn store_bytes(&self, bytes: u64) {
        self.hot.store.bytes.set(bytes as f64);
    }

    /// The client port's certificate ends then, in seconds since 1970.
    pub fn certificate_expires(&self, at: f64) {
        metrics::with_local_recorder(&self.recorder, || {
            gauge!("starling_tls_certificate_expiry_timestamp_seconds").set(at)
        });
    }

    /// Counts one of something rare, whose labels are looked up.
    fn count(&self, instrument: impl FnOnce() -> Counter) {
        metrics::with_local_recorder(&self.recorder, || instrument().increment(1));
    }
}

fn describe() {
    describe_gauge!("starling_build_info", "The version that runs.");
    describe_gauge!("starling_connections", "Sessions that are open.");
    describe_counter!(
        "starling_connections_accepted_total",
        "Connections that came, by what became of them."
    );
    describe_counter!(
        "starling_connections_closed_total",
        "Connections that ended, by close code."
    );
    describe_histogram!("starling_connection_duration_seconds", "How long sessions were open.");
    describe_gauge!(
        "starling_subscriptions",
        "Channels that sessions are attached to, all together."
    );
    describe_gauge!("starling_channels", "Channels with an actor.");
    describe_counter!("starling_messages_received_total", "Frames that came from clients.");
    describe_counter!("starling_messages_sent_total", "Frames queued for clients.");
    describe_counter!("starling_message_bytes_total", "Bytes of frames.");
    describe_histogram!("starling_publish_duration_seconds", "From a publish to its answer.");
    describe_counter!("starling_recoveries_total", "Attaches, by their answer.");
    describe_counter!(
        "starling_slow_consumers_total",
        "Slow readers, by what they were answered."
    );
    describe_counter!("starling_dropped_messages_total", "Messages left out for a reader.");
    describe_counter!("starling_refusals_total", "Requests refused, by code.");
    describe_counter!(
        "starling_limits_reached_total",
        "Requests refused, by the limit of the configuration that they met."
    );
    describe_counter!("starling_auth_failures_total", "Clients not let in.");
    describe_counter!(
        "starling_actor_restarts_total",
        "Actors that failed and were started again."
    );
    describe_gauge!(
        "starling_store_queue_batches",
        "Batches, and rows of documents, that wait for the store."
    );
    describe_histogram!("starling_store_commit_entries", "Entries that shared a commit.");
    describe_histogram!(
        "starling_store_commit_duration_seconds",
        "One transaction of the store, its sync included."
    );
    describe_counter!(
        "starling_store_entries_total",
        "Entries of channels and rows of documents that were synced."
    );
    describe_counter!("starling_store_written_bytes_total", "Bytes of those entries.");
    describe_counter!(
        "starling_store_errors_total",
        "What failed in the store: a transaction, one batch, a read, a document that cannot be read, a chore of documents."
    );
    describe_gauge!(
        "starling_store_bytes",
        "Size of the store: its files, or its tables in a database."
    );
    describe_gauge!(
        "starling_store_writable",
        "1 while the store can be written, 0 while it cannot."
    );
    describe_gauge!(
        "starling_tls_certificate_expiry_timestamp_seconds",
        "When the client port's certificate ends."
    );
}
