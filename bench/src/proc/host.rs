//! The machine: what it took away during a run, and what it is.

use serde::{Deserialize, Serialize};

use super::{malformed, read};
use crate::Error;

/// Counters of the whole machine up to one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Ticks of all kinds on the cores in use.
    ticks: u64,
    /// Ticks of these in which nothing ran.
    idle_ticks: u64,
    /// Ticks of these that the hypervisor gave to others.
    stolen_ticks: u64,
    /// Datagrams thrown away because a socket's receive buffer was full.
    datagrams_lost: u64,
}

impl Counters {
    /// Reads the counters, time on these cores only.
    pub(crate) fn take(cores: &[usize]) -> Result<Self, Error> {
        const STAT: &str = "/proc/stat";
        const SNMP: &str = "/proc/net/snmp";
        let counters = ticks(&read(STAT)?, cores).ok_or_else(|| malformed(STAT, "a core in use has no line"))?;
        let datagrams_lost =
            receive_buffer_errors(&read(SNMP)?).ok_or_else(|| malformed(SNMP, "Udp has no RcvbufErrors"))?;
        Ok(Self {
            datagrams_lost,
            ..counters
        })
    }

    /// Share of the time since an earlier reading that was stolen, 0 to 1.
    pub(crate) fn stolen_share_since(&self, earlier: &Self) -> f64 {
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        self.stolen_ticks.saturating_sub(earlier.stolen_ticks) as f64 / ticks.max(1) as f64
    }

    /// Share of the time since an earlier reading in which anything ran, 0 to 1.
    pub(crate) fn busy_share_since(&self, earlier: &Self) -> f64 {
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        let idle_ticks = self.idle_ticks.saturating_sub(earlier.idle_ticks);
        let stolen_ticks = self.stolen_ticks.saturating_sub(earlier.stolen_ticks);
        ticks.saturating_sub(idle_ticks + stolen_ticks) as f64 / ticks.max(1) as f64
    }

    /// Datagrams lost since an earlier reading, on any socket of the machine.
    pub(crate) fn datagrams_lost_since(&self, earlier: &Self) -> u64 {
        self.datagrams_lost.saturating_sub(earlier.datagrams_lost)
    }
}

/// Ticks summed over the cores. The fields of a line are `cpuN user nice system idle iowait irq softirq steal guest
/// guest_nice`; the last two are part of the first two.
fn ticks(stat: &str, cores: &[usize]) -> Option<Counters> {
    let mut sums = Counters::default();
    for core in cores {
        let name = format!("cpu{core}");
        let line = stat
            .lines()
            .find_map(|line| line.strip_prefix(&name).filter(|rest| rest.starts_with(' ')))?;
        let fields: Vec<u64> = line
            .split_ascii_whitespace()
            .take(8)
            .map_while(|field| field.parse().ok())
            .collect();
        let [_, _, _, idle, waiting, _, _, stolen] = fields.as_slice() else {
            return None;
        };
        sums.ticks += fields.iter().sum::<u64>();
        sums.idle_ticks += idle + waiting;
        sums.stolen_ticks += stolen;
    }
    Some(sums)
}

/// `RcvbufErrors` of the two lines that start with `Udp:`, names above numbers.
fn receive_buffer_errors(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let column = lines
        .next()?
        .split_ascii_whitespace()
        .position(|name| name == "RcvbufErrors")?;
    lines.next()?.split_ascii_whitespace().nth(column)?.parse().ok()
}

/// What the numbers were measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the processor, as the kernel tells it.
    pub processor: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
}

impl Machine {
    /// Describes this machine; what cannot be read is `unknown`, for it only labels a result.
    pub(crate) fn describe(cores: usize) -> Self {
        let unknown = || "unknown".to_owned();
        let processor = read("/proc/cpuinfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        let kernel = read("/proc/sys/kernel/osrelease")
            .ok()
            .map(|text| text.trim().to_owned());
        Self {
            processor: processor.unwrap_or_else(unknown),
            cores,
            kernel: kernel.unwrap_or_else(unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_summed_over_the_cores_in_use() {
        let stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 10 0 10 60 10 0 0 10 3 0\ncpu1 0 0 0 90 0 0 0 10 0 0\n\
                    cpu10 1 1 1 1 1 1 1 1 1 1\n";
        let sums = |ticks, idle_ticks, stolen_ticks| {
            Some(Counters {
                ticks,
                idle_ticks,
                stolen_ticks,
                datagrams_lost: 0,
            })
        };
        assert_eq!(ticks(stat, &[0, 1]), sums(200, 160, 20));
        assert_eq!(ticks(stat, &[1]), sums(100, 90, 10), "cpu10 is not cpu1");
        assert_eq!(ticks(stat, &[7]), None);
        assert_eq!(ticks("cpu0 1 2 3\n", &[0]), None);
    }

    #[test]
    fn lost_datagrams_are_found_by_name() {
        let snmp = "Tcp: A B\nTcp: 1 2\nUdp: InDatagrams NoPorts RcvbufErrors SndbufErrors\nUdp: 5 6 7 8\nUdpLite: A\n";
        assert_eq!(receive_buffer_errors(snmp), Some(7));
    }

    #[test]
    fn shares_are_of_the_time_in_between() {
        let before = Counters {
            ticks: 100,
            idle_ticks: 50,
            stolen_ticks: 10,
            datagrams_lost: 3,
        };
        let after = Counters {
            ticks: 300,
            idle_ticks: 196,
            stolen_ticks: 14,
            datagrams_lost: 8,
        };
        assert!((after.stolen_share_since(&before) - 0.02).abs() < 1e-12);
        assert!((after.busy_share_since(&before) - 0.25).abs() < 1e-12);
        assert_eq!(after.datagrams_lost_since(&before), 5);
        assert!(
            before.stolen_share_since(&before).abs() < 1e-12,
            "no time, nothing stolen"
        );
    }

    #[test]
    fn this_machine_can_be_read() {
        let cores = super::super::core::available().expect("affinity is readable");
        let counters = Counters::take(&cores).expect("readable");
        assert!(counters.ticks > 0);
        assert_eq!(Machine::describe(cores.len()).cores, cores.len());
    }
}
