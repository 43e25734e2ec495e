//! The shell around a node's machines: what the real one does, in one piece.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sight::Sight;
use super::truth::Rule;
use super::world::World;
use crate::channel::{self, Channel, Refusal};
use crate::id::{ChannelName, Index, Lineage, NodeId, SlotId, slot_of};
use crate::placement::{COPIES, ranking};
use crate::replica::{self, Message, Replica, Wanted};
use crate::slot;
use crate::table::{self, Change, Record, Registry};
use crate::time::Now;

/// How often a node says that it is there, and looks who else is.
const BEAT: Duration = Duration::from_millis(200);

/// Silence that counts as death. The real time is longer; false suspicion is what is wanted here.
const SILENCE: Duration = Duration::from_millis(900);

/// Beats between two looks at the whole table.
const LOOKS_EVERY: u64 = 5;

/// One thing that happens, and to which start of which node.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Plan(usize),
    Beat {
        to: NodeId,
    },
    Heard {
        to: NodeId,
        from: NodeId,
    },
    Peer {
        to: NodeId,
        from: NodeId,
        slot: SlotId,
        message: Message,
    },
    Wake {
        to: NodeId,
        slot: SlotId,
        of_slot: bool,
    },
    Asked {
        by: NodeId,
        slot: SlotId,
        number: u64,
        version: u64,
        change: Change,
    },
    Answered {
        to: NodeId,
        slot: SlotId,
        number: u64,
        outcome: Result<table::Answer, table::Refusal>,
    },
    Registers {
        node: NodeId,
    },
    Record {
        to: NodeId,
        slot: SlotId,
        record: Record,
    },
    Registered {
        to: NodeId,
        registry: Registry,
    },
    Request {
        to: NodeId,
        forwarded: bool,
        request: Request,
    },
    Resume {
        node: usize,
    },
    Start {
        node: usize,
    },
    Publisher(usize),
    Reader(usize),
    Response {
        response: Response,
    },
}

/// Whom to answer, through which gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) client: Client,
    /// Numbers what the client asked.
    pub(super) number: u64,
    pub(super) gateway: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Publisher(usize),
    Reader(usize),
}

/// What a client asks.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) reply: Reply,
    pub(super) channel: ChannelName,
    pub(super) what: Asked,
}

#[derive(Debug, Clone)]
pub(super) enum Asked {
    Publish {
        serial: u64,
        base: u64,
        since: crate::time::WallTime,
        skip: bool,
    },
    Attach(channel::From),
    Read(channel::Range),
}

/// What it is told.
#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) client: Client,
    pub(super) number: u64,
    pub(super) what: Told,
}

#[derive(Debug, Clone)]
pub(super) enum Told {
    Ack(channel::Ack),
    Refused(Refusal),
    Attached(channel::Attachment),
    Page(channel::Page),
    Live(crate::id::Epoch, Arc<channel::Message>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) is_up: bool,
    pub(super) is_paused: bool,
    /// What arrives while it stands still.
    pub(super) backlog: VecDeque<Event>,
    /// Its clock is ahead by this.
    pub(super) ahead: Duration,
    pub(super) replicas: BTreeMap<SlotId, Replica>,
    pub(super) channels: BTreeMap<ChannelName, Channel<Reply>>,
    opening: BTreeMap<ChannelName, Vec<channel::Input<Reply>>>,
    /// Who follows a channel here.
    readers: BTreeMap<ChannelName, BTreeMap<usize, Reply>>,
    registry: Registry,
    heard: BTreeMap<NodeId, Instant>,
    /// Who was said to be down, and what was said to be wanted, last.
    down: BTreeSet<NodeId>,
    wanted: BTreeMap<SlotId, Wanted>,
    beats: u64,
}

/// Something to be done in the node, at once.
enum Work {
    Replica(replica::Input),
    Channel(ChannelName, channel::Input<Reply>),
}

impl Node {
    pub(super) fn new(id: NodeId, ahead: Duration) -> Self {
        Self {
            id,
            is_up: true,
            is_paused: false,
            backlog: VecDeque::new(),
            ahead,
            replicas: BTreeMap::new(),
            channels: BTreeMap::new(),
            opening: BTreeMap::new(),
            readers: BTreeMap::new(),
            registry: Registry::default(),
            heard: BTreeMap::new(),
            down: BTreeSet::new(),
            wanted: BTreeMap::new(),
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
    fn now_at(&self, node: usize) -> Now {
        let now = self.agenda.now();
        Now {
            instant: now.instant + self.nodes[node].ahead,
            wall: now.wall,
        }
    }

    /// The node says that it is there, looks who else is, and what should be whose.
    pub(super) fn beat(&mut self, index: usize) {
        let id = self.nodes[index].id.clone();
        self.nodes[index].beats += 1;
        self.agenda.after(BEAT, Event::Beat { to: id.clone() });
        let is_registered = self.table.nodes().current(&id.name).as_ref() == Some(&id);
        if let Some(delay) = (!is_registered).then(|| self.network.carry_to_table(index)).flatten() {
            self.agenda.after(delay, Event::Registers { node: id.clone() });
        }
        for other in (0..self.nodes.len()).filter(|other| *other != index) {
            let to = self.nodes[other].id.clone();
            for delay in self.network.carry(index, other) {
                let (to, from) = (to.clone(), id.clone());
                self.agenda.after(delay, Event::Heard { to, from });
            }
        }
        if self.nodes[index].beats % LOOKS_EVERY == 1 {
            self.look(index);
        }
        self.judge(index);
        self.want(index);
    }

    /// Another node is heard of.
    pub(super) fn heard(&mut self, index: usize, from: NodeId) {
        let now = self.agenda.now().instant;
        let node = &mut self.nodes[index];
        let is_new = node
            .heard
            .insert(from.clone(), now)
            .is_none_or(|before| now > before + SILENCE);
        node.down.remove(&from);
        if is_new {
            self.all_replicas(index, |_| replica::Input::Up(from.clone()));
        }
    }

    /// Who was not heard for long is thought to be dead.
    fn judge(&mut self, index: usize) {
        let now = self.agenda.now().instant;
        let silent = self.nodes[index]
            .heard
            .iter()
            .filter(|(_, heard)| now > **heard + SILENCE);
        let silent: Vec<_> = silent.map(|(node, _)| node.clone()).collect();
        for node in silent {
            if !self.nodes[index].down.insert(node.clone()) {
                continue;
            }
            self.all_replicas(index, |_| replica::Input::Down(node.clone()));
        }
        // Whoever owns something and was never heard.
        let owners: BTreeSet<_> = self.nodes[index]
            .replicas
            .values()
            .filter_map(|replica| replica.record().owner.clone())
            .collect();
        let me = self.nodes[index].id.clone();
        if self.nodes[index].beats > 5 {
            for owner in owners {
                let node = &mut self.nodes[index];
                if owner != me && !node.heard.contains_key(&owner) && node.down.insert(owner.clone()) {
                    self.all_replicas(index, |_| replica::Input::Down(owner.clone()));
                }
            }
        }
    }

    fn want(&mut self, index: usize) {
        let now = self.agenda.now().instant;
        let me = &self.nodes[index];
        let mut live: BTreeMap<_, _> = me
            .heard
            .iter()
            .filter(|(_, heard)| now <= **heard + SILENCE)
            .map(|(node, _)| (node.name.clone(), node.clone()))
            .collect();
        live.insert(me.id.name.clone(), me.id.clone());
        let away = &self.away;
        live.retain(|_, node| !away.contains(&self.index_of(node)));
        let mut all = BTreeMap::new();
        for (slot, replica) in &me.replicas {
            let ranked = ranking(*slot, live.keys().cloned());
            let copies: Vec<_> = ranked.iter().take(COPIES).map(|name| live[name].clone()).collect();
            let owner = replica.record().owner.clone().filter(|owner| copies.contains(owner));
            let moved = self.moves.get(slot).map(|to| self.nodes[*to].id.clone());
            let moved = moved.filter(|to| copies.contains(to));
            let registry = &me.registry;
            let record = replica.record();
            let lost = record.owner.is_some() && record.holders().all(|holder| registry.is_proved_dead(holder));
            let wanted = Wanted {
                owner: moved.or(owner).or_else(|| copies.first().cloned()),
                copies,
                lost,
            };
            all.insert(*slot, wanted);
        }
        for (slot, wanted) in all {
            // Once, as the real shell does: what a replica needs later it has to ask for.
            if self.nodes[index].wanted.get(&slot) != Some(&wanted) {
                self.nodes[index].wanted.insert(slot, wanted.clone());
                self.turn(index, slot, replica::Input::Wanted(wanted));
            }
        }
    }

    fn all_replicas(&mut self, index: usize, input: impl Fn(SlotId) -> replica::Input) {
        for slot in (0..self.plan.slots).map(SlotId) {
            self.turn(index, slot, input(slot));
        }
    }

    pub(super) fn registered(&mut self, index: usize, registry: Registry) {
        self.nodes[index].registry = registry;
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
            } => self.publisher_input(to, serial, base, since, skip),
            Asked::Attach(from) => channel::Input::Attach { to, from },
            Asked::Read(range) => channel::Input::Read { to, range },
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

    /// Something happens to a replica.
    pub(super) fn turn(&mut self, index: usize, slot: SlotId, input: replica::Input) {
        self.work(index, slot, Work::Replica(input));
    }

    fn work(&mut self, index: usize, slot: SlotId, work: Work) {
        let mut queue = VecDeque::from([work]);
        while let Some(work) = queue.pop_front() {
            if self.truth.violation.is_some() {
                return;
            }
            match work {
                Work::Replica(input) => self.replica_turn(index, slot, input, &mut queue),
                Work::Channel(channel, input) => self.channel_turn(index, slot, &channel, input, &mut queue),
            }
        }
    }

    fn replica_turn(&mut self, index: usize, slot: SlotId, input: replica::Input, queue: &mut VecDeque<Work>) {
        let now = self.now_at(index).instant;
        let id = self.nodes[index].id.clone();
        let Some(replica) = self.nodes[index].replicas.get_mut(&slot) else {
            return;
        };
        let before = (
            replica.slot().committed(),
            replica.slot().lineage(),
            replica.owned_under(),
        );
        let last = replica.slot().place(replica.slot().appended());
        if let replica::Input::Received { from, message } = &input {
            let line = format!("{id} slot {slot} <- {from}: {message:?}");
            self.sights_of(message.clone());
            self.line(|| line);
        }
        let mut effects = Vec::new();
        let replica = self.nodes[index].replicas.get_mut(&slot).expect("it was there");
        replica.handle(input, now, &mut effects);
        let after = (
            replica.slot().lineage(),
            replica.owned_under(),
            replica.slot().appended(),
        );
        let is_replaced = last.is_some_and(|last| {
            let there = replica.slot().place(last.index);
            there.is_some_and(|there| there != last)
        });
        let is_safe = after.2 == replica.slot().committed();
        if before.2 != after.1 {
            let (term, appended, committed) = (after.1, after.2, replica.slot().committed());
            self.line(|| format!("{id} slot {slot}: owner under {term:?}, appended {appended}, committed {committed}"));
            if term.is_some() && !is_safe {
                self.sights.see(Sight::Inherited);
            }
        }
        if is_replaced {
            self.sights.see(Sight::Replaced);
        }
        self.check_commits(index, slot, before.0, before.1);
        for effect in effects {
            match effect {
                replica::Effect::Send { to, message } => {
                    let there = self.index_of(&to);
                    for delay in self.network.carry(index, there) {
                        let (to, from, message) = (to.clone(), id.clone(), message.clone());
                        self.agenda.after(
                            delay,
                            Event::Peer {
                                to,
                                from,
                                slot,
                                message,
                            },
                        );
                    }
                }
                replica::Effect::Ask {
                    number,
                    version,
                    change,
                } => self.ask(index, slot, number, version, change),
                replica::Effect::Wake { at } => self.wake(index, slot, at, false),
                replica::Effect::Slot(effect) => self.slot_effect(index, slot, effect, queue),
            }
        }
    }

    fn sights_of(&mut self, message: Message) {
        match message {
            Message::Fenced { .. } => self.sights.see(Sight::Fenced),
            Message::Behind { .. } => self.sights.see(Sight::Behind),
            Message::Snapshot(part) => {
                self.sights.see(Sight::Snapshot);
                if part.number > 0 {
                    self.sights.see(Sight::Parts);
                }
            }
            _ => {}
        }
    }

    fn wake(&mut self, index: usize, slot: SlotId, at: Instant, of_slot: bool) {
        let node = &self.nodes[index];
        let (to, at) = (node.id.clone(), at - node.ahead);
        self.agenda.at(at, Event::Wake { to, slot, of_slot });
    }

    /// Whether what is committed now is what everybody else committed.
    fn check_commits(&mut self, index: usize, slot: SlotId, before: Index, lineage: Lineage) {
        let replica = &self.nodes[index].replicas[&slot];
        let machine = replica.slot();
        if machine.lineage() != lineage || machine.committed() == before {
            return;
        }
        let committed = machine.committed();
        let news: Option<Vec<_>> = machine
            .entries_after(before)
            .map(|entries| entries.take_while(|entry| entry.index <= committed).cloned().collect());
        if let Some(term) = replica.owned_under() {
            let id = self.nodes[index].id.clone();
            self.truth.commits(slot, term, &id);
        }
        // What came with a snapshot is compared in the end.
        for entry in news.unwrap_or_default() {
            self.truth.committed(slot, lineage, &entry);
        }
    }

    fn slot_effect(&mut self, index: usize, slot: SlotId, effect: slot::Effect, queue: &mut VecDeque<Work>) {
        use channel::Input;
        match effect {
            slot::Effect::Opened { channel, opening } => {
                let now = self.now_at(index).instant;
                let machine = Channel::new(channel.clone(), self.channel_config.clone(), *opening, now);
                let node = &mut self.nodes[index];
                node.channels.insert(channel.clone(), machine);
                let waiting = node.opening.remove(&channel).unwrap_or_default();
                queue.extend(waiting.into_iter().map(|input| Work::Channel(channel.clone(), input)));
            }
            slot::Effect::Barred { channel, reason } => {
                for input in self.nodes[index].opening.remove(&channel).unwrap_or_default() {
                    if let Input::Publish(channel::Publish { to, .. })
                    | Input::Skip(channel::Skip { to, .. })
                    | Input::Attach { to, .. }
                    | Input::Read { to, .. } = input
                    {
                        self.respond(index, to, Told::Refused(reason.clone()));
                    }
                }
            }
            slot::Effect::Closed { channel, reason } => {
                self.nodes[index].readers.remove(&channel);
                if let Some(machine) = self.nodes[index].channels.remove(&channel) {
                    for to in machine.into_waiting() {
                        self.respond(index, to, Told::Refused(reason.clone()));
                    }
                }
            }
            slot::Effect::Committed {
                channel,
                through,
                copies,
            } => {
                queue.push_back(Work::Channel(channel, Input::Committed { through, copies }));
            }
            slot::Effect::Refused {
                channel,
                reason,
                opening,
            } => {
                queue.push_back(Work::Channel(channel, Input::Refused { reason, opening }));
            }
            slot::Effect::Standing { channel, standing } => {
                queue.push_back(Work::Channel(channel, Input::Standing(standing)));
            }
            slot::Effect::Confirmed { channel, through } => {
                self.sights.see(Sight::Doubt);
                queue.push_back(Work::Channel(channel, Input::Confirmed { through }));
            }
            slot::Effect::Due { channel } => {
                queue.push_back(Work::Channel(channel, Input::Due { attended: true }));
            }
            slot::Effect::Wake { at, .. } => self.wake(index, slot, at, true),
            slot::Effect::Dropped { .. } => {}
            slot::Effect::Load { .. } | slot::Effect::Store(_) | slot::Effect::Mark { .. } => {
                unreachable!("no channel here is stored")
            }
        }
    }

    fn channel_turn(
        &mut self,
        index: usize,
        slot: SlotId,
        name: &ChannelName,
        input: channel::Input<Reply>,
        queue: &mut VecDeque<Work>,
    ) {
        let now = self.now_at(index);
        let Some(machine) = self.nodes[index].channels.get_mut(name) else {
            return;
        };
        let mut effects = Vec::new();
        machine.handle(input, now, &mut effects);
        let epoch = machine.view().map(|view| view.epoch().clone());
        let mut proposals = Vec::new();
        for effect in effects {
            match effect {
                channel::Effect::Propose(proposal) => proposals.push(proposal),
                channel::Effect::Ack { to, ack } => {
                    if let Some(position) = &ack.position {
                        self.check_copies(index, slot, name, position);
                    }
                    if ack.duplicate {
                        self.sights.see(Sight::Duplicate);
                    }
                    self.respond(index, to, Told::Ack(ack));
                }
                channel::Effect::Refuse { to, refusal } => {
                    if refusal == Refusal::InsufficientReplicas {
                        self.sights.see(Sight::Lacking);
                    }
                    self.respond(index, to, Told::Refused(refusal));
                }
                channel::Effect::Attached { to, attachment } => {
                    if let Client::Reader(reader) = to.client {
                        let readers = self.nodes[index].readers.entry(name.clone()).or_default();
                        readers.insert(reader, to);
                    }
                    self.respond(index, to, Told::Attached(attachment));
                }
                channel::Effect::Page { to, page } => self.respond(index, to, Told::Page(page)),
                channel::Effect::FanOut(message) => {
                    let Some(epoch) = epoch.clone() else {
                        continue;
                    };
                    self.truth.shown(name, &epoch, &message);
                    let readers = self.nodes[index].readers.get(name).cloned().unwrap_or_default();
                    for to in readers.into_values() {
                        self.respond(index, to, Told::Live(epoch.clone(), Arc::clone(&message)));
                    }
                }
                channel::Effect::Doubt { through } => {
                    let channel = name.clone();
                    let doubt = slot::Input::Doubt { channel, through };
                    queue.push_back(Work::Replica(replica::Input::Slot(doubt)));
                }
                channel::Effect::Used { at } => {
                    let channel = name.clone();
                    queue.push_back(Work::Replica(replica::Input::Slot(slot::Input::Used { channel, at })));
                }
                channel::Effect::Inspected { .. } => {}
            }
        }
        if !proposals.is_empty() {
            let channel = name.clone();
            let propose = slot::Input::Propose { channel, proposals };
            queue.push_back(Work::Replica(replica::Input::Slot(propose)));
        }
    }

    /// Whether two nodes hold what is acknowledged, and whoever may own the slot next, unless its
    /// history was given up. So it must be also if an owner of the past says it: the next has it from there.
    fn check_copies(&mut self, index: usize, slot: SlotId, name: &ChannelName, position: &crate::id::Position) {
        let record = self.table.record(slot).cloned().unwrap_or_default();
        let owner = self.nodes[index].id.clone();
        let own = self.nodes[index].replicas[&slot].owned_under();
        if Lineage::of(&position.epoch).is_some_and(|lineage| lineage.resets < record.resets) {
            return;
        }
        let holds = |node: &NodeId| {
            let there = &self.nodes[self.index_of(node)];
            there.id != *node || !there.is_up || holds(&there.replicas[&slot], name, position)
        };
        let lacks = record.holders().any(|node| !holds(node));
        // One that took the slot over by itself holds it, and whoever acknowledged it.
        let is_past = record.owner.as_ref() != Some(&owner) || own != Some(record.term);
        let copies = record.holders().filter(|node| holds(node)).count();
        self.truth.ensure(!lacks && (is_past || copies >= 2), Rule::Copies, || {
            format!("{owner} acknowledges {name} {position} with {copies} copies of {record:?}")
        });
    }

    fn respond(&mut self, from: usize, to: Reply, what: Told) {
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

/// Whether a replica's log or state has the message at `position`.
fn holds(replica: &Replica, name: &ChannelName, position: &crate::id::Position) -> bool {
    let committed = replica
        .slot()
        .channel(name)
        .is_some_and(|state| state.view().epoch() == &position.epoch && state.view().head() >= position.seq);
    let is_it = |entry: &Arc<slot::Entry>| match &entry.change {
        slot::Change::Publish { message, .. } => {
            entry.channel == *name && message.seq == position.seq && message.term == position.term
        }
        _ => false,
    };
    let start = replica.slot().committed();
    committed
        || replica
            .slot()
            .entries_after(start)
            .is_some_and(|mut entries| entries.any(is_it))
}
