//! One slot at one of the nodes that hold it: what makes an acknowledged message survive.
//!
//! ```text
//!   owner:  propose ──▶ append ──Append──▶ copies ──Appended──▶ all in-sync hold it? ──▶ commit
//!                                             │                        ▲
//!   copy:                    accept, learn ◀──┘          the slot table says who must ([`crate::table`])
//!
//!   copy ──owner is down, and it holds all that was acknowledged──▶ Claim ──▶ owner, term + 1
//! ```
//!
//! The rules are R1 to R13 of `docs/cluster.md`. In short: an entry is committed when every member
//! of the in-sync set holds it, and at least two do; a copy refuses whoever owned the slot before;
//! the table alone says who is the owner and who is a member; a member is removed in the table first
//! and required less afterwards, and required first and added to the table afterwards. A machine
//! acts on what it knows of the table, which may be old: then its next command is refused.
//!
//! Suspicion ([`Input::Down`]) costs work and never safety.
//!
//! * [`turn`]: inputs and effects; [`message`]: what copies say to each other;
//! * `owner`: what an owner does in each turn; `sending`: what it sends; `member`: what it knows of
//!   one copy;
//! * `hand_over`: when it gives the slot away; `follower`: what a copy takes; `claim`: when it takes the slot over;
//! * `catch_up`: snapshots, for a copy that has nothing, or too little;
//! * `asking`: one command of the table at a time; `doubt`: whether this still is the owner;
//! * `peers`: which nodes answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use tracing::debug;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::id::{Lineage, NodeId, SlotId, Term};
use crate::slot::{self, Settings, Slot};
use crate::table::Record;
use crate::table::record::CLUSTER_COPIES_MIN;

mod asking;
mod catch_up;
mod claim;
mod doubt;
mod follower;
mod hand_over;
mod member;
pub mod message;
mod owner;
mod peers;
mod sending;
pub mod turn;

pub use message::Message;
pub use turn::{Effect, Input, Wanted};

use asking::Ask;
use catch_up::Incoming;
use owner::Ownership;
use peers::Peers;

/// The settings of a replica. The times are those of `reliability` 3.0a and 3.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The slot in it.
    pub slot: slot::Config,
    /// Nodes that must hold what is acknowledged; see [`CLUSTER_COPIES_MIN`].
    pub copies_min: usize,
    /// How long a member may owe an ack. A healthy one owes it for a millisecond or two; at this it
    /// is removed, so that it holds up nobody's publishes.
    pub silence: Duration,
    /// After how long without an ack entries are sent again. Links lose nothing while they stand;
    /// this is for what was on its way when one broke.
    pub resend: Duration,
    /// How long to wait for the table before asking again. An election takes a second or two; a
    /// command that was carried out after all is refused the second time.
    pub patience: Duration,
    /// How far apart candidates claim, so that the first is not contested by the rest.
    pub stagger: Duration,
    /// How long a node that has claimed a slot waits before it claims it again, so that two nodes
    /// that do not hear each other do not take it from one another all the time.
    pub claims_apart: Duration,
    /// What a part of a snapshot weighs, more or less: it holds whole channels, and at least one. A
    /// copy gets one part at a time.
    pub part_bytes: u64,
    /// How long a change of owner may hold up publishes before it is given up for now.
    pub seal: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slot: slot::Config {
                // What a copy misses in a few seconds of a busy slot. The messages are those of the
                // channels' histories, so keeping them here too costs little.
                tail: slot::TailBounds {
                    entries: 4_096,
                    bytes: 4 * 1024 * 1024,
                },
                ..slot::Config::default()
            },
            copies_min: CLUSTER_COPIES_MIN,
            silence: Duration::from_millis(300),
            resend: Duration::from_millis(100),
            patience: Duration::from_secs(1),
            stagger: Duration::from_millis(150),
            claims_apart: Duration::from_secs(5),
            part_bytes: 256 * 1024,
            seal: Duration::from_millis(200),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Replica {
    me: NodeId,
    id: SlotId,
    config: Config,
    slot: Slot,
    /// Random bits that lineages are made from.
    seed: u64,
    /// What this node knows of the table.
    record: Record,
    /// The highest term it has heard of, from the table or from an owner.
    seen: Term,
    /// Who spoke under that term. There is one owner of a term.
    spoke: Option<NodeId>,
    /// Owned is what is owned under the highest term: a later one ends it.
    owner: Option<Ownership>,
    incoming: Option<Incoming>,
    wanted: Wanted,
    /// It was said who should hold the slot.
    is_planned: bool,
    peers: Peers,
    ask: Option<Ask>,
    asked: u64,
    /// After the table refused something: when to ask it next.
    ask_after: Option<Instant>,
    /// When it is to claim the slot of an owner that is down.
    claim_at: Option<Instant>,
    /// After it claimed: when it may claim again.
    claim_after: Option<Instant>,
    /// The wake that is on its way.
    wake: Option<Instant>,
}

impl Replica {
    /// A slot that the node `me` holds nothing of yet.
    #[must_use]
    pub fn new(me: NodeId, id: SlotId, config: Config, settings: Arc<dyn Settings>, random: &mut impl Rng) -> Self {
        Self {
            me,
            id,
            slot: Slot::copy(config.slot, settings, random),
            config,
            seed: random.next_u64(),
            record: Record::default(),
            seen: Term(0),
            spoke: None,
            owner: None,
            incoming: None,
            wanted: Wanted::default(),
            is_planned: false,
            peers: Peers::default(),
            ask: None,
            asked: 0,
            ask_after: None,
            claim_at: None,
            claim_after: None,
            wake: None,
        }
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input, now: Instant, out: &mut Vec<Effect>) {
        match input {
            Input::Slot(input) => {
                if matches!(input, slot::Input::Restarted) {
                    self.wake = None; // it is lost with whoever was to send it
                }
                self.slot_turn(out, |slot, effects| slot.handle(input, now, effects));
            }
            Input::Received { from, message } => self.received(&from, message, now, out),
            Input::Table(record) => self.recorded(record, now, out),
            Input::Answered { number, outcome } => self.answered(number, &outcome, now, out),
            Input::Wanted(wanted) => {
                self.wanted = wanted;
                self.is_planned = true;
            }
            Input::Down(node) => self.peers.hear(&node, false),
            Input::Up(node) => self.peers.hear(&node, true),
            // One that a sooner one has overtaken asks for none in its place, or they would become ever more.
            Input::Wake => self.wake = self.wake.filter(|at| now < *at),
        }
        match self.owner.is_some() {
            true => self.own(now, out),
            false => self.claim_if_due(now, out),
        }
    }

    /// The slot itself.
    #[must_use]
    pub const fn slot(&self) -> &Slot {
        &self.slot
    }

    /// What the node knows of the slot's line in the table.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// The term this node owns the slot under; `None` if it does not, as far as it knows.
    #[must_use]
    pub fn owned_under(&self) -> Option<Term> {
        self.owner.as_ref().map(|owner| owner.term)
    }

    /// A store lets this node write the slot's stored channels (rule R14).
    pub fn lease(&mut self, lease: slot::Lease) {
        self.slot.lease(lease);
    }

    /// Which node this is.
    #[must_use]
    pub const fn me(&self) -> &NodeId {
        &self.me
    }

    /// Whether the slot has an owner, and this node is in the in-sync set if it should hold the slot. It is not known to be
    /// until somebody has said who should: what the table says may be about starts of nodes that are all dead.
    #[must_use]
    pub fn is_placed(&self) -> bool {
        let is_missing = self.wanted.copies.contains(&self.me) && !self.record.isr.contains(&self.me);
        self.is_planned && self.record.owner.is_some() && !is_missing
    }

    /// Whether every copy that is wanted is in the in-sync set, as far as the owner knows.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.wanted.copies.iter().all(|node| self.record.isr.contains(node))
    }

    /// Does something to the slot and passes its effects on.
    fn slot_turn<T>(&mut self, out: &mut Vec<Effect>, act: impl FnOnce(&mut Slot, &mut Vec<slot::Effect>) -> T) -> T {
        let mut effects = Vec::new();
        let result = act(&mut self.slot, &mut effects);
        out.extend(effects.into_iter().map(Effect::Slot));
        result
    }

    /// The table has moved on.
    fn recorded(&mut self, record: Record, now: Instant, out: &mut Vec<Effect>) {
        if record.version <= self.record.version {
            return; // older than what is known
        }
        self.record = record;
        self.settle_ask();
        self.claim_at = None;
        let Record { owner, term, .. } = &self.record;
        let (term, mine) = (*term, owner.as_ref() == Some(&self.me));
        if term > self.seen {
            self.seen = term;
            self.spoke = owner.clone();
        }
        match (self.owned_under(), mine) {
            (Some(own), true) if own == term => self.members_recorded(),
            (Some(_), false) => self.step_down(out),
            // There has been another owner since, whose log this may be by now.
            (None, true) if term < self.seen => {}
            (Some(_), true) => {
                self.step_down(out);
                self.lead(now);
            }
            (None, true) => self.lead(now),
            (None, false) => {}
        }
    }

    /// This node is the owner from now on.
    fn lead(&mut self, now: Instant) {
        self.claim_after = Some(now + self.config.claims_apart);
        let Record { term, resets, isr, .. } = &self.record;
        if *resets > self.slot.lineage().resets || self.slot.is_empty() {
            let mut lineage = Lineage {
                resets: *resets,
                incarnation: (xxh3_64_with_seed(&term.0.to_le_bytes(), self.seed) >> 32) as u32,
            };
            if self.config.slot.faults.epoch_kept_on_reset() {
                lineage = Lineage {
                    resets: 0,
                    incarnation: 1,
                };
            }
            self.slot.clear(lineage);
        }
        debug!(slot = %self.id, %term, members = isr.len(), "owner of the slot");
        self.slot.lead(*term);
        self.incoming = None;
        self.owner = Some(Ownership::new(&self.record, &self.me, &self.slot));
    }

    /// Another node is the owner.
    fn step_down(&mut self, out: &mut Vec<Effect>) {
        if let Some(ownership) = self.owner.take() {
            debug!(slot = %self.id, term = %ownership.term, "owner of the slot no longer");
            self.slot_turn(out, Slot::step_down);
        }
    }

    /// Asks to be woken, unless that is sooner anyway.
    fn wake_at(&mut self, at: Instant, out: &mut Vec<Effect>) {
        if self.wake.is_none_or(|wake| at < wake) {
            self.wake = Some(at);
            out.push(Effect::Wake { at });
        }
    }
}

#[cfg(test)]
mod tests;
