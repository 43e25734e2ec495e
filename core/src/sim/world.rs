//! One run: the node and its clients, from the first event to the last.

use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::dice::Dice;
use super::fact::Fact;
use super::link::{LinkId, Up};
use super::node::Node;
use super::plan::{self, Action, Start, Trouble};
use super::scene::{Event, Scene};
use super::setup::Setup;
use super::{Options, Report, Scenario};
use crate::backpressure::Policy;
use crate::id::SlotId;

/// How long after the faults everything may take to come to rest, beside what silence takes: the
/// longest back-off is half a minute, a channel that was set aside is asked for after one, and a
/// publish is given up after half of one.
const REST: Duration = Duration::from_secs(180);

/// How long the last probes may take.
const LAST: Duration = Duration::from_secs(60);

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    scene: Scene,
    node: Node,
    clients: Vec<Client>,
}

/// Runs a seed.
pub(super) fn run(scenario: Scenario, options: &Options) -> Report {
    let scene = World::play(scenario, options);
    let (checker, violation, events, trace) = scene.into_notes();
    Report {
        seed: options.seed,
        scenario,
        violation,
        coverage: checker.coverage().clone(),
        events,
        tally: checker.tally(),
        trace,
    }
}

/// Runs a seed, and keeps every fact.
#[cfg(test)]
pub(super) fn record(scenario: Scenario, options: &Options) -> (Arc<Setup>, super::scene::History) {
    let scene = World::play(scenario, options);
    (Arc::clone(&scene.setup), scene.into_history())
}

impl World {
    /// Plays a seed to its end, or to the first broken promise.
    fn play(scenario: Scenario, options: &Options) -> Scene {
        let mut dice = Dice::new(options.seed);
        let setup = Arc::new(Setup::new(scenario, options.faults, &mut dice.split()));
        let actions = plan::draw(scenario, &setup, &mut dice.split());
        let mut scene = Scene::new(Arc::clone(&setup), dice.split(), options.trace);
        let node = Node::new(&mut scene);
        let clients = (0..setup.clients.len()).map(|id| Client::new(id, &mut scene)).collect();
        let mut world = Self { scene, node, clients };
        world.live(actions);
        world.scene
    }

    fn live(&mut self, actions: Vec<(Duration, Action)>) {
        let silence = self.scene.setup.session.silence_max();
        let heal = actions.last().map_or(Duration::ZERO, |(at, _)| *at) + Duration::from_secs(1);
        let probe = heal + REST + silence * 2;
        let end = probe + LAST + silence * 2;
        for (at, action) in actions {
            self.scene.agenda.after(at, Event::Act(action));
        }
        self.scene.agenda.after(heal, Event::Heal);
        self.scene.agenda.after(probe, Event::Probe);
        while let Some(event) = self.scene.agenda.next(end) {
            self.scene.note(|| &event);
            self.happen(event);
            if self.scene.violation().is_some() {
                return;
            }
        }
        self.rest();
    }

    fn happen(&mut self, event: Event) {
        let (scene, node) = (&mut self.scene, &mut self.node);
        match event {
            Event::Act(action) => self.act(action),
            Event::Up(link) => {
                if let Some(what) = scene.arrive_up(link) {
                    node.receive(link, what, scene);
                }
            }
            Event::Down(link) => {
                let client = scene.link(link).client;
                if let Some(what) = scene.arrive_down(link) {
                    self.clients[client].receive(link, what, scene);
                    node.writable(link, scene);
                }
            }
            Event::Slot(actor) => node.slot_turn(actor, scene),
            Event::SlotWake(actor) => node.slot_wake(actor, scene),
            Event::Channel(channel, actor) => node.channel_turn(&channel, actor, scene),
            Event::Look(channel, actor) => node.look(&channel, actor, scene),
            Event::Session(link) => node.session_turn(link, scene),
            Event::Alarm(link) => node.ring(link, scene),
            Event::Client(client) => self.clients[client].woken(scene),
            Event::Sync(life) => node.sync(life, scene),
            Event::Load(life, channel) => node.loaded(life, channel, scene),
            Event::NodeUp => node.begin(scene),
            Event::Heal => self.heal(),
            Event::Probe => self.probe(),
        }
    }

    fn act(&mut self, action: Action) {
        let (scene, node) = (&mut self.scene, &mut self.node);
        let setup = Arc::clone(&scene.setup);
        let channel = |number: usize| &setup.channels[number];
        match action {
            Action::Publish {
                client,
                channel: number,
                count,
                bytes,
            } => self.clients[client].publish(channel(number), count, bytes, scene),
            Action::Subscribe {
                client,
                channel: number,
                start,
                policy,
            } => self.clients[client].subscribe(channel(number), start, policy, scene),
            Action::Unsubscribe {
                client,
                channel: number,
            } => self.clients[client].unsubscribe(channel(number), scene),
            Action::Pause {
                client,
                channel: number,
                paused,
            } => self.clients[client].pause(channel(number), paused, scene),
            Action::Stall { client, stalled } => {
                self.clients[client].stall(stalled, scene);
                if let Some(link) = self.clients[client].link() {
                    node.writable(link, scene);
                }
            }
            Action::Trouble { client, trouble } => {
                if let Some(link) = self.clients[client].link() {
                    self.trouble(link, trouble);
                }
            }
            Action::Sleep { client, asleep } => self.clients[client].sleep(asleep, scene),
            Action::Kick { client } => {
                if let Some(link) = self.clients[client].link() {
                    node.kick(link, scene);
                }
            }
            Action::CrashChannel { channel: number } => node.crash_channel(channel(number), scene),
            Action::CrashSlot { slot } => {
                let slot = u16::try_from(slot).expect("a run has a few slots");
                node.crash_slot(SlotId(slot), scene);
            }
            Action::Restart {
                reset,
                silent,
                downtime,
            } => node.restart(reset, silent, downtime, scene),
            Action::StepWall { millis } => scene.agenda.step_wall(millis),
        }
    }

    fn trouble(&mut self, id: LinkId, trouble: Trouble) {
        let scene = &mut self.scene;
        let now = scene.now().instant;
        let link = scene.link(id);
        match trouble {
            Trouble::Reset => {
                // What is under way arrives before the news: requests that nobody waits for.
                scene.send_up(id, Up::Closed);
                scene.send_down(id, super::link::Down::Closed, 0);
                let link = scene.link(id);
                (link.up.hole, link.down.hole) = (true, true);
            }
            Trouble::HoleDown => link.down.hole = true,
            Trouble::HoleUp => link.up.hole = true,
            Trouble::HoleBoth => (link.up.hole, link.down.hole) = (true, true),
            Trouble::StallUp(lasting) => link.up.stall(now + lasting),
            Trouble::StallDown(lasting) => link.down.stall(now + lasting),
        }
    }

    /// Faults stop. What is broken stays so until somebody notices.
    fn heal(&mut self) {
        self.scene.is_calm = true;
        self.node.heal(&mut self.scene);
        for client in &mut self.clients {
            client.heal(&mut self.scene);
            if let Some(link) = client.link() {
                self.node.writable(link, &mut self.scene);
            }
        }
    }

    /// Everybody publishes once more on every channel, and reads back the one that keeps most: who
    /// has lost its credit on the way cannot.
    fn probe(&mut self) {
        let channels = self.scene.setup.channels.clone();
        let scene = &mut self.scene;
        let more = scene.setup.ring.messages as u64 + 5;
        for client in 0..self.clients.len() {
            for channel in &channels {
                self.clients[client].publish(channel, 1, 20, scene);
            }
        }
        self.clients[0].publish(&channels[0], more, 10, scene);
        for id in 0..self.clients.len() {
            let history = scene.setup.clients[id].reads_history(&channels[0]);
            let start = if history { Start::Rewind(1_000) } else { Start::Head };
            self.clients[id].subscribe(&channels[0], start, Some(Policy::Recover), scene);
        }
    }

    fn rest(&mut self) {
        let scene = &mut self.scene;
        self.node.rest(scene);
        let readers: Vec<_> = self.clients.iter().flat_map(Client::readers).collect();
        for (reader, attached) in readers {
            scene.tell(Fact::Rested { reader, attached });
        }
        scene.tell(Fact::Over);
    }
}
