//! One node at a time, and time to get over it.

use std::time::Duration;

use super::{Action, Plan};
use crate::sim::dice::Dice;

/// From the end of one trouble to the next: the slots have their copies again.
const APART: Duration = Duration::from_secs(14);

impl Plan {
    pub(super) fn lone(&mut self, dice: &mut Dice) {
        for _ in 0..dice.between((2, 4)) {
            let node = dice.index(self.nodes);
            let lasting = Duration::from_millis(match dice.below(3) {
                0 => dice.between((50, 1_500)),
                1 => dice.between((1_500, 6_000)),
                _ => dice.between((6_000, 30_000)),
            });
            let now = Duration::ZERO;
            match dice.below(5) {
                0..2 => self.add(
                    now,
                    Action::Crash {
                        node,
                        back_after: lasting,
                    },
                ),
                2 => self.add(now, Action::Pause { node, lasting }),
                3 => {
                    self.add(now, Action::Isolate { node, cut: true });
                    self.add(lasting, Action::Isolate { node, cut: false });
                }
                _ => {
                    self.add(now, Action::Drain { node, drain: true });
                    self.add(lasting, Action::Drain { node, drain: false });
                }
            }
            self.trouble += lasting + APART;
        }
        // What is left holds what there was, and goes on.
        if dice.percent(30) {
            let node = dice.index(self.nodes);
            let buried_after = Duration::from_millis(dice.between((500, 20_000)));
            self.add(Duration::ZERO, Action::Burn { node, buried_after });
            self.trouble += buried_after + APART;
        }
    }
}
