//! The replicated state of one channel. It changes only by applying entries, in order.
//!
//! [`State`] is what readers are shown ([`View`]) and what repetitions are recognised by. Beside
//! both stands when this node learnt of things, which ages are judged by; that is not replicated.
//! Copies that applied the same entries are equal.

use std::time::{Duration, Instant};

use thiserror::Error;

use super::config::Memory;
use super::idempotency::IdempotencyKeys;
use super::learnt::Learnt;
use super::publishers::{Check, Fate, Publishers};
use super::view::View;
use crate::id::Epoch;
use crate::slot::entry::{Change, Origin};
use crate::time::{Now, WallTime};

/// Everything that is replicated about one channel. Messages are shared, so a clone costs their
/// number and not their size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    view: View,
    publishers: Publishers,
    idempotency: IdempotencyKeys,
    used: Learnt,
}

/// An entry does not fit the state it is applied to, which it leaves as it was. No copy of a sound
/// log meets one: whoever does sets the channel aside rather than guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Misfit {
    /// The channel exists and is created, or does not exist and is changed.
    #[error(
        "entry begins a channel that exists or changes one that does not; the log is damaged, set the channel aside"
    )]
    Lifetime,
    /// The message is not the one after the head, or its term lies in the past.
    #[error("entry carries a message that does not follow the head; the log is damaged, set the channel aside")]
    Seq,
    /// The serial is not the one after its publisher's highest.
    #[error(
        "entry carries a serial that does not follow its publisher's last; the log is damaged, set the channel aside"
    )]
    Serial,
    /// The message has a key on a channel without, or the reverse.
    #[error(
        "entry carries a key on a channel without keys or none on one with; the log is damaged, set the channel aside"
    )]
    Key,
    /// A floor lies in the past, or beyond the head.
    #[error("entry moves a floor backwards or past the head; the log is damaged, set the channel aside")]
    Floor,
}

/// What is made of log entries.
pub(crate) trait Replicated: Sized {
    /// The state of a channel that begins.
    fn create(epoch: &Epoch, keyed: bool, now: Instant) -> Self;

    /// Applies what happens to a channel while it exists.
    fn apply(&mut self, change: &Change, now: Instant) -> Result<(), Misfit>;
}

/// Applies one change to a channel that may not exist, before or after.
pub(crate) fn apply<T: Replicated>(present: &mut Option<T>, change: &Change, now: Instant) -> Result<(), Misfit> {
    match (present.as_mut(), change) {
        (None, Change::Create { epoch, keyed }) => *present = Some(T::create(epoch, *keyed, now)),
        (Some(_), Change::ForgetHead) => *present = None,
        (Some(state), change) => state.apply(change, now)?,
        (None, _) => return Err(Misfit::Lifetime),
    }
    Ok(())
}

impl State {
    /// What readers may be shown, once all that was applied is committed.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// Who published.
    #[must_use]
    pub const fn publishers(&self) -> &Publishers {
        &self.publishers
    }

    pub(super) const fn idempotency(&self) -> &IdempotencyKeys {
        &self.idempotency
    }

    /// A state as a store holds it.
    pub(super) const fn restored(
        view: View,
        publishers: Publishers,
        idempotency: IdempotencyKeys,
        used: Instant,
    ) -> Self {
        Self {
            view,
            publishers,
            idempotency,
            used: Learnt(used),
        }
    }

    /// Lets go of messages that the store has, beyond what stays in memory.
    pub(crate) fn spill(&mut self, memory: Option<Memory>) {
        self.view.spill(memory);
    }

    /// When the channel was last used, as far as this node knows.
    #[must_use]
    pub const fn used(&self) -> Instant {
        self.used.0
    }

    /// Notes a use that leaves no entry. An earlier one than is known changes nothing.
    pub(crate) fn touch(&mut self, at: Instant) {
        self.used = Learnt(self.used.0.max(at));
    }

    /// Takes everything for learnt of now: what a copy does with a state it received, for the
    /// instants in it are another clock's. Nothing expires early by it.
    pub(crate) fn restamp(&mut self, now: Instant) {
        self.view.history_mut().restamp(now);
        self.view.keys_mut().restamp(now);
        self.publishers.restamp(now);
        self.idempotency.restamp(now);
        self.used = Learnt(now);
    }

    pub(super) fn is_unused(&self, age: Duration, now: Instant) -> bool {
        self.used.is_older(age, now)
    }
}

impl Replicated for State {
    fn create(epoch: &Epoch, keyed: bool, now: Instant) -> Self {
        Self {
            view: View::create(epoch, keyed, now),
            publishers: Publishers::default(),
            idempotency: IdempotencyKeys::default(),
            used: Learnt(now),
        }
    }

    fn apply(&mut self, change: &Change, now: Instant) -> Result<(), Misfit> {
        match change {
            Change::Publish { message, origin, .. } => {
                let (seq, term) = (message.seq, message.term);
                if let Origin::Publisher { author, serial, .. } = origin {
                    // Recorded last, so that a misfit leaves no trace; checked first for the same.
                    self.publishers.fits(author, *serial)?;
                }
                self.view.apply(change, now)?;
                match origin {
                    Origin::Publisher { author, serial, .. } => {
                        let fate = Fate::Published { seq, term };
                        self.publishers.record(author, *serial, fate, now);
                    }
                    Origin::Idempotency { subject, key } => {
                        self.idempotency.record(subject, key, seq, term, now);
                    }
                    Origin::Anonymous => {}
                }
                self.touch(now);
            }
            Change::Skip { author, serial } => {
                self.publishers.fits(author, *serial)?;
                self.publishers.record(author, *serial, Fate::Skipped, now);
                self.touch(now);
            }
            Change::ExpirePublishers { authors } => self.publishers.expire(authors),
            // What time demands is no use.
            Change::Truncate { .. } | Change::ExpireKeys { .. } => self.view.apply(change, now)?,
            Change::Create { .. } | Change::ForgetHead => return Err(Misfit::Lifetime),
        }
        Ok(())
    }
}

/// What the state, or the lack of one, says to a publish that may be a repetition.
pub(super) fn check(state: Option<&State>, origin: &Origin, since: WallTime, publishers_max: usize, now: Now) -> Check {
    const NOBODY: &Publishers = &Publishers::new();
    match origin {
        Origin::Publisher { author, serial, base } => {
            state
                .map_or(NOBODY, State::publishers)
                .check(author, *serial, *base, since, now.wall, publishers_max)
        }
        Origin::Idempotency { subject, key } => state
            .and_then(|state| state.idempotency.check(subject, key, now.instant))
            .map_or(Check::Accept, Check::Duplicate),
        Origin::Anonymous => Check::Accept,
    }
}
