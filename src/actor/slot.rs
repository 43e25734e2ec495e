//! One slot, as an actor. Its rules are [`starling_core::slot`], and where there are copies [`starling_core::replica`].
//!
//! The machine outlives its actor: after a panic the next actor goes on with the state it had. The
//! lock around it is never waited for, because only one actor of a slot runs at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use starling_core::channel::{Durability, Opening, Proposal, Refusal};
use starling_core::id::{ChannelName, SlotId};
use starling_core::replica;
use starling_core::slot::{Effect, Input, Timer};
use starling_runtime::mailbox::{Address, Envelope, Permit, Room};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::alarm::Rings;
use super::channel;
use super::registry::Registry;

mod claiming;
mod copying;
mod machine;
mod message;
mod rooms;
mod storing;

pub use machine::{Machine, Route};
pub use message::Message;

use claiming::Claiming;
use rooms::Rooms;

/// Room that a slot's mailbox has of its own. Nothing takes it: proposals come in the room of their
/// channel's message, and everything else is one of a kind.
pub const MAILBOX_SIZE: u32 = 1;

/// See the module.
pub struct SlotActor;

/// What a slot starts with.
pub struct Arguments {
    /// Which.
    pub slot: SlotId,
    /// Its machine.
    pub machine: Arc<Mutex<Machine>>,
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
    machine: Arc<Mutex<Machine>>,
    registry: Registry,
    me: Address<Message>,
    effects: Vec<replica::Effect>,
    rooms: Rooms,
    route: Route,
    claiming: Claiming,
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
            rooms: Rooms::default(),
            route: Route::Nowhere,
            claiming: Claiming::default(),
        };
        // After a panic nobody else would.
        state.turn(Input::Restarted);
        state.turn(Input::Wake(Timer::Due));
        state.replicate(replica::Input::Wake);
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
                if let Err(refusal) = state.registry.services().keeps(&channel) {
                    let _ = reply.send(Err(refusal)); // a channel that was stopped while it started needs none
                    return Ok(());
                }
                // An actor that asked before and has not been answered is gone.
                state.openers.insert(channel.clone(), reply);
                state.turn(Input::Open { channel });
            }
            Message::Propose { channel, proposals } => {
                if let Some(last) = proposals.last() {
                    state.rooms.take(channel.clone(), last.ticket, permit);
                }
                let input = state.propose(channel, proposals);
                state.turn(input);
            }
            Message::Park { channel, retired } => state.turn(Input::Park { channel, retired }),
            Message::Used { channel, at } => state.turn(Input::Used { channel, at }),
            Message::Doubt { channel, through } => state.turn(Input::Doubt { channel, through }),
            Message::Quarantine { channel } => state.turn(Input::Quarantine { channel }),
            Message::Loaded { channel, term, found } => {
                let wall = state.registry.services().clock.now().wall;
                state.turn(Input::Loaded {
                    channel,
                    term,
                    found,
                    wall,
                });
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
            Message::Peer {
                from,
                message,
                room: _room,
            } => state.replicate(replica::Input::Received {
                from,
                message: *message,
            }),
            Message::Table(record) => state.replicate(replica::Input::Table(*record)),
            Message::Answered { number, outcome } => state.replicate(replica::Input::Answered { number, outcome }),
            Message::Wanted(wanted) => state.replicate(replica::Input::Wanted(wanted)),
            Message::Heard { node, answers: true } => state.replicate(replica::Input::Up(node)),
            Message::Heard { node, answers: false } => state.replicate(replica::Input::Down(node)),
            Message::Claimed { term, lease } => state.work(|machine, _, _| machine.lease(term, lease)),
            Message::Reset { node } => {
                if state.route == Route::At(node) {
                    state.registry.tell_all(state.slot, || channel::Message::Reset);
                }
            }
            Message::Wake => state.turn(Input::Wake(Timer::Due)),
            Message::Beat => state.replicate(replica::Input::Wake),
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

    /// Something that concerns the slot's channels.
    fn turn(&mut self, input: Input) {
        self.work(|machine, now, effects| machine.handle(input, now, effects));
    }

    /// Something that concerns its copies.
    fn replicate(&mut self, input: replica::Input) {
        self.work(|machine, now, effects| machine.handle_replica(input, now, effects));
    }

    fn work(&mut self, act: impl FnOnce(&mut Machine, std::time::Instant, &mut Vec<replica::Effect>)) {
        let now = self.registry.services().clock.now();
        let mut effects = std::mem::take(&mut self.effects);
        let (route, is_settled, owned) = {
            let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
            act(&mut machine, now.instant, &mut effects);
            (machine.route(), machine.is_settled(), machine.owned_under())
        };
        for effect in effects.drain(..) {
            match effect {
                replica::Effect::Slot(effect) => self.perform(effect),
                effect => copying::perform(effect, self.slot, now, &self.me, &self.registry),
            }
        }
        self.effects = effects;
        self.registry.settled(self.slot, is_settled);
        if route != self.route {
            self.route = route.clone();
            self.registry.routed(self.slot, route);
        }
        self.claiming.follow(owned, self.slot, &self.registry);
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Opened { channel, opening } => self.answer(&channel, Ok(opening)),
            Effect::Barred { channel, reason } => self.answer(&channel, Err(reason)),
            Effect::Load { channel, term } => storing::load(&self.registry, channel, term),
            Effect::Unleased => {
                storing::unleased(&self.registry, self.slot);
                self.claiming.lost();
            }
            Effect::Store(batch) => storing::store(&self.registry, self.slot, batch),
            Effect::Mark { channel, used, due } => storing::mark(&self.registry, self.slot, channel, used, due),
            Effect::Closed { channel, reason } => {
                // All it has proposed is given up, and with it the room that came along.
                self.rooms.free_all(&channel);
                self.post(&channel, channel::Message::Closed { reason });
            }
            Effect::Standing { channel, standing } => self.post(&channel, channel::Message::Standing(standing)),
            Effect::Confirmed { channel, through } => {
                self.post(&channel, channel::Message::Confirmed { through });
            }
            Effect::Dropped { channel } => drop(self.rooms.latest(&channel)),
            Effect::Committed {
                channel,
                through,
                copies,
            } => {
                let room = self.rooms.through(&channel, through);
                self.tell(&channel, room, channel::Message::Committed { through, copies });
            }
            Effect::Refused {
                channel,
                reason,
                opening,
            } => {
                let room = self.rooms.latest(&channel);
                self.tell(&channel, room, channel::Message::Refused { reason, opening });
            }
            Effect::Due { channel } => {
                let _ = self.registry.channel(&channel).post_single(channel::Message::Due);
            }
            Effect::Wake { at, timer: Timer::Due } => {
                let alarm = Arc::new(Rings(self.me.clone(), || Message::Wake));
                self.registry.services().timers.set(Instant::from_std(at), alarm);
            }
        }
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

    /// Answers a channel in the room of its proposal, if that is not free already. A channel that is gone has nobody waiting.
    fn tell(&self, channel: &ChannelName, room: Option<Permit>, message: channel::Message) {
        if let Some(address) = self.registry.running(channel) {
            let _ = match room {
                Some(permit) => address.post(message, permit),
                // A batch that was taken in part gets two answers, and what was inherited came in nobody's room.
                None => address.post_single(message),
            };
        }
    }
}
