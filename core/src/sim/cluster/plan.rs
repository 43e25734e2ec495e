//! What breaks when, drawn before the run.

use std::time::Duration;

use crate::sim::dice::Dice;

/// One thing that is done to the cluster.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// The process ends, and another of the same name begins, with nothing in memory.
    Crash { node: usize, back_after: Duration },
    /// The process stands still.
    Pause { node: usize, lasting: Duration },
    /// Nothing gets from one to the other.
    Cut { from: usize, to: usize, cut: bool },
    /// A node cannot reach the table.
    CutTable { node: usize, cut: bool },
    /// Nobody can.
    TableDown(bool),
    /// Links lose and double what they carry, in a hundred.
    Noise { loss: u64, doubling: u64 },
    /// A node is to give away all that it has, or takes part again.
    Drain { node: usize, drain: bool },
}

/// How a run goes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) nodes: usize,
    pub(super) slots: u16,
    /// Until everything is healed.
    pub(super) trouble: Duration,
    pub(super) actions: Vec<(Duration, Action)>,
}

/// Before the first thing breaks.
const QUIET: Duration = Duration::from_secs(4);

impl Plan {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let nodes = usize::try_from(*dice.pick(&[3, 3, 3, 4, 5, 7])).unwrap_or(3);
        let mut plan = Self {
            nodes,
            slots: *dice.pick(&[1, 1, 2]),
            trouble: QUIET,
            actions: Vec::new(),
        };
        // A few runs bring long cuts, most bring many short troubles.
        let is_long = dice.percent(15);
        let steps = if is_long {
            dice.between((2, 4))
        } else {
            dice.between((3, 14))
        };
        for _ in 0..steps {
            let lasting = match (is_long, dice.below(10)) {
                (true, _) => Duration::from_secs(dice.between((20, 150))),
                (false, 0..4) => Duration::from_millis(dice.between((50, 800))),
                (false, 4..8) => Duration::from_millis(dice.between((800, 4_000))),
                (false, _) => Duration::from_millis(dice.between((4_000, 15_000))),
            };
            plan.step(lasting, dice);
            // Often the next begins before this one has ended.
            let gap = if dice.percent(50) {
                dice.between((0, 1_500))
            } else {
                dice.between((500, 9_000))
            };
            plan.trouble += Duration::from_millis(gap);
        }
        plan.trouble += Duration::from_secs(2);
        plan.actions.sort_by_key(|(at, _)| *at);
        plan
    }

    fn add(&mut self, after: Duration, action: Action) {
        self.actions.push((self.trouble + after, action));
    }

    fn cut(&mut self, from: usize, to: usize, after: Duration, lasting: Duration) {
        self.add(after, Action::Cut { from, to, cut: true });
        self.add(after + lasting, Action::Cut { from, to, cut: false });
    }

    fn step(&mut self, lasting: Duration, dice: &mut Dice) {
        let node = dice.index(self.nodes);
        let other = (node + 1 + dice.index(self.nodes - 1)) % self.nodes;
        let now = Duration::ZERO;
        match dice.below(20) {
            0..4 => {
                let back_after = Duration::from_millis(dice.between((1, 6_000)));
                self.add(now, Action::Crash { node, back_after });
            }
            4..7 => self.add(now, Action::Pause { node, lasting }),
            7..9 => self.isolate(node, now, lasting),
            9 => {
                // In two steps: its peers first, the table, or its life, later.
                self.isolate(node, now, lasting);
                let later = Duration::from_millis(dice.between((200, 3_000)));
                if dice.percent(50) {
                    self.add(later, Action::CutTable { node, cut: true });
                    self.add(later + lasting, Action::CutTable { node, cut: false });
                } else {
                    let back_after = Duration::from_millis(dice.between((1, 6_000)));
                    self.add(later, Action::Crash { node, back_after });
                }
            }
            10..13 => self.cut(node, other, now, lasting),
            13..15 => {
                self.cut(node, other, now, lasting);
                self.cut(other, node, now, lasting);
            }
            15 => {
                self.add(now, Action::TableDown(true));
                self.add(lasting, Action::TableDown(false));
            }
            16 => {
                let (loss, doubling) = (dice.between((1, 25)), dice.between((0, 10)));
                self.add(now, Action::Noise { loss, doubling });
                self.add(lasting, Action::Noise { loss: 0, doubling: 0 });
            }
            17..19 => {
                self.add(now, Action::Drain { node, drain: true });
                if dice.percent(50) {
                    self.add(lasting, Action::Drain { node, drain: false });
                } else {
                    let back_after = Duration::from_millis(dice.between((1, 6_000)));
                    self.add(lasting, Action::Crash { node, back_after });
                }
            }
            _ => {
                // Two at once, which may be all who hold something.
                for node in [node, other] {
                    let back_after = Duration::from_millis(dice.between((1, 3_000)));
                    let after = Duration::from_millis(dice.between((0, 300)));
                    self.add(after, Action::Crash { node, back_after });
                }
            }
        }
    }

    fn isolate(&mut self, node: usize, after: Duration, lasting: Duration) {
        for other in (0..self.nodes).filter(|other| *other != node) {
            self.cut(node, other, after, lasting);
            self.cut(other, node, after, lasting);
        }
    }
}
