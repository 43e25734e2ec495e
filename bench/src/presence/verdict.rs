//! What is asked of the phases: whether the goals are met, and whether a phase can be trusted.

use super::Phase;

/// By how much publishing in other channels may take longer beside a crowd: by half, or by so many milliseconds.
const SLOWER_RATIO: f64 = 1.5;
const SLOWER_MS: f64 = 10.0;

/// By how much what gossip costs may differ between phases. Rounds of gossip are not in step with phases, and what a node says
/// of itself is said anew when it changes.
pub(super) const GOSSIP_SPREAD_MAX: f64 = 0.1;

/// Share of messages that may leave late, and of the time that the hypervisor may give to others: as in the other measurements.
pub(super) const LATE_SHARE_MAX: f64 = 0.01;
pub(super) const STOLEN_SHARE_MAX: f64 = 0.02;

/// The longest 99th percentile that is allowed beside a crowd.
pub(super) fn bound(baseline_ms: f64) -> f64 {
    (baseline_ms * SLOWER_RATIO).max(baseline_ms + SLOWER_MS)
}

/// By how much the greatest is greater than the least, as a share of it; not a number if one of them is none.
pub(super) fn spread(values: impl Iterator<Item = f64>) -> f64 {
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values {
        if value.is_nan() {
            return value;
        }
        (least, greatest) = (least.min(value), greatest.max(value));
    }
    greatest / least - 1.0
}

/// Why a phase cannot be trusted.
pub(super) fn fault(phase: &Phase) -> Option<String> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut reasons = Vec::new();
    if phase.late_share > LATE_SHARE_MAX {
        reasons.push(format!("{} of the messages left late", percent(phase.late_share)));
    }
    if phase.stolen_share > STOLEN_SHARE_MAX {
        reasons.push(format!("{} of the time was stolen", percent(phase.stolen_share)));
    }
    let name = match phase.churn {
        0 => format!("with {} members", phase.members),
        churn => format!("with {churn} joins and leaves a second"),
    };
    (!reasons.is_empty()).then(|| format!("{name}: {}", reasons.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishing_may_be_slower_by_half_or_by_ten_milliseconds() {
        assert!((bound(4.0) - 14.0).abs() < 1e-9 && (bound(40.0) - 60.0).abs() < 1e-9);
    }

    #[test]
    fn a_spread_is_of_those_that_differ_most_and_of_none_if_one_is_not_known() {
        assert!((spread([1_050.0, 1_000.0, 1_100.0].into_iter()) - 0.1).abs() < 1e-9);
        for unknown in 0..3 {
            let mut values = [1_050.0, 1_000.0, 1_100.0];
            values[unknown] = f64::NAN;
            assert!(spread(values.into_iter()).is_nan());
        }
    }
}
