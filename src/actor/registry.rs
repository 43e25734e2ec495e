//! Name → address. Starts the actors of slots and channels when they are needed, and forgets those
//! that retired or failed.
//!
//! An address may be held by anybody for any time. An actor that retires closes its mailbox first,
//! and only if nothing is in it; whoever sends to a closed one is told so and looks it up again,
//! which starts a new actor. So nothing is lost between looking up and sending.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use ractor::{Actor, ActorCell, ActorId, ActorRef, ActorRuntime};
use starling_core::id::{ChannelName, Generation, NodeId, NodeName, Seq, SlotId, Term, slot_of};
use starling_core::replica::{self, Replica};
use starling_core::session::answer::Farewell;
use starling_core::slot::{CommitPoint, Slot};
use starling_runtime::mailbox::{Address, Permit, Room, SendError};

use super::channel::{self, ChannelActor};
use super::presence::{self, PresenceActor, ShardId};
use super::relay::{self, RelayActor};
use super::slot::{self, Machine, Route, SlotActor};
use super::supervisor::Supervisor;
use crate::cluster::peers::Peers;
use crate::node::Services;
use documents::{Documents, Open};

mod documents;

/// Who runs under an actor's id.
#[derive(Debug, Clone)]
pub(super) enum Who {
    Slot(SlotId),
    Channel(ChannelName),
    Relay(ChannelName),
    Presence(ShardId),
    DocumentOwner(ChannelName),
    DocumentGateway(ChannelName),
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    services: Arc<Services>,
    /// The way to other nodes, if there are any.
    peers: Option<Arc<Peers>>,
    slots: Box<[Entry]>,
    /// Who is in channels, by shard.
    presence: OnceLock<Box<[Address<presence::Message>]>>,
    /// Requests over HTTP that looked who is in a channel.
    glances: AtomicU32,
    /// Documents of all slots.
    documents: Documents,
    /// This node.
    me: NodeId,
    /// Channels of all slots.
    channels: AtomicUsize,
    /// Relays that were started.
    relays: AtomicU32,
    running: DashMap<ActorId, Who>,
    supervisor: OnceLock<ActorCell>,
}

type Channels = HashMap<ChannelName, Address<channel::Message>>;

/// A slot: its machine, made when it is first used, the actor that works on it, and those of its channels.
struct Entry {
    machine: OnceLock<Arc<Mutex<Machine>>>,
    actor: Mutex<Option<Address<slot::Message>>>,
    channels: RwLock<Channels>,
    documents: Mutex<Open>,
    route: ArcSwap<Route>,
    is_settled: AtomicBool,
}

impl Entry {
    fn new(route: Route) -> Self {
        Self {
            machine: OnceLock::new(),
            actor: Mutex::default(),
            channels: RwLock::default(),
            documents: Mutex::default(),
            is_settled: AtomicBool::new(route == Route::Here),
            route: ArcSwap::from_pointee(route),
        }
    }

    fn channels(&self) -> RwLockReadGuard<'_, Channels> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn channels_mut(&self) -> RwLockWriteGuard<'_, Channels> {
        self.channels.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn actor(&self) -> MutexGuard<'_, Option<Address<slot::Message>>> {
        self.actor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// No actor runs but the supervisor of all.
    ///
    /// # Errors
    /// When the supervisor does not start.
    pub async fn start(services: Arc<Services>, peers: Option<Arc<Peers>>) -> Result<Self, ractor::SpawnErr> {
        let me = match &peers {
            Some(peers) => peers.me().clone(),
            None => alone(&services),
        };
        let registry = Self(Arc::new(Inner {
            slots: (0..services.slots)
                .map(|_| {
                    Entry::new(match peers {
                        None => Route::Here,
                        Some(_) => Route::Nowhere,
                    })
                })
                .collect(),
            presence: OnceLock::new(),
            documents: Documents::default(),
            me: me.clone(),
            glances: AtomicU32::new(0),
            services,
            peers,
            channels: AtomicUsize::new(0),
            relays: AtomicU32::new(0),
            running: DashMap::new(),
            supervisor: OnceLock::new(),
        }));
        let (supervisor, _) = Actor::spawn(None, Supervisor, registry.clone()).await?;
        registry
            .0
            .supervisor
            .set(supervisor.get_cell())
            .expect("set once, here");
        let shards = ShardId::all().map(|shard| registry.start_presence(shard, &me));
        let shards = shards.collect();
        registry.0.presence.set(shards).expect("set once, here");
        if registry.peers().is_none() {
            registry.own_presence(&me);
        }
        Ok(registry)
    }

    /// This node, as others know it.
    #[must_use]
    pub fn me(&self) -> &NodeId {
        &self.0.me
    }

    /// What the whole node shares.
    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.0.services
    }

    /// The way to other nodes; `None` if this one stands alone.
    #[must_use]
    pub fn peers(&self) -> Option<&Arc<Peers>> {
        self.0.peers.as_ref()
    }

    /// Channels whose actors run.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.0.channels.load(Ordering::Relaxed)
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

    /// A number for a relay that starts: no other of this process has it, but after four thousand million.
    pub(super) fn next_relay(&self) -> u32 {
        self.0.relays.fetch_add(1, Ordering::Relaxed)
    }

    /// Passes a request on, with the room it has, to the actor that has taken the place of another.
    pub(super) fn pass_on(&self, name: &ChannelName, message: channel::Message, permit: Permit) {
        if let Err(SendError::Gone(message)) = self.channel(name).post(message, permit) {
            drop(message); // whoever asked is told, and asks again
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
        let slot = slot_of(name, self.0.services.slots);
        let entry = self.entry(slot);
        if let Some(address) = entry.channels().get(name) {
            return address.clone();
        }
        let mut channels = entry.channels_mut();
        let address = channels.entry(name.clone()).or_insert_with(|| {
            self.0.channels.fetch_add(1, Ordering::Relaxed);
            // Under the lock: whoever changes the route tells the channels that are there then.
            match &**entry.route.load() {
                Route::Here => self.start_channel(name, slot),
                elsewhere => self.start_relay(name, elsewhere),
            }
        });
        address.clone()
    }

    /// The address of a channel whose actor runs.
    #[must_use]
    pub fn running(&self, name: &ChannelName) -> Option<Address<channel::Message>> {
        self.entry_of(name).channels().get(name).cloned()
    }

    /// Forgets an actor, if it is still the one for its channel.
    pub fn forget(&self, name: &ChannelName, actor: ActorId) {
        let mut channels = self.entry_of(name).channels_mut();
        if channels.get(name).is_some_and(|address| address.id() == actor) {
            channels.remove(name);
            self.0.channels.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Where a slot's channels are worked on.
    #[must_use]
    pub fn route(&self, slot: SlotId) -> Route {
        Route::clone(&self.entry(slot).route.load())
    }

    /// A slot's channels are worked on elsewhere from now on, or here: those that run are told.
    pub(super) fn routed(&self, slot: SlotId, route: Route) {
        let entry = self.entry(slot);
        entry.route.store(Arc::new(route.clone()));
        self.tell_all(slot, || channel::Message::Route(route.clone()));
        self.route_documents(slot, &route);
    }

    /// Tells every channel of a slot that runs.
    pub(super) fn tell_all(&self, slot: SlotId, message: impl Fn() -> channel::Message) {
        for address in self.entry(slot).channels().values() {
            let _ = address.post_single(message()); // one that has stopped has nobody to tell
        }
    }

    /// Whether a slot has an owner, and this node holds it if it should.
    pub(super) fn settled(&self, slot: SlotId, is_settled: bool) {
        self.entry(slot).is_settled.store(is_settled, Ordering::Relaxed);
    }

    /// Slots that have no owner, or that this node should hold and does not.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        let slots = self.0.slots.iter();
        slots.filter(|entry| !entry.is_settled.load(Ordering::Relaxed)).count()
    }

    /// Slots that this node owns.
    #[must_use]
    pub fn owned(&self) -> usize {
        let slots = self.0.slots.iter();
        slots.filter(|entry| **entry.route.load() == Route::Here).count()
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

    /// The address of a shard of presence.
    #[must_use]
    pub fn presence(&self, shard: ShardId) -> &Address<presence::Message> {
        let shards = self.0.presence.get().expect("set before anybody has the registry");
        &shards[usize::from(shard.0)]
    }

    /// Tells every shard of presence.
    pub fn tell_presence(&self, input: impl Fn() -> presence::Happening) {
        for shard in ShardId::all() {
            let message = presence::Message::Happened(input());
            let _ = self.presence(shard).post_single(message); // it has ended with the node
        }
    }

    /// Sends to a shard if its mailbox has room.
    ///
    /// # Errors
    /// The message, when there is none.
    pub fn try_send_presence(&self, shard: ShardId, message: presence::Message) -> Result<(), Box<presence::Message>> {
        match self.presence(shard).try_send(message, 1) {
            Ok(()) => Ok(()),
            Err(SendError::Full(message)) => Err(Box::new(message)),
            // Whoever asked is told that nobody answers.
            Err(SendError::Closed(_) | SendError::Gone(_)) => Ok(()),
        }
    }

    /// Sends to a shard once its mailbox has room.
    pub async fn send_presence(&self, shard: ShardId, message: presence::Message) {
        let _ = self.presence(shard).send(message, 1).await; // the same
    }

    /// A number for a request over HTTP that looks who is in a channel.
    pub fn next_glance(&self) -> u32 {
        self.0.glances.fetch_add(1, Ordering::Relaxed)
    }

    /// A node that stands alone owns everything.
    fn own_presence(&self, me: &NodeId) {
        for slot in (0..self.0.services.slots).map(SlotId) {
            let placed = presence::Happening::Placed {
                slot,
                owner: Some((me.clone(), Term(1))),
                is_replica: false,
            };
            let message = presence::Message::Happened(placed);
            let _ = self.presence(ShardId::of(slot)).post_single(message);
        }
    }

    /// The slot that a channel belongs to.
    #[must_use]
    pub fn slot_of(&self, name: &ChannelName) -> Address<slot::Message> {
        self.slot(slot_of(name, self.0.services.slots))
    }

    /// Where a channel stands in its slot.
    pub(super) fn head(&self, name: &ChannelName) -> Option<Seq> {
        let machine = self.entry_of(name).machine.get()?;
        machine.lock().unwrap_or_else(PoisonError::into_inner).head(name)
    }

    /// Starts a channel again whose actor has failed, if it left readers behind.
    pub(super) fn channel_failed(&self, name: &ChannelName, actor: ActorId) {
        self.forget(name, actor);
        if self.0.services.gateway.find(name).is_some() {
            let _ = self.channel(name);
        }
    }

    /// A relay has failed: its readers come back with their positions, to another.
    pub(super) fn relay_failed(&self, name: &ChannelName, actor: ActorId) {
        self.forget(name, actor);
        if let Some(feed) = self.0.services.gateway.find(name) {
            feed.dismiss(&Farewell::Internal);
            self.0.services.gateway.forget(name);
        }
    }

    /// Starts a slot again whose actor has failed, and its channels: they hold its address, and what
    /// they proposed may be lost.
    pub(super) fn slot_failed(&self, slot: SlotId) {
        let entry = self.entry(slot);
        *entry.actor() = None;
        let of_slot: Vec<_> = entry
            .channels()
            .iter()
            .map(|(name, address)| (name.clone(), address.clone()))
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

    fn entry_of(&self, name: &ChannelName) -> &Entry {
        self.entry(slot_of(name, self.0.services.slots))
    }

    /// Starts the relay of a channel that this node does not own.
    fn start_relay(&self, name: &ChannelName, route: &Route) -> Address<channel::Message> {
        let room = Room::new(channel::MAILBOX_SIZE);
        let arguments = relay::Arguments {
            channel: name.clone(),
            route: route.clone(),
            registry: self.clone(),
            room: room.clone(),
        };
        Address::new(self.spawn(RelayActor, Who::Relay(name.clone()), arguments), room)
    }

    fn start_channel(&self, name: &ChannelName, slot: SlotId) -> Address<channel::Message> {
        let slot = self.slot(slot);
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
        let machine = entry
            .machine
            .get_or_init(|| Arc::new(Mutex::new(self.make_machine(slot))));
        let room = Room::new(slot::MAILBOX_SIZE);
        let arguments = slot::Arguments {
            slot,
            machine: Arc::clone(machine),
            registry: self.clone(),
            room: room.clone(),
        };
        Address::new(self.spawn(SlotActor, Who::Slot(slot), arguments), room)
    }

    fn start_presence(&self, shard: ShardId, node: &NodeId) -> Address<presence::Message> {
        let room = Room::new(presence::MAILBOX_SIZE);
        let arguments = presence::Arguments {
            shard,
            node: node.clone(),
            registry: self.clone(),
            room: room.clone(),
        };
        Address::new(self.spawn(PresenceActor, Who::Presence(shard), arguments), room)
    }

    fn make_machine(&self, slot: SlotId) -> Machine {
        let services = &self.0.services;
        let settings = Arc::new(services.settings.namespaces.clone());
        if let Some(peers) = &self.0.peers {
            let mut config = replica::Config::default();
            config.slot.channels_max = services.slot_config.channels_max;
            let replica = Replica::new(peers.me().clone(), slot, config, settings, &mut rand::rng());
            return Machine::Replicated(replica);
        }
        let (config, commit) = (services.slot_config, CommitPoint::Standalone);
        let mut machine = Slot::new(config, settings, commit, Term(1), 0, &mut rand::rng());
        if let Some(lease) = services.storage.as_ref().and_then(|storage| storage.claims.lease(slot)) {
            machine.lease(lease);
        }
        Machine::alone(machine)
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

/// What a node that stands alone is called in presence: as it calls itself, or as it would have to as one of several.
fn alone(services: &Services) -> NodeId {
    let name = services.greeting.node.to_ascii_lowercase();
    let name = NodeName::parse(&name).or_else(|_| NodeName::parse("node"));
    NodeId {
        name: name.expect("it is a name"),
        generation: Generation(services.greeting.generation),
    }
}
