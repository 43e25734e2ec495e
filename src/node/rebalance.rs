//! Sends clients to nodes that have fewer, as [`starling_core::balance`] decides.

use std::time::Duration;

use starling_core::balance::{Balancer, ROUND_SECONDS};

use super::Services;
use crate::cluster::{Cluster, census};

/// How long a round lasts.
const ROUND: Duration = Duration::from_secs(ROUND_SECONDS as u64);

/// Goes on as long as the node runs.
pub(super) async fn run(cluster: &Cluster, services: &Services) {
    let mut balancer = Balancer::default();
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        // Whoever drains sends everybody away, in its own way.
        if cluster.is_draining() {
            continue;
        }
        // Those that cannot be sent do not make the others too many.
        let sessions = services.sessions.movable();
        let surplus = balancer.round(&census(sessions, &cluster.neighbours()));
        if surplus > 0 {
            tracing::info!(sessions, surplus, "sending clients to nodes that have fewer");
            services.sessions.send_away(surplus as usize, ROUND).await;
        }
    }
}
