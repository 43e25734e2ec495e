//! A slot: the log that its channels share, and the state that is committed of it.
//!
//! ```text
//!   channels ──Propose──▶ append ──▶ log ──▶ commit point ──▶ apply ──▶ channels: State
//!                                                               └──Committed──▶ channel
//! ```
//!
//! The slot gives each change an index, says when it is committed, and keeps the committed state of
//! every channel, whether or not an actor runs for it. It trusts a channel of the present round to
//! propose what fits; a change that does not fit sets the channel aside rather than stop the slot.
//!
//! Channels of which an acknowledgement promises that a store has them go another way, the stored lane
//! ([`stored`]), and share nothing with the log.
//!
//! * [`turn`]: inputs and effects;
//! * [`entry`]: what the log is made of;
//! * [`commit`]: how far the log is committed: where replication plugs in;
//! * [`log`]: what is appended, what is committed, and the tail for those who catch up;
//! * [`copy`]: what is other when further nodes hold copies;
//! * [`stored`]: the channels that a store keeps;
//! * [`snapshot`]: all channels at one index;
//! * `due`, `expiry`: which channels have something due, and when to look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use rand::Rng;
use tracing::{debug, error};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::channel::state::{Misfit, Replicated};
use crate::channel::{self, Durability, Opening, Proposal, Refusal, Retired, State, Ticket};
use crate::fault::Faults;
use crate::id::{ChannelName, Index, Lineage, Term};
use crate::time::Now;

pub mod commit;
pub mod copy;
mod due;
pub mod entry;
mod expiry;
pub mod log;
pub mod snapshot;
pub mod stored;
pub mod turn;

pub use commit::{CommitPoint, Reached};
pub use entry::{Change, Entry, Origin};
pub use log::{Mismatch, Place, TailBounds};
pub use snapshot::Snapshot;
pub use stored::{Batch, Lease, StoreFailure};
pub use turn::{Effect, Input, Timer};

use expiry::Expiry;
use log::Log;
use stored::Lane;

/// The settings of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Channels a slot holds, parked ones included. With 1,024 slots the default is ten million
    /// names; past it new channels are refused until others are forgotten.
    pub channels_max: usize,
    /// How much of the committed log is kept.
    pub tail: TailBounds,
    /// Planted faults; none outside the simulation.
    pub faults: Faults,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            channels_max: 10_000,
            tail: TailBounds::default(),
            faults: Faults::default(),
        }
    }
}

/// Says which settings hold for a channel, also for one that nobody has open.
pub trait Settings: fmt::Debug + Send + Sync {
    /// The settings of `channel`.
    fn of(&self, channel: &ChannelName) -> &channel::Config;
}

/// All channels alike.
impl Settings for channel::Config {
    fn of(&self, _: &ChannelName) -> &channel::Config {
        self
    }
}

/// What a node is to a slot that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It gives entries their index.
    Owner {
        /// Channels are opened: what it inherited is safe.
        serving: bool,
    },
    /// It keeps what the owner sends.
    Copy,
}

/// A slot at a node that holds it. See the module.
#[derive(Debug)]
pub struct Slot {
    config: Config,
    role: Role,
    settings: Arc<dyn Settings>,
    lineage: Lineage,
    /// Random bits that the seeds of channels are made from.
    seed: u64,
    log: Log,
    commit: CommitPoint,
    /// What is committed.
    channels: BTreeMap<ChannelName, State>,
    /// The channels that a store keeps.
    stored: Lane,
    /// What ephemeral channels left behind.
    parked: BTreeMap<ChannelName, State>,
    /// The latest opening of each channel that is open.
    rounds: BTreeMap<ChannelName, u64>,
    rounds_opened: u64,
    /// Channels that somebody wants to open before what was inherited is safe.
    waiting: BTreeSet<ChannelName>,
    /// Channels with positions that the channel cannot judge alone, see [`Slot::take_doubts`].
    doubts: BTreeMap<ChannelName, Ticket>,
    /// Whether acknowledgements may be given.
    standing: Result<(), Refusal>,
    /// Nothing new is taken: the slot is about to be another node's.
    sealed: bool,
    quarantined: BTreeSet<ChannelName>,
    expiry: Expiry,
    /// The wake that is on its way.
    wake: Option<Instant>,
}

impl Slot {
    /// A slot with a new log, owned under `term` after `resets` losses of its history.
    #[must_use]
    pub fn new(
        config: Config,
        settings: Arc<dyn Settings>,
        commit: CommitPoint,
        term: Term,
        resets: u32,
        random: &mut impl Rng,
    ) -> Self {
        Self {
            settings,
            lineage: Lineage {
                resets,
                incarnation: random.next_u32(),
            },
            seed: random.next_u64(),
            log: Log::new(term, Place::default(), config.tail),
            config,
            role: Role::Owner { serving: true },
            commit,
            channels: BTreeMap::new(),
            stored: Lane::default(),
            parked: BTreeMap::new(),
            rounds: BTreeMap::new(),
            rounds_opened: 0,
            waiting: BTreeSet::new(),
            doubts: BTreeMap::new(),
            standing: Ok(()),
            sealed: false,
            quarantined: BTreeSet::new(),
            expiry: Expiry::default(),
            wake: None,
        }
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input, now: Instant, out: &mut Vec<Effect>) {
        match input {
            Input::Open { channel } => self.open(channel, out),
            Input::Propose { channel, proposals } => self.propose(channel, proposals, now, out),
            Input::Park { channel, retired } => self.park(channel, retired, out),
            Input::Used { channel, at } => self.touch(&channel, at),
            Input::Quarantine { channel } => {
                self.quarantined.insert(channel);
            }
            Input::Loaded {
                channel,
                term,
                found,
                wall,
            } => {
                let instant = now;
                self.loaded(channel, term, found, Now { instant, wall }, out);
            }
            Input::Stored { channel, through } => self.stored(&channel, through, now, out),
            Input::StoreFailed {
                channel,
                through,
                failure,
            } => self.store_failed(channel, through, failure, out),
            Input::Decline { channel, round } => {
                if self.rounds.get(&channel) == Some(&round) {
                    self.refuse(channel, Refusal::Busy, out);
                }
            }
            Input::Restarted => {
                self.wake = None;
                self.abandon();
            }
            Input::Doubt { channel, through } => self.doubt(channel, through, out),
            Input::Release { channel } => {
                self.quarantined.remove(&channel);
                self.look_at(&channel, now, out);
            }
            Input::Wake(Timer::Due) => {
                self.wake = self.wake.filter(|at| now < *at);
                self.look(now, out);
            }
        }
        self.ask_to_be_woken(out);
    }

    /// The committed state of a channel.
    #[must_use]
    pub fn channel(&self, channel: &ChannelName) -> Option<&State> {
        self.channels.get(channel).or_else(|| self.stored.channels.get(channel))
    }

    /// Every channel that is committed and in memory.
    pub fn channels(&self) -> impl Iterator<Item = (&ChannelName, &State)> {
        self.channels.iter().chain(&self.stored.channels)
    }

    /// Whether a channel is set aside.
    #[must_use]
    pub fn is_quarantined(&self, channel: &ChannelName) -> bool {
        self.quarantined.contains(channel)
    }

    /// The last entry that is committed.
    #[must_use]
    pub const fn committed(&self) -> Index {
        self.log.committed()
    }

    fn open(&mut self, channel: ChannelName, out: &mut Vec<Effect>) {
        match self.role {
            Role::Owner { serving: true } => {}
            Role::Owner { serving: false } => {
                self.waiting.insert(channel);
                return;
            }
            Role::Copy => {
                let reason = Refusal::Unavailable;
                return out.push(Effect::Barred { channel, reason });
            }
        }
        if self.quarantined.contains(&channel) {
            let reason = Refusal::Quarantined;
            return out.push(Effect::Barred { channel, reason });
        }
        if self.is_stored(&channel) {
            return self.open_stored(channel, out);
        }
        let opening = Box::new(self.opening(&channel));
        out.push(Effect::Opened { channel, opening });
    }

    /// What the channel begins with, under a new round.
    fn opening(&mut self, channel: &ChannelName) -> Opening {
        let durability = self.settings.of(channel).durability;
        if let (Durability::Stored, Some(lease)) = (durability, self.stored.leased()) {
            return self.opening_stored(channel, lease);
        }
        Opening {
            copies: self.commit.reached(self.log.committed()).copies,
            confirms: durability == Durability::Logged && self.commit != CommitPoint::Standalone,
            state: match durability {
                Durability::Logged => self.channels.get(channel).cloned(),
                Durability::Ephemeral => self.parked.remove(channel),
                Durability::Stored => None,
            },
            tail: self.log.uncommitted_of(channel),
            ..self.begin_round(channel)
        }
    }

    /// Begins a round of the channel: proposals of earlier ones are not taken any more.
    fn begin_round(&mut self, channel: &ChannelName) -> Opening {
        self.rounds_opened += 1;
        let round = self.rounds_opened;
        self.rounds.insert(channel.clone(), round);
        Opening {
            term: self.log.term(),
            lineage: self.lineage,
            round,
            seed: xxh3_64_with_seed(&round.to_le_bytes(), self.seed),
            copies: 0,
            standing: self.standing.clone(),
            confirms: false,
            state: None,
            tail: Vec::new(),
        }
    }

    fn propose(&mut self, channel: ChannelName, proposals: Vec<Proposal>, now: Instant, out: &mut Vec<Effect>) {
        let round = self.rounds.get(&channel);
        if proposals.iter().any(|proposal| round != Some(&proposal.ticket.round)) {
            // Its channel has been told, or is gone.
            debug!(%channel, "proposals of an earlier round dropped");
            return out.push(Effect::Dropped { channel });
        }
        if self.is_stored(&channel) {
            return self.propose_stored(channel, proposals, now, out);
        }
        if self.sealed {
            return self.refuse(channel, Refusal::Moving, out);
        }
        let mut refusal = None;
        for proposal in proposals {
            match self.admit(&channel, &proposal.change) {
                Ok(()) => self.log.append(&channel, proposal),
                Err(reason) => {
                    refusal = Some(reason);
                    break;
                }
            }
        }
        self.advance(now, out);
        if let Some(reason) = refusal {
            self.refuse(channel, reason, out);
        }
    }

    fn admit(&self, channel: &ChannelName, change: &Change) -> Result<(), Refusal> {
        if self.quarantined.contains(channel) {
            return Err(Refusal::Quarantined);
        }
        match change {
            // A message carries the term its channel was opened under; another owner's is fenced.
            Change::Publish { message, .. } if message.term != self.log.term() => Err(Refusal::Unavailable),
            Change::Create { .. } if self.names() >= self.config.channels_max => Err(Refusal::SlotFull),
            _ => Ok(()),
        }
    }

    fn names(&self) -> usize {
        self.channels.len() + self.parked.len() + self.log.uncommitted_creates()
    }

    /// Applies what is committed by now and tells the channels.
    fn advance(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let reached = self.commit.reached(self.log.appended());
        while let Some(appended) = self.log.commit_next(reached.through) {
            let channel = &appended.entry.channel;
            if let Err(misfit) = self.apply(&appended.entry, now) {
                error!(%channel, index = %appended.entry.index, %misfit, "channel set aside");
                self.quarantined.insert(channel.clone());
                self.refuse(channel.clone(), Refusal::Quarantined, out);
                continue;
            }
            match out.last_mut() {
                Some(Effect::Committed {
                    channel: last, through, ..
                }) if last == channel => *through = appended.ticket,
                _ => out.push(Effect::Committed {
                    channel: channel.clone(),
                    through: appended.ticket,
                    copies: reached.copies,
                }),
            }
        }
    }

    fn refuse(&mut self, channel: ChannelName, reason: Refusal, out: &mut Vec<Effect>) {
        let opening = Box::new(self.opening(&channel));
        out.push(Effect::Refused {
            channel,
            reason,
            opening,
        });
    }

    fn apply(&mut self, entry: &Entry, now: Instant) -> Result<(), Misfit> {
        let Entry { channel, change, .. } = entry;
        let settings = self.settings.of(channel);
        let channels = match settings.durability {
            Durability::Stored => &mut self.stored.channels,
            Durability::Logged | Durability::Ephemeral => &mut self.channels,
        };
        match (channels.get_mut(channel), change) {
            (None, Change::Create { epoch, keyed }) => {
                let state = State::create(epoch, *keyed, now);
                channels.insert(channel.clone(), state);
            }
            (Some(_), Change::ForgetHead) => {
                channels.remove(channel);
            }
            (Some(state), change) => {
                state.apply(change, now)?;
                state.spill(settings.spills());
            }
            (None, _) => return Err(Misfit::Lifetime),
        }
        let due = match channel::soonest(change, settings) {
            Some(after) => now.checked_add(after),
            None => channels.get(channel).and_then(|state| state.next_due(settings)),
        };
        if let Some(at) = due {
            self.expiry.expect(channel, at);
        }
        Ok(())
    }

    fn touch(&mut self, channel: &ChannelName, at: Instant) {
        let stored = self.stored.channels.get_mut(channel);
        if let Some(state) = self.channels.get_mut(channel).or(stored) {
            state.touch(at);
        }
    }

    fn park(&mut self, channel: ChannelName, retired: Retired, out: &mut Vec<Effect>) {
        if self.rounds.get(&channel) != Some(&retired.round) {
            return; // opened again meanwhile: what was left behind is out of date
        }
        self.rounds.remove(&channel);
        if let Some(at) = retired.used {
            self.touch(&channel, at);
        }
        if self.is_stored(&channel) {
            return self.park_stored(&channel, out);
        }
        if self.config.faults.forget_head_at_retirement() {
            self.channels.remove(&channel);
            return;
        }
        // Past the bound the head is forgotten: the channel's readers will be told that it expired.
        let Some(state) = retired.state.filter(|_| self.names() < self.config.channels_max) else {
            return;
        };
        if let Some(due) = state.used().checked_add(self.settings.of(&channel).head_age) {
            self.expiry.expect(&channel, due);
        }
        self.parked.insert(channel, *state);
    }
}

#[cfg(test)]
mod tests;
