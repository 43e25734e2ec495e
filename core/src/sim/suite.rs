//! Many seeds at once: what was checked, and whether that means anything.

use std::fmt;
use std::ops::Range;

use super::{Coverage, Report, Sight, Sighted as _, Violation};
use crate::fault::Faults;

/// What many runs came to.
#[derive(Debug, Clone, Default)]
pub struct Suite {
    runs: u64,
    events: u64,
    tally: Tally,
    coverage: Coverage<Sight>,
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
    pub const fn coverage(&self) -> &Coverage<Sight> {
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

/// What a command of a simulation was asked to do.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// The faults that are planted.
    pub faults: Faults,
    /// Whether to tell everything that happens.
    pub trace: bool,
    /// Whether to look for a seed for each fault.
    pub plants: bool,
}

impl Arguments {
    /// Reads the words of a command: `seeds` are run when none are named, and `faults` may be planted.
    ///
    /// # Errors
    /// With the word that is none.
    pub fn parse(
        mut words: impl Iterator<Item = String>,
        seeds: u64,
        faults: &[(&str, Plant)],
    ) -> Result<Self, String> {
        let mut arguments = Self {
            seeds: 0..seeds,
            faults: Faults::default(),
            trace: false,
            plants: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--seed" => {
                    let seed = number(&value()?)?;
                    arguments.seeds = seed..seed.saturating_add(1);
                }
                "--seeds" => arguments.seeds = range(&value()?)?,
                "--fault" => {
                    let name = value()?;
                    let names = || faults.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                    let found = faults.iter().find(|(known, _)| *known == name);
                    let (_, plant) = found.ok_or_else(|| format!("`{name}` is none of {}", names()))?;
                    plant(&mut arguments.faults);
                }
                "--plants" => arguments.plants = true,
                "--trace" => arguments.trace = true,
                _ => return Err(format!("`{word}` is no argument")),
            }
        }
        Ok(arguments)
    }

    /// How many seeds there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.seeds.end.saturating_sub(self.seeds.start)
    }

    /// The first seed in which each fault shows, by what `broken` says of a run with it; the lines are told to `tell`. Whether
    /// there is one for every fault.
    pub fn find_plants(
        &self,
        faults: &[(&str, Plant)],
        broken: impl Fn(u64, Faults) -> Option<String>,
        mut tell: impl FnMut(String),
    ) -> bool {
        let mut all = true;
        for (name, plant) in faults {
            let mut faults = Faults::default();
            plant(&mut faults);
            let found = self.seeds.clone().find_map(|seed| Some((seed, broken(seed, faults)?)));
            all &= found.is_some();
            tell(match found {
                Some((seed, how)) => format!("{name}: seed {seed}: {how}"),
                None => format!("{name}: not caught"),
            });
        }
        all
    }
}

/// One seed, as somebody writes it.
fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

/// Several: `A..B`, or so many from 0 on.
fn range(text: &str) -> Result<Range<u64>, String> {
    match text.split_once("..") {
        Some((start, end)) => Ok(number(start)?..number(end)?),
        None => Ok(0..number(text)?),
    }
}
