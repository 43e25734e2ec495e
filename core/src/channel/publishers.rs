//! Which publishes a channel has seen: the table that makes a retry harmless (rules R10, R11).
//!
//! A publisher numbers its publishes to a channel. The owner takes only the number after the highest
//! it knows, so numbers never overtake each other, and it keeps the last results, so that a retry is
//! answered as the first attempt was. The table is replicated and outlives history.
//!
//! A row goes ten minutes after its publisher's last entry, which is longer than any client retries.
//! A client's clock may have stood still meanwhile, so a publish carries the server time as of its
//! first attempt: from a publisher that is not known, an old one is not accepted silently, for it
//! may be the retry of a publish whose row is gone.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::learnt::Learnt;
use super::state::Misfit;
use crate::id::{Author, Seq, Serial, Term};
use crate::time::WallTime;

/// Results kept per publisher: as many as a session may have unanswered. An older serial is
/// answered with [`Check::OutcomeUnknown`].
pub const RESULTS_MAX: usize = 64;

/// How long a publisher is remembered after its last entry.
pub(super) const PUBLISHER_AGE: Duration = Duration::from_secs(10 * 60);

/// How old the first attempt of a publish may be when its publisher is not known. Half of
/// [`PUBLISHER_AGE`], so that a row is never gone while a retry of its publishes still counts as
/// new, even if the two ends measure differently by minutes.
const FIRST_ATTEMPT_AGE_MAX: Duration = Duration::from_secs(5 * 60);

/// The publishers of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publishers(BTreeMap<Author, Row>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    highest: Serial,
    /// Results of the serials up to `highest`, which are consecutive.
    results: VecDeque<Fate>,
    used: Learnt,
}

/// What became of a serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is a message.
    Published {
        /// Its place.
        seq: Seq,
        /// Who wrote it.
        term: Term,
    },
    /// It was retired, and nothing was published under it.
    Skipped,
}

/// What the table says to a serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It is the next one.
    Accept,
    /// It is known.
    Duplicate(Fate),
    /// It cannot be known any more what became of it.
    OutcomeUnknown,
    /// Another one is next.
    Gap {
        /// That one.
        expected: Serial,
    },
    /// It is the lowest that its publisher has no result for, and there are some before it that are
    /// not known here. Their results were of a history that is lost, and a late copy of an old
    /// publish was the first in this one. What is known is of no use to anybody.
    Beyond,
    /// Its numbers make no sense.
    Malformed,
    /// It is the first of a publisher for which there is no room.
    Full,
}

impl Publishers {
    /// Nobody has published.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// What is to be done with `serial`. `since` is the server time as of its first attempt.
    #[must_use]
    pub fn check(
        &self,
        author: &Author,
        serial: Serial,
        base: Serial,
        since: WallTime,
        wall: WallTime,
        rows_max: usize,
    ) -> Check {
        if serial.0 == 0 || base.0 == 0 || base > serial {
            return Check::Malformed;
        }
        match self.0.get(author) {
            Some(row) if serial <= row.highest => row.result(serial).map_or(Check::OutcomeUnknown, Check::Duplicate),
            Some(row) if serial == row.highest.next() => Check::Accept,
            Some(row) if serial == base && base > row.highest => Check::Beyond,
            Some(row) => Check::Gap {
                expected: row.highest.next(),
            },
            // Distance rather than age: a wall clock that stepped back proves nothing either.
            None if since.distance(wall) > FIRST_ATTEMPT_AGE_MAX => Check::OutcomeUnknown,
            // Any first serial would let the second overtake a lost first, which could then never
            // be published.
            None if serial != base => Check::Gap { expected: base },
            None if self.0.len() >= rows_max => Check::Full,
            None => Check::Accept,
        }
    }

    /// How many publishers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a result from the store; those of an author come in the order of their serials.
    pub(super) fn restore(&mut self, author: &Author, serial: Serial, fate: Fate, at: Instant) -> Result<(), Misfit> {
        self.fits(author, serial)?;
        self.record(author, serial, fate, at);
        Ok(())
    }

    /// Every result that is known, with when its publisher was used last.
    pub(super) fn results(&self) -> impl Iterator<Item = (&Author, Serial, Fate, Instant)> {
        self.0.iter().flat_map(|(author, row)| {
            let first = row.highest.0 + 1 - row.results.len() as u64;
            let serials = row.results.iter().zip(first..);
            serials.map(move |(fate, serial)| (author, Serial(serial), *fate, row.used.0))
        })
    }

    /// Whether an entry about `serial` follows what is known of `author`.
    pub(super) fn fits(&self, author: &Author, serial: Serial) -> Result<(), Misfit> {
        match self.0.get(author) {
            Some(row) if serial <= row.highest || serial != row.highest.next() => Err(Misfit::Serial),
            Some(_) | None => Ok(()),
        }
    }

    /// Notes what became of `serial`, which [fits](Self::fits).
    pub(super) fn record(&mut self, author: &Author, serial: Serial, fate: Fate, now: Instant) {
        let row = Row {
            highest: serial,
            results: VecDeque::new(),
            used: Learnt(now),
        };
        let row = match self.0.get_mut(author) {
            Some(row) => row,
            None => self.0.entry(author.clone()).or_insert(row),
        };
        if row.results.len() == RESULTS_MAX {
            row.results.pop_front();
        }
        row.results.push_back(fate);
        row.highest = serial;
        row.used = Learnt(now);
    }

    /// Forgets `authors`.
    pub(super) fn expire(&mut self, authors: &[Author]) {
        for author in authors {
            self.0.remove(author);
        }
    }

    /// Up to `rows_max` publishers whose time has come, in the order of their names.
    pub(super) fn expired(&self, rows_max: usize, now: Instant) -> Vec<Author> {
        let expired = self.0.iter().filter(|(_, row)| row.used.is_older(PUBLISHER_AGE, now));
        expired.map(|(author, _)| author.clone()).take(rows_max).collect()
    }

    /// The earliest last use of any. Looks at every row.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.0.values().map(|row| row.used.0).min()
    }

    /// Takes everything for learnt of now.
    pub(super) fn restamp(&mut self, now: Instant) {
        for row in self.0.values_mut() {
            row.used = Learnt(now);
        }
    }
}

impl Row {
    fn result(&self, serial: Serial) -> Option<Fate> {
        let back = usize::try_from(self.highest.0 - serial.0).ok()?;
        let at = self.results.len().checked_sub(back + 1)?;
        Some(self.results[at])
    }
}
