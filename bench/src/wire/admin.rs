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
    let metrics = metrics(admin).await?;
    FannedOut::read(&metrics)
        .ok_or_else(|| LinkError::Protocol(format!("{METRICS} does not tell {FRAMES} and {MESSAGES}")))
}

/// Bytes of gossip that a node has sent.
pub(crate) async fn gossiped_bytes(admin: SocketAddr) -> Result<u64, LinkError> {
    let metrics = metrics(admin).await?;
    counter(&metrics, GOSSIP).ok_or_else(|| LinkError::Protocol(format!("{METRICS} does not tell {GOSSIP}")))
}

async fn metrics(admin: SocketAddr) -> Result<String, LinkError> {
    let metrics = http::fetch(admin, METRICS).await?;
    Ok(String::from_utf8_lossy(&metrics).into_owned())
}

/// The value of a counter in the text format of Prometheus, with its labels as the node writes them.
fn counter(metrics: &str, name: &str) -> Option<u64> {
    let mut values = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    values.next()?.trim().parse().ok()
}

const METRICS: &str = "/metrics";
const GOSSIP: &str = r#"starling_cluster_gossip_bytes_total{direction="sent"}"#;
const FRAMES: &str = "starling_cluster_fanout_frames_total";
const MESSAGES: &str = "starling_cluster_fanout_messages_total";

impl FannedOut {
    /// Both are counters without labels.
    fn read(metrics: &str) -> Option<Self> {
        Some(Self {
            frames: counter(metrics, FRAMES)?,
            messages: counter(metrics, MESSAGES)?,
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
    fn a_counter_with_a_label_is_told_from_its_like() {
        let metrics = "starling_cluster_gossip_bytes_total{direction=\"received\"} 7\n\
                       starling_cluster_gossip_bytes_total{direction=\"sent\"} 900\n";
        assert_eq!(counter(metrics, GOSSIP), Some(900));
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
