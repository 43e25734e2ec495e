//! One channel at its owner: the order of its messages, and what its readers and publishers are
//! told.
//!
//! ```text
//!              ┌──────────── working: State ───────────┐   ┌──── shown: View ────┐
//!   Publish ──▶│ decide: repetition? room? which seq?  │   │ answer: attach, read │◀── Attach, Read
//!              └────────┬──────────────────────────────┘   └──────────▲───────────┘
//!                       │ Propose           tail: waiting for commit  │ apply, FanOut, Ack
//!                       ▼                                             │
//!                     slot ───────────────── Committed ───────────────┘
//! ```
//!
//! Decisions are taken on the *working* state, to which everything proposed has been applied: the
//! next publish must see the one before it, committed or not. Readers see the *shown* view, to which
//! only what is committed has been applied. Nothing is acknowledged, fanned out, read or used in an
//! answer before its entry is committed, so nobody sees a message that can vanish.
//!
//! A channel comes to be with the first input that needs it. An ephemeral channel goes the same way
//! without the slot: its changes are committed as they are made, and it keeps no history. A stored
//! channel goes it as a logged one does: only its slot knows that the commit is a store's.
//!
//! * `request`, [`turn`]: what is asked; inputs and effects;
//! * [`config`]: what an operator decides;
//! * [`state`], [`view`], [`history`], [`terms`], [`keys`], [`publishers`], [`idempotency`]: the
//!   replicated state and its parts;
//! * [`stored`], [`spilled`]: the state as a store holds it, and what stays there;
//! * `publish`: which publishes are taken;
//! * `tail`: what waits for its commit;
//! * [`attach`], [`read`], [`inspect`]: what readers are answered;
//! * `standing`: what may be said while the slot has other copies;
//! * `due`: what time demands;
//! * [`refusal`]: why a request is refused.

use std::collections::VecDeque;
use std::time::Instant;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::id::{ChannelName, Lineage, Term};
use crate::slot::entry::Change;
use crate::time::Now;

pub mod attach;
pub mod config;
mod due;
pub mod history;
pub mod idempotency;
pub mod inspect;
pub mod keys;
mod learnt;
mod message;
mod publish;
pub mod publishers;
pub mod read;
pub mod refusal;
mod request;
pub mod spilled;
mod standing;
pub mod state;
pub mod stored;
mod tail;
pub mod terms;
pub mod turn;
pub mod view;

pub use attach::{Attachment, From, Outcome, Reason, Values};
pub use config::{Config, Durability, Memory, Window};
pub use inspect::{Description, Inspection, Question, Selected, Selection};
pub use message::Message;
pub use read::{Page, PageRoom, Range};
pub use refusal::{Limit, Refusal};
pub use request::{Publish, Request, Skip};
pub use state::State;
pub use stored::{Damage, Stored};
pub use turn::{Ack, Effect, Input, Opening, Proposal, Retired, Ticket};
pub use view::View;

pub(crate) use due::soonest;

use tail::{Held, Pending};

/// The owner's side of one channel. See the module.
#[derive(Debug)]
pub struct Channel<R> {
    name: ChannelName,
    config: Config,
    term: Term,
    lineage: Lineage,
    seed: u64,
    /// Epochs made from the seed so far.
    draws: u64,
    /// Names the next proposal.
    ticket: Ticket,
    /// Nodes that held what was committed last.
    copies: u8,
    working: Option<State>,
    shown: Option<View>,
    tail: VecDeque<Pending<R>>,
    /// Readers that wait for the channel to exist. Each is a request that the shell admitted and
    /// that has not been answered: the shell's bound on those is the bound of this list.
    held: Vec<Held<R>>,
    /// Whether acknowledgements may be given.
    standing: Result<(), Refusal>,
    /// Whether a doubtful position is asked about.
    confirms: bool,
    /// Readers with such positions, numbered. They are bounded as `held` is.
    doubted: Vec<(Ticket, Held<R>)>,
    doubts_raised: u64,
}

impl<R> Channel<R> {
    /// The channel as the slot holds it.
    #[must_use]
    pub fn new(name: ChannelName, config: Config, opening: Opening, now: Instant) -> Self {
        let mut channel = Self {
            name,
            config,
            term: opening.term,
            lineage: opening.lineage,
            seed: opening.seed,
            draws: 0,
            ticket: Ticket {
                round: opening.round,
                number: 0,
            },
            copies: opening.copies,
            working: None,
            shown: None,
            tail: VecDeque::new(),
            held: Vec::new(),
            standing: Ok(()),
            confirms: false,
            doubted: Vec::new(),
            doubts_raised: 0,
        };
        channel.adopt(opening, now);
        channel
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input<R>, now: Now, out: &mut Vec<Effect<R>>) {
        match input {
            Input::Request(Request::Publish(publish)) => self.publish(publish, now, out),
            Input::Request(Request::Skip(skip)) => self.skip(skip, now, out),
            Input::Request(Request::Attach { to, from }) => self.serve(Held::Attach { to, from }, now, out),
            Input::Request(Request::Read { to, range }) => self.serve(Held::Read { to, range }, now, out),
            Input::Request(Request::Inspect { to, question }) => self.serve(Held::Inspect { to, question }, now, out),
            Input::Committed { through, copies } => self.commit(through, copies, now, out),
            Input::Refused { reason, opening } => self.refused(&reason, *opening, now, out),
            Input::Standing(standing) => self.stand(standing, out),
            Input::Confirmed { through } => self.confirmed(through, now, out),
            Input::Due { attended } => self.due(attended, now, out),
        }
    }

    /// Which channel it is.
    #[must_use]
    pub const fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Its settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What readers are shown; `None` while the channel does not exist.
    #[must_use]
    pub const fn view(&self) -> Option<&View> {
        self.shown.as_ref()
    }

    /// Whether nobody waits for an answer. Only then may it be retired.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.tail.is_empty() && self.held.is_empty() && self.doubted.is_empty()
    }

    /// Ends the owner's side. What it leaves behind is to be parked in the slot.
    #[must_use]
    pub fn retire(self) -> Retired {
        Retired {
            round: self.ticket.round,
            used: self.working.as_ref().map(State::used),
            state: match self.config.durability {
                Durability::Ephemeral => self.working.map(Box::new),
                // The slot has it all.
                Durability::Logged | Durability::Stored => None,
            },
        }
    }

    /// Answers a reader, or holds it until the channel exists.
    fn serve(&mut self, reader: Held<R>, now: Now, out: &mut Vec<Effect<R>>) {
        if let Some(working) = &mut self.working {
            working.touch(now.instant);
        }
        match self.exhibited() {
            Some(shown) if self.doubts(&reader, shown) => self.doubt(reader, out),
            Some(shown) => out.push(self.answer(reader, shown)),
            None => {
                self.held.push(reader);
                self.ensure_created(now, out);
            }
        }
    }

    /// What readers are answered from. A channel that is being forgotten, or made anew, is not the
    /// one that is shown.
    fn exhibited(&self) -> Option<&View> {
        let shown = self.shown.as_ref()?;
        let working = self.working.as_ref()?;
        (working.view().epoch() == shown.epoch()).then_some(shown)
    }

    fn answer(&self, reader: Held<R>, shown: &View) -> Effect<R> {
        match reader {
            Held::Attach { to, from } => Effect::Attached {
                to,
                attachment: shown.attach(&from, self.lineage, &self.config),
            },
            Held::Read { to, range } => Effect::Page {
                to,
                page: shown.page(&range, self.lineage, &self.config),
            },
            Held::Inspect { to, question } => Effect::Inspected {
                to,
                inspection: shown.inspect(&question),
            },
        }
    }

    /// Proposes the channel's beginning unless it exists.
    fn ensure_created(&mut self, now: Now, out: &mut Vec<Effect<R>>) {
        if self.working.is_some() {
            return;
        }
        self.draws += 1;
        let draw = match self.config.faults.epoch_kept_on_reset() {
            true => 1,
            false => xxh3_64_with_seed(&self.draws.to_le_bytes(), self.seed),
        };
        let create = Change::Create {
            epoch: self.lineage.epoch((draw >> 32) as u32),
            keyed: self.config.keyed,
        };
        self.propose(create, None, now, out);
    }
}

#[cfg(test)]
pub(crate) mod tests;
