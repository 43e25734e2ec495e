//! One run: the queue of events, and who gets them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Report;
use super::check::{Check, Rule};
use super::link::Links;
use super::node::{BEAT, Node, Peer};
use super::place::Record;
use super::plan::{Action, Plan};
use super::sight::Sight;
use super::tab::Tab;
use super::truth::Truth;
use super::watcher::Watcher;
use crate::fault::Faults;
use crate::id::{ChannelName, Generation, NodeId, NodeName, Subject};
use crate::presence::entry::{Client, ClientId, ConnectionId};
use crate::presence::gateway::{self, End, Limits};
use crate::presence::message::Message;
use crate::presence::settings::{Namespaces, Settings};
use crate::presence::shard::{Input, Shard};
use crate::sim::agenda::Agenda;
use crate::sim::cluster::clock::Clock;
use crate::sim::coverage::Coverage;
use crate::sim::dice::Dice;

/// How long everything may take to come to rest after it was healed: a client that fell silent is missed after fifteen
/// seconds, and then there is its grace.
const REST: Duration = Duration::from_secs(32);

/// Events of one run; far more than any needs. One that gets here goes round in circles.
const EVENTS_MAX: u64 = 3_000_000;

/// Something that happens.
#[derive(Debug)]
pub(super) enum Event {
    Beat,
    Act(usize),
    Start {
        node: usize,
    },
    Deliver {
        from: NodeId,
        to: NodeId,
        message: Message,
    },
    Unsent {
        from: NodeId,
        to: NodeId,
    },
    Wake {
        to: NodeId,
    },
    Placed {
        to: NodeId,
        slot: u16,
        record: Record,
    },
    Ended {
        to: NodeId,
        connection: ConnectionId,
        how: End,
    },
    Ripe {
        client: Client,
        channel: ChannelName,
        number: u64,
    },
    /// A node has been dead for so long that its clients may be told to have left.
    Excuse {
        node: NodeId,
    },
    Tab(usize),
    Roam,
}

/// See the module.
#[derive(Debug)]
pub(super) struct World {
    seed: u64,
    pub(super) agenda: Agenda<Event>,
    pub(super) dice: Dice,
    pub(super) links: Links,
    pub(super) plan: Plan,
    pub(super) nodes: Vec<Node>,
    pub(super) places: Vec<Record>,
    pub(super) channels: Vec<ChannelName>,
    pub(super) tabs: Vec<Tab>,
    pub(super) watchers: BTreeMap<u64, Watcher>,
    /// The last number that a connection or a watcher was given.
    pub(super) connections: u64,
    pub(super) truth: Truth,
    pub(super) check: Check,
    pub(super) coverage: Coverage<Sight>,
    /// When links were last bad, and when nodes or owners last changed, and a slot was last moved on purpose.
    pub(super) rough_at: Option<Duration>,
    pub(super) changed_at: Duration,
    pub(super) moved_at: Option<Duration>,
    /// Since when each node was cut off, until it has caught up.
    pub(super) cut_at: BTreeMap<NodeName, Duration>,
    healed_at: BTreeMap<NodeName, Duration>,
    namespaces: Arc<Namespaces>,
    faults: Faults,
    is_healed: bool,
    trace: Option<String>,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults, trace: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let links = Links::new(dice.split());
        let small = Settings {
            roster_max: 3,
            ..Settings::default()
        };
        let named = [("room", Settings::default()), ("hall", small)];
        let namespaces = Arc::new(Namespaces::from_iter(
            named.map(|(name, settings)| (Arc::from(name), settings)),
        ));
        let names = ["room:a", "room:b", "hall:c"].map(|name| ChannelName::parse(name).expect("it is one"));
        let channels = names[..*dice.pick(&[2, 3])].to_vec();
        let mut agenda = Agenda::new();
        for (number, (at, _)) in plan.actions.iter().enumerate() {
            agenda.after(*at, Event::Act(number));
        }
        agenda.after(Duration::ZERO, Event::Beat);
        agenda.after(Duration::from_secs(1), Event::Roam);
        let tabs: Vec<_> = (0..dice.between((4, 10)))
            .map(|n| tab(n, &channels, &mut dice))
            .collect();
        for tab in 0..tabs.len() {
            agenda.after(
                dice.time((Duration::from_millis(500), Duration::from_secs(3))),
                Event::Tab(tab),
            );
        }
        let mut world = Self {
            seed,
            agenda,
            dice,
            links,
            nodes: Vec::new(),
            places: (0..plan.slots).map(|_| Record::default()).collect(),
            plan,
            channels,
            tabs,
            watchers: BTreeMap::new(),
            connections: 0,
            truth: Truth::default(),
            check: Check::default(),
            coverage: Coverage::default(),
            rough_at: None,
            changed_at: Duration::ZERO,
            moved_at: None,
            cut_at: BTreeMap::new(),
            healed_at: BTreeMap::new(),
            namespaces,
            faults,
            is_healed: false,
            trace: trace.then(String::new),
        };
        world.truth.grace = world.grace();
        for index in 0..world.plan.nodes {
            let clock = Clock::draw(world.plan.clocks_err, &mut world.dice);
            let node = world.start(index, 1, clock);
            world.nodes.push(node);
        }
        for index in 0..world.plan.nodes {
            world.watch_all(index);
        }
        world
    }

    pub(super) fn run(mut self) -> Report {
        self.until(self.plan.trouble);
        self.heal();
        self.until(self.plan.trouble + REST);
        if self.check.violation.is_none() {
            self.rest();
        }
        Report {
            seed: self.seed,
            violation: self.check.violation,
            coverage: self.coverage,
            events: self.agenda.handled(),
            told: self.check.told,
            trace: self.trace,
        }
    }

    pub(super) fn grace(&self) -> Duration {
        Settings::default().grace
    }

    /// Whether clients come and go no more.
    pub(super) fn is_over(&self) -> bool {
        self.is_healed
    }

    fn until(&mut self, end: Duration) {
        while self.check.violation.is_none() {
            let Some(event) = self.agenda.next(end) else {
                return;
            };
            let handled = self.agenda.handled();
            self.check
                .ensure(handled < EVENTS_MAX, Rule::Truth, || "the run has no end".into());
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Beat => {
                self.place();
                for index in (0..self.nodes.len())
                    .filter(|index| self.nodes[*index].is_up)
                    .collect::<Vec<_>>()
                {
                    self.beat(index);
                }
                self.remember_cuts();
                self.sweep();
                self.agenda.after(BEAT, Event::Beat);
            }
            Event::Act(number) if !self.is_healed => self.act(self.plan.actions[number].1),
            Event::Act(_) => {}
            Event::Start { node } => self.come_back(node),
            Event::Deliver { from, to, message } => {
                self.turn_of(&to, Input::Received { from, message });
            }
            Event::Unsent { from, to } => self.turn_of(&from, Input::Unsent(to)),
            Event::Wake { to } => self.turn_of(&to, Input::Wake),
            Event::Placed { to, slot, record } => {
                if let Some(index) = self.running(&to) {
                    self.placed(index, slot, record);
                }
            }
            Event::Ended { to, connection, how } => self.say(&to, gateway::Input::Ended { connection, how }),
            Event::Ripe {
                client,
                channel,
                number,
            } => {
                let now = self.agenda.passed();
                let since = |at: Option<Duration>, bound| at.is_some_and(|at| now < at + bound);
                let is_rough = self.links.is_rough()
                    || since(self.rough_at, Duration::from_secs(13))
                    || since(self.moved_at, Duration::from_secs(8))
                    || self.is_unrouted(&client, &channel);
                self.truth.ripe(&client, &channel, number, is_rough, now);
            }
            Event::Excuse { node } => {
                let now = self.agenda.passed();
                self.truth.excuse(&node, now);
            }
            Event::Tab(tab) => self.tab(tab),
            Event::Roam if self.is_healed => {}
            Event::Roam => {
                self.roam();
                let wait = Duration::from_millis(self.dice.between((500, 4_000)));
                self.agenda.after(wait, Event::Roam);
            }
        }
    }

    fn turn_of(&mut self, node: &NodeId, input: Input<u64>) {
        if let Some(index) = self.running(node) {
            self.turn(index, input);
        }
    }

    fn running(&self, node: &NodeId) -> Option<usize> {
        let index = self.index_of(node);
        (self.nodes[index].id == *node && self.nodes[index].is_up).then_some(index)
    }

    fn act(&mut self, action: Action) {
        self.line(|| format!("{action:?}"));
        match action {
            Action::Crash { node, back_after } => self.crash(node, back_after),
            Action::Cut { from, to, cut } => self.links.cut(from, to, cut),
            Action::Noise(noise) => self.links.noise = noise,
            Action::Move { slot, gap } => self.move_slot(slot, gap),
        }
        if self.links.is_rough() {
            self.rough_at = Some(self.agenda.passed());
        }
    }

    fn crash(&mut self, node: usize, back_after: Duration) {
        let up = self.nodes.iter().filter(|node| node.is_up).count();
        // What a cluster does without a majority is nothing.
        if !self.nodes[node].is_up || (up - 1) * 2 <= self.nodes.len() {
            return;
        }
        self.nodes[node].is_up = false;
        let id = self.nodes[node].id.clone();
        self.watchers.retain(|_, watcher| watcher.node != id);
        self.lose_tabs(&id);
        self.changed_at = self.agenda.passed();
        self.agenda.after(back_after, Event::Start { node });
        let nearly = self.grace().mul_f64(0.85);
        self.agenda.after(nearly, Event::Excuse { node: id });
    }

    fn come_back(&mut self, node: usize) {
        if self.nodes[node].is_up {
            return;
        }
        self.coverage.saw(Sight::Restart);
        let (generation, clock) = (self.nodes[node].id.generation.0 + 1, self.nodes[node].clock);
        self.nodes[node] = self.start(node, generation, clock);
        self.changed_at = self.agenda.passed();
        self.watch_all(node);
    }

    fn start(&self, index: usize, generation: u64, clock: Clock) -> Node {
        let id = NodeId {
            name: NodeName::parse(&format!("n{index}")).expect("it is one"),
            generation: Generation(generation),
        };
        let passed = self.agenda.passed();
        let now = self.agenda.now().instant - passed + clock.shows(passed);
        let namespaces = Arc::clone(&self.namespaces);
        Node {
            shard: Shard::new(id.clone(), namespaces, Limits::default(), self.faults, now),
            id,
            is_up: true,
            clock,
            places: vec![0; self.places.len()],
            peers: vec![Peer::new(passed); self.plan.nodes],
            has_quorum: true,
        }
    }

    /// Since when nodes are cut off, and for some time after that.
    fn remember_cuts(&mut self) {
        let now = self.agenda.passed();
        for (index, node) in self.nodes.iter().enumerate() {
            let name = &node.id.name;
            if self.links.touches(index) {
                self.cut_at.entry(name.clone()).or_insert(now);
                self.healed_at.insert(name.clone(), now);
            } else if self
                .healed_at
                .get(name)
                .is_some_and(|at| now > *at + Duration::from_secs(15))
            {
                self.cut_at.remove(name);
                self.healed_at.remove(name);
            }
        }
    }

    fn heal(&mut self) {
        self.line(|| "everything is healed".into());
        self.is_healed = true;
        self.links.heal();
        for node in 0..self.nodes.len() {
            self.come_back(node);
        }
    }

    pub(super) fn index_of(&self, node: &NodeId) -> usize {
        node.name.as_str()[1..].parse().expect("nodes are numbered")
    }

    pub(super) fn line(&mut self, what: impl FnOnce() -> String) {
        let at = self.agenda.passed();
        if let Some(trace) = &mut self.trace {
            trace.push_str(&format!("{at:>12.3?} {}\n", what()));
        }
    }
}

/// Some tabs are another's copy, some of the same person, and some stay where they are.
fn tab(n: u64, channels: &[ChannelName], dice: &mut Dice) -> Tab {
    let is_copy = n == 3 && dice.percent(60);
    let (subject, id) = match is_copy {
        true => (0, 0),
        false => (n / 2, n),
    };
    let client = Client {
        subject: match subject {
            3 => Subject::anonymous(),
            subject => Subject::new(&format!("u{subject}")),
        },
        id: ClientId(u128::from(id).to_be_bytes()),
    };
    let mut wants = BTreeMap::new();
    for channel in channels {
        if dice.percent(60) {
            wants.insert(channel.clone(), Bytes::copy_from_slice(&n.to_be_bytes()));
        }
    }
    Tab::new(client, dice.percent(25), wants)
}
