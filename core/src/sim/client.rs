//! A client of the protocol, with the rules that an SDK keeps.
//!
//! It comes back after a loss, sends again what has no answer, and goes on reading where it was. It
//! takes no part in the checks: what it sees it tells as facts.
//!
//! * `desk`: its connection and its requests; `frames`: what it is told;
//! * `publisher`: what it publishes;
//! * `reader`: what it reads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::desk::{Asking, Connection, Desk};
use self::publisher::Line;
use self::reader::Reader;
use super::fact::{Fact, Op, ReaderId};
use super::link::{Down, LinkId, Up};
use super::plan::{ClientId, Start};
use super::scene::{Event, Scene};
use super::sight::Sight;
use crate::backpressure::Policy;
use crate::id::{ChannelName, Key};
use crate::session::request::{Attach, Hello, Request};

mod desk;
mod flow;
mod frames;
mod publisher;
mod reader;

/// How long a connection may take to open.
const WELCOME_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a publish may go unanswered before the client asks whether anybody is there, and how
/// long that may go unanswered.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(1_500);
const PONG_TIME_MAX: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Client {
    id: ClientId,
    desk: Desk,
    /// Lost connections in a row.
    losses: u32,
    asleep: bool,
    stalled: bool,
    /// What arrived while its process stood still.
    unread: VecDeque<(LinkId, Down)>,
    lines: BTreeMap<ChannelName, Line>,
    readers: BTreeMap<ChannelName, Reader>,
    /// The wake that is entered.
    wake: Option<Instant>,
}

impl Client {
    pub(super) fn new(id: ClientId, scene: &mut Scene) -> Self {
        let mut client = Self {
            id,
            desk: Desk::new(scene.now().instant),
            losses: 0,
            asleep: false,
            stalled: false,
            unread: VecDeque::new(),
            lines: BTreeMap::new(),
            readers: BTreeMap::new(),
            wake: None,
        };
        client.wake_later(scene);
        client
    }

    /// The connection that it uses.
    pub(super) fn link(&self) -> Option<LinkId> {
        self.desk.link()
    }

    /// The application publishes.
    pub(super) fn publish(&mut self, channel: &ChannelName, count: u64, bytes: usize, scene: &mut Scene) {
        let config = &scene.setup.namespace(channel).channel;
        let (keyed, logged) = (config.keyed, config.keeps_history());
        let patience = scene.setup.clients[self.id].patience;
        for _ in 0..count {
            let op = Op(scene.next_op());
            let key = keyed.then(|| Key::parse(["a", "b", "c", "d", "e", "f"][scene.dice.index(6)]).expect("a key"));
            // What removes a key carries no bytes to tell it by, but the log tells its serial.
            let deleted = keyed && logged && scene.dice.percent(25);
            scene.tell(Fact::Invoked {
                op,
                client: self.id,
                channel: channel.clone(),
                key: key.clone(),
                deleted,
            });
            let deadline = scene.now().instant + patience;
            let line = self.lines.entry(channel.clone()).or_insert_with(|| Line::new(channel));
            line.enqueue(op, key, deleted, bytes, deadline);
        }
        self.go_on(scene);
    }

    /// The application reads a channel, or moves its reader.
    pub(super) fn subscribe(&mut self, channel: &ChannelName, start: Start, policy: Option<Policy>, scene: &mut Scene) {
        if !self.readers.contains_key(channel) {
            let reader = ReaderId(scene.next_reader());
            scene.tell(Fact::Began {
                reader,
                client: self.id,
                channel: channel.clone(),
            });
            let room = scene.setup.clients[self.id].room;
            self.readers.insert(channel.clone(), Reader::new(reader, channel, room));
        }
        if let Some(reader) = self.readers.get_mut(channel) {
            reader.start(start, policy);
        }
        self.go_on(scene);
    }

    /// The application stops to read a channel.
    pub(super) fn unsubscribe(&mut self, channel: &ChannelName, scene: &mut Scene) {
        if let Some(mut reader) = self.readers.remove(channel) {
            reader.end(&mut self.desk, scene);
            scene.tell(Fact::Ended { reader: reader.id });
        }
    }

    /// The application takes no more of what it reads, or takes it again.
    pub(super) fn pause(&mut self, channel: &ChannelName, paused: bool, scene: &mut Scene) {
        if let Some(reader) = self.readers.get_mut(channel) {
            reader.pause(paused, &mut self.desk, scene);
        }
    }

    /// The process stands still, or goes on.
    pub(super) fn stall(&mut self, stalled: bool, scene: &mut Scene) {
        self.stalled = stalled;
        while !self.stalled
            && let Some((link, what)) = self.unread.pop_front()
        {
            self.read(link, what, scene);
        }
        self.wake = None;
        self.wake_later(scene);
    }

    /// The client goes away without a word, or comes back.
    pub(super) fn sleep(&mut self, asleep: bool, scene: &mut Scene) {
        self.asleep = asleep;
        if asleep && let Some(link) = self.link() {
            scene.send_up(link, Up::Closed);
            self.lost(scene);
        }
        self.wake_later(scene);
    }

    /// Everything that keeps it from its work ends.
    pub(super) fn heal(&mut self, scene: &mut Scene) {
        let channels: Vec<_> = self.readers.keys().cloned().collect();
        for channel in channels {
            self.pause(&channel, false, scene);
        }
        self.stall(false, scene);
        self.sleep(false, scene);
    }

    /// Something has arrived.
    pub(super) fn receive(&mut self, link: LinkId, what: Down, scene: &mut Scene) {
        if self.stalled {
            self.unread.push_back((link, what));
        } else {
            self.read(link, what, scene);
        }
    }

    /// The instant it asked for has come.
    pub(super) fn woken(&mut self, scene: &mut Scene) {
        let now = scene.now().instant;
        if self.stalled || self.wake.is_none_or(|at| now < at) {
            return;
        }
        self.wake = None;
        match self.desk.connection {
            Connection::Away { retry_at } if now >= retry_at && !self.asleep => self.connect(scene),
            Connection::Opening { since, .. } if now >= since + WELCOME_TIME_MAX => self.give_up(scene),
            Connection::Open { .. } => self.stay_alive(scene),
            Connection::Away { .. } | Connection::Opening { .. } => {}
        }
        for line in self.lines.values_mut() {
            line.wake(scene);
        }
        self.go_on(scene);
    }

    /// Every reader, and whether it is attached.
    pub(super) fn readers(&self) -> impl Iterator<Item = (ReaderId, bool)> {
        self.readers.values().map(|reader| (reader.id, reader.is_attached()))
    }

    fn connect(&mut self, scene: &mut Scene) {
        let link = scene.connect(self.id);
        let since = scene.now().instant;
        self.desk.connection = Connection::Opening { link, since };
        let setup = Arc::clone(&scene.setup);
        let setup = &setup.clients[self.id];
        scene.send_up(
            link,
            Up::Request(Request::Hello(Hello {
                token: self.id.to_string(),
                publisher: setup.publisher,
                client: None,
                datagrams: false,
                page_credit: setup.page_credit,
                agent: "simulation".to_owned(),
            })),
        );
    }

    fn stay_alive(&mut self, scene: &mut Scene) {
        let now = scene.now().instant;
        let heartbeat = scene.setup.session.heartbeat;
        let Connection::Open { heard, said, asked, .. } = self.desk.connection else {
            return;
        };
        let unanswered = self.lines.values().filter_map(Line::unanswered).min();
        let worried = unanswered.is_some_and(|since| now >= since + ANSWER_TIME_MAX);
        let deaf = asked.is_some_and(|asked| now >= asked + PONG_TIME_MAX) && worried;
        if now >= heard + heartbeat + heartbeat / 2 || deaf {
            scene.saw(Sight::GatewayLost);
            self.give_up(scene);
        } else if asked.is_none() && (worried || now >= said + heartbeat) {
            self.desk.ping(scene);
        }
    }

    /// Leaves the connection behind, and what is under way on it.
    fn give_up(&mut self, scene: &mut Scene) {
        if let Some(link) = self.link() {
            scene.send_up(link, Up::Closed);
        }
        self.lost(scene);
    }

    /// The connection is gone.
    fn lost(&mut self, scene: &mut Scene) {
        let most = Duration::from_millis(500) * 2_u32.pow(self.losses.min(6));
        let wait = scene.dice.time((Duration::ZERO, most.min(Duration::from_secs(30))));
        self.losses += 1;
        self.desk.lost(scene.now().instant + wait);
        self.lines.values_mut().for_each(Line::lost);
        self.readers.values_mut().for_each(Reader::lost);
        self.wake_later(scene);
    }

    /// Sends what can be sent now.
    fn go_on(&mut self, scene: &mut Scene) {
        if !self.stalled && self.desk.is_open() {
            let now = scene.now().instant;
            for reader in self.readers.values_mut() {
                if let Some(from) = reader.attach(now) {
                    let request = self.desk.ask(Asking::Attach(reader.channel.clone()));
                    reader.asked(request);
                    let attach = Attach {
                        request,
                        channel: reader.channel.clone(),
                        from,
                        policy: reader.policy,
                    };
                    self.desk.send(Request::Attach(attach), scene);
                }
            }
            let most = usize::from(scene.setup.session.publishes_in_flight_max);
            let in_flight: usize = self.lines.values().map(Line::in_flight).sum();
            let mut room = most.saturating_sub(in_flight);
            for line in self.lines.values_mut() {
                line.send(&mut room, &mut self.desk, scene);
            }
        }
        self.wake_later(scene);
    }

    fn wake_later(&mut self, scene: &mut Scene) {
        let heartbeat = scene.setup.session.heartbeat;
        let connection = match self.desk.connection {
            Connection::Away { retry_at } => (!self.asleep).then_some(retry_at),
            Connection::Opening { since, .. } => Some(since + WELCOME_TIME_MAX),
            Connection::Open { heard, said, asked, .. } => {
                let worry = self
                    .lines
                    .values()
                    .filter_map(Line::unanswered)
                    .min()
                    .map(|at| at + ANSWER_TIME_MAX);
                let worry = worry.map(|at| asked.map_or(at, |asked| at.max(asked + PONG_TIME_MAX)));
                let ping = asked.is_none().then_some(said + heartbeat);
                let silence = heard + heartbeat + heartbeat / 2;
                [worry, ping, Some(silence)].into_iter().flatten().min()
            }
        };
        let lines = self.lines.values().filter_map(|line| line.wake_at(self.desk.is_open()));
        let readers = self.readers.values().filter_map(Reader::retry_at);
        let Some(at) = lines.chain(readers).chain(connection).min() else {
            return;
        };
        if self.wake.is_none_or(|wake| at < wake) {
            self.wake = Some(at);
            scene.agenda.at(at, Event::Client(self.id));
        }
    }
}
