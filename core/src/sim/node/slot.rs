//! The actor of a slot. Its machine outlives it: after a failure the next one goes on with it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Node;
use super::channel;
use super::mailbox::Permit;
use crate::channel::{Durability, Opening, Proposal, Refusal, Retired, State, Stored, Ticket};
use crate::id::{ChannelName, Index, Seq, SlotId, Term};
use crate::sim::check::Rule;
use crate::sim::fact::Fact;
use crate::sim::scene::{ActorId, Event, Scene};
use crate::sim::sight::Sight;
use crate::slot::{CommitPoint, Effect, Input, Lease, Slot, StoreFailure, Timer};

/// Everything that reaches the actor of a slot.
#[derive(Debug)]
pub(super) enum Message {
    Open {
        channel: ChannelName,
        actor: ActorId,
    },
    Propose {
        channel: ChannelName,
        proposals: Vec<Proposal>,
    },
    Park {
        channel: ChannelName,
        retired: Retired,
    },
    Used {
        channel: ChannelName,
        at: std::time::Instant,
    },
    Doubt {
        channel: ChannelName,
        through: Ticket,
    },
    Quarantine {
        channel: ChannelName,
    },
    Release {
        channel: ChannelName,
    },
    Loaded {
        channel: ChannelName,
        term: Term,
        found: Result<Option<Box<Stored>>, StoreFailure>,
    },
    Stored {
        channel: ChannelName,
        through: Index,
        outcome: Result<(), StoreFailure>,
    },
    Wake,
}

/// See the module.
#[derive(Debug)]
pub(super) struct SlotActor {
    pub(super) id: ActorId,
    machine: Slot,
    /// Applies what the machine commits, as a copy on another node would.
    replica: Slot,
    mailbox: VecDeque<(Message, Option<Permit>)>,
    /// The room of proposals that are not committed.
    rooms: VecDeque<(ChannelName, Option<Permit>)>,
    /// Who waits for a channel to be opened.
    openers: BTreeMap<ChannelName, ActorId>,
}

impl SlotActor {
    pub(super) fn new(id: ActorId, resets: u32, lease: Lease, scene: &mut Scene) -> Self {
        let settings = || Arc::new(scene.setup.session.namespaces.clone());
        let commit = CommitPoint::Standalone;
        let mut machine = Slot::new(scene.setup.slot, settings(), commit, Term(1), resets, &mut scene.dice);
        let mut replica = Slot::copy(scene.setup.slot, settings(), &mut scene.dice);
        machine.lease(lease);
        replica.install(machine.snapshot(), scene.now().instant);
        Self {
            id,
            machine,
            replica,
            mailbox: VecDeque::new(),
            rooms: VecDeque::new(),
            openers: BTreeMap::new(),
        }
    }

    fn enqueue(&mut self, message: Message, permit: Option<Permit>, scene: &mut Scene) {
        self.mailbox.push_back((message, permit));
        if self.mailbox.len() == 1 {
            let turn = scene.turn();
            scene.agenda.after(turn, Event::Slot(self.id));
        }
    }

    /// Where a channel stands.
    pub(super) fn head(&self, channel: &ChannelName) -> Option<Seq> {
        Some(self.machine.channel(channel)?.view().head())
    }

    /// Says what it holds.
    pub(super) fn rest(&self, id: SlotId, scene: &mut Scene) {
        for (channel, state) in self.machine.channels() {
            // Of a stored one only the newest messages are here; the store tells of all.
            if scene.setup.namespace(channel).channel.durability != Durability::Stored {
                held(channel, state, scene);
            }
        }
        let same = self.machine.snapshot() == self.replica.snapshot();
        scene.ensure(same, Rule::Copies, || format!("slot {id} and its replica differ"));
    }

    /// Tells what was committed since `before`, and has the replica follow.
    fn publish_commits(&mut self, before: Index, scene: &mut Scene) {
        let now = scene.now().instant;
        let committed = self.machine.committed();
        let entries: Option<Vec<_>> = self.machine.entries_after(before).map(|tail| tail.cloned().collect());
        for entry in entries.unwrap_or_default() {
            if entry.index > committed {
                break;
            }
            scene.tell(Fact::Committed(Arc::clone(&entry)));
            let previous = self.machine.place(entry.index.previous()).unwrap_or_default();
            if let Err(error) = self.replica.accept(previous, std::slice::from_ref(&entry)) {
                scene.ensure(false, Rule::Copies, || error.to_string());
            }
            self.replica.learn(entry.index, now);
        }
    }
}

/// Says what is held of a channel.
pub(super) fn held(channel: &ChannelName, state: &State, scene: &mut Scene) {
    let view = state.view();
    let floor = view.history().floor();
    scene.tell(Fact::Held {
        channel: channel.clone(),
        head: view.head_position(),
        floor,
        history: view.history().after(floor.previous()).cloned().collect(),
    });
}

impl Node {
    /// Puts a message in the mailbox of a channel's slot.
    pub(super) fn post_slot(
        &mut self,
        channel: &ChannelName,
        message: Message,
        permit: Option<Permit>,
        scene: &mut Scene,
    ) {
        let id = Self::slot_id(channel, scene);
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.enqueue(message, permit, scene);
        }
    }

    /// A slot takes the next message.
    pub(in crate::sim) fn slot_turn(&mut self, actor: ActorId, scene: &mut Scene) {
        let Some((&id, slot)) = self.slots.iter_mut().find(|(_, slot)| slot.id == actor) else {
            return;
        };
        let Some((message, permit)) = slot.mailbox.pop_front() else {
            return;
        };
        if !slot.mailbox.is_empty() {
            let turn = scene.turn();
            scene.agenda.after(turn, Event::Slot(actor));
        }
        let mut heard = None;
        let input = match message {
            Message::Open { channel, actor } => {
                slot.openers.insert(channel.clone(), actor);
                Input::Open { channel }
            }
            Message::Propose { channel, proposals } => {
                slot.rooms.push_back((channel.clone(), permit));
                Input::Propose { channel, proposals }
            }
            Message::Park { channel, retired } => Input::Park { channel, retired },
            Message::Used { channel, at } => Input::Used { channel, at },
            Message::Doubt { channel, through } => Input::Doubt { channel, through },
            Message::Quarantine { channel } => Input::Quarantine { channel },
            Message::Release { channel } => Input::Release { channel },
            Message::Loaded { channel, term, found } => Input::Loaded {
                channel,
                term,
                found,
                wall: scene.now().wall,
            },
            Message::Stored {
                channel,
                through,
                outcome,
            } => {
                heard = Some(through);
                match outcome {
                    Ok(()) => Input::Stored { channel, through },
                    Err(failure) => Input::StoreFailed {
                        channel,
                        through,
                        failure,
                    },
                }
            }
            Message::Wake => Input::Wake(Timer::Due),
        };
        if let Some(through) = heard {
            self.heard(id, through, scene);
        }
        self.slot_handle(id, input, scene);
    }

    /// The instant that a slot asked for has come.
    pub(in crate::sim) fn slot_wake(&mut self, actor: ActorId, scene: &mut Scene) {
        if let Some(slot) = self.slots.values_mut().find(|slot| slot.id == actor) {
            slot.enqueue(Message::Wake, None, scene);
        }
    }

    /// The actor of a slot fails: its mailbox is lost, and its channels start again with it.
    pub(in crate::sim) fn crash_slot(&mut self, slot: SlotId, scene: &mut Scene) {
        let id = self.next_actor();
        let Some(actor) = self.slots.get_mut(&slot) else {
            return;
        };
        scene.saw(Sight::SlotCrashed);
        actor.id = id;
        actor.mailbox.clear();
        actor.rooms.clear();
        actor.openers.clear();
        self.sync_for(slot, scene);
        if let Some(actor) = self.slots.get_mut(&slot) {
            actor.mailbox.clear(); // the answers to what the failed one had sent
        }
        let running: Vec<_> = self
            .channels
            .keys()
            .filter(|name| Self::slot_id(name, scene) == slot)
            .cloned()
            .collect();
        for channel in scene.setup.channels.clone() {
            if Self::slot_id(&channel, scene) == slot {
                // What an actor left behind may have been in the mailbox.
                scene.tell(Fact::Lost { channel });
            }
        }
        self.slot_handle(slot, Input::Restarted, scene);
        self.slot_handle(slot, Input::Wake(Timer::Due), scene);
        for channel in running {
            self.channel_failed(&channel, scene);
        }
    }

    fn slot_handle(&mut self, id: SlotId, input: Input, scene: &mut Scene) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let now = scene.now().instant;
        let before = slot.machine.committed();
        let mut effects = Vec::new();
        slot.machine.handle(input, now, &mut effects);
        slot.publish_commits(before, scene);
        for effect in effects {
            match effect {
                Effect::Opened { channel, opening } => self.open_for(id, &channel, Ok(*opening), scene),
                Effect::Barred { channel, reason } => self.open_for(id, &channel, Err(reason), scene),
                Effect::Load { channel, .. } => self.load(channel, scene),
                Effect::Unleased => unreachable!("one node has the store to itself"),
                Effect::Store(batch) => self.send_to_store(id, batch, scene),
                Effect::Mark { channel, used, .. } => self.store.mark(&channel, used),
                Effect::Closed { channel, reason } => {
                    while let Some(room) = self.take_room(id, &channel, false) {
                        self.release(&channel, room, scene);
                    }
                    if self.channels.contains_key(&channel) {
                        self.post_channel(&channel, channel::Message::Closed { reason }, None, scene);
                    }
                }
                Effect::Committed {
                    channel,
                    through,
                    copies,
                } => self.tell_channel(id, &channel, channel::Message::Committed { through, copies }, scene),
                Effect::Refused {
                    channel,
                    reason,
                    opening,
                } => self.tell_channel(id, &channel, channel::Message::Refused { reason, opening }, scene),
                Effect::Standing { channel, standing } => {
                    self.post_channel(&channel, channel::Message::Standing(standing), None, scene);
                }
                Effect::Confirmed { channel, through } => {
                    self.post_channel(&channel, channel::Message::Confirmed { through }, None, scene);
                }
                Effect::Dropped { channel } => {
                    if let Some(room) = self.take_room(id, &channel, true) {
                        self.release(&channel, room, scene);
                    }
                }
                Effect::Due { channel } => self.post_channel(&channel, channel::Message::Due, None, scene),
                Effect::Wake { at, timer: Timer::Due } => {
                    if let Some(slot) = self.slots.get(&id) {
                        scene.agenda.at(at, Event::SlotWake(slot.id));
                    }
                }
            }
        }
    }

    fn open_for(&mut self, id: SlotId, channel: &ChannelName, opening: Result<Opening, Refusal>, scene: &mut Scene) {
        let slot = self.slots.get_mut(&id);
        let opener = slot.and_then(|slot| slot.openers.remove(channel));
        self.opened(channel, opener, opening, scene);
    }

    /// Answers a channel in the room of its proposal. A channel that is gone has nobody waiting.
    fn tell_channel(&mut self, id: SlotId, channel: &ChannelName, message: channel::Message, scene: &mut Scene) {
        let room = self.take_room(id, channel, false);
        if self.channels.contains_key(channel) {
            // A batch that was taken in part gets two answers.
            self.post_channel(channel, message, room.flatten(), scene);
        }
    }

    /// Takes the room of what a channel has proposed first, or last.
    fn take_room(&mut self, id: SlotId, channel: &ChannelName, last: bool) -> Option<Option<Permit>> {
        let rooms = &mut self.slots.get_mut(&id)?.rooms;
        let is_of = |(of, _): &(ChannelName, Option<Permit>)| of == channel;
        let at = if last {
            rooms.iter().rposition(is_of)
        } else {
            rooms.iter().position(is_of)
        };
        rooms.remove(at?).map(|(_, permit)| permit)
    }
}
