//! Which requests with an idempotency key a channel has seen.
//!
//! How many keys are kept is the same on every copy, oldest first. How long a key counts is the
//! owner's judgement when it is asked, by when it learnt of the key: a copy that took over counts
//! from when it learnt, which is later, and so errs towards recognising a repetition.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::learnt::Learnt;
use super::publishers::Fate;
use crate::id::{IdempotencyKey, Seq, Subject, Term};

/// Keys kept per channel. Requests come from backends at tens a second at most; with
/// [`KEY_AGE`] this covers eight a second. At the end the oldest key goes, and repeating its
/// request would publish again.
pub const KEYS_MAX: usize = 1_000;

/// How long a key counts: longer than an HTTP client and the proxies before it retry.
const KEY_AGE: Duration = Duration::from_secs(120);

/// The idempotency keys of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdempotencyKeys {
    requests: BTreeMap<Request, Published>,
    /// The same requests by age.
    by_seq: BTreeMap<Seq, Request>,
}

type Request = (Subject, IdempotencyKey);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Published {
    seq: Seq,
    term: Term,
    learnt: Learnt,
}

impl IdempotencyKeys {
    /// What became of the request, if it is known and not too old.
    #[must_use]
    pub fn check(&self, subject: &Subject, key: &IdempotencyKey, now: Instant) -> Option<Fate> {
        let known = self.requests.get(&(subject.clone(), key.clone()))?;
        (!known.learnt.is_older(KEY_AGE, now)).then_some(Fate::Published {
            seq: known.seq,
            term: known.term,
        })
    }

    /// Notes what the request published.
    pub(super) fn record(&mut self, subject: &Subject, key: &IdempotencyKey, seq: Seq, term: Term, now: Instant) {
        let request = (subject.clone(), key.clone());
        let published = Published {
            seq,
            term,
            learnt: Learnt(now),
        };
        self.by_seq.insert(seq, request.clone());
        if let Some(earlier) = self.requests.insert(request, published) {
            self.by_seq.remove(&earlier.seq);
        }
        if self.requests.len() > KEYS_MAX
            && let Some((_, oldest)) = self.by_seq.pop_first()
        {
            self.requests.remove(&oldest);
        }
    }

    /// Every request that is known, oldest first.
    pub(super) fn requests(&self) -> impl Iterator<Item = (&Subject, &IdempotencyKey, Seq, Term, Instant)> {
        self.by_seq.values().map(|request| {
            let published = &self.requests[request];
            (
                &request.0,
                &request.1,
                published.seq,
                published.term,
                published.learnt.0,
            )
        })
    }

    /// Takes everything for learnt of now.
    pub(super) fn restamp(&mut self, now: Instant) {
        for published in self.requests.values_mut() {
            published.learnt = Learnt(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::tests::start;

    fn key(n: u64) -> IdempotencyKey {
        IdempotencyKey::parse(&format!("key-{n}")).unwrap()
    }

    fn published(seq: u64) -> Option<Fate> {
        Some(Fate::Published {
            seq: Seq(seq),
            term: Term(1),
        })
    }

    #[test]
    fn a_key_counts_for_its_subject_and_for_its_time() {
        let (anna, ben) = (Subject::new("anna"), Subject::new("ben"));
        let mut keys = IdempotencyKeys::default();
        keys.record(&anna, &key(1), Seq(1), Term(1), start());
        let late = start() + KEY_AGE;
        assert_eq!(
            keys.check(&anna, &key(1), late - Duration::from_millis(1)),
            published(1)
        );
        assert_eq!(keys.check(&anna, &key(1), late), None);
        assert_eq!(keys.check(&ben, &key(1), start()), None);
        assert_eq!(keys.check(&anna, &key(2), start()), None);
        keys.record(&anna, &key(1), Seq(2), Term(1), late);
        assert_eq!(keys.check(&anna, &key(1), late), published(2));
    }

    #[test]
    fn the_oldest_key_goes_first_and_a_repeated_one_counts_as_new() {
        let anna = Subject::new("anna");
        let mut keys = IdempotencyKeys::default();
        for n in 1..=KEYS_MAX as u64 {
            keys.record(&anna, &key(n), Seq(n), Term(1), start());
        }
        keys.record(&anna, &key(1), Seq(1_001), Term(1), start());
        assert_eq!(keys.check(&anna, &key(2), start()), published(2));
        keys.record(&anna, &key(5_000), Seq(1_002), Term(1), start());
        assert_eq!(keys.check(&anna, &key(2), start()), None);
        assert_eq!(keys.check(&anna, &key(1), start()), published(1_001));
        assert_eq!(keys.check(&anna, &key(3), start()), published(3));
        assert_eq!(keys.requests.len(), KEYS_MAX);
        assert_eq!(keys.by_seq.len(), KEYS_MAX);
    }
}
