//! What breaks when, drawn before the run.
//!
//! * `storm`: many troubles, one over another; `lone`: one at a time.

use std::time::Duration;

use crate::sim::dice::Dice;

mod lone;
mod storm;

/// What kind of run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Course {
    /// Many troubles, one over another.
    Storm,
    /// One node at a time crashes, stands still, is cut off, drains: what the promise is about.
    Lone,
    /// Every node drains, ends and returns, one after another.
    Rolling,
}

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
    /// The process ends for good, and the operator declares it lost after a while, or in the end.
    Burn { node: usize, buried_after: Duration },
    /// A node reaches nobody, and nobody it.
    Isolate { node: usize, cut: bool },
    /// A node is to give away all that it has, or takes part again.
    Drain { node: usize, drain: bool },
    /// The rolling restart begins.
    Roll,
}

/// How a run goes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) course: Course,
    pub(super) nodes: usize,
    pub(super) slots: u16,
    /// Until everything is healed.
    pub(super) trouble: Duration,
    pub(super) actions: Vec<(Duration, Action)>,
}

/// Before the first thing breaks.
pub(super) const QUIET: Duration = Duration::from_secs(6);

impl Plan {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let nodes = usize::try_from(*dice.pick(&[3, 3, 3, 4, 5, 7])).unwrap_or(3);
        let course = match dice.below(100) {
            0..75 => Course::Storm,
            75..93 => Course::Lone,
            _ => Course::Rolling,
        };
        let mut plan = Self {
            course,
            nodes,
            slots: *dice.pick(&[1, 1, 2]),
            trouble: QUIET,
            actions: Vec::new(),
        };
        match course {
            Course::Storm => plan.storm(dice),
            Course::Lone => plan.lone(dice),
            Course::Rolling => {
                plan.add(Duration::ZERO, Action::Roll);
                plan.trouble += Duration::from_secs(26) * u32::try_from(nodes).unwrap_or(1);
            }
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
}
