//! When the readers of a channel are told that it has moved.
//!
//! To write one small message to one reader costs ten times what it costs to decide that. So the readers of a quiet
//! channel are told at once, and those of a busy one together, at the end of a *window* after they were told last: each
//! then writes what has gathered in one go. A channel that is very busy gathers for longer: half as many writes, for a
//! few milliseconds that nobody sees.
//!
//! ```text
//!   moved  │        │ │ │ │           │ │ │ │ │ │
//!   told   │        │       │               │         │
//!        quiet       ╰window╯╰─── busy ─────╯
//! ```

use std::time::{Duration, Instant};

/// Messages in one window that make a channel busy: from here on the longer window saves a write for every four messages
/// or more.
pub(crate) const BUSY_MESSAGES_MIN: u32 = 4;

/// How long what moves is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// After a quiet moment; zero tells readers of every message at once, whatever `busy` says.
    pub window: Duration,
    /// On a channel of which a window holds several messages.
    pub busy: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Pulse {
    windows: Windows,
    told: Option<Instant>,
    /// Messages that the readers were not told of.
    gathered: u32,
    busy: bool,
    /// An alarm is set.
    alarmed: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// Tell the readers.
    Now,
    /// Call [`Pulse::rung`] at this instant.
    At(Instant),
    /// Nothing: an alarm is set, or there is nothing to tell.
    Nothing,
}

impl Windows {
    /// The window of a channel that is busy.
    #[must_use]
    pub fn longest(self) -> Duration {
        if self.window.is_zero() {
            self.window
        } else {
            self.busy.max(self.window)
        }
    }
}

impl Pulse {
    /// A channel that has not moved yet.
    #[must_use]
    pub const fn new(windows: Windows) -> Self {
        Self {
            windows,
            told: None,
            gathered: 0,
            busy: false,
            alarmed: false,
        }
    }

    /// The channel moved by `messages`.
    pub fn moved(&mut self, messages: u32, now: Instant) -> Tell {
        if messages >= BUSY_MESSAGES_MIN {
            // They were gathered on their way here, and have waited a window: the shorter one is enough for the rest.
            self.busy = false;
        }
        self.gathered = self.gathered.saturating_add(messages);
        self.look(now)
    }

    /// The instant that was asked for has come.
    pub fn rung(&mut self, now: Instant) -> Tell {
        self.alarmed = false;
        if self.gathered == 0 {
            return Tell::Nothing; // whoever moved last came at the window's end, and told
        }
        self.look(now)
    }

    fn look(&mut self, now: Instant) -> Tell {
        let due = self.told.map_or(now, |told| told + self.window());
        if now >= due {
            self.busy = self.gathered >= BUSY_MESSAGES_MIN;
            self.told = Some(now);
            self.gathered = 0;
            Tell::Now
        } else if std::mem::replace(&mut self.alarmed, true) {
            Tell::Nothing
        } else {
            Tell::At(due)
        }
    }

    fn window(&self) -> Duration {
        if self.busy {
            self.windows.longest()
        } else {
            self.windows.window
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::tests::start;

    const WINDOWS: Windows = Windows {
        window: Duration::from_millis(5),
        busy: Duration::from_millis(10),
    };

    /// Moves every `gap` for a second, rings as asked; when the readers were told.
    fn told(windows: Windows, gap: Duration) -> Vec<Duration> {
        let (start, mut pulse) = (start(), Pulse::new(windows));
        let (mut told, mut alarm, mut now, mut next) = (Vec::new(), None, start, start);
        while now < start + Duration::from_secs(1) {
            let mut tell = Tell::Nothing;
            if now >= next {
                tell = pulse.moved(1, now);
                next += gap;
            } else if alarm.is_some_and(|at| at <= now) {
                alarm = None;
                tell = pulse.rung(now);
            }
            match tell {
                Tell::Now => told.push(now - start),
                Tell::At(at) => {
                    assert_eq!(alarm, None, "one alarm at a time");
                    alarm = Some(at);
                }
                Tell::Nothing => {}
            }
            now += Duration::from_micros(100);
        }
        told
    }

    #[test]
    fn readers_of_a_quiet_channel_are_told_at_once() {
        let told = told(WINDOWS, Duration::from_millis(50));
        let moved: Vec<_> = (0..20).map(|number| Duration::from_millis(50) * number).collect();
        assert_eq!(told, moved);
    }

    #[test]
    fn readers_of_a_busy_channel_are_told_once_a_window() {
        let told = told(WINDOWS, Duration::from_millis(2));
        assert!((160..=201).contains(&told.len()), "told {} times", told.len());
    }

    #[test]
    fn a_very_busy_channel_gathers_for_longer() {
        let told = told(WINDOWS, Duration::from_millis(1));
        assert!((90..=105).contains(&told.len()), "told {} times", told.len());
    }

    #[test]
    fn without_a_window_readers_are_told_of_every_message() {
        let none = Windows {
            window: Duration::ZERO,
            ..WINDOWS
        };
        assert_eq!(told(none, Duration::from_millis(1)).len(), 1_000);
    }

    #[test]
    fn what_was_gathered_on_its_way_does_not_wait_for_a_second_window() {
        let (start, mut pulse) = (start(), Pulse::new(WINDOWS));
        let mut batch = start;
        for _ in 0..100 {
            assert_eq!(pulse.moved(10, batch), Tell::Now);
            batch += WINDOWS.busy - Duration::from_millis(1); // the clocks of the two differ by a tick
        }
        // Told late once, it is back in step with the next.
        assert_eq!(pulse.moved(1, batch), Tell::At(batch + Duration::from_millis(1)));
        assert_eq!(pulse.rung(batch + Duration::from_millis(1)), Tell::Now);
        assert_eq!(pulse.moved(10, batch + WINDOWS.busy), Tell::Now);
    }

    #[test]
    fn nothing_waits_for_longer_than_its_window() {
        let (start, mut pulse) = (start(), Pulse::new(WINDOWS));
        assert_eq!(pulse.moved(1, start), Tell::Now);
        let due = start + WINDOWS.window;
        assert_eq!(pulse.moved(1, start + Duration::from_millis(1)), Tell::At(due));
        assert_eq!(pulse.moved(1, start + Duration::from_millis(2)), Tell::Nothing);
        assert_eq!(pulse.moved(1, due), Tell::Now, "whoever moves it at the end tells");
        assert_eq!(pulse.rung(due), Tell::Nothing, "and the alarm finds nothing to tell");
        assert_eq!(pulse.moved(9, due + WINDOWS.window), Tell::Now);
        let busy = due + WINDOWS.window + WINDOWS.busy;
        assert_eq!(pulse.moved(1, due + WINDOWS.window * 2), Tell::At(busy));
        assert_eq!(pulse.rung(busy), Tell::Now);
    }
}
