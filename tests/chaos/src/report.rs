//! The last line of a run: what was seen, and whether it is good enough.

use std::path::Path;

use serde::Serialize;

use crate::check::{Rule, Verdict};
use crate::gaps::{Gaps, percentile_ms};
use crate::scenario::Goals;

/// What is not in the history.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside {
    /// Frames of nodes that broke the client protocol.
    pub(crate) protocol_violations: u64,
    /// Nodes that were told to go and ended with another status than 0.
    pub(crate) unclean_exits: u64,
    /// Panics that the nodes' logs tell of: an actor that is restarted hides one.
    pub(crate) panics: u64,
    /// The latest that this process was woken: on a machine that is busy otherwise, gaps are the machine's.
    pub(crate) lag_ms_max: f64,
}

/// One JSON object.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    scenario: &'a str,
    seed: u64,
    kills: u64,
    acked: u64,
    failed: u64,
    delivered: u64,
    lost: u64,
    duplicated: u64,
    reordered: u64,
    silent_gaps: u64,
    discontinuities: u64,
    phantoms: u64,
    forked: u64,
    fencing: u64,
    misplaced: u64,
    histories_differ: u64,
    copies_short: u64,
    not_live: u64,
    protocol_violations: u64,
    unclean_exits: u64,
    panics: u64,
    publish_gap_ms_p50: Option<f64>,
    publish_gap_ms_max: Option<f64>,
    reconnect_gap_ms_p99: Option<f64>,
    resumed: u64,
    publish_ms_p50: Option<f64>,
    publish_ms_p99: Option<f64>,
    lag_ms_max: f64,
    history: &'a Path,
    /// Why this is not good enough; empty if it is.
    missed: Vec<String>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        scenario: &'a str,
        seed: u64,
        (asked, goals): (u32, Goals),
        (verdict, gaps): (&Verdict, &Gaps),
        beside: Beside,
        history: &'a Path,
    ) -> Self {
        let count = |rule| verdict.count(rule);
        let mut report = Self {
            scenario,
            seed,
            kills: verdict.faults,
            acked: verdict.acked,
            failed: verdict.failed,
            delivered: verdict.delivered,
            lost: count(Rule::Lost),
            duplicated: count(Rule::Duplicated),
            reordered: count(Rule::Reordered),
            silent_gaps: count(Rule::SilentGap),
            discontinuities: verdict.discontinuities,
            phantoms: count(Rule::Phantom),
            forked: count(Rule::Forked),
            fencing: count(Rule::Fencing),
            misplaced: count(Rule::Misplaced),
            histories_differ: count(Rule::History),
            copies_short: count(Rule::Copies),
            not_live: count(Rule::Liveness),
            protocol_violations: beside.protocol_violations,
            unclean_exits: beside.unclean_exits,
            panics: beside.panics,
            publish_gap_ms_p50: percentile_ms(&gaps.publish, 50),
            publish_gap_ms_max: percentile_ms(&gaps.publish, 100),
            reconnect_gap_ms_p99: percentile_ms(&gaps.reconnect, 99),
            resumed: verdict.resumed,
            publish_ms_p50: percentile_ms(&gaps.undisturbed, 50),
            publish_ms_p99: percentile_ms(&gaps.undisturbed, 99),
            lag_ms_max: beside.lag_ms_max,
            history,
            missed: Vec::new(),
        };
        report.missed = report.misses(asked, goals, verdict);
        report
    }

    /// What falls short.
    fn misses(&self, asked: u32, goals: Goals, verdict: &Verdict) -> Vec<String> {
        let mut missed: Vec<_> = verdict
            .broken
            .iter()
            .map(|(rule, times)| format!("{rule:?} {times} times"))
            .collect();
        let mut over = |what: &str, value: Option<f64>, goal: Option<u32>| match (value, goal) {
            (Some(value), Some(goal)) if value > f64::from(goal) => {
                missed.push(format!("{what} is {value}, and the goal is {goal}"));
            }
            (None, Some(_)) => missed.push(format!("{what} was not seen, so the run shows nothing of it")),
            _ => {}
        };
        over("publish_gap_ms_p50", self.publish_gap_ms_p50, goals.publish_gap_ms_p50);
        over("publish_gap_ms_max", self.publish_gap_ms_max, goals.publish_gap_ms_max);
        over(
            "reconnect_gap_ms_p99",
            self.reconnect_gap_ms_p99,
            goals.reconnect_gap_ms_p99,
        );
        let mut unless = |holds: bool, what: &str| {
            if !holds {
                missed.push(what.to_owned());
            }
        };
        unless(self.kills == u64::from(asked), "not every fault was made");
        unless(
            self.acked > 0 && self.delivered > 0,
            "nothing was published and read, so the run shows nothing",
        );
        unless(
            self.resumed > 0 || !goals.resumes,
            "nobody resumed, so the run shows nothing of it",
        );
        unless(self.failed == 0 || !goals.publishes_all, "publishes failed");
        unless(
            self.discontinuities > 0 || !goals.loses,
            "every history was lost, and nobody was told",
        );
        unless(self.discontinuities == 0 || goals.loses, "readers were told of a loss");
        unless(self.protocol_violations == 0, "nodes broke the protocol");
        unless(
            self.unclean_exits == 0,
            "a node that was told to go ended with an error",
        );
        unless(self.panics == 0, "a node panicked");
        missed
    }

    pub(crate) fn is_good(&self) -> bool {
        self.missed.is_empty()
    }

    pub(crate) fn missed(&self) -> &[String] {
        &self.missed
    }

    pub(crate) fn line(&self) -> String {
        serde_json::to_string(self).expect("a report is plain data")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::scenario::Scenario;

    use super::*;

    fn verdict() -> Verdict {
        Verdict {
            acked: 900,
            delivered: 3_600,
            resumed: 24,
            faults: 5,
            ..Verdict::default()
        }
    }

    fn gaps(publish_ms: u64, reconnect_ms: u64) -> Gaps {
        Gaps {
            publish: vec![publish_ms * 1_000_000; 5],
            reconnect: vec![reconnect_ms * 1_000_000; 24],
            undisturbed: vec![2_000_000; 900],
        }
    }

    fn missed(goals: Goals, verdict: &Verdict, gaps: &Gaps, beside: Beside) -> Vec<String> {
        let report = Report::new(
            "kill-owner",
            1,
            (5, goals),
            (verdict, gaps),
            beside,
            Path::new("history"),
        );
        assert_eq!(report.is_good(), report.missed.is_empty());
        report.missed
    }

    #[test]
    fn a_good_run_misses_nothing_and_says_what_was_seen() {
        let goals = Scenario::KillOwner.goals();
        let (verdict, gaps) = (verdict(), gaps(900, 2_000));
        let report = Report::new(
            "kill-owner",
            1,
            (5, goals),
            (&verdict, &gaps),
            Beside::default(),
            Path::new("h"),
        );
        assert!(report.is_good(), "{:?}", report.missed);
        let line: serde_json::Value = serde_json::from_str(&report.line()).expect("one object");
        for key in [
            "scenario",
            "seed",
            "kills",
            "acked",
            "lost",
            "duplicated",
            "reordered",
            "silent_gaps",
            "discontinuities",
            "publish_gap_ms_p50",
            "publish_gap_ms_max",
            "reconnect_gap_ms_p99",
            "resumed",
        ] {
            assert!(!line[key].is_null(), "{key} is missing");
        }
        assert_eq!(line["publish_gap_ms_max"], 900.0);
    }

    #[test]
    fn each_goal_can_be_missed() {
        let goals = Scenario::KillOwner.goals();
        let good = gaps(900, 2_000);
        let says = |missed: &[String], what: &str| {
            assert!(missed.len() == 1 && missed[0].contains(what), "{missed:?}");
        };
        let nothing = Beside::default();
        says(
            &missed(goals, &verdict(), &gaps(1_600, 2_000), nothing),
            "publish_gap_ms_p50",
        );
        let mut one_long = gaps(900, 2_000);
        one_long.publish[0] = 3_100_000_000;
        says(&missed(goals, &verdict(), &one_long, nothing), "publish_gap_ms_max");
        says(
            &missed(goals, &verdict(), &gaps(900, 5_100), nothing),
            "reconnect_gap_ms_p99",
        );
        let mut none = gaps(900, 2_000);
        none.reconnect.clear();
        says(&missed(goals, &verdict(), &none, nothing), "shows nothing");
        let with = |change: fn(&mut Verdict)| {
            let mut verdict = verdict();
            change(&mut verdict);
            missed(goals, &verdict, &good, nothing)
        };
        says(
            &with(|verdict| verdict.broken = BTreeMap::from([(Rule::Lost, 3)])),
            "Lost 3",
        );
        says(&with(|verdict| verdict.faults = 4), "not every fault");
        says(&with(|verdict| verdict.acked = 0), "nothing was published");
        says(&with(|verdict| verdict.resumed = 0), "nobody resumed");
        says(&with(|verdict| verdict.discontinuities = 1), "told of a loss");
        let beside = |protocol_violations, unclean_exits, panics| Beside {
            protocol_violations,
            unclean_exits,
            panics,
            lag_ms_max: 0.0,
        };
        says(&missed(goals, &verdict(), &good, beside(1, 0, 0)), "protocol");
        says(&missed(goals, &verdict(), &good, beside(0, 1, 0)), "told to go");

        says(&missed(goals, &verdict(), &good, beside(0, 0, 1)), "panicked");

        let mut failed = verdict();
        failed.failed = 1;
        assert_eq!(missed(goals, &failed, &good, nothing), Vec::<String>::new());
        let restart = Scenario::RollingRestart.goals();
        says(
            &missed(restart, &failed, &gaps(150, 2_000), nothing),
            "publishes failed",
        );
        says(
            &missed(Scenario::AllInSyncDie.goals(), &verdict(), &good, nothing),
            "nobody was told",
        );
    }
}
