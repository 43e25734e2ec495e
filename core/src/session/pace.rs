//! Whether a session's acks may wait for others to share a write with.
//!
//! An ack that is written alone costs a write, more than everything else that a publish needs. A client that publishes
//! on without waiting loses nothing when its acks come together, a window later. A client that waits for one before it
//! publishes the next would be slowed to a publish a window. The two are told apart by trial, as TCP finds out whether
//! it may delay its acknowledgements: acks are *held* for a window, and whoever still publishes towards its end does not
//! wait for them. What was on its way when the hold began arrives early in it and proves nothing.
//!
//! ```text
//!            the countdown is over            published late in the hold
//!   Prompt ────────────────────────▶ Holding ◀──────────┐
//!     ▲                                 │   └───────────┘
//!     └──── did not: countdown doubled ─┘
//! ```

use std::time::{Duration, Instant};

/// Acks written at once before the first trial. A client that publishes now and then never gets there in a minute, and
/// is never kept waiting.
const COUNTDOWN_MIN: u16 = 32;

/// Acks written at once between two trials of a client that was found waiting, at most: one ack in so many is late by
/// a window, which slows a client at a tenth of a millisecond a round trip by one part in a hundred.
const COUNTDOWN_MAX: u16 = 4_096;

/// Silence after which a client is judged anew.
const FORGET_AFTER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Acks to write at once before the next trial; 0 while acks are held.
    prompt: u16,
    /// What `prompt` starts from when the next trial fails.
    countdown: u16,
    /// When the client published last.
    published: Option<Instant>,
    /// Since when an ack is held.
    held: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            prompt: COUNTDOWN_MIN,
            countdown: COUNTDOWN_MIN,
            published: None,
            held: None,
        }
    }
}

impl Pace {
    /// The client published.
    pub(super) fn published(&mut self, now: Instant) {
        let quiet = |at: Instant| now.duration_since(at) > FORGET_AFTER;
        if self.held.is_none() && self.published.is_some_and(quiet) {
            *self = Self::default();
        }
        self.published = Some(now);
    }

    /// An ack is to be written.
    pub(super) fn acknowledged(&mut self, now: Instant) {
        match self.prompt.checked_sub(1) {
            Some(left) => self.prompt = left,
            None => self.held = self.held.or(Some(now)),
        }
    }

    /// Until when what is held may wait; `None` when nothing may.
    pub(super) fn held_until(&self, window: Duration) -> Option<Instant> {
        Some(self.held? + window)
    }

    /// Everything was written. Judges the client, unless something else had to be written before the hold was over.
    pub(super) fn wrote(&mut self, window: Duration, now: Instant) {
        let Some(held) = self.held.take() else {
            return;
        };
        if now < held + window {
            return;
        }
        if self.published.is_some_and(|at| at >= held + window / 2) {
            self.countdown = COUNTDOWN_MIN;
        } else {
            self.countdown = (self.countdown * 2).min(COUNTDOWN_MAX);
            self.prompt = self.countdown;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::tests::start;

    const WINDOW: Duration = Duration::from_millis(5);

    /// A client at work: how many writes its acks take, and how long it needs for `count` publishes.
    struct Run {
        writes: u32,
        took: Duration,
    }

    /// Runs a client that publishes each `gap` at the soonest, and never has more than `unanswered_max` without an ack.
    /// Its publishes and acks take `way` each.
    fn run(pace: &mut Pace, count: u32, gap: Duration, unanswered_max: usize, way: Duration) -> Run {
        let (mut now, start) = (start(), start());
        let (mut next, mut sent, mut acked, mut writes) = (now, 0, 0, 0);
        let mut to_node = std::collections::VecDeque::new();
        let mut to_client = std::collections::VecDeque::new();
        let mut waiting = 0;
        while acked < count {
            while to_client.front().is_some_and(|(at, _)| *at <= now) {
                let (_, acks) = to_client.pop_front().expect("there is one");
                acked += acks;
            }
            if sent < count && now >= next && ((sent - acked) as usize) < unanswered_max {
                sent += 1;
                next = now + gap;
                to_node.push_back(now + way);
            }
            while to_node.front().is_some_and(|at| *at <= now) {
                to_node.pop_front();
                pace.published(now);
                pace.acknowledged(now);
                waiting += 1;
            }
            if waiting > 0 && pace.held_until(WINDOW).is_none_or(|at| at <= now) {
                pace.wrote(WINDOW, now);
                to_client.push_back((now + way, std::mem::take(&mut waiting)));
                writes += 1;
            }
            now += Duration::from_micros(10);
        }
        Run {
            writes,
            took: now - start,
        }
    }

    #[test]
    fn a_client_that_publishes_on_shares_its_writes() {
        let mut pace = Pace::default();
        let run = run(
            &mut pace,
            10_000,
            Duration::from_millis(1),
            64,
            Duration::from_micros(50),
        );
        assert!(run.writes < 2_000, "{} writes for 10,000 acks", run.writes);
        assert!(run.took < Duration::from_millis(10_020), "{:?}", run.took);
    }

    #[test]
    fn a_client_that_waits_is_not_kept_waiting() {
        for (unanswered_max, way) in [(1, 50), (2, 50), (8, 200), (64, 500)] {
            let way = Duration::from_micros(way);
            let gap = Duration::from_micros(10);
            let mut pace = Pace::default();
            let run = run(&mut pace, 100_000, gap, unanswered_max, way);
            let alone = (way * 2 + gap) * 100_000 / u32::try_from(unanswered_max).expect("small");
            let at_most = alone.max(gap * 100_000) * 11 / 10;
            assert!(
                run.took < at_most,
                "{unanswered_max} over {way:?}: {:?} of {at_most:?}",
                run.took
            );
        }
    }

    #[test]
    fn who_publishes_now_and_then_never_meets_a_trial() {
        let mut pace = Pace::default();
        let mut now = start();
        for _ in 0..1_000 {
            now += Duration::from_secs(2);
            pace.published(now);
            pace.acknowledged(now);
            assert_eq!(pace.held_until(WINDOW), None);
            pace.wrote(WINDOW, now);
        }
    }

    #[test]
    fn what_is_written_before_the_hold_is_over_judges_nobody() {
        let mut pace = Pace::default();
        let now = start();
        for _ in 0..=COUNTDOWN_MIN {
            pace.published(now);
            pace.acknowledged(now);
        }
        assert_eq!(pace.held_until(WINDOW), Some(now + WINDOW));
        pace.wrote(WINDOW, now + WINDOW / 5);
        assert_eq!(pace.held_until(WINDOW), None, "nothing is held");
        pace.acknowledged(now + WINDOW);
        assert_eq!(pace.held_until(WINDOW), Some(now + WINDOW * 2), "and the trial goes on");
        pace.wrote(WINDOW, now + WINDOW * 2);
        pace.acknowledged(now + WINDOW * 2);
        assert_eq!(pace.held_until(WINDOW), None, "it had published nothing meanwhile");
    }
}
