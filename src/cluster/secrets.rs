//! What a node proves itself with to others: the keys of gossip and the certificate of links. See
//! `docs/cluster-security.md`.

use std::sync::Arc;
use std::time::Duration;

use starling_cluster::ca;
use starling_cluster::gossip::KeyRing;
use starling_cluster::link::Credentials;
use starling_core::id::NodeName;
use tokio::sync::watch;

use super::ClusterError;
use crate::config;
use crate::metrics::Metrics;
use crate::node::Clock;

/// How long before its end a certificate is told of, and how often. Two weeks are enough for whoever looks once a week.
const WARNING: Duration = Duration::from_secs(14 * 24 * 3600);
const WARNING_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// See the module.
pub(super) struct Secrets {
    pub(super) ring: KeyRing,
    pub(super) credentials: Credentials,
}

impl Secrets {
    pub(super) fn read(me: &NodeName, section: &config::Cluster) -> Result<Self, ClusterError> {
        Ok(Self {
            ring: ring(section)?,
            credentials: credentials(me, section)?,
        })
    }
}

pub(super) fn ring(section: &config::Cluster) -> Result<KeyRing, ClusterError> {
    let file = &section.gossip_keys;
    let text = std::fs::read_to_string(file).map_err(|source| ClusterError::KeyFile {
        file: file.clone(),
        source,
    })?;
    KeyRing::parse(&text).map_err(|source| ClusterError::Keys {
        file: file.clone(),
        source,
    })
}

pub(super) fn credentials(me: &NodeName, section: &config::Cluster) -> Result<Credentials, ClusterError> {
    let (authority, certificate, key) = (&section.authority, &section.certificate, &section.key);
    Ok(Credentials::read(me, authority, certificate, key)?)
}

/// When the certificate of links ends. Cheap to clone.
#[derive(Clone)]
pub(super) struct Expiry {
    at: watch::Sender<i64>,
    metrics: Arc<Metrics>,
}

impl Expiry {
    /// In seconds since 1970.
    pub(super) fn new(at: i64, metrics: Arc<Metrics>) -> Self {
        metrics.cluster_certificate_expires(at);
        Self {
            at: watch::Sender::new(at),
            metrics,
        }
    }

    pub(super) fn set(&self, at: i64) {
        self.metrics.cluster_certificate_expires(at);
        self.at.send_replace(at);
    }

    /// Warns of a certificate that is about to end, each day until there is another.
    pub(super) async fn warn(self) {
        let mut at = self.at.subscribe();
        loop {
            let ends = *at.borrow_and_update();
            if is_due(ends, Clock.now().wall.0) {
                let ends = ca::day(ends);
                tracing::warn!(
                    ends,
                    "the certificate of links is about to end, and the node with it; issue another one and send SIGHUP"
                );
            }
            tokio::select! {
                _ = at.changed() => {}
                () = tokio::time::sleep(WARNING_INTERVAL) => {}
            }
        }
    }
}

/// Whether something that ends then, in seconds, is to be told of now, in milliseconds.
fn is_due(ends: i64, now: u64) -> bool {
    let left = u64::try_from(ends).unwrap_or(0).saturating_sub(now / 1_000);
    left < WARNING.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_weeks_are_told_of() {
        let day = 24 * 3600;
        let now = 1_000 * day;
        for (days, due) in [
            (30, false),
            (14, false),
            (13, true),
            (0, true),
            (-1, true),
            (-2_000, true),
        ] {
            let ends = i64::try_from(now).expect("fits") + days * 24 * 3600;
            assert_eq!(is_due(ends, now * 1_000), due, "{days}");
        }
    }
}
