//! One slot, as an actor. Its rules are [`starling_core::slot`].
//!
//! The machine outlives its actor: after a panic the next actor goes on with the state it had. The
//! lock around it is never waited for, because only one actor of a slot runs at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use starling_core::channel::{Opening, Proposal, Retired};
use starling_core::id::{ChannelName, SlotId};
use starling_core::slot::{Effect, Input, Slot, Timer};
use starling_runtime::mailbox::{Address, Envelope, Permit, Room};
use starling_runtime::wheel::Alarm;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::channel;
use super::registry::Registry;

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
        /// What the slot holds of it; `None` if it is set aside.
        reply: oneshot::Sender<Option<Box<Opening>>>,
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
            machine: arguments.machine,
            registry: arguments.registry,
            me: Address::new(me, arguments.room),
            effects: Vec::new(),
            rooms: VecDeque::new(),
        };
        // After a panic nobody else would.
        state.turn(Input::Wake(Timer::Due), None);
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
            Message::Open { channel, reply } => state.turn(Input::Open { channel }, Some(reply)),
            Message::Propose { channel, proposals } => {
                state.rooms.push_back((channel.clone(), permit));
                state.turn(Input::Propose { channel, proposals }, None);
            }
            Message::Park { channel, retired } => state.turn(Input::Park { channel, retired }, None),
            Message::Used { channel, at } => state.turn(Input::Used { channel, at }, None),
            Message::Quarantine { channel } => state.turn(Input::Quarantine { channel }, None),
            Message::Wake => state.turn(Input::Wake(Timer::Due), None),
        }
        Ok(())
    }
}

impl State {
    fn turn(&mut self, input: Input, mut opening: Option<oneshot::Sender<Option<Box<Opening>>>>) {
        let now = self.registry.services().clock.now().instant;
        let mut effects = std::mem::take(&mut self.effects);
        self.machine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .handle(input, now, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Opened { opening: found, .. } => answer(opening.take(), Some(found)),
                Effect::Barred { .. } => answer(opening.take(), None),
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

    /// Answers a channel in the room of its proposal. A channel that is gone has nobody waiting.
    fn tell(&mut self, channel: &ChannelName, message: channel::Message) {
        let room = self.rooms.iter().position(|(of, _)| of == channel);
        let room = room.and_then(|at| self.rooms.remove(at));
        if let (Some(address), Some((_, permit))) = (self.registry.running(channel), room) {
            let _ = address.post(message, permit);
        }
    }
}

fn answer(reply: Option<oneshot::Sender<Option<Box<Opening>>>>, opening: Option<Box<Opening>>) {
    if let Some(reply) = reply {
        let _ = reply.send(opening); // a channel that was stopped while it started needs none
    }
}

struct WakeAlarm(Address<Message>);

impl Alarm for WakeAlarm {
    fn ring(&self) {
        let _ = self.0.post_single(Message::Wake); // a slot that has stopped wakes when it starts again
    }
}
