//! One channel at a gateway that does not own its slot.
//!
//! ```text
//!   sessions ──Request──▶ relay ──Asked──▶ owner: channel
//!      ▲                  │  ▲                       │
//!      └────── Answer ────┘  └─── Answer, Live ──────┘
//!   feed ◀── Push, in order, without a gap
//! ```
//!
//! However many readers a gateway has, its owner sends it each message once (rule R12): the first attach makes the gateway
//! a follower, and the relay gives what arrives to the gateway's own feed, strictly in order. A gap is read back
//! before anything behind it is shown. When another node takes the slot over, the relay attaches there with the position
//! its feed has reached, and asks again what was not answered: a publish is recognised by its serial, so nothing is
//! published twice. What nobody answers is refused after [`PATIENCE`].
//!
//! * [`message`]: what gateway and owner say to each other; [`turn`]: inputs and effects;
//! * `following`: the feed and what is missing in it; `pending`: requests without an answer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::channel::{Attachment, Refusal, Request};
use crate::fault::Faults;
use crate::id::{NodeId, Position};

mod following;
pub mod message;
mod pending;
pub mod turn;

pub use message::{Answer, Asked, Told};
pub use turn::{Effect, Input};

use following::Feed;
use pending::Pending;

/// How long a request may wait for an owner. A slot that lost its owner has another within three seconds; a client that is
/// refused asks again by itself.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// When an owner that could not answer is asked again: it gives the slot away, or has just taken it. A change of owner takes
/// about as long.
pub const RETRY_AFTER: Duration = Duration::from_millis(50);

/// See the module. `R` is whom to answer.
#[derive(Debug)]
pub struct Relay<R> {
    /// Who owns the slot, as far as this gateway knows.
    owner: Option<NodeId>,
    /// The last number given.
    number: u64,
    /// Requests without an answer: as many as the shell admits.
    pending: BTreeMap<u64, Pending<R>>,
    /// When to ask an owner again that could not answer.
    retry_at: Option<Instant>,
    /// What the readers here were given; `None` while there are none.
    feed: Option<Feed>,
    /// Readers that were answered, and wait until the feed has reached where they join.
    held: Vec<(R, Attachment)>,
    /// The wake that is on its way.
    wake: Option<Instant>,
    faults: Faults,
}

impl<R> Relay<R> {
    /// A channel of a slot that `owner` has. `fed` is what its readers here were given before, by whoever owned it.
    ///
    /// `nth` tells apart the relays that this process has had: what one that was here before has asked may still be
    /// answered, and is nothing to this one.
    #[must_use]
    pub fn new(nth: u32, owner: Option<NodeId>, fed: Option<Position>) -> Self {
        Self {
            owner,
            number: u64::from(nth) << 32,
            pending: BTreeMap::new(),
            retry_at: None,
            feed: fed.map(Feed::interrupted),
            held: Vec::new(),
            wake: None,
            faults: Faults::default(),
        }
    }

    /// The same, with faults planted in it.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> Self {
        let number = if faults.numbers_reused() { 0 } else { self.number };
        Self { number, faults, ..self }
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input<R>, now: Instant, out: &mut Vec<Effect<R>>) {
        match input {
            Input::Request(request) => self.request(request, now, out),
            Input::Told { from, told } if self.owner.as_ref() == Some(&from) => self.told(told, now, out),
            Input::Told { .. } => {} // of an owner that was: whatever it says is asked of the next
            Input::Route(owner) => self.route(owner, now, out),
            Input::Reset => self.begin_again(now, out),
            Input::Unsent { number } => self.unsent(number, now, out),
            Input::Unread => self.unread(out),
            Input::Wake => {
                self.wake = self.wake.filter(|at| now < *at);
                self.look(now, out);
            }
        }
        self.ask_to_be_woken(out);
    }

    /// Whether nobody waits for an answer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.held.is_empty()
    }

    /// Ends the relay because this node owns the slot by now: what was not answered, in order, to be asked here. Readers
    /// that were about to join attach again.
    #[must_use]
    pub fn into_requests(self) -> (Vec<Request<R>>, Vec<R>) {
        let requests = self.pending.into_values().map(|pending| pending.request).collect();
        (requests, self.held.into_iter().map(|(to, _)| to).collect())
    }

    fn told(&mut self, told: Told, now: Instant, out: &mut Vec<Effect<R>>) {
        match told {
            Told::Answer { number, answer } => match self.feed.as_ref().is_some_and(|feed| feed.awaits(number)) {
                true => self.feed_answered(answer, now, out),
                false => self.answered(number, answer, now, out),
            },
            Told::Live { epoch, messages } => self.live(&epoch, messages, now, out),
            Told::Behind { head } => self.behind(&head, now, out),
            Told::Ended => self.follow(now, out),
        }
    }

    /// The slot is another node's.
    fn route(&mut self, owner: Option<NodeId>, now: Instant, out: &mut Vec<Effect<R>>) {
        if self.owner == owner {
            return;
        }
        self.owner = owner;
        self.begin_again(now, out);
    }

    /// Asks everything again that was not answered.
    fn begin_again(&mut self, now: Instant, out: &mut Vec<Effect<R>>) {
        let (repeated, unknown) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, pending)| pending.request.may_repeat() || !pending.is_sent);
        self.pending = repeated;
        self.pending.values_mut().for_each(|pending| pending.is_sent = false);
        // It may have been published: only whoever asked knows whether twice is worse than not at all.
        out.extend(unknown.into_values().map(|pending| Effect::Answer {
            to: pending.request.into_asker(),
            answer: Answer::Refused(Refusal::Unavailable),
        }));
        self.follow(now, out);
        self.send_waiting(out);
    }

    /// Something may be due.
    fn look(&mut self, now: Instant, out: &mut Vec<Effect<R>>) {
        self.give_up(now, out);
        if self.feed.as_ref().is_some_and(|feed| feed.is_due(now)) {
            self.go_on(now, out);
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.send_waiting(out);
        }
    }

    fn ask_to_be_woken(&mut self, out: &mut Vec<Effect<R>>) {
        let first = self.pending.first_key_value().map(|(_, pending)| pending.until);
        let feed = self.feed.as_ref().and_then(Feed::due_at);
        let Some(at) = [first, self.retry_at, feed].into_iter().flatten().min() else {
            return;
        };
        if self.wake.is_none_or(|wake| at < wake) {
            self.wake = Some(at);
            out.push(Effect::Wake { at });
        }
    }
}

#[cfg(test)]
mod tests;
