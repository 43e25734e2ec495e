//! One run: the queue of events, and who gets them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Report;
use super::clock::Clock;
use super::event::{Client, Event, Response};
use super::lane::Lanes;
use super::network::Network;
use super::node::Node;
use super::plan::{Course, Plan};
use super::publisher::Publisher;
use super::reader::Reader;
use super::rolling::Rolling;
use super::service::Watch;
use super::sight::Sight;
use super::truth::{Rule, Truth};
use crate::channel;
use crate::fault::Faults;
use crate::id::{ChannelName, Generation, NodeId, NodeName, SlotId};
use crate::placement::planner;
use crate::relay;
use crate::replica::{self, Replica};
use crate::sim::agenda::Agenda;
use crate::sim::coverage::Coverage;
use crate::sim::dice::Dice;
use crate::slot::TailBounds;
use crate::table::Table;

/// How long everything has to work again after it was healed, and to come to rest after that.
const HEALED: Duration = Duration::from_secs(12);
const REST: Duration = Duration::from_secs(8);

/// Events of one run; far more than any needs. One that gets here goes round in circles.
const EVENTS_MAX: u64 = 3_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct World {
    seed: u64,
    pub(super) agenda: Agenda<Event>,
    pub(super) dice: Dice,
    pub(super) network: Network,
    pub(super) lanes: Lanes,
    pub(super) plan: Plan,
    pub(super) table: Table,
    pub(super) nodes: Vec<Node>,
    pub(super) publishers: Vec<Publisher>,
    pub(super) readers: Vec<Reader>,
    pub(super) truth: Truth,
    pub(super) coverage: Coverage<Sight>,
    pub(super) config: replica::Config,
    pub(super) channel_config: channel::Config,
    pub(super) planner_config: planner::Config,
    /// What those that crashed held then.
    pub(super) graves: BTreeMap<NodeId, BTreeMap<SlotId, Replica>>,
    pub(super) is_healed: bool,
    /// Nodes that do not come back.
    pub(super) gone: BTreeSet<usize>,
    pub(super) isolated: BTreeSet<usize>,
    pub(super) rolling: Rolling,
    pub(super) watch: Watch,
    trace: Option<String>,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults, trace: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let mut network = Network::new(dice.split());
        network.lags = plan.course == Course::Storm;
        let mut config = replica::Config::default();
        config.slot.faults = faults;
        config.part_bytes = 2_000;
        // Short logs, so that a copy that was away needs a snapshot.
        let entries = usize::try_from(*dice.pick(&[2, 8, 64, 4_096])).unwrap_or(0);
        config.slot.tail = TailBounds {
            entries,
            bytes: 1 << 20,
        };
        let room = *dice.pick(&[2, 8, Lanes::WIDE]);
        let lanes = Lanes::new(if plan.course == Course::Storm {
            room
        } else {
            Lanes::WIDE
        });
        let channel_config = channel::Config {
            faults,
            ..channel::Config::default()
        };
        let mut agenda = Agenda::new();
        let channels: Vec<_> = (0..dice.between((1, 3))).map(name).collect();
        let start = agenda.now().instant;
        let planner_config = planner_config(&mut dice);
        let clocks_err = dice.percent(40);
        let nodes = (0..plan.nodes)
            .map(|index| {
                let clock = Clock::draw(clocks_err, &mut dice);
                let gossip_lag = dice.time((Duration::ZERO, Duration::from_secs(2)));
                Node::new(node_id(index, 1), clock, gossip_lag, planner_config)
            })
            .collect();
        let mut client = |_| (dice.pick(&channels).clone(), dice.index(plan.nodes));
        let publishers: Vec<_> = (0..3)
            .map(&mut client)
            .map(|(channel, gateway)| Publisher::new(channel, gateway))
            .collect();
        let readers: Vec<_> = (0..4)
            .map(&mut client)
            .enumerate()
            .map(|(number, (channel, gateway))| Reader::new(channel, gateway, number % 2 == 0, start))
            .collect();
        for (number, (at, _)) in plan.actions.iter().enumerate() {
            agenda.after(*at, Event::Plan(number));
        }
        let begin = Duration::from_millis(1_500);
        for index in 0..publishers.len() {
            agenda.after(begin, Event::Publisher(index));
        }
        for index in 0..readers.len() {
            agenda.after(begin, Event::Reader(index));
        }
        let mut world = Self {
            seed,
            agenda,
            dice,
            network,
            lanes,
            table: Table::new(plan.slots).with_faults(faults),
            plan,
            nodes,
            publishers,
            readers,
            truth: Truth::default(),
            coverage: Coverage::default(),
            config,
            channel_config,
            planner_config,
            graves: BTreeMap::new(),
            is_healed: false,
            gone: BTreeSet::new(),
            isolated: BTreeSet::new(),
            rolling: Rolling::default(),
            watch: Watch::default(),
            trace: trace.then(String::new),
        };
        for index in 0..world.nodes.len() {
            world.start(index);
        }
        world
    }

    pub(super) fn run(mut self) -> Report {
        self.until(|world| world.plan.trouble);
        self.heal();
        self.until(|world| world.plan.trouble + HEALED + REST);
        self.rest();
        Report {
            seed: self.seed,
            course: self.plan.course,
            service: self.watch.worst,
            violation: self.truth.violation,
            coverage: self.coverage,
            events: self.agenda.handled(),
            acks: self.truth.acks,
            deliveries: self.truth.deliveries,
            trace: self.trace,
        }
    }

    fn until(&mut self, end: impl Fn(&Self) -> Duration) {
        while self.truth.violation.is_none() {
            let end = end(self);
            let Some(event) = self.agenda.next(end) else {
                return;
            };
            let handled = self.agenda.handled();
            self.truth
                .ensure(handled < EVENTS_MAX, Rule::Liveness, || "the run has no end".into());
            self.happen(event);
            self.watch_slots();
        }
    }

    /// Whether applications publish no more.
    pub(super) fn is_over(&self) -> bool {
        self.agenda.passed() > self.plan.trouble + HEALED - Duration::from_secs(2)
    }

    pub(super) fn happen(&mut self, event: Event) {
        let to = match &event {
            Event::Beat { to }
            | Event::Heard { to, .. }
            | Event::Peer { to, .. }
            | Event::Wake { to, .. }
            | Event::Answered { to, .. }
            | Event::Record { to, .. }
            | Event::Registered { to, .. }
            | Event::Lane { to, .. }
            | Event::LaneAgain { to, .. }
            | Event::RelayWake { to, .. }
            | Event::Request { to, .. } => Some(self.index_of(to)).filter(|index| self.nodes[*index].id == *to),
            _ => None,
        };
        if let Some(node) = to.map(|to| &mut self.nodes[to]) {
            if !node.is_up {
                return;
            }
            if node.is_paused {
                return node.backlog.push_back(event);
            }
        }
        match (event, to) {
            (Event::Plan(number), _) if !self.is_healed => self.act(self.plan.actions[number].1),
            (Event::Plan(_), _) => {} // too late to break anything
            (Event::Beat { .. }, Some(to)) => self.beat(to),
            (Event::Heard { from, is_draining, .. }, Some(to)) => self.heard(to, from, is_draining),
            (
                Event::Peer {
                    from, slot, message, ..
                },
                Some(to),
            ) => {
                self.turn(to, slot, replica::Input::Received { from, message });
            }
            (Event::Wake { slot, of_slot, .. }, Some(to)) => {
                let input = match of_slot {
                    true => replica::Input::Slot(crate::slot::Input::Wake(crate::slot::Timer::Due)),
                    false => replica::Input::Wake,
                };
                self.turn(to, slot, input);
            }
            (
                Event::Answered {
                    slot, number, outcome, ..
                },
                Some(to),
            ) => {
                self.turn(to, slot, replica::Input::Answered { number, outcome });
            }
            (Event::Record { slot, record, .. }, Some(to)) => self.turn(to, slot, replica::Input::Table(record)),
            (Event::Registered { registry, .. }, Some(to)) => self.registered(to, registry),
            (Event::Request { request, .. }, Some(to)) => self.request(to, request),
            (Event::Lane { from, .. }, Some(to)) => self.lane(to, &from, false),
            (Event::LaneAgain { from, .. }, Some(to)) => self.lane(to, &from, true),
            (Event::RelayWake { channel, .. }, Some(to)) => self.relay_turn(to, &channel, relay::Input::Wake),
            (
                Event::Asked {
                    by,
                    slot,
                    number,
                    version,
                    change,
                },
                _,
            ) => self.asked(&by, slot, number, version, change),
            (Event::Registers { node }, _) => self.register(&node),
            (Event::Resume { node }, _) => self.resume(node),
            (Event::Start { node }, _) => self.come_back(node),
            (Event::Bury { node }, _) => self.bury(node),
            (Event::Roll, _) => self.roll(),
            (Event::Publisher(index), _) => self.publisher_tick(index),
            (Event::Reader(index), _) => self.reader_tick(index),
            (Event::Response { response }, _) => self.response(response),
            (_, None) => {} // meant for an earlier start of the node
        }
    }

    fn response(&mut self, response: Response) {
        let Response { client, number, what } = response;
        match client {
            Client::Publisher(index) => self.publisher_told(index, number, what),
            Client::Reader(index) => self.reader_told(index, number, what),
        }
    }

    pub(super) fn is_running(&self, node: &NodeId) -> bool {
        let there = &self.nodes[self.index_of(node)];
        there.is_up && there.id == *node
    }

    /// Where a node stands in the list.
    pub(super) fn index_of(&self, node: &NodeId) -> usize {
        let number = node
            .name
            .as_str()
            .strip_prefix('n')
            .and_then(|number| number.parse().ok());
        number.expect("every node was named here")
    }

    /// When something for a client arrives that would arrive at `at`, but not before what was sent
    /// to it earlier.
    pub(super) fn in_order(&mut self, client: Client, at: Instant) -> Instant {
        match client {
            Client::Publisher(_) => at,
            Client::Reader(index) => {
                let reader = &mut self.readers[index];
                reader.arrives = reader.arrives.max(at);
                reader.arrives
            }
        }
    }

    /// Keeps a line, if lines are wanted.
    pub(super) fn line(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let passed = self.agenda.passed();
            trace.push_str(&format!("{:>10.4} {}\n", passed.as_secs_f64(), line()));
        }
    }
}

/// Times of a planner, most of them shorter than the real ones, so that more of it happens in a run.
fn planner_config(dice: &mut Dice) -> planner::Config {
    let config = planner::Config::default();
    let mut one_of = |millis: [u64; 3]| Duration::from_millis(*dice.pick(&millis));
    planner::Config {
        hold_down: one_of([1_000, 5_000, 60_000]),
        gather: one_of([200, 1_000, 2_000]),
        steady: one_of([300, 2_000, 10_000]),
        ..config
    }
}

pub(super) fn node_id(index: usize, generation: u64) -> NodeId {
    NodeId {
        name: NodeName::parse(&format!("n{index}")).expect("a letter and a number"),
        generation: Generation(generation),
    }
}

fn name(number: u64) -> ChannelName {
    ChannelName::parse(&format!("t:{number}")).expect("a name")
}
