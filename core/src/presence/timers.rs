//! What is due when, and the one wake that is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// One instant for each thing that may become due.
#[derive(Debug)]
pub(super) struct Timers<T> {
    by_time: BTreeSet<(Instant, T)>,
    by_name: BTreeMap<T, Instant>,
    /// The wake that is on its way.
    wake: Option<Instant>,
}

impl<T: Ord + Clone> Timers<T> {
    pub(super) const fn new() -> Self {
        Self {
            by_time: BTreeSet::new(),
            by_name: BTreeMap::new(),
            wake: None,
        }
    }

    /// It is due then, and not at another time.
    pub(super) fn set(&mut self, what: T, at: Instant) {
        self.clear(&what);
        self.by_name.insert(what.clone(), at);
        self.by_time.insert((at, what));
    }

    /// It is due then at the latest.
    pub(super) fn set_by(&mut self, what: T, at: Instant) {
        if self.by_name.get(&what).is_none_or(|due| at < *due) {
            self.set(what, at);
        }
    }

    /// It is due no more.
    pub(super) fn clear(&mut self, what: &T) {
        if let Some((what, at)) = self.by_name.remove_entry(what) {
            self.by_time.remove(&(at, what));
        }
    }

    /// Takes the next thing that is due by now.
    pub(super) fn due(&mut self, now: Instant) -> Option<T> {
        let (at, _) = self.by_time.first()?;
        if *at > now {
            return None;
        }
        let (_, what) = self.by_time.pop_first()?;
        self.by_name.remove(&what);
        Some(what)
    }

    /// A wake has come; not the one that was asked for last, if that is not due.
    pub(super) fn woken(&mut self, now: Instant) {
        self.wake = self.wake.filter(|at| now < *at);
    }

    /// When to be woken, unless it was asked for already.
    pub(super) fn wanted(&mut self) -> Option<Instant> {
        let at = self.by_time.first()?.0;
        if self.wake.is_some_and(|wake| wake <= at) {
            return None;
        }
        self.wake = Some(at);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::presence::tests::start;

    #[test]
    fn the_earliest_is_asked_for_once_and_what_is_due_comes_in_order() {
        let start = start();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::new();
        assert_eq!(timers.wanted(), None);
        timers.set("late", after(9));
        timers.set("soon", after(2));
        assert_eq!(timers.wanted(), Some(after(2)));
        assert_eq!(timers.wanted(), None);
        timers.set_by("late", after(1));
        timers.set_by("late", after(5));
        assert_eq!(timers.wanted(), Some(after(1)));
        timers.woken(start);
        assert_eq!(timers.wanted(), None, "it is not what was asked for");
        timers.woken(after(1));
        assert_eq!(timers.due(after(2)), Some("late"));
        assert_eq!(timers.due(after(2)), Some("soon"));
        assert_eq!(timers.due(after(2)), None);
        timers.set("gone", after(3));
        timers.clear(&"gone");
        assert_eq!((timers.due(after(9)), timers.wanted()), (None, None));
    }
}
