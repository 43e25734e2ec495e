//! What presence counts.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::Metrics;

/// What every turn of a shard touches.
pub(super) struct Instruments {
    entries: Gauge,
    watched: Gauge,
    sent: [Counter; 2],
    datagrams: [Counter; 4],
    datagrams_sent: Counter,
}

/// What became of a datagram of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datagram {
    /// The ephemeral state in it is passed on.
    Taken,
    /// It is too late, or one too many, or of nobody who is there.
    Ignored,
    /// It is no ephemeral state.
    Malformed,
    /// It came faster than datagrams are read.
    Dropped,
}

impl Instruments {
    pub(super) fn new() -> Self {
        let sent = |result| counter!("starling_presence_link_messages_total", "result" => result);
        let datagrams = |result| counter!("starling_datagrams_received_total", "result" => result);
        Self {
            entries: gauge!("starling_presence_entries"),
            watched: gauge!("starling_presence_watched_channels"),
            sent: ["unsent", "sent"].map(sent),
            datagrams: ["taken", "ignored", "malformed", "dropped"].map(datagrams),
            datagrams_sent: counter!("starling_datagrams_sent_total"),
        }
    }
}

/// What a shard holds for clients of this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PresenceHeld {
    /// Entries of its clients.
    pub entries: usize,
    /// Channels that they watch.
    pub watched: usize,
}

impl Metrics {
    /// What a shard holds has changed.
    pub fn presence_held(&self, before: PresenceHeld, now: PresenceHeld) {
        let instruments = &self.hot.presence;
        if before.entries != now.entries {
            instruments
                .entries
                .increment(now.entries as f64 - before.entries as f64);
        }
        if before.watched != now.watched {
            instruments
                .watched
                .increment(now.watched as f64 - before.watched as f64);
        }
    }

    /// So many datagrams of a client came to this.
    pub fn datagrams(&self, became: Datagram, count: u64) {
        self.hot.presence.datagrams[became as usize].increment(count);
    }

    /// So many datagrams were handed to the transport for a client, so many bytes together.
    pub fn datagrams_sent(&self, count: u64, bytes: usize) {
        self.hot.presence.datagrams_sent.increment(count);
        self.hot.bytes_out.increment(bytes as u64);
    }

    /// A message to another node was put into its lane, or found no room there.
    pub fn presence_sent(&self, is_sent: bool) {
        self.hot.presence.sent[usize::from(is_sent)].increment(1);
    }
}

pub(super) fn describe() {
    describe_gauge!(
        "starling_presence_entries",
        "What clients of this node have entered, those included that were lost and may return."
    );
    describe_gauge!(
        "starling_presence_watched_channels",
        "Channels whose presence clients of this node watch."
    );
    describe_counter!(
        "starling_datagrams_received_total",
        "Datagrams of clients, by what became of them."
    );
    describe_counter!(
        "starling_datagrams_sent_total",
        "Datagrams to clients that the transport has taken."
    );
    describe_counter!(
        "starling_presence_link_messages_total",
        "Messages about presence to other nodes, by whether their lane had room."
    );
}
