//! What time demands of a channel, by way of log entries.
//!
//! The slot asks a channel to look when something may be due ([`State::next_due`]); the channel
//! proposes. What is dropped by age is dropped somewhat late and many at a time, or a busy channel
//! would write one entry to drop each message it wrote one to publish.

use std::time::{Duration, Instant};

use super::Channel;
use super::config::{Config, Durability};
use super::publishers::PUBLISHER_AGE;
use super::state::State;
use super::turn::Effect;
use crate::slot::entry::Change;
use crate::time::Now;

/// How much later than their age things are dropped, as a part of the age: an eighth, so at most
/// eight entries per kind and age.
const LATENESS: u32 = 8;

/// Publishers that one entry forgets: some 40 KiB of names, which fit one header between nodes. The
/// rest is due at once and goes with the next.
const EXPIRED_PUBLISHERS_MAX: usize = 256;

impl<R> Channel<R> {
    /// Proposes what is due.
    pub(super) fn due(&mut self, attended: bool, now: Now, out: &mut Vec<Effect<R>>) {
        let is_idle = self.is_idle();
        let Some(state) = &mut self.working else {
            return;
        };
        if attended {
            state.touch(now.instant);
        }
        let unused = state.is_unused(self.config.head_age, now.instant);
        if unused && is_idle && state.may_be_forgotten(&self.config) {
            return self.propose(Change::ForgetHead, None, now, out);
        }
        let view = state.view();
        let floor = view.history().floor_by_age(self.config.window.age, now.instant);
        let through = view.keys().expired(self.config.tombstone_age, now.instant);
        let used = state.used();
        if let Some(floor) = floor {
            self.propose(Change::Truncate { floor }, None, now, out);
        }
        if let Some(through) = through {
            self.propose(Change::ExpireKeys { through }, None, now, out);
        }
        self.expire_publishers(now, out);
        if self.config.durability != Durability::Ephemeral {
            out.push(Effect::Used { at: used });
        }
    }

    /// Forgets the publishers whose time has come. Answers whether there were any.
    pub(super) fn expire_publishers(&mut self, now: Now, out: &mut Vec<Effect<R>>) -> bool {
        let publishers = self.working.as_ref().map(State::publishers);
        let authors = publishers
            .map(|publishers| publishers.expired(EXPIRED_PUBLISHERS_MAX, now.instant))
            .filter(|authors| !authors.is_empty());
        let Some(authors) = authors else {
            return false;
        };
        let authors = authors.into();
        self.propose(Change::ExpirePublishers { authors }, None, now, out);
        true
    }
}

impl State {
    /// Whether the channel may be forgotten once it is unused for long. A stored one may not while anything of it is kept:
    /// its messages and values were promised to outlive their readers.
    fn may_be_forgotten(&self, config: &Config) -> bool {
        let view = self.view();
        config.durability != Durability::Stored || (view.history().is_empty() && view.keys().is_empty())
    }

    /// When something will be due, as far as this node knows; `None` if never. Looks at every
    /// publisher.
    #[must_use]
    pub fn next_due(&self, config: &Config) -> Option<Instant> {
        let due = |since: Option<Instant>, after: Duration| since?.checked_add(after);
        let view = self.view();
        [
            due(view.history().oldest(), late(config.window.age)),
            due(view.keys().oldest(), late(config.tombstone_age)),
            due(self.publishers().oldest(), late(PUBLISHER_AGE)),
            due(Some(self.used()), config.head_age).filter(|_| self.may_be_forgotten(config)),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// How soon something can be due because of `change`: a bound that needs no look at the state.
/// `None` for what time demanded, after which the state tells what is next.
pub(crate) fn soonest(change: &Change, config: &Config) -> Option<Duration> {
    match change {
        Change::Publish { message, .. } => {
            let mut after = config.head_age.min(late(PUBLISHER_AGE));
            if config.keeps_history() {
                after = after.min(late(config.window.age));
            }
            if message.deleted {
                after = after.min(late(config.tombstone_age));
            }
            Some(after)
        }
        Change::Skip { .. } => Some(config.head_age.min(late(PUBLISHER_AGE))),
        Change::Create { .. } => Some(config.head_age),
        Change::Truncate { .. } | Change::ExpireKeys { .. } | Change::ExpirePublishers { .. } | Change::ForgetHead => {
            None
        }
    }
}

fn late(age: Duration) -> Duration {
    age.saturating_add(age / LATENESS)
}
