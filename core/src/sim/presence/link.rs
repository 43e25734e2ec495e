//! What the links between nodes do to what they carry.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::check::ROUGH_BOUND;
use super::plan::Noise;
use crate::sim::dice::Dice;

/// How long something is on its way at most where nothing is wrong with the link.
pub(super) const DELAY_MAX: Duration = Duration::from_millis(150);

/// How long something may be on its way that was overtaken.
pub(super) const DISORDER_MAX: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Debug)]
pub(super) struct Links {
    dice: Dice,
    delay: (Duration, Duration),
    pub(super) noise: Noise,
    /// Nothing gets from the first to the second.
    cuts: BTreeSet<(usize, usize)>,
    /// When the last thing arrives that was sent from one to the other: what is sent later arrives later.
    last: BTreeMap<(usize, usize), Duration>,
    /// When all links last were noisy, and when each was last cut.
    noisy_at: Option<Duration>,
    cut_at: BTreeMap<(usize, usize), Duration>,
}

/// What becomes of something that is sent.
#[derive(Debug)]
pub(super) enum Carried {
    /// There is no room for it, and the sender is told.
    Full,
    /// It arrives then: never, once or twice.
    At(Vec<Duration>),
}

impl Links {
    pub(super) fn new(mut dice: Dice) -> Self {
        let most = *dice.pick(&[2, 5, 30]);
        Self {
            dice,
            delay: (Duration::from_micros(100), Duration::from_millis(most)),
            noise: Noise::default(),
            cuts: BTreeSet::new(),
            last: BTreeMap::new(),
            noisy_at: None,
            cut_at: BTreeMap::new(),
        }
    }

    pub(super) fn carry(&mut self, from: usize, to: usize, now: Duration) -> Carried {
        if self.dice.percent(self.noise.full) {
            return Carried::Full;
        }
        if self.is_cut(from, to) || self.dice.percent(self.noise.loss) {
            return Carried::At(Vec::new());
        }
        let times = 1 + usize::from(self.dice.percent(self.noise.doubling));
        let mut arrive = |_| {
            let delay = self.dice.time(self.delay);
            let delay = if self.dice.percent(2) { delay * 5 } else { delay };
            if self.dice.percent(self.noise.disorder) {
                return now + (delay * 100).min(DISORDER_MAX);
            }
            let last = self.last.entry((from, to)).or_default();
            *last = (*last).max(now + delay);
            *last
        };
        Carried::At((0..times).map(&mut arrive).collect())
    }

    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.contains(&(from, to))
    }

    /// Whether any link of a node is cut.
    pub(super) fn touches(&self, node: usize) -> bool {
        self.cuts.iter().any(|(from, to)| *from == node || *to == node)
    }

    /// Whether anything is wrong with any of them.
    pub(super) fn is_rough(&self) -> bool {
        !self.cuts.is_empty() || self.is_noisy()
    }

    const fn is_noisy(&self) -> bool {
        let noise = self.noise;
        noise.loss + noise.doubling + noise.disorder + noise.full > 0
    }

    /// Remembers what is wrong with which.
    pub(super) fn note(&mut self, now: Duration) {
        if self.is_noisy() {
            self.noisy_at = Some(now);
        }
        self.cut_at.extend(self.cuts.iter().map(|cut| (*cut, now)));
    }

    /// Whether what one has told the other may not have come yet, for the link between them is bad or was a moment ago.
    pub(super) fn is_late(&self, one: usize, other: usize, now: Duration) -> bool {
        let cuts = [(one, other), (other, one)].map(|link| self.cut_at.get(&link).copied());
        let mut bad = cuts.into_iter().chain([self.noisy_at]).flatten();
        bad.any(|at| now < at + ROUGH_BOUND)
    }

    pub(super) fn cut(&mut self, from: usize, to: usize, cut: bool) {
        match cut {
            true => self.cuts.insert((from, to)),
            false => self.cuts.remove(&(from, to)),
        };
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
        self.noise = Noise::default();
    }
}
