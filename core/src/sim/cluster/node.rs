//! The shell around a node's machines: what the real one does, in one piece.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::event::{Asked, Event, Reply, Request, Response, Told};
use super::world::World;
use crate::channel::{self, Channel, Refusal};
use crate::id::{ChannelName, NodeId, SlotId, slot_of};
use crate::placement::planner::{self, Member, Planner};
use crate::replica::{self, Replica};
use crate::slot;
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
    pub(super) channels: BTreeMap<ChannelName, Channel<Reply>>,
    pub(super) opening: BTreeMap<ChannelName, Vec<channel::Input<Reply>>>,
    /// Who follows a channel here.
    pub(super) readers: BTreeMap<ChannelName, BTreeMap<usize, Reply>>,
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

/// Something to be done in the node, at once.
pub(super) enum Work {
    Replica(replica::Input),
    Channel(ChannelName, channel::Input<Reply>),
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
            channels: BTreeMap::new(),
            opening: BTreeMap::new(),
            readers: BTreeMap::new(),
            registry: Registry::default(),
            heard: BTreeMap::new(),
            down: BTreeSet::new(),
            gossip: VecDeque::new(),
            gossip_lag,
            is_draining: false,
            beats: 0,
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

    /// A client's request, straight from it or from the node it asked.
    pub(super) fn request(&mut self, index: usize, forwarded: bool, request: Request) {
        let slot = slot_of(&request.channel, self.plan.slots);
        if !self.nodes[index].owns(slot) {
            let owner = self.nodes[index].replicas[&slot].record().owner.clone();
            return match owner.filter(|owner| !forwarded && *owner != self.nodes[index].id) {
                Some(to) => {
                    let there = self.index_of(&to);
                    for delay in self.network.carry(index, there) {
                        let (to, request) = (to.clone(), request.clone());
                        let forwarded = true;
                        self.agenda.after(delay, Event::Request { to, forwarded, request });
                    }
                }
                None => self.respond(index, request.reply, Told::Refused(Refusal::Unavailable)),
            };
        }
        let to = request.reply;
        let input = match request.what {
            Asked::Publish {
                serial,
                base,
                since,
                skip,
            } => self.publisher_request(to, serial, base, since, skip).into(),
            Asked::Attach(from) => channel::Request::Attach { to, from }.into(),
            Asked::Read(range) => channel::Request::Read { to, range }.into(),
        };
        let channel = request.channel;
        if self.nodes[index].channels.contains_key(&channel) {
            return self.work(index, slot, Work::Channel(channel, input));
        }
        let opening = self.nodes[index].opening.entry(channel.clone()).or_default();
        opening.push(input);
        if opening.len() == 1 {
            let open = slot::Input::Open { channel };
            self.turn(index, slot, replica::Input::Slot(open));
        }
    }

    pub(super) fn respond(&mut self, from: usize, to: Reply, what: Told) {
        let Reply {
            client,
            number,
            gateway,
        } = to;
        let ways = if from == gateway {
            vec![Duration::ZERO]
        } else {
            self.network.carry(from, gateway)
        };
        let delay = self.network.delay();
        for way in ways.into_iter().take(1) {
            let response = Response {
                client,
                number,
                what: what.clone(),
            };
            let at = self.in_order(client, self.agenda.now().instant + way + delay);
            self.agenda.at(at, Event::Response { response });
        }
    }
}
