//! Processor time of a process, as the scheduler accounts it.
//!
//! `/proc/PID/task/*/schedstat` counts nanoseconds for each thread; `/proc/PID/stat` counts user and system time apart
//! for the whole process, in ticks of 10 ms. The sum comes from the first, its division from the second. A thread that
//! ends takes its nanoseconds with it: then the sum comes from the second too.

use std::collections::BTreeMap;
use std::fs;
use std::iter::Sum;
use std::time::Duration;

use super::{malformed, read};
use crate::Error;

/// Processor time of a process up to one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Nanoseconds by thread.
    threads: BTreeMap<u32, u64>,
    user_ticks: u64,
    system_ticks: u64,
}

/// Processor time between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Used {
    /// User and system time together.
    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

impl Sum for Used {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            user: sum.user + one.user,
            system: sum.system + one.system,
        })
    }
}

impl Reading {
    /// Reads the clock of a process.
    pub(crate) fn take(pid: u32) -> Result<Self, Error> {
        let path = format!("/proc/{pid}/stat");
        let (user_ticks, system_ticks) =
            ticks(&read(&path)?).ok_or_else(|| malformed(&path, "fields 14 and 15 are not numbers"))?;
        Ok(Self {
            threads: threads(pid)?,
            user_ticks,
            system_ticks,
        })
    }

    /// What was used since an earlier reading.
    pub(crate) fn since(&self, earlier: &Self) -> Used {
        let tick = Duration::from_secs(1) / rustix::param::clock_ticks_per_second().max(1) as u32;
        let user_ticks = self.user_ticks.saturating_sub(earlier.user_ticks);
        let system_ticks = self.system_ticks.saturating_sub(earlier.system_ticks);
        let by_tick = tick * (user_ticks + system_ticks) as u32;
        let thread_ended = earlier.threads.keys().any(|thread| !self.threads.contains_key(thread));
        let total = if thread_ended {
            by_tick
        } else {
            let nanoseconds = self
                .threads
                .iter()
                .map(|(thread, now)| now.saturating_sub(earlier.threads.get(thread).copied().unwrap_or(0)))
                .sum();
            Duration::from_nanos(nanoseconds)
        };
        let user = match user_ticks + system_ticks {
            0 => Duration::ZERO,
            ticks => total.mul_f64(user_ticks as f64 / ticks as f64),
        };
        Used {
            user,
            system: total.saturating_sub(user),
        }
    }
}

fn threads(pid: u32) -> Result<BTreeMap<u32, u64>, Error> {
    let path = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&path).map_err(|error| malformed(&path, &error.to_string()))?;
    let mut threads = BTreeMap::new();
    for entry in entries.flatten() {
        let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A thread that ended between the listing and this line has no file any more, and no time to count.
        let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else {
            continue;
        };
        let time = text
            .split_ascii_whitespace()
            .next()
            .and_then(|field| field.parse().ok());
        threads.insert(
            thread,
            time.ok_or_else(|| malformed(entry.path(), "schedstat does not start with a number"))?,
        );
    }
    Ok(threads)
}

/// User and system ticks from `/proc/PID/stat`. The second field is a name in parentheses and may hold anything, so
/// counting starts behind the last of them.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(threads: &[(u32, u64)], user_ticks: u64, system_ticks: u64) -> Reading {
        Reading {
            threads: threads.iter().copied().collect(),
            user_ticks,
            system_ticks,
        }
    }

    #[test]
    fn ticks_are_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 310 42 0 0 20";
        assert_eq!(ticks(stat), Some((310, 42)));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn nanoseconds_make_the_sum_and_ticks_divide_it() {
        let before = reading(&[(1, 5_000), (2, 100)], 10, 10);
        let after = reading(&[(1, 9_000), (2, 100), (3, 4_000)], 11, 13);
        let used = after.since(&before);
        assert_eq!(
            used.total(),
            Duration::from_nanos(8_000),
            "a new thread counts from its start"
        );
        assert_eq!(used.user, Duration::from_nanos(2_000));
        assert_eq!(used.system, Duration::from_nanos(6_000));
    }

    #[test]
    fn a_thread_that_ended_leaves_the_sum_to_the_ticks() {
        let before = reading(&[(1, 5_000), (2, 100)], 10, 10);
        let after = reading(&[(1, 9_000)], 12, 11);
        let tick = Duration::from_secs(1) / rustix::param::clock_ticks_per_second() as u32;
        assert_eq!(after.since(&before).total(), tick * 3);
    }

    #[test]
    fn this_process_has_used_some() {
        let before = Reading::take(std::process::id()).expect("readable");
        // The scheduler adds up at its own ticks, a few milliseconds apart: some turns of work are needed to see any.
        let seen = (0..10_000_u64).find(|turn| {
            let work = (0..200_000_u64).fold(*turn, |sum, value| sum.wrapping_mul(31).wrapping_add(value));
            assert_ne!(work, 1, "keeps the loop alive");
            !Reading::take(std::process::id())
                .expect("readable")
                .since(&before)
                .total()
                .is_zero()
        });
        assert!(seen.is_some(), "a busy process used no time at all");
    }
}
