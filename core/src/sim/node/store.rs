//! The store: it outlives the node, and what was not synced when the node ends is gone.
//!
//! Batches are written in the order they come and synced together after a while, as the real one does it. Now and then
//! a sync fails, and then nobody knows whether it was written; a batch that does not follow what is there is refused.
//! What is asked of the store comes behind all that was sent to it before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::{Node, slot};
use crate::channel::{PageRoom, State, state};
use crate::id::{ChannelName, Index, Lineage, Position, Seq, SlotId, Term};
use crate::sim::dice::Dice;
use crate::sim::fact::Fact;
use crate::sim::scene::{Event, Scene};
use crate::sim::sight::Sight;
use crate::slot::{Batch, Entry, Lease, StoreFailure};

/// How often a sync fails, in a hundred, and how often it was written for all that.
const FAILS: u64 = 2;
const WRITTEN: u64 = 50;

/// See the module.
#[derive(Debug)]
pub(super) struct Store {
    incarnation: u32,
    /// How often the node was started with it: the term of its slots.
    pub(super) starts: u64,
    /// What is synced. A channel that was forgotten is `None`.
    synced: BTreeMap<ChannelName, Option<State>>,
    /// What was sent, in order.
    sent: VecDeque<Sent>,
    /// What is synced and its slot has not heard of.
    unheard: VecDeque<(SlotId, Index, Vec<Arc<Entry>>)>,
    is_syncing: bool,
}

#[derive(Debug)]
struct Sent {
    slot: SlotId,
    batch: Batch,
}

impl Store {
    pub(super) fn new(dice: &mut Dice) -> Self {
        Self {
            incarnation: u32::try_from(dice.below(1 << 32)).expect("32 bits"),
            starts: 0,
            synced: BTreeMap::new(),
            sent: VecDeque::new(),
            unheard: VecDeque::new(),
            is_syncing: false,
        }
    }

    /// The node starts: all its slots are its own.
    pub(super) fn lease(&self, slot: SlotId, slots: u16) -> Lease {
        let of_slot = |channel: &&ChannelName| crate::id::slot_of(channel, slots) == slot;
        let known = self.synced.iter().filter(|(_, state)| state.is_some());
        Lease {
            term: Term(self.starts),
            lineage: Lineage {
                resets: 0,
                incarnation: self.incarnation,
            },
            channels: known.map(|(channel, _)| channel).filter(of_slot).count(),
        }
    }

    /// What is synced of a channel.
    pub(super) fn state(&self, channel: &ChannelName) -> Option<&State> {
        self.synced.get(channel)?.as_ref()
    }

    /// Every channel that is synced.
    pub(super) fn channels(&self) -> impl Iterator<Item = (&ChannelName, &State)> {
        let known = self.synced.iter();
        known.filter_map(|(channel, state)| Some((channel, state.as_ref()?)))
    }

    /// Notes when a channel was used.
    pub(super) fn mark(&mut self, channel: &ChannelName, used: Instant) {
        if let Some(Some(state)) = self.synced.get_mut(channel) {
            state.touch(used);
        }
    }

    /// Writes a batch, whole or not at all.
    fn write(&mut self, batch: &Batch, scene: &Scene) -> Result<(), StoreFailure> {
        let now = scene.now().instant;
        let mut changed = self.synced.get(&batch.channel).cloned().flatten();
        for entry in &batch.entries {
            state::apply(&mut changed, &entry.change, now).map_err(|_| StoreFailure::Conflict)?;
        }
        self.synced.insert(batch.channel.clone(), changed);
        Ok(())
    }
}

impl Node {
    /// Takes a batch of a slot.
    pub(super) fn send_to_store(&mut self, slot: SlotId, batch: Batch, scene: &mut Scene) {
        self.store.sent.push_back(Sent { slot, batch });
        if !self.store.is_syncing {
            self.store.is_syncing = true;
            let delay = scene.dice.time(scene.setup.sync);
            scene.agenda.after(delay, Event::Sync(self.life));
        }
    }

    /// The store syncs what was sent.
    pub(in crate::sim) fn sync(&mut self, life: u32, scene: &mut Scene) {
        if life != self.life || !self.is_up {
            return; // of a node that is gone
        }
        self.store.is_syncing = false;
        let fails = !scene.is_calm && scene.dice.percent(FAILS);
        let written = !fails || scene.dice.percent(WRITTEN);
        while let Some(Sent { slot, batch }) = self.store.sent.pop_front() {
            let (channel, through) = (batch.channel.clone(), batch.through);
            let mut outcome = match written {
                true => self.store.write(&batch, scene),
                false => Err(StoreFailure::Unavailable),
            };
            if outcome.is_ok() {
                self.store.unheard.push_back((slot, through, batch.entries));
            }
            if fails {
                scene.saw(Sight::SyncFailed);
                outcome = Err(StoreFailure::Unavailable);
            }
            let stored = slot::Message::Stored {
                channel: channel.clone(),
                through,
                outcome,
            };
            self.post_slot(&channel, stored, None, scene);
        }
    }

    /// What a slot is about to hear of is told: from here on it counts.
    pub(super) fn heard(&mut self, slot: SlotId, through: Index, scene: &mut Scene) {
        let is_heard = |(of, at, _): &(SlotId, Index, Vec<Arc<Entry>>)| *of == slot && *at <= through;
        let (heard, rest) = std::mem::take(&mut self.store.unheard).into_iter().partition(is_heard);
        self.store.unheard = rest;
        let heard: VecDeque<_> = heard;
        for entry in heard.into_iter().flat_map(|(_, _, entries)| entries) {
            scene.tell(Fact::Committed(entry));
        }
    }

    /// The node ends: what was sent and not synced is gone, and what was synced stays, heard of or not.
    pub(super) fn lose_unsynced(&mut self, scene: &mut Scene) {
        if !self.store.sent.is_empty() {
            scene.saw(Sight::UnsyncedLost);
        }
        self.store.sent.clear();
        self.store.is_syncing = false;
        for slot in 0..scene.setup.slots {
            self.heard(SlotId(slot), Index(u64::MAX), scene);
        }
    }

    /// The actor of a slot has failed: the store goes on with what was sent to it.
    pub(super) fn sync_for(&mut self, slot: SlotId, scene: &mut Scene) {
        let life = self.life;
        self.sync(life, scene);
        self.heard(slot, Index(u64::MAX), scene);
    }

    /// A slot asks what there is of a channel.
    pub(super) fn load(&mut self, channel: ChannelName, scene: &mut Scene) {
        let delay = scene.dice.time(scene.setup.sync);
        scene.agenda.after(delay, Event::Load(self.life, channel));
    }

    /// The store answers, behind all that was sent before.
    pub(in crate::sim) fn loaded(&mut self, life: u32, channel: ChannelName, scene: &mut Scene) {
        if life != self.life || !self.is_up {
            return;
        }
        self.sync(life, scene);
        let memory = Self::config(&channel, scene).memory;
        let now = scene.now();
        let found = self
            .store
            .state(&channel)
            .map(|state| Box::new(state.to_stored(memory, now)));
        if found.is_some() {
            scene.saw(Sight::Loaded);
        }
        let loaded = slot::Message::Loaded {
            channel: channel.clone(),
            // No process but the one that asked is answered, and it claims once.
            term: Term(self.store.starts),
            found: Ok(found),
        };
        self.post_slot(&channel, loaded, None, scene);
    }

    /// A page of what is in the store only.
    pub(super) fn stored_page(
        &self,
        channel: &ChannelName,
        after: &Position,
        through: Seq,
        mut room: PageRoom,
    ) -> Option<Vec<Arc<crate::channel::Message>>> {
        let view = self.store.state(channel)?.view();
        let is_kept = *view.epoch() == after.epoch && view.history().floor() <= after.seq.next();
        is_kept.then(|| {
            let messages = view.history().after(after.seq);
            let wanted = messages.take_while(|message| message.seq <= through && room.take(message));
            wanted.cloned().collect()
        })
    }
}
