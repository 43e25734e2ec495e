//! Many runs in few numbers: medians over pairs, latencies over all.

use super::round::{Accepted, Case, Pair};
use crate::figures::quantile_ms;
use crate::load::latencies;

/// What the runs of a measurement say together.
#[derive(Debug)]
pub(super) struct Summary {
    /// Deliveries of what is measured.
    pub(super) expected: u64,
    pub(super) delivered: u64,
    pub(super) ours: Side,
    pub(super) floor: Side,
    /// Our cost by that of the floor, pair by pair.
    pub(super) ratio: Spread,
    /// Why runs that count are void, one text for each.
    pub(super) void: Vec<String>,
}

/// The node beside the sparse null server.
#[derive(Debug)]
pub(super) struct Sparse {
    /// Median cost at that one.
    pub(super) null_us: f64,
    /// The node's cost by that, pair by pair.
    pub(super) ratio: Spread,
}

/// The runs of one server.
#[derive(Debug)]
pub(super) struct Side {
    /// Medians, in microseconds of processor time for each delivery.
    pub(super) cpu_us: f64,
    pub(super) user_us: f64,
    pub(super) system_us: f64,
    /// Median share of its core that the load needed.
    pub(super) client_share: f64,
    /// Median share of a core that everything else needed meanwhile.
    pub(super) others_share: f64,
    /// Of all its runs together.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// A median and how far the values lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Summary {
    pub(super) fn of(runs: &[Accepted], pair: Pair) -> Self {
        let ours = || of_case(runs, pair.ours);
        let void = runs.iter().filter_map(|run| {
            let reason = run.attempt.invalid_reason.as_ref()?;
            Some(format!("{} in pair {}: {reason}", run.case.name(), run.attempt.pair))
        });
        Self {
            expected: ours().map(|run| run.attempt.expected).sum(),
            delivered: ours().map(|run| run.attempt.delivered).sum(),
            ours: Side::of(runs, pair.ours),
            floor: Side::of(runs, pair.floor),
            ratio: ratio(runs, pair.ours, pair.floor),
            void: void.collect(),
        }
    }
}

impl Sparse {
    /// `None` if it was not measured.
    pub(super) fn of(runs: &[Accepted]) -> Option<Self> {
        of_case(runs, Case::SparseNull).next()?;
        Some(Self {
            null_us: median(costs(runs, Case::SparseNull)),
            ratio: ratio(runs, Case::Starling, Case::SparseNull),
        })
    }
}

/// The runs of one case, in order.
pub(super) fn of_case(runs: &[Accepted], case: Case) -> impl Iterator<Item = &Accepted> {
    runs.iter().filter(move |run| run.case == case)
}

fn costs(runs: &[Accepted], case: Case) -> impl Iterator<Item = f64> {
    of_case(runs, case).map(|run| run.attempt.cpu_us_per_delivery)
}

/// The cost of the one case by that of the other, pair by pair.
fn ratio(runs: &[Accepted], ours: Case, floor: Case) -> Spread {
    let pairs = costs(runs, ours).zip(costs(runs, floor));
    Spread::of(pairs.map(|(ours, floor)| ours / floor))
}

impl Side {
    fn of(runs: &[Accepted], case: Case) -> Self {
        let runs = || of_case(runs, case);
        let mut latency = latencies();
        for histogram in runs().filter_map(|run| run.latency.as_ref()) {
            latency.add(histogram).expect("all histograms have the same bounds");
        }
        Self {
            cpu_us: median(runs().map(|run| run.attempt.cpu_us_per_delivery)),
            user_us: median(runs().map(|run| run.attempt.user_us_per_delivery)),
            system_us: median(runs().map(|run| run.attempt.system_us_per_delivery)),
            client_share: median(runs().map(|run| run.attempt.client_cpu_share)),
            others_share: median(runs().map(|run| run.attempt.others_cpu_share)),
            p50_ms: quantile_ms(&latency, 0.50),
            p99_ms: quantile_ms(&latency, 0.99),
        }
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let sorted = sorted(values);
        let edge = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        Self {
            median: middle(&sorted),
            min: edge(sorted.first()),
            max: edge(sorted.last()),
        }
    }
}

/// The value in the middle, or between the two in the middle. Runs that broke off have no value and are left out; not a
/// number if none is left.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    middle(&sorted(values))
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::round::accepted;
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_pairs_ratios_not_the_ratio_of_the_medians() {
        // Ratios by pair: 1.5, 1.2, 3.0. Medians apart: 15 / 10 = 1.5 only by the order of columns; here 15 and 8.
        let costs = [(15.0, 10.0), (9.6, 8.0), (18.0, 6.0)];
        let runs: Vec<Accepted> = (0..)
            .zip(costs)
            .flat_map(|(pair, (ours, floor))| {
                let (ours, floor) = (accepted(Case::Starling, pair, ours), accepted(Case::Null, pair, floor));
                if pair % 2 == 0 { [ours, floor] } else { [floor, ours] }
            })
            .collect();
        let summary = Summary::of(&runs, Pair::BESIDE_NULL);
        assert_eq!(
            summary.ratio,
            Spread {
                median: 1.5,
                min: 9.6 / 8.0,
                max: 3.0
            }
        );
        assert!((summary.ours.cpu_us - 15.0).abs() < 1e-12 && (summary.floor.cpu_us - 8.0).abs() < 1e-12);
        assert_eq!((summary.expected, summary.delivered), (300, 300));
        assert!(Sparse::of(&runs).is_none());
        assert!(summary.void.is_empty());
    }

    #[test]
    fn the_sparse_null_server_has_a_ratio_of_its_own() {
        let runs = [
            accepted(Case::Starling, 0, 2.0),
            accepted(Case::Null, 0, 8.0),
            accepted(Case::SparseNull, 0, 10.0),
        ];
        let sparse = Sparse::of(&runs).expect("it was measured");
        assert!((sparse.null_us - 10.0).abs() < 1e-12);
        assert_eq!(
            sparse.ratio,
            Spread {
                median: 0.2,
                min: 0.2,
                max: 0.2
            }
        );
    }

    #[test]
    fn latencies_are_of_all_runs_together() {
        let runs = [
            accepted(Case::Starling, 0, 1.0),
            accepted(Case::Starling, 1, 1.0),
            accepted(Case::Starling, 2, 1.0),
        ];
        let side = Side::of(&runs, Case::Starling);
        assert!((side.p50_ms - 20.0).abs() < 0.1, "{}", side.p50_ms);
        assert!((side.p99_ms - 30.0).abs() < 0.1, "{}", side.p99_ms);
    }

    #[test]
    fn runs_without_a_value_are_left_out_of_a_median() {
        let odd = median([3.0, f64::NAN, 1.0, 2.0].into_iter());
        let even = median([4.0, 1.0].into_iter());
        assert!((odd - 2.0).abs() < 1e-12 && (even - 2.5).abs() < 1e-12);
        assert!(median(std::iter::empty()).is_nan());
    }
}
