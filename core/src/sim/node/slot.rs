//! The actor of a slot. Its machine outlives it: after a failure the next one goes on with it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Node;
use super::channel;
use super::mailbox::Permit;
use crate::channel::{Proposal, Retired};
use crate::id::{ChannelName, Index, Seq, SlotId, Term};
use crate::sim::check::Rule;
use crate::sim::fact::Fact;
use crate::sim::scene::{ActorId, Event, Scene};
use crate::sim::sight::Sight;
use crate::slot::{CommitPoint, Effect, Input, Slot, Timer};

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
    Quarantine {
        channel: ChannelName,
    },
    Release {
        channel: ChannelName,
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
}

impl SlotActor {
    pub(super) fn new(id: ActorId, resets: u32, scene: &mut Scene) -> Self {
        let mut slot = || {
            let settings = Arc::new(scene.setup.session.namespaces.clone());
            let commit = CommitPoint::Standalone;
            Slot::new(scene.setup.slot, settings, commit, Term(1), resets, &mut scene.dice)
        };
        let (machine, mut replica) = (slot(), slot());
        replica.install(machine.snapshot(), scene.now().instant);
        Self {
            id,
            machine,
            replica,
            mailbox: VecDeque::new(),
            rooms: VecDeque::new(),
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
            let view = state.view();
            let floor = view.history().floor();
            scene.tell(Fact::Held {
                channel: channel.clone(),
                head: view.head_position(),
                floor,
                history: view.history().after(floor.previous()).cloned().collect(),
            });
        }
        let same = self.machine.snapshot() == self.replica.snapshot();
        scene.ensure(same, Rule::Copies, || format!("slot {id} and its replica differ"));
    }

    /// Tells what was committed since `before`, and has the replica follow.
    fn publish_commits(&mut self, before: Index, scene: &mut Scene) {
        let now = scene.now().instant;
        let entries: Option<Vec<_>> = self.machine.tail_after(before).map(|tail| tail.cloned().collect());
        for entry in entries.unwrap_or_default() {
            scene.tell(Fact::Committed(Arc::clone(&entry)));
            if let Err(error) = self.replica.follow(&entry, now) {
                scene.ensure(false, Rule::Copies, || error.to_string());
            }
        }
    }
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
        let mut opener = None;
        let input = match message {
            Message::Open { channel, actor } => {
                opener = Some(actor);
                Input::Open { channel }
            }
            Message::Propose { channel, proposals } => {
                slot.rooms.push_back((channel.clone(), permit));
                Input::Propose { channel, proposals }
            }
            Message::Park { channel, retired } => Input::Park { channel, retired },
            Message::Used { channel, at } => Input::Used { channel, at },
            Message::Quarantine { channel } => Input::Quarantine { channel },
            Message::Release { channel } => Input::Release { channel },
            Message::Wake => Input::Wake(Timer::Due),
        };
        self.slot_handle(id, input, opener, scene);
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
        self.slot_handle(slot, Input::Wake(Timer::Due), None, scene);
        for channel in running {
            self.channel_failed(&channel, scene);
        }
    }

    fn slot_handle(&mut self, id: SlotId, input: Input, opener: Option<ActorId>, scene: &mut Scene) {
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
                Effect::Opened { channel, opening } => self.opened(&channel, opener, Some(*opening), scene),
                Effect::Barred { channel } => self.opened(&channel, opener, None, scene),
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
                Effect::Due { channel } => self.post_channel(&channel, channel::Message::Due, None, scene),
                Effect::Wake { at, timer: Timer::Due } => {
                    if let Some(slot) = self.slots.get(&id) {
                        scene.agenda.at(at, Event::SlotWake(slot.id));
                    }
                }
            }
        }
    }

    /// Answers a channel in the room of its proposal. A channel that is gone has nobody waiting.
    fn tell_channel(&mut self, id: SlotId, channel: &ChannelName, message: channel::Message, scene: &mut Scene) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let at = slot.rooms.iter().position(|(of, _)| of == channel);
        if let Some((_, permit)) = at.and_then(|at| slot.rooms.remove(at))
            && self.channels.contains_key(channel)
        {
            self.post_channel(channel, message, permit, scene);
        }
    }
}
