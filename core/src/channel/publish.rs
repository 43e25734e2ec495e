//! Which publishes are taken, and what becomes of them.

use std::sync::Arc;

use bytes::Bytes;

use super::keys::Room;
use super::message::{Message, weight};
use super::publishers::Check;
use super::refusal::{self, Refusal};
use super::request::{Publish, Skip};
use super::state;
use super::tail::{Asked, Waiter};
use super::turn::Effect;
use super::{Channel, State};
use crate::id::Key;
use crate::slot::entry::{Change, Origin};
use crate::time::{Now, WallTime};

/// Changes of one channel that wait for their commit. A commit takes a millisecond or two, in which
/// a channel takes some hundred publishes; at this many commits have stopped, and a publish is
/// refused rather than queued behind them.
const PENDING_MAX: usize = 8_192;

impl<R> Channel<R> {
    /// Publishes a message once, however often it is asked to.
    pub(super) fn publish(&mut self, publish: Publish<R>, now: Now, out: &mut Vec<Effect<R>>) {
        let Publish {
            to,
            origin,
            key,
            deleted,
            payload,
            since,
        } = publish;
        let origin = if self.config.faults.dedup_dropped() {
            Origin::Anonymous
        } else {
            origin
        };
        let asked = Asked::Publish;
        let Some(asker) = self.admit(to, asked, &origin, since, now, out) else {
            return;
        };
        if let Err(refusal) = self.make_room(key.as_ref(), deleted, &payload, now, out) {
            let to = asker.to;
            return out.push(Effect::Refuse { to, refusal });
        }
        self.ensure_created(now, out);
        let view = self
            .working
            .as_ref()
            .map(State::view)
            .expect("a channel that was ensured exists");
        let seq = view.head().next();
        let weight = weight(key.as_ref(), &payload);
        let floor = view
            .history()
            .floor_with(seq, weight, &self.config.window(), now.instant);
        let message = Arc::new(Message {
            seq,
            term: self.term,
            time: now.wall,
            key,
            deleted,
            payload,
        });
        let change = Change::Publish { message, origin, floor };
        self.propose(change, Some(asker), now, out);
    }

    /// Retires a serial, unless it was published after all.
    pub(super) fn skip(&mut self, skip: Skip<R>, now: Now, out: &mut Vec<Effect<R>>) {
        let Skip {
            to,
            author,
            serial,
            base,
            since,
        } = skip;
        let origin = Origin::Publisher {
            author: author.clone(),
            serial,
            base,
        };
        if let Some(asker) = self.admit(to, Asked::Skip, &origin, since, now, out) {
            self.ensure_created(now, out);
            self.propose(Change::Skip { author, serial }, Some(asker), now, out);
        }
    }

    /// Answers whoever repeats itself or is out of turn. The rest is returned.
    fn admit(
        &mut self,
        to: R,
        asked: Asked,
        origin: &Origin,
        since: WallTime,
        now: Now,
        out: &mut Vec<Effect<R>>,
    ) -> Option<Waiter<R>> {
        if let Err(refusal) = &self.standing {
            let refusal = refusal.clone();
            out.push(Effect::Refuse { to, refusal });
            return None;
        }
        let mut check = self.check(origin, since, now);
        if check == Check::Full && self.expire_publishers(now, out) {
            check = self.check(origin, since, now);
        }
        if let (Check::Beyond, Origin::Publisher { author, .. }) = (check, origin) {
            let authors = Arc::new([author.clone()]);
            self.propose(Change::ExpirePublishers { authors }, None, now, out);
            check = self.check(origin, since, now);
        }
        let refusal = match check {
            Check::Accept if self.tail.len() >= PENDING_MAX => Refusal::Busy,
            Check::Accept => {
                return Some(Waiter {
                    to,
                    asked,
                    duplicate: false,
                });
            }
            Check::Duplicate(fate) => {
                let waiter = Waiter {
                    to,
                    asked,
                    duplicate: true,
                };
                self.answer_known(origin, fate, waiter, out);
                return None;
            }
            Check::OutcomeUnknown | Check::Beyond => Refusal::OutcomeUnknown,
            Check::Gap { expected } => Refusal::SerialGap { expected },
            Check::Malformed => Refusal::BadRequest(refusal::SERIALS),
            Check::Full => Refusal::SlotFull,
        };
        out.push(Effect::Refuse { to, refusal });
        None
    }

    fn check(&self, origin: &Origin, since: WallTime, now: Now) -> Check {
        state::check(self.working.as_ref(), origin, since, self.config.publishers_max, now)
    }

    /// Whether the message may be appended. Forgets old tombstones if they are in its way.
    fn make_room(
        &mut self,
        key: Option<&Key>,
        deleted: bool,
        payload: &Bytes,
        now: Now,
        out: &mut Vec<Effect<R>>,
    ) -> Result<(), Refusal> {
        let (bytes, bytes_max) = (payload.len(), self.config.payload_bytes_max);
        if bytes > bytes_max {
            return Err(Refusal::PayloadTooLarge { bytes, bytes_max });
        }
        let view = self.working.as_ref().map(State::view);
        let keyed = view.map_or(self.config.keyed, |view| view.is_keyed());
        if key.is_some() != keyed || (deleted && !keyed) {
            return Err(Refusal::KeyMismatch { keyed });
        }
        if deleted && !payload.is_empty() {
            return Err(Refusal::BadRequest(refusal::REMOVAL_WITH_PAYLOAD));
        }
        let (Some(key), Some(view), false) = (key, view, deleted) else {
            return Ok(());
        };
        match view.keys().room(key, weight(Some(key), payload), &self.config) {
            Room::Fits => Ok(()),
            Room::Full => Err(Refusal::TooManyKeys),
            Room::Behind(through) => {
                self.propose(Change::ExpireKeys { through }, None, now, out);
                Ok(())
            }
        }
    }
}
