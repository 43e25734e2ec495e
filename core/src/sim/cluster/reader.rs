//! A reader that wants every message, and goes from node to node.

use std::time::{Duration, Instant};

use super::event::{Asked, Client, Event, Reply, Request, Told};
use super::sight::Sight;
use super::truth::Rule;
use super::world::World;
use crate::channel::{Attachment, From, Message, Outcome, Page, Range};
use crate::id::{ChannelName, Epoch, Position, slot_of};

/// See the module.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) channel: ChannelName,
    gateway: usize,
    /// Numbers what it asks. Answers to earlier questions are nothing to it.
    number: u64,
    attached: u64,
    /// It has the answer.
    is_attached: bool,
    pub(super) last: Option<Position>,
    reads: bool,
    /// What is sent to it arrives in the order it was sent in.
    pub(super) arrives: Instant,
}

impl Reader {
    pub(super) const fn new(channel: ChannelName, gateway: usize, now: Instant) -> Self {
        Self {
            channel,
            gateway,
            number: 0,
            attached: 0,
            is_attached: false,
            last: None,
            reads: false,
            arrives: now,
        }
    }
}

impl World {
    /// Time to attach again, anywhere.
    pub(super) fn reader_tick(&mut self, index: usize) {
        let most = if self.dice.percent(50) { 900 } else { 4_000 };
        let wait = self.dice.time((Duration::from_millis(50), Duration::from_millis(most)));
        self.agenda.after(wait, Event::Reader(index));
        let gateway = self.gateway();
        let reader = &mut self.readers[index];
        reader.gateway = gateway;
        (reader.reads, reader.is_attached) = (false, false);
        let from = reader.last.clone().map_or(From::Head, From::Position);
        self.reader_asks(index, Asked::Attach(from));
        self.readers[index].attached = self.readers[index].number;
    }

    fn reader_asks(&mut self, index: usize, what: Asked) {
        let delay = self.network.delay();
        let reader = &mut self.readers[index];
        reader.number += 1;
        let request = Request {
            reply: Reply {
                client: Client::Reader(index),
                number: reader.number,
                gateway: reader.gateway,
            },
            channel: reader.channel.clone(),
            what,
        };
        let to = self.nodes[reader.gateway].id.clone();
        let forwarded = false;
        self.agenda.after(delay, Event::Request { to, forwarded, request });
    }

    /// A reader is told something.
    pub(super) fn reader_told(&mut self, index: usize, number: u64, told: Told) {
        let reader = &self.readers[index];
        match told {
            Told::Attached(attachment) if number == reader.attached && !reader.is_attached => {
                self.reader_attached(index, attachment)
            }
            Told::Page(page) if number == reader.number && reader.reads => self.reader_read(index, page),
            Told::Live(epoch, message) if number == reader.attached && reader.is_attached => {
                self.reader_live(index, &epoch, &message)
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
        match (outcome, reader.last.take()) {
            (Outcome::Resumed, Some(last)) => {
                let same = position.epoch == last.epoch && position.seq == last.seq;
                self.truth
                    .ensure(same, Rule::Order, || format!("resumed at {position} after {last}"));
                self.sights.see(Sight::Resumed);
                self.readers[index].last = Some(last);
            }
            (Outcome::Discontinuity(reason), Some(last)) => {
                self.truth.told(slot, &last, reason);
                self.sights.see(Sight::Told);
                self.readers[index].last = Some(position);
            }
            (_, None) => reader.last = Some(position),
            (outcome, Some(last)) => {
                self.truth
                    .ensure(false, Rule::Told, || format!("{outcome:?} is no answer to {last}"));
            }
        }
        self.read_on(index, &head);
    }

    /// Reads what lies before the head.
    fn read_on(&mut self, index: usize, head: &Position) {
        let reader = &mut self.readers[index];
        let Some(last) = reader
            .last
            .clone()
            .filter(|last| last.epoch == head.epoch && last.seq < head.seq)
        else {
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
        let slot = slot_of(&self.readers[index].channel, self.plan.slots);
        match page {
            Page::Messages { messages, head, after } => {
                for message in &messages {
                    self.reader_gets(index, &after.epoch, message);
                }
                self.read_on(index, &head);
            }
            Page::Lost { reason, .. } => {
                if let Some(last) = self.readers[index].last.clone() {
                    self.truth.told(slot, &last, reason);
                }
                self.readers[index].reads = false;
            }
            Page::Stored { .. } => unreachable!("nothing is stored"),
        }
    }

    fn reader_live(&mut self, index: usize, epoch: &Epoch, message: &Message) {
        let Some(last) = self.readers[index].last.clone().filter(|last| last.epoch == *epoch) else {
            return; // its attachment has not arrived, or was lost
        };
        if message.seq > last.seq.next() {
            let is_reading = self.readers[index].reads;
            if !is_reading {
                let head = Position {
                    epoch: epoch.clone(),
                    seq: message.seq,
                    term: message.term,
                };
                self.read_on(index, &head);
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
