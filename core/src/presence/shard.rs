//! The three machines of some slots, as a node runs them.
//!
//! A node has a fixed number of shards, and a slot belongs to the shard of its number modulo that. A shard takes what
//! happens, gives it to whichever machines it concerns, and delivers what they say to their own node, so that a
//! node alone works like a cluster of one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::message::Message;
use super::roster::{Role, Standing};
use super::settings::Namespaces;
use super::{gateway, roster, watch};
use crate::fault::Faults;
use crate::id::{NodeId, SlotId, Term};

/// See the module. `W` is a watcher.
#[derive(Debug)]
pub struct Shard<W> {
    node: NodeId,
    gateway: gateway::Gateway,
    roster: roster::Roster,
    watch: watch::Watch<W>,
    /// When each of the three wants to be woken.
    wakes: [Option<Instant>; 3],
    /// The wake that is on its way.
    wake: Option<Instant>,
    /// What the machines said to their own node, in this turn.
    local: VecDeque<Message>,
}

/// One thing that happened.
#[derive(Debug)]
pub enum Input<W> {
    /// A client enters, updates, leaves, or is gone. What concerns a connection as a whole goes to every shard.
    Client(gateway::Input),
    /// Somebody watches or does not any more.
    Watcher(watch::Input<W>),
    /// The slot table says who owns a slot, and whether this node is to hold a copy of it.
    Placed {
        /// Which slot.
        slot: SlotId,
        /// Who owns it, under which term.
        owner: Option<(NodeId, Term)>,
        /// This node is one of its replicas.
        is_replica: bool,
    },
    /// A node has said something.
    Received {
        /// Who.
        from: NodeId,
        /// What.
        message: Message,
    },
    /// A node lives, may be dead, or is.
    Standing {
        /// Which.
        node: NodeId,
        /// How.
        standing: Standing,
    },
    /// This node hears from a majority, or does not any more.
    Quorum(bool),
    /// What was on its way to a node, or from it, may be lost.
    Reset(NodeId),
    /// Something could not be sent: the lane to this node is full.
    Unsent(NodeId),
    /// The time that was asked for has come.
    Wake,
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<W> {
    /// Answer whoever entered, updated or left.
    Answer(Result<(), gateway::Refusal>),
    /// Send something to another node.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Tell watchers: any effect of [`watch`] but `Send` and `Wake`.
    Tell(watch::Effect<W>),
    /// Send [`Input::Wake`] then, and not before. Those that were asked for earlier may come as well: they mean nothing.
    Wake {
        /// When.
        at: Instant,
    },
}

const GATEWAY: usize = 0;
const ROSTER: usize = 1;
const WATCH: usize = 2;

impl<W: Ord + Clone> Shard<W> {
    /// A shard of a node that has just started.
    #[must_use]
    pub fn new(
        node: NodeId,
        namespaces: Arc<Namespaces>,
        limits: gateway::Limits,
        faults: Faults,
        now: Instant,
    ) -> Self {
        Self {
            gateway: gateway::Gateway::new(Arc::clone(&namespaces), limits, faults),
            roster: roster::Roster::new(node.clone(), namespaces, faults, now),
            watch: watch::Watch::new(faults),
            node,
            // The roster compares by itself from the beginning.
            wakes: [None, Some(now), None],
            wake: None,
            local: VecDeque::new(),
        }
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input<W>, now: Instant, out: &mut Vec<Effect<W>>) {
        match input {
            Input::Client(input) => self.turn_gateway(input, now, out),
            Input::Watcher(input) => self.turn_watch(input, now, out),
            Input::Placed {
                slot,
                owner,
                is_replica,
            } => {
                let role = match &owner {
                    Some((owner, term)) if *owner == self.node => Role::Owner { term: *term },
                    owner if is_replica => Role::Replica { owner: owner.clone() },
                    _ => Role::None,
                };
                self.turn_roster(roster::Input::Role { slot, role }, now, out);
                let route = gateway::Input::Route {
                    slot,
                    owner: owner.clone(),
                };
                self.turn_gateway(route, now, out);
                self.turn_watch(watch::Input::Route { slot, owner }, now, out);
            }
            Input::Received { from, message } => self.receive(from, message, now, out),
            Input::Standing { node, standing } => {
                self.turn_roster(roster::Input::Standing { node, standing }, now, out);
            }
            Input::Quorum(has_quorum) => self.turn_roster(roster::Input::Quorum(has_quorum), now, out),
            Input::Reset(node) => {
                self.turn_gateway(gateway::Input::Reset(node.clone()), now, out);
                self.turn_roster(roster::Input::Reset(node.clone()), now, out);
                self.turn_watch(watch::Input::Reset(node), now, out);
            }
            Input::Unsent(node) => self.turn_gateway(gateway::Input::Unsent(node), now, out),
            Input::Wake => {
                self.wake = self.wake.filter(|at| now < *at);
                let is_due = self.wakes.map(|at| at.is_some_and(|at| at <= now));
                if is_due[GATEWAY] {
                    self.wakes[GATEWAY] = None;
                    self.turn_gateway(gateway::Input::Wake, now, out);
                }
                if is_due[ROSTER] {
                    self.wakes[ROSTER] = None;
                    self.turn_roster(roster::Input::Wake, now, out);
                }
                if is_due[WATCH] {
                    self.wakes[WATCH] = None;
                    self.turn_watch(watch::Input::Wake, now, out);
                }
            }
        }
        while let Some(message) = self.local.pop_front() {
            self.receive(self.node.clone(), message, now, out);
        }
        let first = self.wakes.into_iter().flatten().min();
        if let Some(at) = first
            && self.wake.is_none_or(|wake| at < wake)
        {
            self.wake = Some(at);
            out.push(Effect::Wake { at });
        }
    }

    /// What this node's clients have entered.
    #[must_use]
    pub const fn gateway(&self) -> &gateway::Gateway {
        &self.gateway
    }

    /// What it owns, and holds as a replica.
    #[must_use]
    pub const fn roster(&self) -> &roster::Roster {
        &self.roster
    }

    /// What is watched here.
    #[must_use]
    pub const fn watch(&self) -> &watch::Watch<W> {
        &self.watch
    }

    fn receive(&mut self, from: NodeId, message: Message, now: Instant, out: &mut Vec<Effect<W>>) {
        match message {
            Message::Owner(asked) => self.turn_roster(roster::Input::Asked { from, asked }, now, out),
            Message::Replica(told) => self.turn_roster(roster::Input::Told { from, told }, now, out),
            Message::Gateway(told) => self.turn_gateway(gateway::Input::Told { from, told }, now, out),
            Message::Watch(told) => self.turn_watch(watch::Input::Told { from, told }, now, out),
        }
    }

    fn turn_gateway(&mut self, input: gateway::Input, now: Instant, out: &mut Vec<Effect<W>>) {
        let mut effects = Vec::new();
        self.gateway.handle(input, now, &mut effects);
        for effect in effects {
            match effect {
                gateway::Effect::Answer(answer) => out.push(Effect::Answer(answer)),
                gateway::Effect::Send { to, message } => self.send(to, message, out),
                gateway::Effect::Wake { at } => self.wakes[GATEWAY] = Some(at),
            }
        }
    }

    fn turn_roster(&mut self, input: roster::Input, now: Instant, out: &mut Vec<Effect<W>>) {
        let mut effects = Vec::new();
        self.roster.handle(input, now, &mut effects);
        for effect in effects {
            match effect {
                roster::Effect::Send { to, message } => self.send(to, message, out),
                roster::Effect::Wake { at } => self.wakes[ROSTER] = Some(at),
            }
        }
    }

    fn turn_watch(&mut self, input: watch::Input<W>, now: Instant, out: &mut Vec<Effect<W>>) {
        let mut effects = Vec::new();
        self.watch.handle(input, now, &mut effects);
        for effect in effects {
            match effect {
                watch::Effect::Send { to, message } => self.send(to, message, out),
                watch::Effect::Wake { at } => self.wakes[WATCH] = Some(at),
                told => out.push(Effect::Tell(told)),
            }
        }
    }

    fn send(&mut self, to: NodeId, message: Message, out: &mut Vec<Effect<W>>) {
        match to == self.node {
            true => self.local.push_back(message),
            false => out.push(Effect::Send { to, message }),
        }
    }
}
