//! A reader that wants every message. One goes from node to node; another stays where it is, and depends on its
//! gateway's feed.

use std::time::{Duration, Instant};

use super::event::{Asked, Client, Event, Reply, Request, Told};
use super::sight::Sight;
use super::truth::Rule;
use super::world::World;
use crate::channel::{Attachment, From, Message, Outcome, Page, Range};
use crate::id::{ChannelName, Epoch, NodeId, Position, slot_of};

/// How often a reader that stays looks whether it is attached.
const LOOK: Duration = Duration::from_millis(200);

/// When it asks again what was not answered: later than its gateway gives up.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);

/// See the module.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) channel: ChannelName,
    roams: bool,
    pub(super) gateway: usize,
    /// Which start of its gateway it is attached to.
    serves: Option<NodeId>,
    /// Numbers what it asks. Answers to earlier questions are nothing to it.
    number: u64,
    attached: u64,
    /// It has the answer.
    is_attached: bool,
    pub(super) last: Option<Position>,
    /// The newest message that it knows of.
    head: Option<Position>,
    reads: bool,
    /// When it asks again.
    again_at: Instant,
    /// What is sent to it arrives in the order it was sent in.
    pub(super) arrives: Instant,
}

impl Reader {
    pub(super) const fn new(channel: ChannelName, gateway: usize, roams: bool, now: Instant) -> Self {
        Self {
            channel,
            roams,
            gateway,
            serves: None,
            number: 0,
            attached: 0,
            is_attached: false,
            last: None,
            head: None,
            reads: false,
            again_at: now,
            arrives: now,
        }
    }

    /// Whether this is its last attach, and it is still there.
    pub(super) const fn waits_for(&self, reply: &Reply) -> bool {
        self.attached == reply.number
    }
}

impl World {
    /// Time to attach again, anywhere, or to look whether it is attached.
    pub(super) fn reader_tick(&mut self, index: usize) {
        if self.readers[index].roams && !self.is_over() {
            let most = if self.dice.percent(50) { 900 } else { 4_000 };
            let wait = self.dice.time((Duration::from_millis(50), Duration::from_millis(most)));
            self.agenda.after(wait, Event::Reader(index));
            return self.reader_attaches(index);
        }
        self.agenda.after(LOOK, Event::Reader(index));
        let now = self.agenda.now().instant;
        let reader = &self.readers[index];
        let is_gone = reader.serves.as_ref() != Some(&self.nodes[reader.gateway].id);
        let is_late = now >= reader.again_at;
        if is_gone || !self.is_good_gateway(reader.gateway) || (!reader.is_attached && is_late) {
            self.reader_attaches(index);
        } else if reader.is_attached && is_late {
            self.read_on(index);
        }
    }

    fn reader_attaches(&mut self, index: usize) {
        self.leave(index);
        let gateway = self.gateway();
        let serves = self.nodes[gateway].id.clone();
        let reader = &mut self.readers[index];
        (reader.gateway, reader.serves) = (gateway, Some(serves));
        (reader.reads, reader.is_attached) = (false, false);
        let from = reader.last.clone().map_or(From::Head, From::Position);
        self.reader_asks(index, Asked::Attach(from));
        self.readers[index].attached = self.readers[index].number;
    }

    fn reader_asks(&mut self, index: usize, what: Asked) {
        let (now, delay) = (self.agenda.now().instant, self.network.delay());
        let reader = &mut self.readers[index];
        reader.number += 1;
        reader.again_at = now + ANSWER_WITHIN;
        let request = Request {
            reply: Reply {
                client: Client::Reader(index),
                number: reader.number,
            },
            channel: reader.channel.clone(),
            what,
        };
        let to = self.nodes[reader.gateway].id.clone();
        self.agenda.after(delay, Event::Request { to, request });
    }

    /// A reader is told something.
    pub(super) fn reader_told(&mut self, index: usize, number: u64, told: Told) {
        let now = self.agenda.now().instant;
        let reader = &mut self.readers[index];
        let is_attached = number == reader.attached && reader.is_attached;
        match told {
            Told::Attached(attachment) if number == reader.attached && !reader.is_attached => {
                self.reader_attached(index, attachment);
            }
            Told::Page(page) if number == reader.number && reader.reads => self.reader_read(index, page),
            Told::Live(epoch, message) if is_attached => self.reader_live(index, &epoch, &message),
            Told::Restarted(head) if is_attached => {
                reader.head = Some(head);
                self.read_on(index);
            }
            Told::Dismissed if is_attached => (reader.is_attached, reader.again_at) = (false, now),
            Told::Refused(_) if number == reader.number => {
                (reader.reads, reader.again_at) = (false, now + Duration::from_millis(300));
            }
            _ => {}
        }
    }

    fn reader_attached(&mut self, index: usize, attachment: Attachment) {
        let reader = &mut self.readers[index];
        reader.is_attached = true;
        let slot = slot_of(&reader.channel, self.plan.slots);
        let Attachment {
            outcome,
            position,
            head,
            ..
        } = attachment;
        reader.head = Some(head);
        match (outcome, reader.last.take()) {
            (Outcome::Resumed, Some(last)) => {
                let same = position.epoch == last.epoch && position.seq == last.seq;
                self.truth
                    .ensure(same, Rule::Order, || format!("resumed at {position} after {last}"));
                self.coverage.saw(Sight::Resumed);
                self.readers[index].last = Some(last);
            }
            (Outcome::Discontinuity(reason), Some(last)) => {
                self.truth.told(slot, &last, reason);
                self.coverage.saw(Sight::Told);
                self.readers[index].last = Some(position);
            }
            (_, None) => reader.last = Some(position),
            (outcome, Some(last)) => {
                self.truth
                    .ensure(false, Rule::Told, || format!("{outcome:?} is no answer to {last}"));
            }
        }
        self.read_on(index);
    }

    /// Reads what lies before the head.
    fn read_on(&mut self, index: usize) {
        let reader = &mut self.readers[index];
        let head = reader.head.as_ref();
        let lacks = |last: &Position| head.is_some_and(|head| last.epoch == head.epoch && last.seq < head.seq);
        let Some(last) = reader.last.clone().filter(lacks) else {
            reader.reads = false;
            return;
        };
        reader.reads = true;
        let range = Range {
            epoch: Some(last.epoch),
            after: last.seq,
            bytes_max: 2_000,
            messages_max: 20,
        };
        self.reader_asks(index, Asked::Read(range));
    }

    fn reader_read(&mut self, index: usize, page: Page) {
        let now = self.agenda.now().instant;
        let slot = slot_of(&self.readers[index].channel, self.plan.slots);
        match page {
            Page::Messages { messages, head, after } => {
                for message in &messages {
                    self.reader_gets(index, &after.epoch, message);
                }
                self.readers[index].head = Some(head);
                self.read_on(index);
            }
            Page::Lost { reason, .. } => {
                let reader = &mut self.readers[index];
                (reader.reads, reader.is_attached, reader.again_at) = (false, false, now);
                if let Some(last) = reader.last.clone() {
                    self.truth.told(slot, &last, reason);
                }
            }
            Page::Stored { .. } => unreachable!("nothing is stored"),
        }
    }

    fn reader_live(&mut self, index: usize, epoch: &Epoch, message: &Message) {
        let reader = &mut self.readers[index];
        let Some(last) = reader.last.clone().filter(|last| last.epoch == *epoch) else {
            return; // its attachment has not arrived, or was lost
        };
        if message.seq > last.seq.next() {
            reader.head = Some(Position {
                epoch: epoch.clone(),
                seq: message.seq,
                term: message.term,
            });
            if !reader.reads {
                self.read_on(index);
            }
        } else if message.seq > last.seq {
            self.reader_gets(index, epoch, message);
        } else {
            let channel = self.readers[index].channel.clone();
            self.truth.shown(&channel, epoch, message);
        }
    }

    fn reader_gets(&mut self, index: usize, epoch: &Epoch, message: &Message) {
        let reader = &mut self.readers[index];
        let channel = reader.channel.clone();
        let Some(last) = reader.last.clone() else {
            return;
        };
        if *epoch != last.epoch || message.seq <= last.seq {
            return; // a page that was overtaken
        }
        reader.last = Some(Position {
            epoch: epoch.clone(),
            seq: message.seq,
            term: message.term,
        });
        self.truth.deliveries += 1;
        self.truth.ensure(message.seq == last.seq.next(), Rule::Order, || {
            format!("{channel} {epoch}: {} after {}", message.seq, last.seq)
        });
        self.truth.shown(&channel, epoch, message);
    }
}
