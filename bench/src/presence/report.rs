//! The result, and whether the goals are met.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::stages::Outcome;
use super::verdict::{GOSSIP_SPREAD_MAX, bound, fault, spread};
use super::{Options, Phase};
use crate::figures::{Cell, finite, quantile_ms, together, write_end};
use crate::proc::host::Machine;

/// See the module. A figure that could not be had is `null` in JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Clients in the channel at any time, once all are there.
    pub entries: usize,
    /// Sessions that watched who is there.
    pub watchers: usize,
    /// Sessions that watched how many are there.
    pub counting: usize,
    /// Joins and leaves a second.
    pub churn: u32,
    /// Publishers in other channels.
    pub publishers: usize,
    /// Messages a second of each.
    pub rate: u32,
    /// How long each phase counted, in seconds.
    pub duration_s: f64,
    /// How many nodes.
    pub nodes: usize,
    /// Nobody in the channel, a tenth, everybody, and coming and going.
    pub phases: Vec<Phase>,
    /// The 99th percentile of the first phase, and of the last.
    pub baseline_p99_ms: Option<f64>,
    /// See `baseline_p99_ms`.
    pub crowd_p99_ms: Option<f64>,
    /// What the latter may be.
    pub bound_p99_ms: Option<f64>,
    /// Whether it is.
    pub publishing_met: bool,
    /// By how much what gossip cost differed between phases, 0 for not at all.
    pub gossip_spread: Option<f64>,
    /// Whether that is little enough.
    pub gossip_met: bool,
    /// Half of the joins were told no later, in milliseconds from the instant that the client was to enter, to each session that
    /// watched who is there.
    pub join_told_p50_ms: Option<f64>,
    /// Ninety-nine in a hundred were.
    pub join_told_p99_ms: Option<f64>,
    /// All were.
    pub join_told_max_ms: Option<f64>,
    /// Joins and leaves that were told, each once, to those sessions together.
    pub told: u64,
    /// Joins and leaves that should have been.
    pub expected: u64,
    /// Whether the figures can be trusted.
    pub valid: bool,
    /// Why not.
    pub invalid_reason: Option<String>,
    /// What it was measured on.
    pub machine: Machine,
}

impl Report {
    pub(super) fn new(options: &Options, outcome: Outcome, machine: Machine) -> Self {
        let parts = options.parts();
        let Outcome {
            phases,
            joins,
            seen,
            mut faults,
        } = outcome;
        let each = joins * options.watchers as u64;
        for (told, of) in [(seen.joined, "joins"), (seen.left, "leaves")] {
            if told != each {
                faults.push(format!("{told} of {each} {of} were told"));
            }
        }
        if seen.updated + seen.rosters + seen.doubts > 0 {
            faults.push(format!(
                "watchers were told of {} changes that nobody made, were shown all again {} times, and told {} times that it \
                 may be old",
                seen.updated, seen.rosters, seen.doubts
            ));
        }
        for phase in &phases {
            faults.extend(fault(phase));
        }
        let p99 = |phase: Option<&Phase>| phase.and_then(|phase| phase.p99_ms).unwrap_or(f64::NAN);
        let (baseline, crowd) = (p99(phases.first()), p99(phases.last()));
        let bound = bound(baseline);
        let gossip = spread(phases.iter().map(|phase| phase.gossip_bytes_per_s.unwrap_or(f64::NAN)));
        let staleness = |quantile| finite(quantile_ms(&seen.staleness, quantile));
        let invalid_reason = together(faults);
        Self {
            entries: parts.entries,
            watchers: parts.watchers,
            counting: parts.counting,
            churn: options.churn,
            publishers: options.publishers,
            rate: options.rate,
            duration_s: options.duration.as_secs_f64(),
            nodes: phases.first().map_or(0, |phase| phase.node_cpu_s.len()),
            baseline_p99_ms: finite(baseline),
            crowd_p99_ms: finite(crowd),
            bound_p99_ms: finite(bound),
            publishing_met: crowd <= bound,
            gossip_spread: finite(gossip),
            gossip_met: gossip <= GOSSIP_SPREAD_MAX,
            join_told_p50_ms: staleness(0.50),
            join_told_p99_ms: staleness(0.99),
            join_told_max_ms: staleness(1.0),
            told: seen.joined + seen.left,
            expected: 2 * each,
            valid: invalid_reason.is_none(),
            invalid_reason,
            machine,
            phases,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "presence over ws and {} nodes: {} entries, {} sessions told who, {} told how many, {} joins and leaves/s",
            self.nodes, self.entries, self.watchers, self.counting, self.churn
        )?;
        writeln!(
            f,
            "beside it {} publishers with {} messages/s each, phases of {} s\n",
            self.publishers, self.rate, self.duration_s
        )?;
        write!(f, "{:<28}", "members")?;
        for phase in &self.phases {
            let name = match phase.churn {
                0 => phase.members.to_string(),
                churn => format!("{}, {churn}/s", phase.members),
            };
            write!(f, "{name:>14}")?;
        }
        writeln!(f)?;
        let mut row = |name: &str, figure: &dyn Fn(&Phase) -> Option<f64>| {
            write!(f, "{name:<28}")?;
            for phase in &self.phases {
                write!(f, "{:>14}", Cell(figure(phase)))?;
            }
            writeln!(f)
        };
        row("ms publish to ack, p50", &|phase| phase.p50_ms)?;
        row("ms publish to ack, p99", &|phase| phase.p99_ms)?;
        row("gossip bytes/s", &|phase| phase.gossip_bytes_per_s)?;
        row("s CPU of all nodes", &|phase| Some(phase.node_cpu_s.iter().sum()))?;
        row("  of the owner", &|phase| phase.node_cpu_s.get(1).copied())?;
        row("% of the nodes' core", &|phase| Some(phase.nodes_cpu_share * 100.0))?;
        row("% of the load's core", &|phase| Some(phase.client_cpu_share * 100.0))?;
        row("% of a core, others", &|phase| Some(phase.others_cpu_share * 100.0))?;
        row("MiB of all nodes", &|phase| Some(phase.node_memory_mib.iter().sum()))?;
        writeln!(
            f,
            "\nms from a join to its being told: p50 {}, p99 {}, max {}; told {} of {} joins and leaves",
            Cell(self.join_told_p50_ms),
            Cell(self.join_told_p99_ms),
            Cell(self.join_told_max_ms),
            self.told,
            self.expected
        )?;
        let met = |met| if met { "met" } else { "NOT MET" };
        writeln!(
            f,
            "publishing in other channels: {}, p99 {} ms of {} ms that are allowed beside {} ms",
            met(self.publishing_met),
            Cell(self.crowd_p99_ms),
            Cell(self.bound_p99_ms),
            Cell(self.baseline_p99_ms)
        )?;
        writeln!(
            f,
            "gossip that does not know of members: {}, phases differ by {} %",
            met(self.gossip_met),
            Cell(self.gossip_spread.map(|spread| spread * 100.0))
        )?;
        write_end(f, &self.machine, self.invalid_reason.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::load::Seen;
    use crate::presence::verdict::{LATE_SHARE_MAX, STOLEN_SHARE_MAX};

    fn phase(members: usize, churn: u32, p99_ms: f64, gossip: f64) -> Phase {
        Phase {
            members,
            churn,
            publishes: 100,
            p50_ms: Some(1.0),
            p99_ms: Some(p99_ms),
            late_share: LATE_SHARE_MAX,
            gossip_bytes_per_s: Some(gossip),
            node_cpu_s: vec![1.0, 2.0, 3.0],
            nodes_cpu_share: 0.6,
            client_cpu_share: 0.3,
            others_cpu_share: 0.1,
            stolen_share: STOLEN_SHARE_MAX,
            node_memory_mib: vec![10.0; 3],
        }
    }

    /// Ten joins, and as many leaves, that two watchers were told.
    fn outcome() -> Outcome {
        Outcome {
            phases: vec![
                phase(0, 0, 4.0, 1_000.0),
                phase(20, 0, 5.0, 1_050.0),
                phase(20, 4, 14.0, 1_099.0),
            ],
            joins: 10,
            seen: Seen {
                joined: 20,
                left: 20,
                ..Seen::default()
            },
            faults: Vec::new(),
        }
    }

    fn report(outcome: Outcome) -> Report {
        let options = Options {
            entries: 20,
            watchers: 2,
            counting: 22,
            churn: 4,
            publishers: 3,
            rate: 10,
            duration: Duration::from_secs(5),
            program: PathBuf::from("starling"),
        };
        Report::new(&options, outcome, Machine::describe(2))
    }

    #[test]
    fn the_last_phase_is_judged_by_the_first() {
        let met = report(outcome());
        assert!(met.publishing_met && met.gossip_met && met.valid, "{met}");
        let mut slower = outcome();
        slower.phases[2].p99_ms = Some(14.1);
        let slower = report(slower);
        assert!(
            !slower.publishing_met && slower.valid,
            "a goal that is missed is a result"
        );
        assert!(
            slower.to_string().contains("NOT MET, p99 14.10 ms of 14.00 ms"),
            "{slower}"
        );
    }

    #[test]
    fn gossip_is_met_by_the_phases_that_differ_most() {
        let mut grows = outcome();
        grows.phases[1].gossip_bytes_per_s = Some(1_101.0);
        assert!(!report(grows).gossip_met);
        let mut unknown = outcome();
        unknown.phases[0].gossip_bytes_per_s = None;
        let unknown = report(unknown);
        assert!(!unknown.gossip_met && unknown.gossip_spread.is_none());
    }

    #[test]
    fn a_join_that_was_not_told_makes_it_not_valid_and_so_does_each_other_fault() {
        type Spoil = fn(&mut Outcome);
        let cases: [(&str, Spoil); 7] = [
            ("19 of 20 joins were told", |outcome| outcome.seen.joined = 19),
            ("21 of 20 leaves were told", |outcome| outcome.seen.left = 21),
            ("shown all again 1 times", |outcome| outcome.seen.rosters = 1),
            ("1 changes that nobody made", |outcome| outcome.seen.updated = 1),
            ("with 20 members: 2.0 % of the messages left late", |outcome| {
                outcome.phases[1].late_share = 0.02;
            }),
            (
                "with 4 joins and leaves a second: 2.1 % of the time was stolen",
                |outcome| {
                    outcome.phases[2].stolen_share = 0.021;
                },
            ),
            ("moved", |outcome| outcome.faults.push("the channel moved".into())),
        ];
        for (why, spoil) in cases {
            let mut outcome = outcome();
            spoil(&mut outcome);
            let report = report(outcome);
            let reason = report.invalid_reason.unwrap_or_default();
            assert!(!report.valid && reason.contains(why), "{why}: {reason}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_what_it_is() {
        let json = serde_json::to_string(&report(outcome())).expect("plain data");
        let read: Report = serde_json::from_str(&json).expect("our own");
        assert_eq!((read.entries, read.phases.len(), read.counting), (20, 3, 22));
        assert!(read.to_string().contains("20, 4/s"), "{read}");
    }
}
