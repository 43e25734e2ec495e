//! Who was shown, and who was there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::members::{End, Number, Truth};
use super::watchers::{Told, What};
use crate::gaps::percentile_ms;
use crate::run::Plan;
use crate::scenario::Scenario;

/// The grace of the channel's namespace: who is without a node for longer may be seen to leave.
const GRACE: Duration = Duration::from_secs(5);

/// How long it takes a leave to be told at most. One that is told later is not of an absence before.
const TELLING: Duration = Duration::from_secs(1);

/// Of those who are shown and not there, or the reverse, so many are told for each watcher.
const TOLD_MAX: usize = 8;

/// How soon a goodbye is to be shown everywhere, and the end of a client whose node died.
const LEAVE_MS_MAX: f64 = 100.0;
const DEAD_NODE_MS_MAX: f64 = 8_000.0;

/// One JSON object: the last line of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    scenario: String,
    seed: u64,
    kills: u32,
    members: usize,
    /// Who was shown 15 s after a fault began and was not there, over all watchers.
    ghosts_after_15s: usize,
    /// Who was there and not shown.
    missing_after_15s: usize,
    /// Leaves of clients that were there, or were without a node for less than the grace.
    false_leaves: usize,
    /// Joins of clients that were shown already, or had ended.
    false_joins: usize,
    /// Leaves of clients that took longer than the grace to find another node.
    late_returns: usize,
    leaves: usize,
    leave_ms_p50: Option<f64>,
    leave_ms_p99: Option<f64>,
    dead_node_ms_p99: Option<f64>,
    panics: u64,
    unclean_exits: u64,
    lag_ms_max: f64,
    logs: PathBuf,
    /// Why this is not good enough; empty if it is.
    missed: Vec<String>,
    #[serde(skip)]
    faults: u32,
    #[serde(skip)]
    ends_with_nodes: bool,
}

impl Verdict {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            scenario: plan.scenario.to_string(),
            seed: plan.seed,
            kills: 0,
            members: plan.members,
            ghosts_after_15s: 0,
            missing_after_15s: 0,
            false_leaves: 0,
            false_joins: 0,
            late_returns: 0,
            leaves: 0,
            leave_ms_p50: None,
            leave_ms_p99: None,
            dead_node_ms_p99: None,
            panics: 0,
            unclean_exits: 0,
            lag_ms_max: 0.0,
            logs: plan.directory.clone(),
            missed: Vec::new(),
            faults: plan.faults,
            ends_with_nodes: plan.scenario != Scenario::PresenceRestart,
        }
    }

    pub(super) const fn fault_made(&mut self) {
        self.kills += 1;
    }

    /// Who is shown now, and who is there. The first of those that are not right are told.
    pub(super) fn compare(&mut self, shown: &[BTreeSet<Number>], there: &BTreeSet<Number>, truth: &Truth) {
        for (watcher, shown) in shown.iter().enumerate() {
            let (ghosts, missing) = (shown.difference(there), there.difference(shown));
            for ghost in ghosts.clone().take(TOLD_MAX) {
                let ended = truth.ended.get(ghost).map(|(at, how)| (at.elapsed(), how));
                eprintln!("chaos: watcher {watcher} is shown {ghost}, who ended: {ended:?} ago");
            }
            for one in missing.clone().take(TOLD_MAX) {
                eprintln!(
                    "chaos: watcher {watcher} is not shown {one}, who was away: {:?}",
                    truth.away.get(one)
                );
            }
            self.ghosts_after_15s += ghosts.count();
            self.missing_after_15s += missing.count();
        }
    }

    /// All that each watcher was told, and all that happened.
    pub(super) fn judge(&mut self, told: &[Vec<Told>], truth: &Truth) {
        let (mut said, mut with_node) = (Vec::new(), Vec::new());
        for told in told {
            let mut last: BTreeMap<Number, What> = BTreeMap::new();
            let (mut slow, mut wrong) = (0, 0);
            for one in told {
                let ended = truth.ended.get(&one.number).filter(|(at, _)| *at <= one.at);
                let before = last.insert(one.number, one.what);
                match (one.what, ended) {
                    (What::Joined, Some(_)) if before == Some(What::Left) => self.false_joins += 1,
                    (What::Joined, _) if before == Some(What::Joined) => self.false_joins += 1,
                    (What::Joined, _) => {}
                    (What::Left, Some((at, how))) => {
                        self.leaves += 1;
                        let took = u64::try_from(one.at.duration_since(*at).as_nanos()).unwrap_or(u64::MAX);
                        if took > slow_nanos(*how) && slow < TOLD_MAX {
                            slow += 1;
                            eprintln!(
                                "chaos: {} ended ({how:?}) {:?} ago, which took {:?} to be told; it was without a node {}",
                                one.number,
                                at.elapsed(),
                                Duration::from_nanos(took),
                                spans(truth, one)
                            );
                        }
                        match how {
                            End::Said => said.push(took),
                            End::WithNode => with_node.push(took),
                        }
                    }
                    (What::Left, None) if was_away(truth, one) => self.late_returns += 1,
                    (What::Left, None) => {
                        self.false_leaves += 1;
                        wrong += 1;
                        if wrong <= TOLD_MAX {
                            eprintln!(
                                "chaos: {} was told to have left {:?} ago, and was without a node {}",
                                one.number,
                                one.at.elapsed(),
                                spans(truth, one)
                            );
                        }
                    }
                }
            }
        }
        self.leave_ms_p50 = percentile_ms(&said, 50);
        self.leave_ms_p99 = percentile_ms(&said, 99);
        self.dead_node_ms_p99 = percentile_ms(&with_node, 99);
    }

    pub(super) fn finish(&mut self, panics: u64, unclean_exits: u64, lag_ms_max: f64) {
        (self.panics, self.unclean_exits, self.lag_ms_max) = (panics, unclean_exits, lag_ms_max);
    }

    /// Says what falls short; times only if they are judged.
    pub(crate) fn close(&mut self, untimed: bool) {
        let counts = [
            ("ghosts", self.ghosts_after_15s),
            ("clients were missing", self.missing_after_15s),
            ("false leaves", self.false_leaves),
            ("false joins", self.false_joins),
            ("panics", usize::try_from(self.panics).unwrap_or(usize::MAX)),
            (
                "nodes that ended with an error",
                usize::try_from(self.unclean_exits).unwrap_or(usize::MAX),
            ),
        ];
        let found = counts.iter().filter(|(_, count)| *count > 0);
        let mut missed: Vec<_> = found.map(|(what, count)| format!("{count} {what}")).collect();
        if self.kills != self.faults {
            missed.push("not every fault was made".to_owned());
        }
        let times = [
            ("leave_ms_p99", self.leave_ms_p99, LEAVE_MS_MAX, true),
            (
                "dead_node_ms_p99",
                self.dead_node_ms_p99,
                DEAD_NODE_MS_MAX,
                self.ends_with_nodes,
            ),
        ];
        for (what, value, most, is_expected) in times {
            match value {
                Some(value) if value > most && !untimed => {
                    missed.push(format!("{what} is {value}, and the goal is {most}"));
                }
                None if is_expected => missed.push(format!("{what} was not seen, so the run shows nothing of it")),
                _ => {}
            }
        }
        self.missed = missed;
    }

    pub(crate) fn missed(&self) -> &[String] {
        &self.missed
    }

    pub(crate) fn line(&self) -> String {
        serde_json::to_string(self).expect("a verdict is plain data")
    }
}

/// Whether a client had been without a node for about as long as its grace when it was told to have left.
fn was_away(truth: &Truth, told: &Told) -> bool {
    let away = truth.away.get(&told.number).into_iter().flatten();
    let longer = |(from, until): &(Instant, Option<Instant>)| {
        let until = until.unwrap_or(told.at);
        *from <= told.at && told.at <= until + TELLING && until.duration_since(*from) >= GRACE
    };
    away.into_iter().any(longer)
}

/// A leave that takes longer is told.
const fn slow_nanos(how: End) -> u64 {
    match how {
        End::Said => 500_000_000,
        End::WithNode => DEAD_NODE_MS_MAX as u64 * 1_000_000,
    }
}

/// When a client was without a node, before it was told to have left.
fn spans(truth: &Truth, told: &Told) -> String {
    let away = truth.away.get(&told.number).into_iter().flatten();
    let said = away.map(|(from, until)| {
        let before = told.at.saturating_duration_since(*from);
        let lasted = until.map(|until| until.duration_since(*from));
        format!("{before:?} before that, for {lasted:?}")
    });
    let said: Vec<_> = said.collect();
    if said.is_empty() {
        "never".to_owned()
    } else {
        said.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            scenario: Scenario::PresenceKill,
            faults: 1,
            members: 3,
            seed: 1,
            binary: PathBuf::new(),
            directory: PathBuf::new(),
            forgets: false,
        }
    }

    /// Client 1 says goodbye after one second, client 2 ends with its node then.
    fn truth(start: Instant) -> Truth {
        let at = start + Duration::from_secs(1);
        Truth {
            ended: BTreeMap::from([(1, (at, End::Said)), (2, (at, End::WithNode))]),
            away: BTreeMap::new(),
        }
    }

    fn told(start: Instant, number: Number, what: What, after_ms: u64) -> Told {
        Told {
            at: start + Duration::from_millis(after_ms),
            number,
            what,
        }
    }

    fn judged(truth: &Truth, told: Vec<Told>) -> Verdict {
        let mut verdict = Verdict::new(&plan());
        verdict.fault_made();
        verdict.judge(&[told], truth);
        verdict.close(false);
        verdict
    }

    fn good(start: Instant) -> Vec<Told> {
        vec![
            told(start, 1, What::Left, 1_040),
            told(start, 2, What::Left, 7_900),
            told(start, 4, What::Joined, 8_000),
        ]
    }

    #[test]
    fn a_good_run_is_good_and_says_what_was_seen() {
        let start = Instant::now();
        let verdict = judged(&truth(start), good(start));
        assert_eq!(verdict.missed(), [""; 0]);
        let line: serde_json::Value = serde_json::from_str(&verdict.line()).expect("one object");
        assert_eq!(
            (&line["leave_ms_p99"], &line["dead_node_ms_p99"]),
            (&40.0.into(), &6900.0.into())
        );
        for key in ["members", "ghosts_after_15s", "missing_after_15s", "false_leaves"] {
            assert!(line[key].is_u64(), "{key}");
        }
    }

    #[test]
    fn each_goal_can_be_missed() {
        let start = Instant::now();
        let says = |verdict: &Verdict, what: &str| {
            let missed = verdict.missed();
            assert!(missed.len() == 1 && missed[0].contains(what), "{missed:?}");
        };
        let with = |more: Told| judged(&truth(start), [good(start), vec![more]].concat());
        says(&with(told(start, 3, What::Left, 5_000)), "false leaves");
        says(&with(told(start, 1, What::Joined, 2_000)), "false joins");
        says(&with(told(start, 4, What::Joined, 9_000)), "false joins");
        let mut slow = good(start);
        slow[0].at += Duration::from_millis(100);
        says(&judged(&truth(start), slow), "leave_ms_p99");
        let mut slow = good(start);
        slow[1].at += Duration::from_secs(2);
        says(&judged(&truth(start), slow), "dead_node_ms_p99");
        says(&judged(&truth(start), good(start)[..1].to_vec()), "was not seen");
        let mut verdict = Verdict::new(&plan());
        verdict.fault_made();
        verdict.compare(&[[1, 2].into()], &[2, 3].into(), &truth(start));
        verdict.judge(&[good(start)], &truth(start));
        verdict.close(false);
        assert_eq!(
            verdict.missed().len(),
            2,
            "a ghost and one who is missing: {:?}",
            verdict.missed()
        );
    }

    #[test]
    fn whoever_is_away_for_longer_than_the_grace_may_be_seen_to_leave() {
        let start = Instant::now();
        let mut truth = truth(start);
        let at = |ms| start + Duration::from_millis(ms);
        truth.away.insert(3, vec![(at(1_000), Some(at(7_000)))]);
        truth.away.insert(5, vec![(at(1_000), Some(at(3_000)))]);
        truth.away.insert(6, vec![(at(1_000), Some(at(7_000)))]);
        let told = [
            good(start),
            vec![
                told(start, 3, What::Left, 6_500),
                told(start, 5, What::Left, 6_500),
                told(start, 6, What::Left, 8_500),
            ],
        ]
        .concat();
        let verdict = judged(&truth, told);
        assert_eq!((verdict.late_returns, verdict.false_leaves), (1, 2));
    }
}
