//! The admin port of a node in a cluster: whether it is ready, who owns which slot, what its links have carried.

use std::net::SocketAddr;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use super::http;
use crate::error::LinkError;

/// One line of the slot table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Slot {
    /// Its number.
    pub(crate) slot: u64,
    /// Name and generation of its owner, `a@1795636549610`, if it has one.
    pub(crate) owner: Option<String>,
    /// How often that has changed.
    pub(crate) term: u64,
    /// Who holds what is acknowledged.
    pub(crate) isr: Vec<String>,
}

/// What nodes have sent over links because others read a channel that they own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FannedOut {
    /// Frames.
    pub(crate) frames: u64,
    /// Messages in them.
    pub(crate) messages: u64,
}

/// Asks whether a node is ready; the error says why not.
pub(crate) async fn ready(admin: SocketAddr) -> Result<(), LinkError> {
    http::fetch(admin, "/health/ready").await.map(drop)
}

/// The slot table as a node has it.
pub(crate) async fn slots(admin: SocketAddr) -> Result<Vec<Slot>, LinkError> {
    let path = "/cluster/slots";
    let table = http::fetch(admin, path).await?;
    serde_json::from_slice(&table).map_err(|error| LinkError::Protocol(format!("{path} is not understood: {error}")))
}

/// The slot of a channel among so many.
pub(crate) fn slot_of(channel: &str, slots: usize) -> u64 {
    xxh3_64(channel.as_bytes()) % slots.max(1) as u64
}

/// What a node counts of its links.
pub(crate) async fn fanned_out(admin: SocketAddr) -> Result<FannedOut, LinkError> {
    let path = "/metrics";
    let metrics = http::fetch(admin, path).await?;
    let metrics = String::from_utf8_lossy(&metrics);
    FannedOut::read(&metrics)
        .ok_or_else(|| LinkError::Protocol(format!("{path} does not tell {FRAMES} and {MESSAGES}")))
}

const FRAMES: &str = "starling_cluster_fanout_frames_total";
const MESSAGES: &str = "starling_cluster_fanout_messages_total";

impl FannedOut {
    /// From the text format of Prometheus. Both are counters without labels.
    fn read(metrics: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut values = metrics
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            values.next()?.trim().parse().ok()
        };
        Some(Self {
            frames: value(FRAMES)?,
            messages: value(MESSAGES)?,
        })
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            messages: self.messages + other.messages,
        }
    }

    /// What was sent since an earlier reading.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            frames: self.frames.saturating_sub(earlier.frames),
            messages: self.messages.saturating_sub(earlier.messages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_among_what_a_node_counts() {
        let metrics = "# HELP starling_cluster_fanout_frames_total Frames.\n\
                       # TYPE starling_cluster_fanout_frames_total counter\n\
                       starling_cluster_fanout_frames_total 200\n\n\
                       starling_cluster_fanout_frames_total_other 1\n\
                       starling_cluster_fanout_messages_total 207\n";
        let read = FannedOut::read(metrics).expect("both are there");
        assert_eq!((read.frames, read.messages), (200, 207));
        let more = FannedOut {
            frames: 260,
            messages: 270,
        };
        assert_eq!(
            more.since(read),
            FannedOut {
                frames: 60,
                messages: 63
            }
        );
        assert_eq!(FannedOut::read("starling_cluster_fanout_frames_total 200\n"), None);
    }

    #[test]
    fn a_line_of_the_slot_table_may_say_more_than_is_needed() {
        let line = r#"{"slot":7,"owner":"b@9","term":3,"isr":["a@8","b@9"],"heirs":[],"resets":0,"lost":false}"#;
        let slot: Slot = serde_json::from_str(line).expect("understood");
        assert_eq!((slot.slot, slot.owner.as_deref(), slot.term), (7, Some("b@9"), 3));
    }

    #[test]
    fn a_channel_has_the_slot_that_nodes_give_it() {
        // The values that the nodes' own test of their hash has.
        assert_eq!(slot_of("chat:lobby", 1_024), 828);
        assert_eq!(slot_of("demo:a:b", 1_024), 151);
    }
}
