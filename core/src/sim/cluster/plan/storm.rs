//! Many troubles, one over another.

use std::time::Duration;

use super::{Action, Plan};
use crate::sim::dice::Dice;

impl Plan {
    pub(super) fn storm(&mut self, dice: &mut Dice) {
        // A few runs bring long cuts and absences, most bring many short troubles.
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
            self.step(lasting, dice);
            // Often the next begins before this one has ended.
            let gap = if dice.percent(50) {
                dice.between((0, 1_500))
            } else {
                dice.between((500, 9_000))
            };
            self.trouble += Duration::from_millis(gap);
        }
    }

    fn step(&mut self, lasting: Duration, dice: &mut Dice) {
        let node = dice.index(self.nodes);
        let other = (node + 1 + dice.index(self.nodes - 1)) % self.nodes;
        let now = Duration::ZERO;
        match dice.below(22) {
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
            19 => {
                let back_after = lasting * 2;
                self.add(now, Action::Crash { node, back_after });
            }
            20 => {
                let buried_after = Duration::from_millis(dice.between((500, 20_000)));
                self.add(now, Action::Burn { node, buried_after });
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
