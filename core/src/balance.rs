//! Whether a node has more clients than its share, and how many of them had better be elsewhere.
//!
//! A client stays at the node it is attached to. So when nodes are replaced one after the other, or die, or one more is
//! added, those that stayed have nearly all clients and the newest has none; and when such a crowded node dies in its
//! turn, all come to the others in the same second. A node therefore sends some of its clients away, a few at a time, as
//! long as it has clearly more than the mean.
//!
//! Nobody is asked and nothing is agreed: each node goes by its own count and by what the others said last, which is some
//! seconds old. That such a loop settles and does not swing follows from four bounds: a round makes up for half of what
//! is too much at most, those that have too much share what the others can take in, nothing is done within a margin
//! about the mean, and nothing while clients come in numbers, when what the others said is older than the crowd.

/// A node within this many sessions of the mean has its share: to move fewer is not worth their interruption, and counts
/// that are some seconds old differ by as many where clients come and go.
const MARGIN_MIN: u32 = 100;

/// Or within this part of the mean.
const MARGIN_PART: u32 = 10;

/// Sessions that a node with room is sent in one round of [`Balancer::round`]; a round is [`ROUND_SECONDS`]. A hundred
/// handshakes a second are a fifth of a core; fifty thousand sessions move in eight minutes.
const TAKES_IN: u32 = 100 * ROUND_SECONDS;

/// How long a round lasts: no shorter than what passes between two times that a node says how many sessions it has, so
/// that each round sees something of what the one before it did.
pub const ROUND_SECONDS: u32 = 3;

/// Rounds after which the others have said what became of the first of them. So many pass in which hardly anybody comes before
/// clients are sent away, and before that is judged.
const CALM: u32 = 2;

/// Rounds that are passed over at most when sending clients away does not help: half an hour.
const PAUSE_MAX: u32 = 600;

/// How the clients of a cluster are spread, as one node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    own: u32,
    mean: u32,
    /// Nodes that have clearly more than the mean, this one included.
    crowded: u32,
    /// Nodes that have less.
    roomy: u32,
    /// What they lack, all together.
    lack: u32,
}

impl Census {
    /// This node has so many sessions, and the others that take clients said that they have so many.
    pub fn of(own: u32, others: impl Iterator<Item = u32> + Clone) -> Self {
        let all = others.chain([own]);
        let sum: u64 = all.clone().map(u64::from).sum();
        let nodes = all.clone().count() as u64;
        // No more than the largest of them.
        let mean = u32::try_from(sum / nodes).unwrap_or(u32::MAX);
        let count = |is: &dyn Fn(u32) -> bool| u32::try_from(all.clone().filter(|load| is(*load)).count());
        Self {
            own,
            mean,
            crowded: count(&|load| is_crowded(load, mean)).unwrap_or(u32::MAX),
            roomy: count(&|load| load < mean).unwrap_or(u32::MAX),
            lack: all.fold(0, |lack, load| lack.saturating_add(mean.saturating_sub(load))),
        }
    }

    /// Whether a node that said so has room for what others have too much.
    #[must_use]
    pub const fn has_room(&self, load: u32) -> bool {
        load < self.mean
    }

    /// How many of this node's sessions had better move in one round.
    fn surplus(&self) -> u32 {
        if !is_crowded(self.own, self.mean) {
            return 0;
        }
        let half = (self.own - self.mean).div_ceil(2);
        // Each of the crowded sends its part of what those with room take in.
        let part = TAKES_IN.saturating_mul(self.roomy) / self.crowded.max(1);
        half.min(part.max(1))
    }
}

fn is_crowded(load: u32, mean: u32) -> bool {
    load > mean.saturating_add(margin(mean))
}

fn margin(mean: u32) -> u32 {
    MARGIN_MIN.max(mean / MARGIN_PART)
}

/// Decides, round after round, how many clients of this node are sent away.
///
/// Where a client comes to is not in the node's hand: whatever stands before the nodes may bring each client to the same
/// one, and a node that says it has room may be out of the clients' reach. If the nodes with room do not get at least a
/// quarter of those that this node sends, it waits before it tries again: one round, then two, and so on up to half an hour.
#[derive(Clone, Debug, Default)]
pub struct Balancer {
    /// This node's sessions in the round before.
    before: u32,
    /// Rounds in a row in which hardly anybody came.
    calm: u32,
    /// What was lacking, and how many were sent away, in the round before and in the one before that.
    past: [(u32, u32); CALM as usize],
    /// Times in a row that it did not help.
    in_vain: u32,
    /// Rounds that are passed over.
    pause: u32,
}

impl Balancer {
    /// A round begins: how many sessions to send away in it.
    pub fn round(&mut self, census: &Census) -> u32 {
        let before = std::mem::replace(&mut self.before, census.own);
        if census.own > before.saturating_add(margin(census.mean) / 2) {
            (self.calm, self.past) = (0, Default::default());
            return 0;
        }
        self.calm = self.calm.saturating_add(1);
        let [mut last, (lack, sent)] = self.past;
        if sent > 0 && !self.judge(lack.saturating_sub(census.lack) >= sent.div_ceil(4)) {
            last = (0, 0);
        }
        let waits = self.pause > 0;
        self.pause = self.pause.saturating_sub(1);
        // Who tried in vain before tries one round, and sees.
        let tries = self.in_vain > 0 && last.1 > 0;
        let surplus = if waits || tries || self.calm < CALM {
            0
        } else {
            census.surplus()
        };
        self.past = [(census.lack, surplus), last];
        surplus
    }

    fn judge(&mut self, has_helped: bool) -> bool {
        self.in_vain = if has_helped { 0 } else { self.in_vain.saturating_add(1) };
        let doubled = 1_u32.checked_shl(self.in_vain).unwrap_or(u32::MAX);
        self.pause = if has_helped { 0 } else { (doubled / 2).min(PAUSE_MAX) };
        has_helped
    }
}

#[cfg(test)]
mod tests;
