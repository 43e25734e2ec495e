//! How many connections there may be.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use crate::config::Limits;
use crate::metrics::Metrics;
use crate::transport::Transport;

/// Counts connections against the limits of the node.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    metrics: Arc<Metrics>,
    all: AtomicUsize,
    /// Of these, connections that have not shown what they want.
    opening: AtomicUsize,
    by_address: DashMap<IpAddr, u32>,
}

/// The place of one connection, given back when dropped.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    address: IpAddr,
    opening: bool,
}

/// Why a connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The node has as many as it may.
    All,
    /// As many as may be are still opening.
    Opening,
    /// The address has as many as one may.
    Address,
}

impl Full {
    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "refused_connections_max",
            Self::Opening => "refused_connections_opening_max",
            Self::Address => "refused_connections_per_address_max",
        }
    }
}

impl Admission {
    /// Nobody is connected.
    #[must_use]
    pub fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            limits: limits.clone(),
            metrics,
            all: AtomicUsize::new(0),
            opening: AtomicUsize::new(0),
            by_address: DashMap::new(),
        }
    }

    /// Takes a connection in. It counts as opening until [`Admitted::opened`].
    ///
    /// # Errors
    /// Which limit is reached. The refusal is counted.
    pub fn admit(self: &Arc<Self>, address: IpAddr, transport: Transport) -> Result<Admitted, Full> {
        let refuse = |full: Full| {
            self.metrics.accepted(transport, full.name());
            full
        };
        let all_max = self.limits.connections_max as usize;
        let opening_max = self.limits.connections_opening_max as usize;
        take(&self.all, all_max).ok_or_else(|| refuse(Full::All))?;
        // From here on the place is given back by being dropped.
        let mut admitted = Admitted {
            admission: Arc::clone(self),
            address,
            opening: false,
        };
        let of_address = *self
            .by_address
            .entry(address)
            .and_modify(|count| *count += 1)
            .or_insert(1);
        if of_address > self.limits.connections_per_address_max {
            return Err(refuse(Full::Address));
        }
        take(&self.opening, opening_max).ok_or_else(|| refuse(Full::Opening))?;
        admitted.opening = true;
        Ok(admitted)
    }

    /// Whether so many connections are opening that a stranger should prove its address first.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.opening.load(Ordering::Relaxed) > self.limits.connections_opening_max as usize / 2
    }
}

impl Admitted {
    /// Where it comes from.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The connection has shown what it wants.
    pub fn opened(&mut self) {
        if std::mem::take(&mut self.opening) {
            self.admission.opening.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.opened();
        self.admission.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(mut count) = self.admission.by_address.get_mut(&self.address) {
            *count -= 1;
        }
        self.admission
            .by_address
            .remove_if(&self.address, |_, count| *count == 0);
    }
}

fn take(count: &AtomicUsize, max: usize) -> Option<usize> {
    let taken = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
        (now < max).then_some(now + 1)
    });
    taken.ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::config::Config;

    fn admission(all: u32, opening: u32, address: u32) -> Arc<Admission> {
        let limits = Limits {
            connections_max: all,
            connections_opening_max: opening,
            connections_per_address_max: address,
            ..Config::default().limits
        };
        Arc::new(Admission::new(&limits, Arc::new(Metrics::new())))
    }

    fn come(admission: &Arc<Admission>, host: u8) -> Result<Admitted, Full> {
        admission.admit(Ipv4Addr::new(10, 0, 0, host).into(), Transport::WebSocket)
    }

    #[test]
    fn every_limit_turns_away_the_one_too_many_and_lets_it_in_later() {
        let cases = [(2, 9, 9, Full::All), (9, 2, 9, Full::Opening), (9, 9, 2, Full::Address)];
        for (all, opening, address, full) in cases {
            let admission = admission(all, opening, address);
            let first = come(&admission, 1).expect("room for one");
            let _second = come(&admission, 1).expect("room for two");
            assert_eq!(come(&admission, 1).err(), Some(full));
            drop(first);
            assert!(come(&admission, 1).is_ok(), "{full:?}: its place was given back");
        }
    }

    #[test]
    fn an_open_connection_does_not_count_as_opening() {
        let admission = admission(9, 1, 9);
        let mut first = come(&admission, 1).expect("room");
        assert!(admission.is_crowded());
        assert_eq!(come(&admission, 2).err(), Some(Full::Opening));
        first.opened();
        first.opened();
        assert!(!admission.is_crowded());
        assert!(come(&admission, 2).is_ok());
    }

    #[test]
    fn a_refused_connection_leaves_nothing_behind() {
        let admission = admission(9, 9, 1);
        let kept = come(&admission, 1).expect("room");
        for _ in 0..3 {
            assert_eq!(come(&admission, 1).err(), Some(Full::Address));
        }
        drop(kept);
        assert!(admission.by_address.is_empty());
        assert_eq!(admission.all.load(Ordering::Relaxed), 0);
    }
}
