//! What everybody in a run shares: the clocks, the dice, the links, and whoever takes notes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::agenda::Agenda;
use super::check::{Checker, Rule, Violation};
use super::dice::Dice;
use super::fact::Fact;
use super::link::{Down, Frame, Link, LinkId, Up};
use super::plan::{Action, ClientId};
use super::setup::Setup;
use super::sight::Sight;
use crate::id::ChannelName;
use crate::session::request::Request;
use crate::time::Now;

/// Names an actor; a new one for each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ActorId(pub(super) u32);

/// Everything that can happen next.
#[derive(Debug)]
pub(super) enum Event {
    /// The plan has its way.
    Act(Action),
    /// Something arrives at the node's end of a link.
    Up(LinkId),
    /// Something arrives at the client's end of a link.
    Down(LinkId),
    /// A slot takes a message.
    Slot(ActorId),
    /// The instant that a slot asked for has come.
    SlotWake(ActorId),
    /// A channel takes a message.
    Channel(ChannelName, ActorId),
    /// Time to see whether anybody still needs a channel's actor.
    Look(ChannelName, ActorId),
    /// A session looks what happened.
    Session(LinkId),
    /// An alarm of a session rings.
    Alarm(LinkId),
    /// The instant that a client asked for has come.
    Client(ClientId),
    /// The store syncs what a life of the node has sent to it.
    Sync(u32),
    /// The store answers what it holds of a channel.
    Load(u32, ChannelName),
    /// The node is up again.
    NodeUp,
    /// Faults stop.
    Heal,
    /// What has come to rest is tried once more.
    Probe,
}

/// What happened, and when.
#[cfg(test)]
pub(super) type History = Vec<(Now, Fact)>;

/// See the module.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) setup: Arc<Setup>,
    pub(super) agenda: Agenda<Event>,
    pub(super) dice: Dice,
    links: BTreeMap<LinkId, Link>,
    /// Names the next link, operation and reader.
    numbers: [u32; 3],
    checker: Checker,
    violation: Option<Violation>,
    /// One line for each event and fact, if wanted.
    trace: Option<String>,
    /// Every fact.
    #[cfg(test)]
    history: History,
    /// Faults have stopped.
    pub(super) is_calm: bool,
}

impl Scene {
    pub(super) fn new(setup: Arc<Setup>, dice: Dice, traced: bool) -> Self {
        Self {
            checker: Checker::new(Arc::clone(&setup)),
            setup,
            agenda: Agenda::new(),
            dice,
            links: BTreeMap::new(),
            numbers: [0; 3],
            violation: None,
            trace: traced.then(String::new),
            #[cfg(test)]
            history: History::new(),
            is_calm: false,
        }
    }

    pub(super) fn now(&self) -> Now {
        self.agenda.now()
    }

    /// A fact, for the checks.
    pub(super) fn tell(&mut self, fact: Fact) {
        if self.violation.is_some() {
            return;
        }
        self.note(|| fact.to_string());
        let now = self.now();
        if let Err(violation) = self.checker.observe(&fact, now) {
            self.note(|| format!("VIOLATION {violation}"));
            self.violation = Some(violation);
        }
        #[cfg(test)]
        self.history.push((now, fact));
    }

    /// Says that `rule` is broken unless `kept`.
    pub(super) fn ensure(&mut self, kept: bool, rule: Rule, text: impl FnOnce() -> String) {
        if !kept && self.violation.is_none() {
            let text = text();
            self.note(|| format!("VIOLATION {rule:?}: {text}"));
            self.violation = Some(Violation { rule, text });
        }
    }

    /// A case that a suite must have met.
    pub(super) fn saw(&mut self, sight: Sight) {
        self.note(|| format!("saw {sight:?}"));
        self.checker.saw(sight);
    }

    /// A line of the trace.
    pub(super) fn note<T: fmt::Display>(&mut self, line: impl FnOnce() -> T) {
        if let Some(trace) = &mut self.trace {
            let at = self.agenda.passed().as_micros();
            trace.push_str(&format!("{at:>12} {}\n", line()));
        }
    }

    pub(super) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// What was seen and broken, how many events that took, and the trace.
    pub(super) fn into_notes(self) -> (Checker, Option<Violation>, u64, Option<String>) {
        (self.checker, self.violation, self.agenda.handled(), self.trace)
    }

    /// Every fact.
    #[cfg(test)]
    pub(super) fn into_history(self) -> History {
        self.history
    }

    /// The next number of a kind: 0 for links, 1 for publishes, 2 for readers.
    fn number(&mut self, kind: usize) -> u32 {
        self.numbers[kind] += 1;
        self.numbers[kind]
    }

    pub(super) fn next_op(&mut self) -> u32 {
        self.number(1)
    }

    pub(super) fn next_reader(&mut self) -> u32 {
        self.number(2)
    }

    /// How long a message waits in a mailbox.
    pub(super) fn turn(&mut self) -> Duration {
        self.dice.time(self.setup.turn)
    }

    /// Opens a connection: what is sent first is that it opens.
    pub(super) fn connect(&mut self, client: ClientId) -> LinkId {
        let id = LinkId(self.number(0));
        self.links.insert(id, Link::new(client, self.now().instant));
        self.send_up(id, Up::Open);
        id
    }

    /// The connection, which is kept for as long as the run lasts.
    pub(super) fn link(&mut self, id: LinkId) -> &mut Link {
        self.links.get_mut(&id).expect("links are kept")
    }

    pub(super) fn send_up(&mut self, id: LinkId, what: Up) {
        self.note(|| format!("{id} ▲ {what}"));
        let at = self.now().instant + self.dice.time(self.setup.delay);
        if let Some(at) = self.link(id).up.send(at, what) {
            self.agenda.at(at, Event::Up(id));
        }
    }

    /// Sends a frame, unless the client has not read enough of what came before. A frame by itself
    /// always goes. Whether it was sent.
    pub(super) fn send_frame(&mut self, id: LinkId, frame: &Frame) -> bool {
        let (bytes, window) = (frame.bytes(), self.setup.window);
        let link = self.link(id);
        if link.unread > 0 && link.unread + bytes > window {
            return false;
        }
        link.unread += bytes;
        self.note(|| format!("{id} ▼ {frame}"));
        self.send_down(id, Down::Frame(frame.clone()), bytes);
        true
    }

    pub(super) fn send_down(&mut self, id: LinkId, what: Down, bytes: usize) {
        let rate = if self.is_calm { 2_000 } else { self.setup.rate };
        let takes = Duration::from_millis(bytes as u64) / u32::try_from(rate).unwrap_or(u32::MAX);
        let at = self.now().instant + self.dice.time(self.setup.delay);
        let lane = &mut self.link(id).down;
        if let Some(at) = lane.send(at.max(lane.last + takes), what) {
            self.agenda.at(at, Event::Down(id));
        }
    }

    /// Notes a request over a connection that its client has replaced by another.
    pub(super) fn arrived_late(&mut self, id: LinkId, request: &Request) {
        let client = self.link(id).client;
        let replaced = self.links.range(id..).skip(1).any(|(_, link)| link.client == client);
        if replaced && matches!(request, Request::Publish(_) | Request::Skip(_)) {
            self.saw(Sight::LateCopy);
        }
    }

    /// What arrives at the node's end, if its time has come.
    pub(super) fn arrive_up(&mut self, id: LinkId) -> Option<Up> {
        let now = self.now().instant;
        match self.link(id).up.arrive(now) {
            Ok(what) => return Some(what),
            Err(Some(later)) => self.agenda.at(later, Event::Up(id)),
            Err(None) => {}
        }
        None
    }

    /// What arrives at the client's end, if its time has come.
    pub(super) fn arrive_down(&mut self, id: LinkId) -> Option<Down> {
        let now = self.now().instant;
        match self.link(id).down.arrive(now) {
            Ok(what) => return Some(what),
            Err(Some(later)) => self.agenda.at(later, Event::Down(id)),
            Err(None) => {}
        }
        None
    }

    /// The client has read so much.
    pub(super) fn read(&mut self, id: LinkId, bytes: usize) {
        let link = self.link(id);
        link.unread = link.unread.saturating_sub(bytes);
    }
}
