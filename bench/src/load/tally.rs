//! Counters that receivers write and the run reads.
//!
//! A sink counts bytes and nothing else. It gets the same bytes as a probe, because frames are the same for every
//! reader, and a probe knows how long each message was on the wire: so bytes become messages, to the last one.

use std::sync::atomic::{AtomicU64, Ordering};

/// One counter for each receiver. Each has one writer, and a reader needs no order among them: relaxed throughout.
#[derive(Debug)]
pub(crate) struct Tallies {
    /// Bytes each sink has received.
    sinks: Box<[AtomicU64]>,
    /// Messages each probe has received, and the bytes they took on the wire.
    probes: Box<[(AtomicU64, AtomicU64)]>,
    /// Connections that ended before the run did.
    lost: AtomicU64,
}

/// What the sinks had received at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark(Box<[u64]>);

impl Mark {
    /// How many sinks there are.
    pub(crate) fn sinks(&self) -> usize {
        self.0.len()
    }
}

impl Tallies {
    /// Zero for everyone.
    pub(crate) fn new(sinks: usize, probes: usize) -> Self {
        Self {
            sinks: (0..sinks).map(|_| AtomicU64::new(0)).collect(),
            probes: (0..probes).map(|_| Default::default()).collect(),
            lost: AtomicU64::new(0),
        }
    }

    /// A sink has received more bytes.
    pub(crate) fn sink(&self, sink: usize, bytes: u64) {
        self.sinks[sink].fetch_add(bytes, Ordering::Relaxed);
    }

    /// A probe has received so much in all.
    pub(crate) fn probe(&self, probe: usize, messages: u64, bytes: u64) {
        let tally = &self.probes[probe];
        tally.1.store(bytes, Ordering::Relaxed);
        // Last, so that a reader who sees the messages sees their bytes.
        tally.0.store(messages, Ordering::Release);
    }

    /// A connection has ended.
    pub(crate) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether any connection has ended.
    pub(crate) fn has_lost_connections(&self) -> bool {
        self.lost_connections() > 0
    }

    /// Connections that have ended.
    pub(crate) fn lost_connections(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Remembers what the sinks have received so far.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.sinks.iter().map(|bytes| bytes.load(Ordering::Relaxed)).collect())
    }

    /// Whether so many messages have reached every probe, and as many bytes every sink since the mark.
    pub(crate) fn reached(&self, mark: &Mark, messages: u64) -> bool {
        let mut bytes = 0;
        for (messages_here, bytes_here) in &self.probes {
            if messages_here.load(Ordering::Acquire) < messages {
                return false;
            }
            bytes = bytes.max(bytes_here.load(Ordering::Relaxed));
        }
        self.since(mark).all(|received| received >= bytes)
    }

    /// Bytes each sink has received since the mark.
    pub(crate) fn since<'a>(&'a self, mark: &'a Mark) -> impl Iterator<Item = u64> + 'a {
        self.sinks
            .iter()
            .zip(&mark.0)
            .map(|(bytes, before)| bytes.load(Ordering::Relaxed) - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_arrived_when_every_probe_and_every_sink_has_them() {
        let tallies = Tallies::new(2, 2);
        tallies.sink(0, 7);
        let mark = tallies.mark();
        assert!(tallies.reached(&mark, 0), "nothing is expected");
        tallies.probe(0, 3, 600);
        tallies.probe(1, 2, 400);
        tallies.sink(0, 600);
        tallies.sink(1, 599);
        assert!(!tallies.reached(&mark, 3), "a probe has two");
        tallies.probe(1, 3, 600);
        assert!(!tallies.reached(&mark, 3), "a sink lacks a byte");
        tallies.sink(1, 1);
        assert!(tallies.reached(&mark, 3));
        assert_eq!(
            tallies.since(&mark).collect::<Vec<_>>(),
            [600, 600],
            "what came before the mark is not counted"
        );
    }

    #[test]
    fn an_ended_connection_is_remembered() {
        let tallies = Tallies::new(1, 0);
        assert!(!tallies.has_lost_connections());
        tallies.lose();
        assert_eq!(tallies.lost_connections(), 1);
    }
}
