//! The publishes of a client to one channel: each once, in order, however often it has to be sent.
//!
//! A serial has exactly one result, and is sent until it has it. A publish that is given up, by its
//! application or by a refusal for good, becomes a skip of its serial.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::desk::{Asking, Desk};
use crate::channel::{Ack, Refusal};
use crate::id::{ChannelName, Key, Serial};
use crate::session::request::{Publish, Request, RequestId, Skip};
use crate::sim::fact::{Fact, Op, Outcome, payload};
use crate::sim::scene::Scene;
use crate::sim::sight::Sight;
use crate::time::WallTime;

/// The longest wait before what was refused for now is sent again.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    channel: ChannelName,
    /// The serial of the next message that is sent for the first time.
    next: Serial,
    /// Serials without a result, in order.
    entries: VecDeque<Entry>,
    /// Messages that were not sent yet, and so can be given up without a trace.
    queued: VecDeque<Queued>,
    /// Nothing is sent before.
    hold: Option<Instant>,
    refusals: u32,
}

#[derive(Debug)]
struct Queued {
    op: Op,
    key: Option<Key>,
    deleted: bool,
    bytes: usize,
    deadline: Instant,
}

#[derive(Debug)]
struct Entry {
    serial: Serial,
    since: WallTime,
    /// The message; `None` for a serial that the owner asks for and nobody knows of.
    message: Option<Queued>,
    /// The serial is to be retired.
    skip: bool,
    sent: Option<Sent>,
}

/// The sending of an entry that has no answer.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Instant,
    request: RequestId,
    base: Serial,
}

impl Line {
    pub(super) fn new(channel: &ChannelName) -> Self {
        Self {
            channel: channel.clone(),
            next: Serial(1),
            entries: VecDeque::new(),
            queued: VecDeque::new(),
            hold: None,
            refusals: 0,
        }
    }

    pub(super) fn enqueue(&mut self, op: Op, key: Option<Key>, deleted: bool, bytes: usize, deadline: Instant) {
        self.queued.push_back(Queued {
            op,
            key,
            deleted,
            bytes,
            deadline,
        });
    }

    /// The answers to what was sent are lost with the connection.
    pub(super) fn lost(&mut self) {
        for entry in &mut self.entries {
            entry.sent = None;
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.entries.iter().filter(|entry| entry.sent.is_some()).count()
    }

    /// Since when something has been without an answer.
    pub(super) fn unanswered(&self) -> Option<Instant> {
        self.entries
            .iter()
            .filter_map(|entry| entry.sent)
            .map(|sent| sent.at)
            .min()
    }

    pub(super) fn wake_at(&self, connected: bool) -> Option<Instant> {
        let entries = self.entries.iter().filter(|entry| !entry.skip);
        let entries = entries.filter_map(|entry| entry.message.as_ref());
        let deadlines = entries.chain(&self.queued).map(|message| message.deadline);
        deadlines.chain(self.hold.filter(|_| connected)).min()
    }

    /// Gives up what is out of time.
    pub(super) fn wake(&mut self, scene: &mut Scene) {
        let now = scene.now().instant;
        self.queued.retain(|queued| {
            let late = queued.deadline <= now;
            if late {
                let (op, outcome) = (queued.op, Outcome::Failed);
                scene.tell(Fact::Settled { op, outcome });
            }
            !late
        });
        for entry in &mut self.entries {
            if !entry.skip && entry.message.as_ref().is_some_and(|message| message.deadline <= now) {
                (entry.skip, entry.sent) = (true, None);
            }
        }
    }

    /// Sends what may be sent, as long as there is room in flight.
    pub(super) fn send(&mut self, room: &mut usize, desk: &mut Desk, scene: &mut Scene) {
        if self.hold.is_some_and(|hold| scene.now().instant < hold) {
            return;
        }
        self.hold = None;
        for at in 0..self.entries.len() {
            if self.entries[at].sent.is_none() && *room > 0 {
                self.send_entry(at, room, desk, scene);
            }
        }
        while *room > 0
            && let Some(queued) = self.queued.pop_front()
        {
            let (op, serial) = (queued.op, self.next);
            self.next = serial.next();
            scene.tell(Fact::Numbered { op, serial });
            self.entries.push_back(Entry {
                serial,
                since: desk.clock,
                message: Some(queued),
                skip: false,
                sent: None,
            });
            self.send_entry(self.entries.len() - 1, room, desk, scene);
        }
    }

    fn send_entry(&mut self, at: usize, room: &mut usize, desk: &mut Desk, scene: &mut Scene) {
        let base = self.entries.front().map_or(self.next, |first| first.serial);
        let channel = self.channel.clone();
        let request = desk.ask(Asking::Publish(channel.clone()));
        let entry = &mut self.entries[at];
        entry.sent = Some(Sent {
            at: scene.now().instant,
            request,
            base,
        });
        *room -= 1;
        let Entry { serial, since, .. } = *entry;
        let sent = match &entry.message {
            Some(message) if !entry.skip => Request::Publish(Publish {
                request,
                channel,
                serial,
                base,
                since,
                key: message.key.clone(),
                delete: message.deleted,
                payload: match message.deleted {
                    true => bytes::Bytes::new(),
                    false => payload(message.op, message.bytes).into(),
                },
            }),
            _ => Request::Skip(Skip {
                request,
                channel,
                serial,
                base,
                since,
            }),
        };
        desk.send(sent, scene);
    }

    /// A serial has its result.
    pub(super) fn acked(&mut self, serial: Serial, ack: &Ack, scene: &mut Scene) {
        if let Ok(at) = self.find(serial) {
            self.refusals = 0;
            self.settle(
                at,
                ack.position.clone().map_or(Outcome::Failed, Outcome::Published),
                scene,
            );
        }
    }

    /// A serial was refused.
    pub(super) fn refused(&mut self, request: RequestId, refusal: &Refusal, scene: &mut Scene) {
        let is_of = |entry: &Entry| entry.sent.is_some_and(|sent| sent.request == request);
        let Some(at) = self.entries.iter().position(is_of) else {
            return; // of an earlier sending
        };
        let sent = self.entries[at].sent.take();
        match refusal {
            Refusal::SerialGap { expected } => self.gap(at, sent, *expected, scene),
            Refusal::OutcomeUnknown => self.settle(at, Outcome::Unknown, scene),
            Refusal::SerialSkipped => self.settle(at, Outcome::Failed, scene),
            refusal => match refusal.retry_after() {
                Some(after) => {
                    if matches!(refusal, Refusal::RateLimited { .. }) {
                        scene.saw(Sight::RateLimited);
                    }
                    self.wait(after, scene);
                }
                None => {
                    if matches!(refusal, Refusal::PayloadTooLarge { .. }) {
                        scene.saw(Sight::PayloadTooLarge);
                    }
                    self.entries[at].skip = true;
                }
            },
        }
    }

    /// The owner wants an earlier serial first: sends again from there.
    fn gap(&mut self, at: usize, sent: Option<Sent>, expected: Serial, scene: &mut Scene) {
        let serial = self.entries[at].serial;
        let base = self.entries.front().map_or(serial, |first| first.serial);
        if sent.is_some_and(|sent| sent.base < base) {
            return; // what it wants was settled meanwhile, which the next sending tells
        }
        for missing in expected.0..serial.0 {
            // One that is settled here, and that an owner who knows this publisher has not heard of.
            if let Err(at) = self.find(Serial(missing)) {
                let ghost = Entry {
                    serial: Serial(missing),
                    // It may have been sent long ago: an owner that has forgotten must not take it for new,
                    // nor what was sent after it.
                    since: WallTime(0),
                    message: None,
                    skip: true,
                    sent: None,
                };
                self.entries.insert(at, ghost);
            }
        }
        if self.find(expected).is_ok_and(|at| self.entries[at].sent.is_some()) {
            // What it wants is on its way.
            self.wait(Duration::from_millis(20), scene);
        }
    }

    fn find(&self, serial: Serial) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&serial, |entry| entry.serial)
    }

    /// Waits, longer each time, before anything is sent.
    fn wait(&mut self, at_least: Duration, scene: &mut Scene) {
        let most = Duration::from_millis(100) * 2_u32.pow(self.refusals.min(6));
        let wait = at_least + scene.dice.time((Duration::ZERO, most.min(RETRY_MAX)));
        self.refusals += 1;
        let until = scene.now().instant + wait;
        self.hold = Some(self.hold.map_or(until, |hold| hold.max(until)));
    }

    fn settle(&mut self, at: usize, outcome: Outcome, scene: &mut Scene) {
        let entry = self.entries.remove(at);
        if let Some(Entry {
            message: Some(Queued { op, .. }),
            ..
        }) = entry
        {
            scene.tell(Fact::Settled { op, outcome });
        }
    }
}
