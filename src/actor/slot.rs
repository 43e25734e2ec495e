//! One slot, as an actor. Its rules are [`starling_core::slot`].
//!
//! The machine outlives its actor: after a panic the next actor goes on with the state it had. The
//! lock around it is never waited for, because only one actor of a slot runs at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use starling_core::channel::{Durability, Opening, Proposal, Refusal, Retired, Stored, Ticket};
use starling_core::id::{ChannelName, Index, SlotId};
use starling_core::slot::{Effect, Input, Slot, StoreFailure, Timer};
use starling_runtime::mailbox::{Address, Envelope, Permit, Room};
use starling_runtime::wheel::Alarm;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::channel;
use super::registry::Registry;

mod storing;

/// Room that a slot's mailbox has of its own. Nothing takes it: proposals come in the room of their
/// channel's message, and everything else is one of a kind.
pub const MAILBOX_SIZE: u32 = 1;

/// Everything that reaches the actor of a slot.
#[derive(Debug)]
pub enum Message {
    /// An actor starts for a channel.
    Open {
        /// Which.
        channel: ChannelName,
        /// What the slot holds of it, or why it is not to start.
        reply: oneshot::Sender<Result<Box<Opening>, Refusal>>,
    },
    /// The store says what it holds of a channel.
    Loaded {
        /// Which.
        channel: ChannelName,
        /// What.
        found: Result<Option<Box<Stored>>, StoreFailure>,
    },
    /// The store says what became of a batch.
    Stored {
        /// Of which channel.
        channel: ChannelName,
        /// Which.
        through: Index,
        /// Whether it is synced.
        outcome: Result<(), StoreFailure>,
    },
    /// A channel wants changes appended.
    Propose {
        /// Which.
        channel: ChannelName,
        /// The changes.
        proposals: Vec<Proposal>,
    },
    /// The actor of a channel ended in order.
    Park {
        /// Which.
        channel: ChannelName,
        /// What it leaves.
        retired: Retired,
    },
    /// A channel was used in a way that left no entry.
    Used {
        /// Which.
        channel: ChannelName,
        /// When.
        at: std::time::Instant,
    },
    /// A reader of a channel brought a position that may show that this node is the owner no longer.
    Doubt {
        /// Of which channel.
        channel: ChannelName,
        /// Numbers the channel's doubts.
        through: Ticket,
    },
    /// A channel is to be set aside.
    Quarantine {
        /// Which.
        channel: ChannelName,
    },
    /// The instant the rules asked for has come.
    Wake,
}

/// See the module.
pub struct SlotActor;

/// What a slot starts with.
pub struct Arguments {
    /// Which.
    pub slot: SlotId,
    /// Its machine.
    pub machine: Arc<Mutex<Slot>>,
    /// Where its channels are found.
    pub registry: Registry,
    /// The bound of its mailbox.
    pub room: Room,
}

/// What a slot is while it runs.
pub struct State {
    slot: SlotId,
    /// Who waits for a channel to be opened: the latest actor of each.
    openers: BTreeMap<ChannelName, oneshot::Sender<Result<Box<Opening>, Refusal>>>,
    machine: Arc<Mutex<Slot>>,
    registry: Registry,
    me: Address<Message>,
    effects: Vec<Effect>,
    /// The room of proposals that are not committed.
    rooms: VecDeque<(ChannelName, Permit)>,
}

impl Actor for SlotActor {
    type Msg = Envelope<Message>;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, me: ActorRef<Self::Msg>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        tracing::trace!(slot = arguments.slot.0, "slot started");
        let mut state = State {
            slot: arguments.slot,
            openers: BTreeMap::new(),
            machine: arguments.machine,
            registry: arguments.registry,
            me: Address::new(me, arguments.room),
            effects: Vec::new(),
            rooms: VecDeque::new(),
        };
        // After a panic nobody else would.
        state.turn(Input::Restarted);
        state.turn(Input::Wake(Timer::Due));
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        envelope: Envelope<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let Envelope { message, permit } = envelope;
        match message {
            Message::Open { channel, reply } => {
                // An actor that asked before and has not been answered is gone.
                state.openers.insert(channel.clone(), reply);
                state.turn(Input::Open { channel });
            }
            Message::Propose { channel, proposals } => {
                state.rooms.push_back((channel.clone(), permit));
                let input = state.propose(channel, proposals);
                state.turn(input);
            }
            Message::Park { channel, retired } => state.turn(Input::Park { channel, retired }),
            Message::Used { channel, at } => state.turn(Input::Used { channel, at }),
            Message::Doubt { channel, through } => state.turn(Input::Doubt { channel, through }),
            Message::Quarantine { channel } => state.turn(Input::Quarantine { channel }),
            Message::Loaded { channel, found } => {
                let wall = state.registry.services().clock.now().wall;
                state.turn(Input::Loaded { channel, found, wall });
            }
            Message::Stored {
                channel,
                through,
                outcome,
            } => state.turn(match outcome {
                Ok(()) => Input::Stored { channel, through },
                Err(failure) => Input::StoreFailed {
                    channel,
                    through,
                    failure,
                },
            }),
            Message::Wake => state.turn(Input::Wake(Timer::Due)),
        }
        Ok(())
    }
}

impl State {
    /// What a channel proposes, unless it is for the store and the way there is full.
    fn propose(&self, channel: ChannelName, proposals: Vec<Proposal>) -> Input {
        let services = self.registry.services();
        let is_stored = services.settings.namespaces.channel(&channel).durability == Durability::Stored;
        let storage = services.storage.as_ref().filter(|_| is_stored);
        match (
            storage.is_some_and(|storage| !storage.store.has_room()),
            proposals.first(),
        ) {
            (true, Some(first)) => Input::Decline {
                round: first.ticket.round,
                channel,
            },
            _ => Input::Propose { channel, proposals },
        }
    }

    fn turn(&mut self, input: Input) {
        let now = self.registry.services().clock.now().instant;
        let mut effects = std::mem::take(&mut self.effects);
        self.machine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .handle(input, now, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Opened { channel, opening } => self.answer(&channel, Ok(opening)),
                Effect::Barred { channel, reason } => self.answer(&channel, Err(reason)),
                Effect::Load { channel } => storing::load(&self.registry, channel),
                Effect::Store(batch) => storing::store(&self.registry, self.slot, batch),
                Effect::Mark { channel, used, due } => storing::mark(&self.registry, self.slot, channel, used, due),
                Effect::Closed { channel, reason } => {
                    // All it has proposed is given up, and with it the room that came along.
                    self.rooms.retain(|(of, _)| *of != channel);
                    self.post(&channel, channel::Message::Closed { reason });
                }
                Effect::Standing { channel, standing } => self.post(&channel, channel::Message::Standing(standing)),
                Effect::Confirmed { channel, through } => {
                    self.post(&channel, channel::Message::Confirmed { through });
                }
                Effect::Dropped { channel } => {
                    let last = self.rooms.iter().rposition(|(of, _)| *of == channel);
                    drop(last.and_then(|at| self.rooms.remove(at)));
                }
                Effect::Committed {
                    channel,
                    through,
                    copies,
                } => self.tell(&channel, channel::Message::Committed { through, copies }),
                Effect::Refused {
                    channel,
                    reason,
                    opening,
                } => self.tell(&channel, channel::Message::Refused { reason, opening }),
                Effect::Due { channel } => {
                    let _ = self.registry.channel(&channel).post_single(channel::Message::Due);
                }
                Effect::Wake { at, timer: Timer::Due } => {
                    let alarm = Arc::new(WakeAlarm(self.me.clone()));
                    self.registry.services().timers.set(Instant::from_std(at), alarm);
                }
            }
        }
        self.effects = effects;
    }

    fn answer(&mut self, channel: &ChannelName, opening: Result<Box<Opening>, Refusal>) {
        if let Some(opener) = self.openers.remove(channel) {
            let _ = opener.send(opening); // a channel that was stopped while it started needs none
        }
    }

    /// Tells a channel something. One that is gone has nobody waiting.
    fn post(&self, channel: &ChannelName, message: channel::Message) {
        if let Some(address) = self.registry.running(channel) {
            let _ = address.post_single(message);
        }
    }

    /// Answers a channel in the room of its proposal. A channel that is gone has nobody waiting.
    fn tell(&mut self, channel: &ChannelName, message: channel::Message) {
        let room = self.rooms.iter().position(|(of, _)| of == channel);
        let room = room.and_then(|at| self.rooms.remove(at));
        if let Some(address) = self.registry.running(channel) {
            let _ = match room {
                Some((_, permit)) => address.post(message, permit),
                // A batch that was taken in part gets two answers.
                None => address.post_single(message),
            };
        }
    }
}

struct WakeAlarm(Address<Message>);

impl Alarm for WakeAlarm {
    fn ring(&self) {
        let _ = self.0.post_single(Message::Wake); // a slot that has stopped wakes when it starts again
    }
}
