//! Many runs in few numbers: medians over pairs, latencies over all.

use hdrhistogram::Histogram;

use super::round::{Accepted, Case};
use crate::load::latencies;

/// What the runs of a measurement say together.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) expected: u64,
    pub(super) delivered: u64,
    pub(super) starling: Side,
    pub(super) null: Side,
    /// Median cost at the sparse null server; `None` if it was not measured.
    pub(super) null_sparse_us: Option<f64>,
    /// The node's cost by the null server's, pair by pair.
    pub(super) ratio: Spread,
    /// The node's cost by the sparse null server's, pair by pair.
    pub(super) sparse_ratio: Option<Spread>,
    /// Why runs that count are void, one text for each.
    pub(super) void: Vec<String>,
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
    pub(super) fn of(runs: &[Accepted]) -> Self {
        let cost = |case| {
            runs.iter()
                .filter(move |run| run.case == case)
                .map(|run| run.attempt.cpu_us_per_delivery)
        };
        let ratios = |floor| Spread::of(cost(Case::Starling).zip(cost(floor)).map(|(ours, floor)| ours / floor));
        let sparse_measured = cost(Case::SparseNull).next().is_some();
        let starling = || runs.iter().filter(|run| run.case == Case::Starling);
        let void = runs.iter().filter_map(|run| {
            let reason = run.attempt.invalid_reason.as_ref()?;
            Some(format!("{} in pair {}: {reason}", run.case.name(), run.attempt.pair))
        });
        Self {
            expected: starling().map(|run| run.attempt.expected).sum(),
            delivered: starling().map(|run| run.attempt.delivered).sum(),
            starling: Side::of(runs, Case::Starling),
            null: Side::of(runs, Case::Null),
            null_sparse_us: sparse_measured.then(|| median(cost(Case::SparseNull))),
            ratio: ratios(Case::Null),
            sparse_ratio: sparse_measured.then(|| ratios(Case::SparseNull)),
            void: void.collect(),
        }
    }
}

impl Side {
    fn of(runs: &[Accepted], case: Case) -> Self {
        let runs = || runs.iter().filter(move |run| run.case == case);
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

/// A quantile of latencies in nanoseconds, in milliseconds; not a number if there are none.
pub(super) fn quantile_ms(latency: &Histogram<u64>, quantile: f64) -> f64 {
    if latency.is_empty() {
        f64::NAN
    } else {
        latency.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// The value in the middle, or between the two in the middle. Runs that broke off have no value and are left out; not a
/// number if none is left.
fn median(values: impl Iterator<Item = f64>) -> f64 {
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
    use super::super::attempt::Attempt;
    use super::*;

    fn run(case: Case, pair: u32, cpu_us: f64) -> Accepted {
        let attempt = Attempt {
            pair,
            cpu_us_per_delivery: cpu_us,
            expected: 100,
            delivered: 100,
            ..Attempt::new(case.name(), pair, 0, &crate::load::Plan::default(), None, None)
        };
        let mut latency = latencies();
        latency.saturating_record(u64::from(pair + 1) * 10_000_000);
        Accepted {
            case,
            attempt,
            latency: Some(latency),
        }
    }

    #[test]
    fn the_ratio_is_the_median_of_the_pairs_ratios_not_the_ratio_of_the_medians() {
        // Ratios by pair: 1.5, 1.2, 3.0. Medians apart: 15 / 10 = 1.5 only by the order of columns; here 15 and 8.
        let costs = [(15.0, 10.0), (9.6, 8.0), (18.0, 6.0)];
        let runs: Vec<Accepted> = (0..)
            .zip(costs)
            .flat_map(|(pair, (ours, floor))| {
                let (ours, floor) = (run(Case::Starling, pair, ours), run(Case::Null, pair, floor));
                if pair % 2 == 0 { [ours, floor] } else { [floor, ours] }
            })
            .collect();
        let summary = Summary::of(&runs);
        assert_eq!(
            summary.ratio,
            Spread {
                median: 1.5,
                min: 9.6 / 8.0,
                max: 3.0
            }
        );
        assert!((summary.starling.cpu_us - 15.0).abs() < 1e-12 && (summary.null.cpu_us - 8.0).abs() < 1e-12);
        assert_eq!((summary.expected, summary.delivered), (300, 300));
        assert_eq!((summary.null_sparse_us, summary.sparse_ratio), (None, None));
        assert!(summary.void.is_empty());
    }

    #[test]
    fn the_sparse_null_server_has_a_ratio_of_its_own() {
        let runs = [
            run(Case::Starling, 0, 2.0),
            run(Case::Null, 0, 8.0),
            run(Case::SparseNull, 0, 10.0),
        ];
        let summary = Summary::of(&runs);
        assert_eq!(summary.null_sparse_us, Some(10.0));
        assert_eq!(
            summary.sparse_ratio,
            Some(Spread {
                median: 0.2,
                min: 0.2,
                max: 0.2
            })
        );
    }

    #[test]
    fn latencies_are_of_all_runs_together() {
        let runs = [
            run(Case::Starling, 0, 1.0),
            run(Case::Starling, 1, 1.0),
            run(Case::Starling, 2, 1.0),
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
