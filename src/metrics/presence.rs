//! What presence counts.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::Metrics;

/// What every turn of a shard touches.
pub(super) struct Instruments {
    entries: Gauge,
    watched: Gauge,
    sent: [Counter; 2],
}

impl Instruments {
    pub(super) fn new() -> Self {
        let sent = |result| counter!("starling_presence_link_messages_total", "result" => result);
        Self {
            entries: gauge!("starling_presence_entries"),
            watched: gauge!("starling_presence_watched_channels"),
            sent: ["unsent", "sent"].map(sent),
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
        "starling_presence_link_messages_total",
        "Messages about presence to other nodes, by whether their lane had room."
    );
}
