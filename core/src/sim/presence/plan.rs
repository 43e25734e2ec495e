//! What breaks when, drawn before the run.

use std::time::Duration;

use crate::sim::dice::Dice;

/// One thing that is done to the cluster.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// The process ends, and another of the same name begins, with nothing in memory.
    Crash { node: usize, back_after: Duration },
    /// Nothing gets from one to the other.
    Cut { from: usize, to: usize, cut: bool },
    /// Links lose, double and reorder what they carry, and are full, in a hundred.
    Noise(Noise),
    /// A slot is given to another node, after nobody has had it for a while.
    Move { slot: usize, gap: Duration },
}

/// See [`Action::Noise`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Noise {
    pub(super) loss: u64,
    pub(super) doubling: u64,
    pub(super) disorder: u64,
    pub(super) full: u64,
}

/// How a run goes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) nodes: usize,
    pub(super) slots: usize,
    /// Clocks may go wrong by a tenth.
    pub(super) clocks_err: bool,
    /// Until everything is healed and clients come and go no more.
    pub(super) trouble: Duration,
    pub(super) actions: Vec<(Duration, Action)>,
}

/// Before the first thing breaks.
const QUIET: Duration = Duration::from_secs(8);

impl Plan {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let mut plan = Self {
            nodes: *dice.pick(&[3, 3, 4, 5]),
            slots: *dice.pick(&[1, 2, 3]),
            clocks_err: dice.percent(30),
            trouble: QUIET,
            actions: Vec::new(),
        };
        // Runs with no more than crashes and moves keep the times that are promised; the others do so once healed.
        let is_rough = dice.percent(60);
        for _ in 0..dice.between((2, 6)) {
            match is_rough {
                true => plan.rough(dice),
                false => plan.lone(dice),
            }
        }
        plan.trouble += Duration::from_secs(2);
        plan.actions.sort_by_key(|(at, _)| *at);
        plan
    }

    fn lone(&mut self, dice: &mut Dice) {
        match dice.percent(60) {
            true => self.crash(dice),
            false => self.change(dice),
        }
        self.trouble += dice.time((Duration::from_secs(3), Duration::from_secs(25)));
    }

    fn rough(&mut self, dice: &mut Dice) {
        let seconds = |dice: &mut Dice, from, to| dice.time((Duration::from_secs(from), Duration::from_secs(to)));
        match dice.below(100) {
            0..20 => self.crash(dice),
            20..35 => self.change(dice),
            35..55 => {
                // One node, from some of the others or all, both ways.
                let node = dice.index(self.nodes);
                let lasting = match dice.percent(25) {
                    true => seconds(dice, 60, 90),
                    false => seconds(dice, 1, 20),
                };
                let all = dice.percent(60);
                for other in (0..self.nodes).filter(|other| *other != node) {
                    if all || dice.percent(50) {
                        self.cut(node, other, lasting);
                        self.cut(other, node, lasting);
                    }
                }
                self.trouble += if dice.percent(70) { lasting } else { Duration::ZERO };
            }
            55..75 => {
                let (from, to) = (dice.index(self.nodes), dice.index(self.nodes));
                let lasting = seconds(dice, 1, 25);
                self.cut(from, to, lasting);
                // The one that is taken for dead may really die.
                if dice.percent(50) {
                    let back_after = seconds(dice, 1, 15);
                    let node = to;
                    let at = lasting.mul_f64(0.8);
                    self.add(at, Action::Crash { node, back_after });
                }
                self.trouble += lasting;
            }
            _ => {
                let noise = Noise {
                    loss: *dice.pick(&[0, 1, 5]),
                    doubling: *dice.pick(&[0, 5, 20]),
                    disorder: *dice.pick(&[0, 5, 30]),
                    full: *dice.pick(&[0, 2, 10]),
                };
                self.add(Duration::ZERO, Action::Noise(noise));
                let lasting = seconds(dice, 2, 20);
                self.add(lasting, Action::Noise(Noise::default()));
                self.trouble += if dice.percent(70) { lasting } else { Duration::ZERO };
            }
        }
        self.trouble += dice.time((Duration::ZERO, Duration::from_secs(16)));
    }

    fn crash(&mut self, dice: &mut Dice) {
        let action = Action::Crash {
            node: dice.index(self.nodes),
            back_after: dice.time((Duration::from_millis(300), Duration::from_secs(15))),
        };
        self.add(Duration::ZERO, action);
    }

    fn change(&mut self, dice: &mut Dice) {
        let gap = match dice.percent(60) {
            true => Duration::ZERO,
            false => dice.time((Duration::from_millis(100), Duration::from_secs(3))),
        };
        let slot = dice.index(self.slots);
        self.add(Duration::ZERO, Action::Move { slot, gap });
    }

    fn add(&mut self, after: Duration, action: Action) {
        self.actions.push((self.trouble + after, action));
    }

    fn cut(&mut self, from: usize, to: usize, lasting: Duration) {
        if from != to {
            self.add(Duration::ZERO, Action::Cut { from, to, cut: true });
            self.add(lasting, Action::Cut { from, to, cut: false });
        }
    }
}
