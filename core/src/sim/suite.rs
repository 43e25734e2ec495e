//! Many seeds at once: what was checked, and whether that means anything.

use std::fmt;
use std::ops::Range;

use super::{Coverage, Report, Sight, Violation};
use crate::fault::Faults;

/// What many runs came to.
#[derive(Debug, Clone, Default)]
pub struct Suite {
    runs: u64,
    events: u64,
    tally: Tally,
    coverage: Coverage,
    violations: Vec<(u64, Violation)>,
}

/// What was checked, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Publishes of applications.
    pub publishes: u64,
    /// Of these, those whose application learnt that they were published.
    pub acks: u64,
    /// Messages that readers got.
    pub deliveries: u64,
}

impl Suite {
    /// Adds a run.
    pub fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.events += report.events;
        self.tally.publishes += report.tally.publishes;
        self.tally.acks += report.tally.acks;
        self.tally.deliveries += report.tally.deliveries;
        self.coverage.add(&report.coverage);
        self.violations
            .extend(report.violation.clone().map(|violation| (report.seed, violation)));
    }

    /// The seeds in which something was broken, and what.
    #[must_use]
    pub fn violations(&self) -> &[(u64, Violation)] {
        &self.violations
    }

    /// What was seen.
    #[must_use]
    pub const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// What was never seen.
    #[must_use]
    pub fn missing(&self) -> Vec<Sight> {
        self.coverage.missing(Sight::ALL)
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            publishes,
            acks,
            deliveries,
        } = self.tally;
        let (seen, all) = (Sight::ALL.len() - self.missing().len(), Sight::ALL.len());
        write!(
            f,
            "{} seeds, {} events, {publishes} publishes, {acks} acks, {deliveries} deliveries, {seen} of {all} cases seen, {} broken",
            self.runs,
            self.events,
            self.violations.len()
        )
    }
}

/// Throws the switch of one fault.
pub type Plant = fn(&mut Faults);

/// Every fault that can be planted, by name.
pub const FAULTS: [(&str, Plant); 7] = [
    ("ack_before_append", |faults| faults.ack_before_append = true),
    ("ack_before_sync", |faults| faults.ack_before_sync = true),
    ("dedup_dropped", |faults| faults.dedup_dropped = true),
    ("resume_off_by_one", |faults| faults.resume_off_by_one = true),
    ("evict_without_discontinuity", |faults| {
        faults.evict_without_discontinuity = true
    }),
    ("forget_head_at_retirement", |faults| {
        faults.forget_head_at_retirement = true
    }),
    ("credit_leak", |faults| faults.credit_leak = true),
];

/// The fault called `name`, planted alone.
#[must_use]
pub fn fault(name: &str) -> Option<Faults> {
    let (_, plant) = FAULTS.into_iter().find(|(known, _)| *known == name)?;
    let mut faults = Faults::default();
    plant(&mut faults);
    Some(faults)
}

/// One seed, as somebody writes it.
///
/// # Errors
/// When it is no number.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

/// Several: `A..B`, or so many from 0 on.
///
/// # Errors
/// When there is no number where one should be.
pub fn seeds(text: &str) -> Result<Range<u64>, String> {
    match text.split_once("..") {
        Some((start, end)) => Ok(seed(start)?..seed(end)?),
        None => Ok(0..seed(text)?),
    }
}
