//! What the links between nodes do to what they carry.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::sim::dice::Dice;

/// Links between nodes, named by their numbers, and to the slot table.
#[derive(Debug)]
pub(super) struct Network {
    dice: Dice,
    delay: (Duration, Duration),
    /// In a hundred.
    pub(super) loss: u64,
    pub(super) doubling: u64,
    /// Nothing gets from the first to the second.
    cuts: BTreeSet<(usize, usize)>,
    /// Nodes that cannot reach the table.
    table_cuts: BTreeSet<usize>,
    /// Nobody reaches it.
    pub(super) table_down: bool,
    /// What nodes learn of it may be old.
    pub(super) lags: bool,
}

impl Network {
    pub(super) fn new(mut dice: Dice) -> Self {
        let most = *dice.pick(&[2, 5, 40]);
        Self {
            dice,
            delay: (Duration::from_micros(100), Duration::from_millis(most)),
            loss: 0,
            doubling: 0,
            cuts: BTreeSet::new(),
            table_cuts: BTreeSet::new(),
            table_down: false,
            lags: true,
        }
    }

    /// When what is sent arrives: not at all, once, or twice. What was sent later may be faster.
    pub(super) fn carry(&mut self, from: usize, to: usize) -> Vec<Duration> {
        if self.cuts.contains(&(from, to)) || self.dice.percent(self.loss) {
            return Vec::new();
        }
        let times = 1 + usize::from(self.dice.percent(self.doubling));
        (0..times).map(|_| self.delay()).collect()
    }

    /// The same on the way to the table, or back.
    pub(super) fn carry_to_table(&mut self, node: usize) -> Option<Duration> {
        if self.table_down || self.table_cuts.contains(&node) || self.dice.percent(self.loss) {
            return None;
        }
        // A vote of the table takes a round trip of its own.
        Some(self.delay() + self.delay())
    }

    /// The same of a node's view of the table, which may be one that lags by seconds.
    pub(super) fn carry_view(&mut self, node: usize) -> Option<Duration> {
        let delay = self.carry_to_table(node)?;
        let lag = Duration::from_millis(if self.lags && self.dice.percent(10) {
            self.dice.between((200, 6_000))
        } else {
            0
        });
        Some(delay + lag)
    }

    /// A delay of a client's link, which loses nothing while both ends live.
    pub(super) fn delay(&mut self) -> Duration {
        let slow = self.dice.percent(2);
        let delay = self.dice.time(self.delay);
        if slow { delay * 10 } else { delay }
    }

    pub(super) fn cut(&mut self, from: usize, to: usize, cut: bool) {
        match cut {
            true => self.cuts.insert((from, to)),
            false => self.cuts.remove(&(from, to)),
        };
    }

    pub(super) fn cut_table(&mut self, node: usize, cut: bool) {
        match cut {
            true => self.table_cuts.insert(node),
            false => self.table_cuts.remove(&node),
        };
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
        self.table_cuts.clear();
        (self.table_down, self.loss, self.doubling, self.lags) = (false, 0, 0, false);
    }
}
