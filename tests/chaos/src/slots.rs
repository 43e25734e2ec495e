//! Who owns the channels' slots, as the nodes' admin ports tell: to choose whom to kill, and to see that two nodes never own
//! one under the same term.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::Error;
use crate::history::{Event, Recorder};
use crate::http;
use crate::load::channels;
use crate::setup::{ADMIN_PORT, NodeSetup, Setup};

/// Slots of a cluster, unless it is told otherwise.
const COUNT: u64 = 1_024;

/// Between two looks at each node's table.
const LOOK: Duration = Duration::from_millis(500);

/// How long a node may take to tell its table. One that stands still tells nothing.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// One line of the slot table.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Slot {
    slot: u16,
    /// Name and generation, if it was ever owned.
    owner: Option<String>,
    term: u64,
}

/// The node that owns most channels, as the first node tells that answers.
pub(crate) async fn owner_of_most(nodes: &[NodeSetup]) -> Option<usize> {
    for node in nodes {
        if let Ok(slots) = ask(node).await {
            let owner = most(&slots)?;
            return nodes.iter().position(|node| node.name == owner);
        }
    }
    None
}

/// Notes each change of owner that any node tells of, until it is dropped.
pub(crate) struct Watching(JoinHandle<()>);

impl Watching {
    pub(crate) fn start(setup: &Setup, recorder: &Arc<Recorder>) -> Self {
        let (nodes, recorder) = (setup.nodes.clone(), Arc::clone(recorder));
        Self(tokio::spawn(async move {
            let mut known = BTreeSet::new();
            loop {
                for node in &nodes {
                    for Slot { slot, owner, term } in ask(node).await.unwrap_or_default() {
                        let Some(owner) = owner.filter(|owner| known.insert((slot, term, owner.clone()))) else {
                            continue;
                        };
                        recorder.note(Event::Owner { slot, term, owner });
                    }
                }
                sleep(LOOK).await;
            }
        }))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The slots of our channels, as a node sees them.
async fn ask(node: &NodeSetup) -> Result<Vec<Slot>, Error> {
    let address = SocketAddr::from((node.address, ADMIN_PORT));
    let failed = |said: String| Error::Http {
        what: format!("the slot table of node {}", node.name),
        said,
    };
    let answer = timeout(ASK_WITHIN, http::get_plain(address, "/cluster/slots")).await;
    let answer = answer.map_err(|_| failed("no answer in time".into()))??;
    let mut slots: Vec<Slot> = serde_json::from_slice(&answer.body).map_err(|error| failed(error.to_string()))?;
    let ours: BTreeSet<u16> = channels().iter().map(|channel| slot_of(channel)).collect();
    slots.retain(|slot| ours.contains(&slot.slot));
    Ok(slots)
}

fn slot_of(channel: &str) -> u16 {
    // The remainder is below 1,024.
    (xxh3_64(channel.as_bytes()) % COUNT) as u16
}

/// The owner's name that stands most often; of several the first by name.
fn most(slots: &[Slot]) -> Option<&str> {
    let mut owns: BTreeMap<&str, usize> = BTreeMap::new();
    for owner in slots.iter().filter_map(|slot| slot.owner.as_deref()) {
        let name = owner.split_once('@').map_or(owner, |(name, _)| name);
        *owns.entry(name).or_default() += 1;
    }
    let most = owns.values().max().copied()?;
    owns.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_owns_most_is_found_whatever_its_generation() {
        let told = r#"[
            {"slot": 1, "owner": "b@7", "term": 3, "isr": ["b@7"], "heirs": [], "resets": 0, "lost": false},
            {"slot": 2, "owner": "a@9", "term": 1},
            {"slot": 3, "owner": "b@8", "term": 1},
            {"slot": 4, "owner": null, "term": 0}
        ]"#;
        let slots: Vec<Slot> = serde_json::from_str(told).expect("a table");
        assert_eq!(most(&slots), Some("b"));
        assert_eq!(most(&slots[..2]), Some("a"));
        assert_eq!(most(&slots[3..]), None);
    }

    #[test]
    fn each_channel_has_a_slot_of_its_own() {
        let slots: BTreeSet<_> = channels().iter().map(|channel| slot_of(channel)).collect();
        assert_eq!(slots.len(), channels().len());
    }
}
