//! The shell around a node's machines: what the real one does, in one piece.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::event::{Event, Reply};
use super::feed::Feed;
use super::world::World;
use crate::channel::{self, Channel};
use crate::id::{ChannelName, NodeId, SlotId};
use crate::placement::planner::{self, Member, Planner};
use crate::relay::Relay;
use crate::replica::{self, Replica};
use crate::table::Registry;
use crate::time::Now;

/// See the module.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) is_up: bool,
    pub(super) is_paused: bool,
    /// What arrives while it stands still.
    pub(super) backlog: VecDeque<Event>,
    pub(super) clock: Clock,
    pub(super) replicas: BTreeMap<SlotId, Replica>,
    /// Where each slot's channels are worked on.
    pub(super) routes: BTreeMap<SlotId, Route>,
    pub(super) channels: BTreeMap<ChannelName, Channel<Asker>>,
    pub(super) opening: BTreeMap<ChannelName, Vec<channel::Input<Asker>>>,
    /// Gateways that are sent what is new.
    pub(super) followers: BTreeMap<ChannelName, BTreeSet<NodeId>>,
    /// What its own readers are given, whoever owns the channel.
    pub(super) feeds: BTreeMap<ChannelName, Feed>,
    pub(super) relays: BTreeMap<ChannelName, Relay<Reply>>,
    pub(super) relays_begun: u32,
    pub(super) registry: Registry,
    pub(super) heard: BTreeMap<NodeId, Heard>,
    /// Who was said to be down.
    pub(super) down: BTreeSet<NodeId>,
    pub(super) planner: Planner,
    /// What gossip says of the others, the oldest first, and how long that takes to be known.
    pub(super) gossip: VecDeque<(Instant, Vec<Member>)>,
    pub(super) gossip_lag: Duration,
    /// It is to give everything away.
    pub(super) is_draining: bool,
    pub(super) beats: u64,
}

/// When another node was heard of last, and what it said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) at: Instant,
    pub(super) is_draining: bool,
}

/// Where a slot's channels are worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Here,
    At(NodeId),
    Nowhere,
}

impl Route {
    pub(super) fn owner(&self) -> Option<NodeId> {
        match self {
            Self::At(owner) => Some(owner.clone()),
            Self::Here | Self::Nowhere => None,
        }
    }
}

/// Whom a channel answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asker {
    /// A client of its own node.
    Client(Reply),
    /// What another gateway asks under a number.
    Gateway(NodeId, u64),
}

/// Something to be done in the node, at once.
pub(super) enum Work {
    Replica(replica::Input),
    Channel(ChannelName, channel::Input<Asker>),
    /// A request, for which the channel is opened.
    Asked(ChannelName, channel::Request<Asker>),
    /// Opens the channel for those who read it.
    Open(ChannelName),
}

impl Node {
    pub(super) fn new(id: NodeId, clock: Clock, gossip_lag: Duration, config: planner::Config) -> Self {
        Self {
            planner: Planner::new(id.clone(), Arc::from(""), config),
            id,
            is_up: true,
            is_paused: false,
            backlog: VecDeque::new(),
            clock,
            replicas: BTreeMap::new(),
            routes: BTreeMap::new(),
            channels: BTreeMap::new(),
            opening: BTreeMap::new(),
            followers: BTreeMap::new(),
            feeds: BTreeMap::new(),
            relays: BTreeMap::new(),
            relays_begun: 0,
            registry: Registry::default(),
            heard: BTreeMap::new(),
            down: BTreeSet::new(),
            gossip: VecDeque::new(),
            gossip_lag,
            is_draining: false,
            beats: 0,
        }
    }

    /// Where a slot's channels are to be worked on.
    pub(super) fn route(&self, slot: SlotId) -> Route {
        let owner = self
            .replicas
            .get(&slot)
            .and_then(|replica| replica.record().owner.as_ref());
        match owner {
            _ if self.owns(slot) => Route::Here,
            Some(owner) if *owner != self.id => Route::At(owner.clone()),
            Some(_) | None => Route::Nowhere,
        }
    }

    /// Whether it takes itself for the owner of a slot.
    pub(super) fn owns(&self, slot: SlotId) -> bool {
        self.replicas
            .get(&slot)
            .is_some_and(|replica| replica.owned_under().is_some())
    }
}

impl World {
    /// A node begins, with nothing in memory.
    pub(super) fn start(&mut self, index: usize) {
        let mut replicas = BTreeMap::new();
        let id = self.nodes[index].id.clone();
        for slot in (0..self.plan.slots).map(SlotId) {
            let mut dice = self.dice.split();
            let settings = Arc::new(self.channel_config.clone());
            let replica = Replica::new(id.clone(), slot, self.config, settings, &mut dice);
            replicas.insert(slot, replica);
        }
        self.nodes[index].replicas = replicas;
        self.line(|| format!("{id} starts"));
        self.agenda.after(Duration::from_millis(1), Event::Beat { to: id });
    }

    /// What the node's own clock shows.
    pub(super) fn now_at(&self, node: usize) -> Now {
        let now = self.agenda.now();
        let passed = self.agenda.passed();
        let shown = self.nodes[node].clock.shows(passed);
        Now {
            instant: now.instant - passed + shown,
            wall: now.wall,
        }
    }
}
