//! A document on three nodes, under a simulated clock: editors type, leave and come back; owners change and die; links lose
//! what they carry; the store fails, with and without having written. Whatever happens, what was told as saved is in the store, and
//! in the end everybody sees the same, all of it, and who is there.
//!
//! * [`tab`]: an editor, as its client behaves; [`store`]: rows and a snapshot; here: nodes, links, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::gateway::{self, Gateway};
use super::log;
use super::message::{EditorId, Join, ToGateway, ToOwner};
use super::owner::{self, Owner};
use super::scan::Limits;
use super::yjs::YjsDocument;
use crate::id::{Generation, NodeId, NodeName};

mod store;
mod tab;

use store::{Appended, Store};
use tab::Tab;

const NODES: usize = 3;
const TABS: usize = 6;

/// How long things go wrong, and how long they may take to become right.
const TROUBLE: u64 = 60_000;
const PEACE: u64 = 40_000;

#[derive(Debug)]
enum Event {
    Said(usize, NodeId, Join, ToOwner),
    Told(usize, NodeId, Join, ToGateway),
    Store(usize, u64, Answer),
    WakeOwner(usize, u64),
    WakeGateway(usize, Generation),
    /// A node learns who owns the document: under a version of the table.
    Route(usize, usize, u64),
    Reset(usize, NodeId),
    Type(usize),
    Attach(usize),
    Renew(usize),
    Trouble,
}

#[derive(Debug)]
enum Answer {
    Load(u64),
    Log(u64, log::Input<owner::Writer>),
}

struct Node {
    id: NodeId,
    gateway: Gateway,
    /// The owner here, and those that were before and are still writing: the last counts, if the node knows itself as owner.
    owners: Vec<(u64, Owner<YjsDocument>)>,
    is_owner: bool,
    version: u64,
}

pub(super) struct World {
    dice: SmallRng,
    begin: Instant,
    now: u64,
    count: u64,
    events: BTreeMap<(u64, u64), Event>,
    nodes: Vec<Node>,
    /// Messages on a link arrive in order: when the last does, and how often the link was cut.
    links: BTreeMap<(usize, usize), (u64, u64)>,
    cut: BTreeMap<u64, (usize, usize, u64)>,
    store: Store,
    owner: usize,
    version: u64,
    tabs: Vec<Tab>,
    editor: u64,
    at_peace: bool,
    trace: bool,
    /// What happened at all, to see that a run is worth something.
    pub(super) saved: u64,
}

#[expect(clippy::disallowed_methods, reason = "an instant has no other beginning")]
fn start() -> Instant {
    Instant::now()
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let node = |at: usize| {
            let name = NodeName::parse(["a", "b", "c"][at]).expect("a name");
            let id = NodeId {
                name,
                generation: Generation(1),
            };
            Node {
                id,
                gateway: Gateway::new(Limits::CLIENT, None, Join(0)),
                owners: Vec::new(),
                is_owner: false,
                version: 0,
            }
        };
        let mut world = Self {
            dice: SmallRng::seed_from_u64(seed),
            begin: start(),
            now: 0,
            count: 0,
            events: BTreeMap::new(),
            nodes: (0..NODES).map(node).collect(),
            links: BTreeMap::new(),
            cut: BTreeMap::new(),
            store: Store::new(),
            owner: 0,
            version: 1,
            tabs: (0..TABS).map(|at| Tab::new(at as u64 + 1)).collect(),
            editor: 0,
            at_peace: false,
            trace: std::env::var("TRACE").is_ok(),
            saved: 0,
        };
        for node in 0..NODES {
            world.at(1, Event::Route(node, 0, 1));
        }
        for tab in 0..TABS {
            let wait = world.dice.random_range(2..2_000);
            world.at(wait, Event::Attach(tab));
            world.at(wait + 50, Event::Type(tab));
            world.at(15_000, Event::Renew(tab));
        }
        world.at(3_000, Event::Trouble);
        world
    }

    /// Runs to the end, and holds it to the promise.
    pub(super) fn run(&mut self) {
        while let Some(((at, number), event)) = self.events.pop_first() {
            if at > TROUBLE + PEACE {
                break;
            }
            if at >= TROUBLE && !self.at_peace {
                self.make_peace();
            }
            self.now = at;
            if let Some((from, to, cuts)) = self.cut.remove(&number)
                && self.links.get(&(from, to)).is_none_or(|link| link.1 != cuts)
            {
                continue; // the link was cut while it was on its way
            }
            if self.trace {
                eprintln!("{at:>6} {event:?}");
            }
            self.happen(event);
        }
        self.judge();
    }

    fn at(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    fn instant(&self) -> Instant {
        self.begin + Duration::from_millis(self.now)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Said(at, from, join, message) => match self.nodes[at].is_owner {
                true => self.owner(at, owner::Input::Said { from, join, message }),
                false if matches!(message, ToOwner::Join { .. }) => {
                    let to = self.place(&from);
                    let me = self.nodes[at].id.clone();
                    self.carry(at, to, Event::Told(to.unwrap_or(0), me, join, ToGateway::Moved));
                }
                false => {}
            },
            Event::Told(at, from, join, message) => self.gateway(at, gateway::Input::Told { from, join, message }),
            Event::Store(at, owner, answer) => self.answered(at, owner, answer),
            Event::WakeOwner(at, owner) => self.owner_at(at, owner, owner::Input::Wake),
            Event::WakeGateway(at, generation) => {
                if self.nodes[at].id.generation == generation {
                    self.gateway(at, gateway::Input::Wake);
                }
            }
            Event::Route(at, owner, version) if version > self.nodes[at].version => self.routed(at, owner, version),
            Event::Route(..) => {}
            Event::Reset(at, node) => self.gateway(at, gateway::Input::Reset(node)),
            Event::Type(tab) => self.types(tab),
            Event::Attach(tab) => self.attach(tab),
            Event::Renew(tab) => {
                if self.tabs[tab].is_online() {
                    self.announce(tab);
                }
                self.at(self.now + 15_000, Event::Renew(tab));
            }
            Event::Trouble => self.trouble(),
        }
    }

    fn place(&self, node: &NodeId) -> Option<usize> {
        self.nodes.iter().position(|one| one.id == *node)
    }

    /// Sends over a link, in order.
    fn carry(&mut self, from: usize, to: Option<usize>, event: Event) {
        let Some(to) = to else {
            return;
        };
        let wait = if from == to { 0 } else { self.dice.random_range(1..20) };
        let now = self.now;
        let link = self.links.entry((from, to)).or_default();
        link.0 = link.0.max(now + wait);
        let (at, cuts) = *link;
        self.at(at, event);
        self.cut.insert(self.count, (from, to, cuts));
    }

    /// What is on its way between two nodes is lost; both hear of it.
    fn cut(&mut self, one: usize, other: usize) {
        for link in [(one, other), (other, one)] {
            self.links.entry(link).or_default().1 += 1;
        }
        let (of_one, of_other) = (self.nodes[one].id.clone(), self.nodes[other].id.clone());
        self.at(self.now + 1, Event::Reset(one, of_other));
        self.at(self.now + 1, Event::Reset(other, of_one));
    }

    fn gateway(&mut self, at: usize, input: gateway::Input) {
        let mut effects = Vec::new();
        let now = self.instant();
        self.nodes[at].gateway.handle(input, now, &mut effects);
        let mut unsent = false;
        for effect in effects {
            match effect {
                gateway::Effect::Send { to, join, message } => {
                    // A lane may be full, and is for what follows.
                    unsent = unsent || !self.at_peace && self.dice.random_ratio(1, 400);
                    if unsent {
                        continue;
                    }
                    let (from, to) = (self.nodes[at].id.clone(), self.place(&to));
                    self.carry(at, to, Event::Said(to.unwrap_or(0), from, join, message));
                }
                gateway::Effect::Tell { to, event } => self.tell(to, &event),
                gateway::Effect::TellAll { but, event } => {
                    let here = |tab: &&Tab| tab.node == Some(at) && Some(tab.editor) != but;
                    let whom: Vec<_> = self.tabs.iter().filter(here).map(|tab| tab.editor).collect();
                    for editor in whom {
                        self.tell(editor, &event);
                    }
                }
                gateway::Effect::Answer { .. } => {}
                gateway::Effect::Wake { at: when } => {
                    let when = when.duration_since(self.begin).as_millis() as u64 + 1;
                    let generation = self.nodes[at].id.generation;
                    self.at(when, Event::WakeGateway(at, generation));
                }
            }
        }
        if unsent {
            self.gateway(at, gateway::Input::Unsent);
        }
    }

    /// Tells an editor, and takes its answers.
    fn tell(&mut self, editor: EditorId, event: &gateway::Event) {
        let Some(tab) = self.tabs.iter().position(|tab| tab.is_online() && tab.editor == editor) else {
            return;
        };
        let at = self.tabs[tab].node.expect("it is online");
        match event {
            gateway::Event::Step1(state_vector) => {
                let update = self.tabs[tab].diff(state_vector);
                let input = self.tabs[tab].sends(update, true);
                self.gateway(at, input);
            }
            gateway::Event::Step2(update) | gateway::Event::Update(update) => self.tabs[tab].apply(update),
            gateway::Event::Awareness(states) => {
                if self.tabs[tab].aware(states) {
                    self.announce(tab);
                }
            }
            gateway::Event::Saved { up_to, edits, .. } => {
                self.saved += edits;
                self.tabs[tab].saved(*up_to, &mut self.store);
            }
            gateway::Event::Opened | gateway::Event::Stateless(_) => {}
            gateway::Event::Refused { edit, refusal } => panic!("edit {edit} was refused: {refusal}"),
            gateway::Event::AwarenessRefused { reason } => panic!("{reason}"),
            gateway::Event::Closed(closed) => panic!("{closed}"),
        }
    }

    fn announce(&mut self, tab: usize) {
        let (editor, states) = (self.tabs[tab].editor, self.tabs[tab].announce());
        if let Some(at) = self.tabs[tab].node {
            self.gateway(at, gateway::Input::Awareness { editor, states });
        }
    }

    fn owner(&mut self, at: usize, input: owner::Input<YjsDocument>) {
        if let Some((number, _)) = self.nodes[at].owners.last() {
            self.owner_at(at, *number, input);
        }
    }

    fn owner_at(&mut self, at: usize, number: u64, input: owner::Input<YjsDocument>) {
        let now = self.instant();
        let mut effects = Vec::new();
        let Some((_, owner)) = self.nodes[at].owners.iter_mut().find(|(one, _)| *one == number) else {
            return;
        };
        owner.handle(input, now, &mut effects);
        let mut unsent = BTreeSet::new();
        for effect in effects {
            match effect {
                owner::Effect::Send { to, .. } if unsent.contains(&to) => {}
                owner::Effect::Send { to, .. } if !self.at_peace && self.dice.random_ratio(1, 400) => {
                    unsent.insert(to);
                }
                effect => self.perform(at, number, effect),
            }
        }
        for gateway in unsent {
            self.owner_at(at, number, owner::Input::Unsent(gateway));
        }
    }

    fn perform(&mut self, at: usize, number: u64, effect: owner::Effect) {
        let wait = self.now + self.dice.random_range(1..15);
        match effect {
            owner::Effect::Load { activation } => self.at(wait, Event::Store(at, number, Answer::Load(activation))),
            owner::Effect::Append { activation, rows } => {
                let (writes, answers) = match self.at_peace {
                    true => (true, true),
                    false => (self.dice.random_ratio(9, 10), self.dice.random_ratio(9, 10)),
                };
                let appended = if writes && !self.store.is_away {
                    self.store.append(rows)
                } else {
                    Appended::Away
                };
                let input = match appended {
                    Appended::Written if answers => log::Input::Appended,
                    Appended::Taken if answers => log::Input::Taken,
                    Appended::Written | Appended::Taken | Appended::Away => log::Input::AppendFailed,
                };
                self.at(wait, Event::Store(at, number, Answer::Log(activation, input)));
            }
            owner::Effect::Read { activation, after } => {
                let input = match self.store.is_away {
                    true => log::Input::ReadFailed,
                    false => self.store.read(after),
                };
                self.at(wait, Event::Store(at, number, Answer::Log(activation, input)));
            }
            owner::Effect::Snapshot {
                activation,
                through,
                snapshot,
                before,
            } => {
                super::guard::check::<YjsDocument>(&snapshot, before.as_deref()).expect("it has all that was there");
                let input = match self.store.is_away {
                    true => log::Input::SnapshotFailed,
                    false => {
                        self.store.put(through, snapshot);
                        log::Input::Snapshotted
                    }
                };
                self.at(wait, Event::Store(at, number, Answer::Log(activation, input)));
            }
            owner::Effect::Send { to, join, message } => {
                let (from, to) = (self.nodes[at].id.clone(), self.place(&to));
                self.carry(at, to, Event::Told(to.unwrap_or(0), from, join, message));
            }
            owner::Effect::Failed { reason } | owner::Effect::SetAside { reason } => panic!("{reason}"),
            owner::Effect::Wake { at: when } => {
                let when = when.duration_since(self.begin).as_millis() as u64 + 1;
                self.at(when, Event::WakeOwner(at, number));
            }
        }
    }

    fn answered(&mut self, at: usize, number: u64, answer: Answer) {
        let input = match answer {
            Answer::Load(activation) if self.store.is_away => owner::Input::LoadFailed { activation },
            Answer::Load(activation) => {
                let dice = self.dice.random();
                let found = Box::new(self.store.found(dice));
                owner::Input::Loaded { activation, found }
            }
            Answer::Log(activation, input) => owner::Input::Store { activation, input },
        };
        self.owner_at(at, number, input);
    }

    /// A node learns who owns the document.
    fn routed(&mut self, at: usize, owner: usize, version: u64) {
        self.nodes[at].version = version;
        let is_owner = at == owner;
        if is_owner != self.nodes[at].is_owner {
            self.nodes[at].is_owner = is_owner;
            match is_owner {
                true => {
                    self.count += 1;
                    let number = self.count;
                    self.nodes[at].owners.push((number, Owner::new(true)));
                }
                false => self.owner(at, owner::Input::Given),
            }
        }
        let id = self.nodes[owner].id.clone();
        self.gateway(at, gateway::Input::Route(Some(id)));
    }

    fn types(&mut self, tab: usize) {
        let pause = self.dice.random_range(20..1_500);
        if !self.at_peace {
            self.at(self.now + pause, Event::Type(tab));
            let update = self.tabs[tab].edit(&mut self.dice);
            if let Some(at) = self.tabs[tab].node {
                let input = self.tabs[tab].sends(update, false);
                self.gateway(at, input);
            }
        }
    }

    fn attach(&mut self, tab: usize) {
        if self.tabs[tab].is_online() {
            return;
        }
        let at = self.dice.random_range(0..NODES);
        self.editor += 1;
        let editor = EditorId(self.editor);
        self.tabs[tab].open(at, editor);
        let open = gateway::Input::Open {
            editor,
            may_write: true,
            wants_echo: self.dice.random(),
        };
        self.gateway(at, open);
        let state_vector = self.tabs[tab].state_vector();
        self.gateway(at, gateway::Input::Step1 { editor, state_vector });
        self.announce(tab);
    }

    fn trouble(&mut self) {
        if self.at_peace {
            return;
        }
        let wait = self.dice.random_range(200..4_000);
        self.at(self.now + wait, Event::Trouble);
        match self.dice.random_range(0..10) {
            0..3 => {
                let next = self.dice.random_range(0..NODES);
                self.give_to(next);
            }
            3 => {
                let (one, other) = (self.dice.random_range(0..NODES), self.dice.random_range(0..NODES));
                if one != other {
                    self.cut(one, other);
                }
            }
            4 => self.kill(),
            5 => self.store.is_away = !self.store.is_away,
            _ => {
                let tab = self.dice.random_range(0..TABS);
                self.detach(tab);
            }
        }
    }

    /// Another node owns the document; each learns of it when it does.
    fn give_to(&mut self, next: usize) {
        self.owner = next;
        self.version += 1;
        for node in 0..NODES {
            let wait = self.now + self.dice.random_range(1..if self.at_peace { 20 } else { 3_000 });
            self.at(wait, Event::Route(node, next, self.version));
        }
    }

    fn detach(&mut self, tab: usize) {
        if let Some(at) = self.tabs[tab].node.take() {
            let editor = self.tabs[tab].editor;
            self.gateway(at, gateway::Input::Close(editor));
            let wait = self.now + self.dice.random_range(10..8_000);
            self.at(wait, Event::Attach(tab));
        }
    }

    /// A node dies with all it has, and is back as another.
    fn kill(&mut self) {
        let at = self.dice.random_range(0..NODES);
        let old = self.nodes[at].id.clone();
        let id = NodeId {
            generation: Generation(old.generation.0 + 1),
            ..old.clone()
        };
        for other in (0..NODES).filter(|other| *other != at) {
            self.cut(at, other);
        }
        self.nodes[at] = Node {
            id,
            gateway: Gateway::new(Limits::CLIENT, None, Join(0)),
            owners: Vec::new(),
            is_owner: false,
            version: 0,
        };
        for tab in 0..TABS {
            if self.tabs[tab].node == Some(at) {
                self.tabs[tab].node = None;
                let wait = self.now + self.dice.random_range(10..2_000);
                self.at(wait, Event::Attach(tab));
            }
        }
        for other in 0..NODES {
            let owners: Vec<_> = self.nodes[other].owners.iter().map(|(number, _)| *number).collect();
            for number in owners {
                self.owner_at(other, number, owner::Input::Gone(old.clone()));
            }
        }
        let next = match self.owner == at {
            true => (at + 1) % NODES,
            false => self.owner,
        };
        self.give_to(next);
    }

    fn make_peace(&mut self) {
        self.at_peace = true;
        self.now = TROUBLE;
        self.store.is_away = false;
        self.give_to(self.owner);
        for tab in 0..TABS {
            self.at(TROUBLE + 10, Event::Attach(tab));
        }
    }

    fn judge(&self) {
        let text = self.store.text();
        for tab in &self.tabs {
            assert!(tab.is_online());
            assert_eq!(
                tab.unsaved(),
                0,
                "tab {} waits to be told that its edits are saved",
                tab.client
            );
            assert_eq!(
                tab.text(),
                text,
                "tab {} sees something else than the store has",
                tab.client
            );
        }
        let here: BTreeSet<u64> = self.tabs.iter().map(|tab| tab.client).collect();
        for tab in &self.tabs {
            assert_eq!(tab.sees(), here, "tab {} sees others than are there", tab.client);
        }
        assert!(!text.is_empty());
    }
}

#[test]
fn what_is_saved_stays_and_everybody_sees_the_same_in_the_end() {
    // `SEEDS=7` or `SEEDS=0..1000`, and `TRACE=1` for all that happens.
    let seeds = match std::env::var("SEEDS") {
        Ok(seeds) => {
            let (first, end) = seeds.split_once("..").unwrap_or((&seeds, ""));
            let first: u64 = first.parse().expect("a number");
            first..end.parse().unwrap_or(first + 1)
        }
        Err(_) => 0..100,
    };
    let (mut saved, runs) = (0, seeds.end - seeds.start);
    for seed in seeds {
        let mut world = World::new(seed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run()));
        assert!(outcome.is_ok(), "seed {seed}");
        saved += world.saved;
    }
    assert!(saved > 20 * runs, "{saved} edits were saved");
}
