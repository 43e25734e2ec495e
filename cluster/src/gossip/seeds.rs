//! The nodes that a node calls upon to be let in: addresses, or names that DNS knows.
//!
//! They are resolved again for as long as the node runs, because a headless service names those pods that are there now,
//! and two halves of a cluster that lost each other for long find together through nothing else.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

/// How often a node that knows nobody calls: a cluster that starts is together within seconds.
pub(super) const ALONE_INTERVAL: Duration = Duration::from_secs(1);

/// How often a node calls seeds that it does not hear of. A name's answer is cached for about as long.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

/// Time DNS has for one name.
const LOOKUP_TIME_MAX: Duration = Duration::from_secs(5);

/// Addresses taken of all answers together: a service of a hundred nodes, in both families, with room.
const ADDRESSES_MAX: usize = 256;

/// The addresses that the seeds stand for now.
pub(super) async fn resolve(seeds: &[String]) -> BTreeSet<SocketAddr> {
    let mut found = BTreeSet::new();
    for seed in seeds {
        match timeout(LOOKUP_TIME_MAX, lookup_host(seed)).await {
            Ok(Ok(addresses)) => found.extend(addresses),
            Ok(Err(error)) => tracing::debug!(seed, %error, "a seed has no address now"),
            Err(_) => tracing::debug!(seed, "DNS has no answer for a seed"),
        }
    }
    while found.len() > ADDRESSES_MAX {
        found.pop_last();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_and_names_are_resolved_and_what_is_neither_is_passed_over() {
        let seeds = [
            "127.0.0.1:4436",
            "[::1]:4436",
            "localhost:4437",
            "no.such.host.invalid:1",
            "nonsense",
        ];
        let found = resolve(&seeds.map(str::to_owned)).await;
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert!(found.contains(&address("127.0.0.1:4436")) && found.contains(&address("[::1]:4436")));
        assert!(
            found
                .iter()
                .any(|found| found.ip().is_loopback() && found.port() == 4_437)
        );
        assert!(found.iter().all(|found| found.ip().is_loopback()));
    }
}
