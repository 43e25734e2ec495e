//! One run: what there is in it, from its beginning to its rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Report;
use super::check::Check;
use super::event::Event;
use super::link::Links;
use super::node::Node;
use super::place::Record;
use super::plan::Plan;
use super::sight::Sight;
use super::tab::Tab;
use super::truth::Truth;
use super::watcher::Watcher;
use crate::fault::Faults;
use crate::id::{ChannelName, NodeId, NodeName, Subject};
use crate::presence::entry::{Client, ClientId};
use crate::presence::settings::{Namespaces, Settings};
use crate::sim::agenda::Agenda;
use crate::sim::cluster::clock::Clock;
use crate::sim::coverage::Coverage;
use crate::sim::dice::Dice;

/// How long everything may take to come to rest after it was healed: a client that fell silent is missed after fifteen
/// seconds, and then there is its grace.
const REST: Duration = Duration::from_secs(32);

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
    /// When links were last bad, and when nodes or owners last changed.
    pub(super) rough_at: Option<Duration>,
    pub(super) changed_at: Duration,
    /// Since when each node was cut off, until it has caught up.
    pub(super) cut_at: BTreeMap<NodeName, Duration>,
    pub(super) healed_at: BTreeMap<NodeName, Duration>,
    pub(super) namespaces: Arc<Namespaces>,
    pub(super) faults: Faults,
    pub(super) is_healed: bool,
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
            cut_at: BTreeMap::new(),
            healed_at: BTreeMap::new(),
            namespaces,
            faults,
            is_healed: false,
            trace: trace.then(String::new),
        };

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

    /// Whether clients come and go no more.
    pub(super) fn is_over(&self) -> bool {
        self.is_healed
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
