//! Figures as reports tell them.

use std::fmt;

use hdrhistogram::Histogram;

use crate::proc::host::Machine;

/// A quantile of latencies in nanoseconds, in milliseconds; not a number if there are none.
pub(crate) fn quantile_ms(latency: &Histogram<u64>, quantile: f64) -> f64 {
    if latency.is_empty() {
        f64::NAN
    } else {
        latency.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// Numbers to the fourth digit behind the point: beyond it there is only noise.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then(|| (value * 1e4).round() / 1e4)
}

/// All reasons in one text; none if there are none.
pub(crate) fn together(reasons: Vec<String>) -> Option<String> {
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The end of a table: the machine, and whether the result stands.
pub(crate) fn write_end(f: &mut fmt::Formatter<'_>, machine: &Machine, invalid_reason: Option<&str>) -> fmt::Result {
    let Machine {
        processor,
        cores,
        kernel,
    } = machine;
    writeln!(f, "{processor}, {cores} cores, Linux {kernel}")?;
    match invalid_reason {
        None => write!(f, "valid"),
        Some(reason) => write!(f, "NOT VALID: {reason}"),
    }
}

/// A figure with two digits behind the point, or a dash.
pub(crate) struct Cell(pub(crate) Option<f64>);

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => f.pad(&format!("{value:.2}")),
            None => f.pad("-"),
        }
    }
}
