//! Name → address. Starts the actors of slots and channels when they are needed, and forgets those
//! that retired or failed.
//!
//! An address may be held by anybody for any time. An actor that retires closes its mailbox first,
//! and only if nothing is in it; whoever sends to a closed one is told so and looks it up again,
//! which starts a new actor. So nothing is lost between looking up and sending.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use dashmap::DashMap;
use ractor::{Actor, ActorCell, ActorId, ActorRef, ActorRuntime};
use starling_core::id::{ChannelName, Seq, SlotId, Term, slot_of};
use starling_core::slot::{CommitPoint, Slot};
use starling_runtime::mailbox::{Address, Room, SendError};

use super::channel::{self, ChannelActor};
use super::slot::{self, SlotActor};
use super::supervisor::Supervisor;
use crate::node::Services;

/// Who runs under an actor's id.
#[derive(Debug, Clone)]
pub(super) enum Who {
    Slot(SlotId),
    Channel(ChannelName),
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    services: Arc<Services>,
    slots: Box<[Entry]>,
    channels: DashMap<ChannelName, Address<channel::Message>>,
    running: DashMap<ActorId, Who>,
    supervisor: OnceLock<ActorCell>,
}

/// A slot: its machine, made when it is first used, and the actor that works on it.
#[derive(Default)]
struct Entry {
    machine: OnceLock<Arc<Mutex<Slot>>>,
    actor: Mutex<Option<Address<slot::Message>>>,
}

impl Entry {
    fn actor(&self) -> MutexGuard<'_, Option<Address<slot::Message>>> {
        self.actor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// No actor runs but the supervisor of all.
    ///
    /// # Errors
    /// When the supervisor does not start.
    pub async fn start(services: Arc<Services>) -> Result<Self, ractor::SpawnErr> {
        let registry = Self(Arc::new(Inner {
            slots: (0..services.slots).map(|_| Entry::default()).collect(),
            services,
            channels: DashMap::new(),
            running: DashMap::new(),
            supervisor: OnceLock::new(),
        }));
        let (supervisor, _) = Actor::spawn(None, Supervisor, registry.clone()).await?;
        registry
            .0
            .supervisor
            .set(supervisor.get_cell())
            .expect("set once, here");
        Ok(registry)
    }

    /// What the whole node shares.
    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.0.services
    }

    /// Channels whose actors run.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.0.channels.len()
    }

    /// Sends to a channel if its mailbox has room.
    ///
    /// # Errors
    /// The message, when there is none: wait with [`Self::send`], or refuse.
    pub fn try_send(&self, name: &ChannelName, mut message: channel::Message) -> Result<(), channel::Message> {
        loop {
            let address = self.channel(name);
            let count = message.requests();
            message = match address.try_send(message, count) {
                Ok(()) => return Ok(()),
                Err(SendError::Full(message)) => return Err(message),
                Err(SendError::Closed(back)) => {
                    // Another thread is in the turn that forgets it.
                    std::thread::yield_now();
                    back
                }
                Err(SendError::Gone(back)) => {
                    self.forget(name, address.id());
                    back
                }
            };
        }
    }

    /// Sends to a channel once its mailbox has room.
    pub async fn send(&self, name: &ChannelName, mut message: channel::Message) {
        loop {
            let address = self.channel(name);
            let count = message.requests();
            message = match address.send(message, count).await {
                Ok(()) => return,
                Err(SendError::Full(back) | SendError::Closed(back)) => {
                    tokio::task::yield_now().await;
                    back
                }
                Err(SendError::Gone(back)) => {
                    self.forget(name, address.id());
                    back
                }
            };
        }
    }

    /// The address of a channel; starts its actor if none runs.
    #[must_use]
    pub fn channel(&self, name: &ChannelName) -> Address<channel::Message> {
        if let Some(address) = self.running(name) {
            return address;
        }
        let entry = self.0.channels.entry(name.clone());
        entry.or_insert_with(|| self.start_channel(name)).clone()
    }

    /// The address of a channel whose actor runs.
    #[must_use]
    pub fn running(&self, name: &ChannelName) -> Option<Address<channel::Message>> {
        self.0.channels.get(name).map(|address| address.clone())
    }

    /// Forgets an actor, if it is still the one for its channel.
    pub fn forget(&self, name: &ChannelName, actor: ActorId) {
        self.0.channels.remove_if(name, |_, address| address.id() == actor);
    }

    /// The address of a slot; starts its actor if none runs.
    #[must_use]
    pub fn slot(&self, slot: SlotId) -> Address<slot::Message> {
        let entry = self.entry(slot);
        entry
            .actor()
            .get_or_insert_with(|| self.start_slot(slot, entry))
            .clone()
    }

    /// The slot that a channel belongs to.
    #[must_use]
    pub fn slot_of(&self, name: &ChannelName) -> Address<slot::Message> {
        self.slot(slot_of(name, self.0.services.slots))
    }

    /// Where a channel stands in its slot.
    pub(super) fn head(&self, name: &ChannelName) -> Option<Seq> {
        let machine = self.entry(slot_of(name, self.0.services.slots)).machine.get()?;
        let machine = machine.lock().unwrap_or_else(PoisonError::into_inner);
        Some(machine.channel(name)?.view().head())
    }

    /// Starts a channel again whose actor has failed, if it left readers behind.
    pub(super) fn channel_failed(&self, name: &ChannelName, actor: ActorId) {
        self.forget(name, actor);
        if self.0.services.gateway.find(name).is_some() {
            let _ = self.channel(name);
        }
    }

    /// Starts a slot again whose actor has failed, and its channels: they hold its address, and what
    /// they proposed may be lost.
    pub(super) fn slot_failed(&self, slot: SlotId) {
        *self.entry(slot).actor() = None;
        let all = self.0.channels.iter();
        let of_slot = all.filter(|entry| slot_of(entry.key(), self.0.services.slots) == slot);
        let of_slot: Vec<_> = of_slot
            .map(|entry| (entry.key().clone(), entry.value().clone()))
            .collect();
        for (name, address) in of_slot {
            address.stop("slot failed");
            self.channel_failed(&name, address.id());
        }
    }

    /// Takes note that an actor has ended, and says who it was.
    pub(super) fn ended(&self, actor: ActorId) -> Option<Who> {
        self.0.running.remove(&actor).map(|(_, who)| who)
    }

    /// Stops every actor.
    pub fn stop(&self) {
        if let Some(supervisor) = self.0.supervisor.get() {
            supervisor.stop(Some("the node stops".to_owned()));
        }
    }

    fn entry(&self, slot: SlotId) -> &Entry {
        &self.0.slots[usize::from(slot.0)]
    }

    fn start_channel(&self, name: &ChannelName) -> Address<channel::Message> {
        let slot = self.slot_of(name);
        let room = Room::new(channel::MAILBOX_SIZE);
        let arguments = channel::Arguments {
            channel: name.clone(),
            registry: self.clone(),
            room: room.clone(),
            slot,
        };
        Address::new(self.spawn(ChannelActor, Who::Channel(name.clone()), arguments), room)
    }

    fn start_slot(&self, slot: SlotId, entry: &Entry) -> Address<slot::Message> {
        let machine = entry.machine.get_or_init(|| {
            let services = &self.0.services;
            let settings = Arc::new(services.settings.namespaces.clone());
            let mut machine = Slot::new(
                services.slot_config,
                settings,
                CommitPoint::Standalone,
                Term(1),
                0,
                &mut rand::rng(),
            );
            if let Some(storage) = &services.storage {
                machine.lease(storage.claims[usize::from(slot.0)].lease);
            }
            Arc::new(Mutex::new(machine))
        });
        let room = Room::new(slot::MAILBOX_SIZE);
        let arguments = slot::Arguments {
            slot,
            machine: Arc::clone(machine),
            registry: self.clone(),
            room: room.clone(),
        };
        Address::new(self.spawn(SlotActor, Who::Slot(slot), arguments), room)
    }

    /// Starts an actor under the supervisor. It takes messages before it has started.
    fn spawn<A: Actor>(&self, actor: A, who: Who, arguments: A::Arguments) -> ActorRef<A::Msg> {
        let supervisor = self
            .0
            .supervisor
            .get()
            .expect("set before anybody has the registry")
            .clone();
        let (actor, _) = ActorRuntime::spawn_linked_instant(None, actor, arguments, supervisor)
            .expect("only a name that is taken refuses an actor, and ours have none");
        self.0.running.insert(actor.get_id(), who);
        actor
    }
}
