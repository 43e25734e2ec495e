//! How a client that publishes on without waiting is listened to and answered: once a window.
//!
//! A publish that is read alone costs a wake-up, and an ack that is written alone costs a write: each more than
//! everything else that the publish needs. A client that publishes on without waiting loses nothing when its publishes
//! are read together, as readers are told together ([`crate::pulse`]), and its acks with them. A client that waits for
//! one before it publishes the next would be slowed to a publish a window. The two are told apart by trial, as TCP finds
//! out whether it may delay its acknowledgements: acks are *held* for a window, and whoever still publishes towards its
//! end does not wait for them. What was on its way when the hold began arrives early in it and proves nothing. A client
//! far away may publish late in the hold and wait all the same, for acks of a window before; so whoever brings less, once
//! it is read a window at a time, than it brought before, is being slowed, and is left alone.
//!
//! ```text
//!            the countdown is over         published late in the hold
//!   Prompt ────────────────────────▶ Trial ──────────────────────────▶ Gathering
//!     ▲                                │ ◀──── brought as much as before ──┘   │
//!     ├──── did not: countdown doubled ┤                                       │
//!     │                                └──── brought less, or all it may ◀─────┤
//!     └───────────────────────────────────── a window brought few ◀────────────┘
//! ```

use std::time::{Duration, Instant};

use crate::pulse::{BUSY_MESSAGES_MIN, Windows};

/// Acks written at once before the first trial. A client that publishes now and then never gets there in a minute, and
/// is never kept waiting.
const COUNTDOWN_MIN: u16 = 32;

/// Acks written at once between two trials of a client that was found waiting, at most: one ack in so many is late by
/// a window, which slows a client at a tenth of a millisecond a round trip by one part in a hundred.
const COUNTDOWN_MAX: u16 = 4_096;

/// Windows between two trials of a client that was found not to wait: one after the first trial, which chance may have
/// passed, and twice as many after each that follows. One that has begun to wait is found out within a fifth of a second.
const WINDOWS_MAX: u8 = 16;

/// Publishes that may be missing from what a client brings before it counts as slowed: those on the edges of the time.
const MISSING_MAX: u32 = 2;

/// Silence after which a client is judged anew.
const FORGET_AFTER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    phase: Phase,
    /// Acks to write at once before the next trial.
    countdown: u16,
    /// Windows to gather for once the next trial is passed.
    windows: u8,
    /// Between two publishes, on average, while everything was read and written at once.
    gap: Duration,
    /// When the client published last.
    published: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Everything is read and written at once.
    Prompt {
        /// Acks written so.
        acks: u16,
        /// When the first of them was.
        since: Option<Instant>,
    },
    /// Acks are held: since when, once there is one.
    Trial(Option<Instant>),
    /// What the client sends is read together.
    Gathering {
        /// When it is read next.
        next: Instant,
        /// Publishes since it was read last, and since the trial.
        came: u16,
        total: u32,
        /// Windows to go.
        left: u8,
    },
}

impl Phase {
    const PROMPT: Self = Self::Prompt { acks: 0, since: None };
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            phase: Phase::PROMPT,
            countdown: COUNTDOWN_MIN,
            windows: 1,
            gap: Duration::ZERO,
            published: None,
        }
    }
}

impl Pace {
    /// The client published.
    pub(super) fn published(&mut self, now: Instant) {
        let quiet = |at: Instant| now.duration_since(at) > FORGET_AFTER;
        match &mut self.phase {
            Phase::Gathering { came, .. } => *came = came.saturating_add(1),
            Phase::Prompt { .. } | Phase::Trial(None) if self.published.is_some_and(quiet) => *self = Self::default(),
            Phase::Prompt { .. } | Phase::Trial(_) => {}
        }
        self.published = Some(now);
    }

    /// An ack is to be written.
    pub(super) fn acknowledged(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Prompt { acks, since } => {
                let since = *since.get_or_insert(now);
                if *acks < self.countdown {
                    *acks += 1;
                } else {
                    self.gap = now.duration_since(since) / u32::from(self.countdown);
                    self.phase = Phase::Trial(Some(now));
                }
            }
            Phase::Trial(held) => *held = held.or(Some(now)),
            Phase::Gathering { .. } => {}
        }
    }

    /// Until when what is held may wait; `None` when nothing may.
    pub(super) fn held_until(&self, windows: Windows) -> Option<Instant> {
        match self.phase {
            Phase::Trial(Some(held)) => Some(held + windows.window),
            _ => None,
        }
    }

    /// Everything was written. Judges the client, unless something else had to be written before the hold was over.
    pub(super) fn wrote(&mut self, windows: Windows, now: Instant) {
        let Phase::Trial(Some(held)) = self.phase else {
            return;
        };
        let window = windows.window;
        self.phase = if now < held + window {
            Phase::Trial(None)
        } else if self.published.is_none_or(|at| at < held + window / 2) {
            self.waits()
        } else {
            match windows.longest() {
                Duration::ZERO => Phase::Trial(None),
                longest => Phase::Gathering {
                    next: now + longest,
                    came: 0,
                    total: 0,
                    left: self.windows,
                },
            }
        };
    }

    /// When the client is listened to next; `None` when it is at once.
    pub(super) const fn listens_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Gathering { next, .. } => Some(next),
            Phase::Prompt { .. } | Phase::Trial(_) => None,
        }
    }

    /// All that the client had sent was read. It may have `unanswered_max` publishes without an ack.
    pub(super) fn listened(&mut self, windows: Windows, unanswered_max: u16, now: Instant) {
        let Phase::Gathering {
            next,
            came,
            total,
            left,
        } = self.phase
        else {
            return;
        };
        if now < next {
            return;
        }
        let (total, longest) = (total + u32::from(came), windows.longest());
        self.phase = if came >= unanswered_max {
            self.waits()
        } else if u32::from(came) < BUSY_MESSAGES_MIN {
            self.windows = 1;
            Phase::PROMPT
        } else if left > 1 {
            Phase::Gathering {
                next: now + longest,
                came: 0,
                total,
                left: left - 1,
            }
        } else if self.gap * (total + MISSING_MAX) < longest * u32::from(self.windows) * 7 / 8 {
            self.waits()
        } else {
            self.countdown = COUNTDOWN_MIN;
            self.windows = (self.windows * 2).min(WINDOWS_MAX);
            Phase::Trial(None)
        };
    }

    /// The client was found waiting.
    fn waits(&mut self) -> Phase {
        self.countdown = (self.countdown * 2).min(COUNTDOWN_MAX);
        self.windows = 1;
        Phase::PROMPT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::tests::start;

    const WINDOW: Duration = Duration::from_millis(5);

    const WINDOWS: Windows = Windows {
        window: WINDOW,
        busy: Duration::from_millis(10),
    };

    const UNANSWERED_MAX: u16 = 64;

    /// A client at work: how often it is read and written to, and how long it needs for `count` publishes.
    struct Run {
        reads: u32,
        writes: u32,
        took: Duration,
    }

    /// Runs a client that publishes each `gap` at the soonest, and never has more than `unanswered_max` without an ack.
    /// Its publishes and acks take `way` each.
    fn run(pace: &mut Pace, count: u32, gap: Duration, unanswered_max: usize, way: Duration) -> Run {
        let (mut now, start) = (start(), start());
        let (mut next, mut sent, mut acked, mut reads, mut writes) = (now, 0, 0, 0, 0);
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
            if pace.listens_at().is_none_or(|at| at <= now) {
                reads += u32::from(to_node.front().is_some_and(|at| *at <= now));
                while to_node.pop_front_if(|at| *at <= now).is_some() {
                    pace.published(now);
                    pace.acknowledged(now);
                    waiting += 1;
                }
                pace.listened(WINDOWS, UNANSWERED_MAX, now);
            }
            if waiting > 0 && pace.held_until(WINDOWS).is_none_or(|at| at <= now) {
                pace.wrote(WINDOWS, now);
                to_client.push_back((now + way, std::mem::take(&mut waiting)));
                writes += 1;
            }
            now += Duration::from_micros(10);
        }
        Run {
            reads,
            writes,
            took: now - start,
        }
    }

    #[test]
    fn a_client_that_publishes_on_shares_its_reads_and_writes() {
        let mut pace = Pace::default();
        let run = run(
            &mut pace,
            10_000,
            Duration::from_millis(1),
            64,
            Duration::from_micros(50),
        );
        assert!(run.writes < 1_200, "{} writes for 10,000 acks", run.writes);
        assert!(run.reads < 1_500, "{} reads for 10,000 publishes", run.reads);
        assert!(run.took < Duration::from_millis(10_020), "{:?}", run.took);
    }

    #[test]
    fn a_client_that_waits_is_not_kept_waiting() {
        let near = [(1, 50), (2, 50), (8, 50), (8, 200), (64, 500)];
        let near = near.map(|(unanswered_max, way)| (unanswered_max, way, 10, 100_000));
        let far = [(8, 5_000), (16, 10_000), (32, 10_000), (64, 25_000)];
        let far = [10, 1_000].map(|gap| far.map(|(unanswered_max, way)| (unanswered_max, way, gap, 20_000)));
        for (unanswered_max, way, gap, count) in near.into_iter().chain(far.into_iter().flatten()) {
            let [way, gap] = [way, gap].map(Duration::from_micros);
            let mut pace = Pace::default();
            let run = run(&mut pace, count, gap, unanswered_max, way);
            let alone = (way * 2 + gap) * count / u32::try_from(unanswered_max).expect("small");
            let alone = alone.max(gap * count);
            assert!(
                run.took < alone * 11 / 10,
                "{unanswered_max} over {way:?}: {:?} of {alone:?}",
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
            assert_eq!(pace.held_until(WINDOWS), None);
            pace.wrote(WINDOWS, now);
        }
    }

    /// A client that publishes once a millisecond, and has passed its trial at the returned instant.
    fn gathering(windows: Windows) -> (Pace, Instant) {
        let (mut pace, mut now) = (Pace::default(), start());
        for _ in 0..=COUNTDOWN_MIN {
            now += Duration::from_millis(1);
            pace.published(now);
            pace.acknowledged(now);
        }
        pass(&mut pace, windows, now);
        (pace, now + WINDOW)
    }

    /// Passes a trial, in which an ack is held since `now`.
    fn pass(pace: &mut Pace, windows: Windows, now: Instant) {
        assert_eq!(pace.held_until(windows), Some(now + windows.window));
        pace.published(now + windows.window);
        pace.wrote(windows, now + windows.window);
    }

    /// Publishes so often, and is listened to when it is time.
    fn bring(pace: &mut Pace, publishes: u16) -> Instant {
        let now = pace.listens_at().expect("it is listened to once a window");
        (0..publishes).for_each(|_| pace.published(now));
        pace.listened(WINDOWS, UNANSWERED_MAX, now);
        now
    }

    #[test]
    fn who_passed_is_listened_to_once_a_window_and_tried_ever_more_rarely() {
        let (mut pace, mut passed) = gathering(WINDOWS);
        for windows in [1, 2, 4, 8, 16, 16] {
            for number in 1..=windows {
                assert_eq!(pace.listens_at(), Some(passed + WINDOWS.busy * number));
                bring(&mut pace, 10);
            }
            assert_eq!(pace.listens_at(), None, "after {windows} windows");
            let now = passed + WINDOWS.busy * windows;
            pace.acknowledged(now);
            pass(&mut pace, WINDOWS, now);
            passed = now + WINDOW;
        }
    }

    #[test]
    fn who_slackens_or_is_slowed_is_listened_to_and_answered_at_once() {
        for (publishes, goes_on) in [(0, false), (3, false), (6, false), (7, true), (63, true), (64, false)] {
            let (mut pace, _) = gathering(WINDOWS);
            let now = bring(&mut pace, publishes);
            assert_eq!(pace.listens_at(), None, "the first time is one window");
            pace.acknowledged(now);
            assert_eq!(
                pace.held_until(WINDOWS).is_some(),
                goes_on,
                "{publishes} publishes of 10"
            );
        }
    }

    #[test]
    fn who_is_slowed_time_and_again_is_tried_ever_more_rarely() {
        let (mut pace, _) = gathering(WINDOWS);
        let mut now = bring(&mut pace, 6);
        for countdown in [64, 128, 256, 512, 1_024, 2_048, 4_096, 4_096] {
            for _ in 0..countdown {
                now += Duration::from_millis(1);
                pace.published(now);
                pace.acknowledged(now);
                assert_eq!(pace.held_until(WINDOWS), None, "one of {countdown}");
            }
            pace.acknowledged(now);
            pass(&mut pace, WINDOWS, now);
            now = bring(&mut pace, 6);
        }
    }

    #[test]
    fn what_is_read_before_the_window_ends_decides_nothing() {
        let (mut pace, passed) = gathering(WINDOWS);
        pace.listened(WINDOWS, UNANSWERED_MAX, passed);
        assert_eq!(pace.listens_at(), Some(passed + WINDOWS.busy));
    }

    #[test]
    fn without_a_window_everybody_is_listened_to_at_once() {
        let none = Windows {
            window: Duration::ZERO,
            ..WINDOWS
        };
        assert_eq!(gathering(none).0.listens_at(), None);
    }

    #[test]
    fn what_is_written_before_the_hold_is_over_judges_nobody() {
        let mut pace = Pace::default();
        let now = start();
        for _ in 0..=COUNTDOWN_MIN {
            pace.published(now);
            pace.acknowledged(now);
        }
        assert_eq!(pace.held_until(WINDOWS), Some(now + WINDOW));
        pace.wrote(WINDOWS, now + WINDOW / 5);
        assert_eq!(pace.held_until(WINDOWS), None, "nothing is held");
        pace.acknowledged(now + WINDOW);
        assert_eq!(
            pace.held_until(WINDOWS),
            Some(now + WINDOW * 2),
            "and the trial goes on"
        );
        pace.wrote(WINDOWS, now + WINDOW * 2);
        pace.acknowledged(now + WINDOW * 2);
        assert_eq!(pace.held_until(WINDOWS), None, "it had published nothing meanwhile");
    }
}
