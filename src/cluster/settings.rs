//! Whether all nodes have the same namespaces. The settings of a slot's owner rule, so a node that differs is a node whose
//! channels change their promises when they move: it is counted, and told once.

use std::collections::BTreeMap;
use std::sync::Arc;

use starling_cluster::gossip::{Membership, State, View};
use starling_core::id::NodeName;
use tokio::sync::broadcast::error::RecvError;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::Namespace;
use crate::metrics::Metrics;

/// The same for the same namespaces, in whatever order they stand in the file.
pub(super) fn hash(namespaces: &[Namespace]) -> u64 {
    let mut sorted: Vec<_> = namespaces.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    let text = serde_json::to_vec(&sorted).expect("names and numbers can be written down");
    xxh3_64(&text)
}

/// See the module.
pub(super) struct Comparison {
    mine: u64,
    membership: Membership,
    metrics: Arc<Metrics>,
    /// What was told of whom last.
    told: BTreeMap<NodeName, u64>,
}

impl Comparison {
    pub(super) const fn new(mine: u64, membership: Membership, metrics: Arc<Metrics>) -> Self {
        Self {
            mine,
            membership,
            metrics,
            told: BTreeMap::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut changes = self.membership.changes();
        loop {
            let view = self.membership.view();
            self.compare(&view);
            if let Err(RecvError::Closed) = changes.recv().await {
                return;
            }
        }
    }

    fn compare(&mut self, view: &View) {
        self.told.retain(|name, _| view.members.contains_key(name));
        let live = view.members.values().filter(|member| member.state == State::Live);
        let mut count = 0;
        for member in live.filter(|member| member.facts.settings != self.mine) {
            count += 1;
            let (node, settings) = (&member.node.name, member.facts.settings);
            if self.told.insert(node.clone(), settings) != Some(settings) {
                tracing::warn!(%node, "its namespaces are set up differently; compare the two with: starling config show");
            }
        }
        self.metrics.cluster_settings_differ(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_order_does_not_count_and_every_setting_does() {
        let config = Config::for_dev(0, std::path::Path::new("unused"));
        let mut namespaces = config.namespaces;
        assert!(namespaces.len() > 1);
        let before = hash(&namespaces);
        namespaces.reverse();
        assert_eq!(hash(&namespaces), before);
        namespaces[0].keys_max += 1;
        assert_ne!(hash(&namespaces), before);
    }
}
