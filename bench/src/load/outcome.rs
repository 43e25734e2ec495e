//! What came of a run.

use hdrhistogram::Histogram;

use super::probe::{Probe, latencies};
use super::receivers::Arrivals;
use super::schedule::Lateness;
use super::tally::Mark;
use crate::proc::cpu::Used;
use crate::wire::admin::FannedOut;

/// What came of a run: the figures, and what has to be known to trust them.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Deliveries that should have been.
    pub(crate) expected: u64,
    /// Deliveries that were, each once and in order.
    pub(crate) delivered: u64,
    /// Latencies at the probes, in nanoseconds, from the intended send time.
    pub(crate) latency: Histogram<u64>,
    /// What went wrong on the way.
    pub(crate) faults: Vec<String>,
    /// Processor time of the server, for each of its processes.
    pub(crate) servers: Vec<Used>,
    /// Processor time of the load, as a share of its core, 0 to 1.
    pub(crate) client_share: f64,
    /// Processor time of everything else on the two cores, as a share of one of them. Ticks on one side, nanoseconds on
    /// the other: good to a few hundredths.
    pub(crate) others_share: f64,
    /// Share of the time that the hypervisor gave to others, 0 to 1.
    pub(crate) stolen_share: f64,
    /// Datagrams lost in full receive buffers, on the whole machine.
    pub(crate) datagrams_lost: u64,
    /// What nodes of a cluster sent over links for readers at others.
    pub(crate) links: FannedOut,
    /// How well the schedule was kept.
    pub(crate) lateness: Lateness,
}

impl Outcome {
    /// Processor time of the server, all its processes together.
    pub(crate) fn server(&self) -> Used {
        self.servers.iter().copied().sum()
    }
}

/// Deliveries, from what the receivers saw.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) expected: u64,
    pub(super) delivered: u64,
    pub(super) latency: Histogram<u64>,
    pub(super) faults: Vec<String>,
}

/// Counts the deliveries after the warm-up.
pub(super) fn count(arrivals: &Arrivals, mark: &Mark, warm_up: u64, measured: u64) -> Counted {
    let mut latency = latencies();
    for probe in &arrivals.probes {
        latency
            .add(&probe.latency)
            .expect("all histograms have the same bounds");
    }
    let mut faults: Vec<String> = arrivals
        .probes
        .iter()
        .filter_map(|probe| probe.fault.clone())
        .take(1)
        .collect();
    let lost = arrivals.tallies.lost_connections();
    if lost > 0 {
        faults.push(format!("{lost} connections were closed during the run"));
    }
    let lengths = Lengths::of_longest(&arrivals.probes);
    let mut uneven = 0;
    let sinks = arrivals.tallies.since(mark).map(|bytes| {
        let (messages, exact) = lengths.messages(bytes);
        uneven += u64::from(!exact);
        messages
    });
    let probes = arrivals.probes.iter().map(Probe::messages);
    let delivered = sinks
        .chain(probes)
        .map(|messages| messages.saturating_sub(warm_up).min(measured))
        .sum();
    if uneven > 0 {
        faults.push(format!(
            "{uneven} subscribers received bytes that are not the messages, in whole or in part"
        ));
    }
    let receivers = arrivals.probes.len() + mark.sinks();
    Counted {
        expected: measured * receivers as u64,
        delivered,
        latency,
        faults,
    }
}

/// Where each message ends in the bytes of a subscriber.
struct Lengths(Vec<u64>);

impl Lengths {
    /// From the probe that saw the most.
    fn of_longest(probes: &[Probe]) -> Self {
        let lengths = probes
            .iter()
            .map(|probe| &probe.lengths)
            .max_by_key(|lengths| lengths.len());
        let mut end = 0;
        let ends = lengths.into_iter().flatten().map(|length| {
            end += u64::from(*length);
            end
        });
        Self(ends.collect())
    }

    /// Whole messages in so many bytes, and whether the bytes are these messages and no more.
    fn messages(&self, bytes: u64) -> (u64, bool) {
        let whole = self.0.partition_point(|end| *end <= bytes);
        let end = whole.checked_sub(1).map_or(0, |last| self.0[last]);
        (whole as u64, end == bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tally::Tallies;
    use super::*;

    fn probe(lengths: &[u32]) -> Probe {
        Probe::that_saw(lengths)
    }

    fn arrivals(sinks: &[u64], probes: Vec<Probe>) -> (Arrivals, Mark) {
        let tallies = Tallies::new(sinks.len(), probes.len());
        let mark = tallies.mark();
        sinks
            .iter()
            .enumerate()
            .for_each(|(sink, bytes)| tallies.sink(sink, *bytes));
        (
            Arrivals {
                tallies: Arc::new(tallies),
                probes,
            },
            mark,
        )
    }

    #[test]
    fn bytes_become_messages_by_the_lengths_a_probe_saw() {
        let (arrivals, mark) = arrivals(&[50, 50], vec![probe(&[10, 10, 15, 15])]);
        let counted = count(&arrivals, &mark, 1, 3);
        assert_eq!((counted.delivered, counted.expected, counted.faults), (9, 9, vec![]));
    }

    #[test]
    fn a_subscriber_that_misses_a_message_is_missed_in_the_sum() {
        let (arrivals, mark) = arrivals(&[50, 35], vec![probe(&[10, 10, 15, 15])]);
        let counted = count(&arrivals, &mark, 1, 3);
        assert_eq!((counted.delivered, counted.expected, counted.faults), (8, 9, vec![]));
    }

    #[test]
    fn bytes_that_are_no_message_are_a_fault() {
        for bytes in [49, 51] {
            let (arrivals, mark) = arrivals(&[50, bytes], vec![probe(&[10, 10, 15, 15])]);
            let counted = count(&arrivals, &mark, 1, 3);
            assert_eq!(counted.faults.len(), 1, "{bytes} bytes");
        }
    }

    #[test]
    fn a_fault_of_a_probe_and_a_lost_connection_are_told() {
        let mut wrong = probe(&[10]);
        wrong.fail("out of order".into());
        let (arrivals, mark) = arrivals(&[10], vec![probe(&[10]), wrong]);
        arrivals.tallies.lose();
        let counted = count(&arrivals, &mark, 0, 1);
        assert_eq!(
            counted.faults,
            ["out of order", "1 connections were closed during the run"]
        );
    }
}
