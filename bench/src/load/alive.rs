//! Keeping sessions open that have nothing to say.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Whose turn it is to say that it is there. A server closes a session that has been silent for one and a half
/// heartbeats; every link speaks each half of one.
#[derive(Debug, Default)]
pub(super) struct Alive {
    period: Duration,
    /// Links in the order in which they last spoke.
    spoke: VecDeque<(Instant, usize)>,
}

impl Alive {
    /// A link has spoken for the first time.
    pub(super) fn add(&mut self, link: usize, heartbeat: Duration, now: Instant) {
        self.period = heartbeat / 2;
        self.spoke.push_back((now, link));
    }

    /// The next link that has to speak by `now`, if any; it counts as having spoken.
    pub(super) fn due(&mut self, now: Instant) -> Option<usize> {
        let (_, link) = self.spoke.pop_front_if(|(spoke, _)| *spoke + self.period <= now)?;
        self.spoke.push_back((now, link));
        Some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_speak_in_turn_once_in_half_a_heartbeat() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut alive = Alive::default();
        alive.add(0, Duration::from_secs(10), at(0));
        alive.add(1, Duration::from_secs(10), at(2));
        assert_eq!(alive.due(at(4)), None);
        assert_eq!(alive.due(at(5)), Some(0));
        assert_eq!(alive.due(at(5)), None, "the other has two seconds left");
        assert_eq!(alive.due(at(12)), Some(1));
        assert_eq!(alive.due(at(12)), Some(0));
        assert_eq!(alive.due(at(12)), None);
    }
}
