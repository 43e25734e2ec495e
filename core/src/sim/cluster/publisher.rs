//! An application that publishes, and its client: numbers, sends again, gives up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::event::{Asked, Client, Event, Reply, Request, Told};
use super::truth::{Rule, payload_of};
use super::world::World;
use crate::channel::{self, Refusal};
use crate::id::{Author, ChannelName, PublisherId, Serial, Subject};
use crate::slot::Origin;
use crate::time::WallTime;

/// Publishes without a result.
const IN_FLIGHT_MAX: usize = 8;

/// When a publish that is not answered is sent again.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_200);

/// When it is given up: from then on the serial is to be skipped.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) channel: ChannelName,
    gateway: usize,
    next: u64,
    numbers: u64,
    pub(super) pending: BTreeMap<u64, Pending>,
}

#[derive(Debug)]
pub(super) struct Pending {
    number: u64,
    since: WallTime,
    began: Instant,
    again_at: Instant,
}

impl Publisher {
    pub(super) const fn new(channel: ChannelName, gateway: usize) -> Self {
        Self {
            channel,
            gateway,
            next: 1,
            numbers: 0,
            pending: BTreeMap::new(),
        }
    }
}

impl World {
    /// Time to publish, and to send again.
    pub(super) fn publisher_tick(&mut self, index: usize) {
        let now = self.agenda.now();
        let wait = self.dice.time((Duration::from_millis(10), Duration::from_millis(400)));
        self.agenda.after(wait, Event::Publisher(index));
        let publisher = &self.publishers[index];
        let due = publisher
            .pending
            .iter()
            .filter(|(_, pending)| now.instant >= pending.again_at);
        let mut due: Vec<_> = due.map(|(serial, _)| *serial).collect();
        let waiting = publisher.pending.first_key_value();
        if let Some((serial, began)) = waiting.map(|(serial, pending)| (*serial, pending.began)) {
            self.judge_publish(index, serial, began, None);
        }
        let must_go = !self.is_good_gateway(self.publishers[index].gateway);
        if must_go {
            due = self.publishers[index].pending.keys().copied().collect();
        }
        if must_go || (!due.is_empty() && self.dice.percent(60)) {
            self.publishers[index].gateway = self.gateway();
        }
        for serial in due {
            self.publish(index, serial);
        }
        if self.is_over() {
            return;
        }
        for _ in 0..self.dice.below(3) {
            let publisher = &mut self.publishers[index];
            if publisher.pending.len() >= IN_FLIGHT_MAX {
                return;
            }
            let serial = publisher.next;
            publisher.next += 1;
            let pending = Pending {
                number: 0,
                since: now.wall,
                began: now.instant,
                again_at: now.instant,
            };
            publisher.pending.insert(serial, pending);
            let channel = publisher.channel.clone();
            self.truth.invoked(&channel, (index, serial));
            self.publish(index, serial);
        }
    }

    fn publish(&mut self, index: usize, serial: u64) {
        let now = self.agenda.now().instant;
        let delay = self.network.delay();
        let publisher = &mut self.publishers[index];
        let base = publisher.pending.first_key_value().map_or(serial, |(first, _)| *first);
        let Some(pending) = publisher.pending.get_mut(&serial) else {
            return;
        };
        publisher.numbers += 1;
        pending.number = publisher.numbers;
        pending.again_at = now + ANSWER_WITHIN;
        let gateway = publisher.gateway;
        let request = Request {
            reply: Reply {
                client: Client::Publisher(index),
                number: pending.number,
            },
            channel: publisher.channel.clone(),
            what: Asked::Publish {
                serial,
                base,
                since: pending.since,
                skip: now > pending.began + GIVE_UP_AFTER,
            },
        };
        let to = self.nodes[gateway].id.clone();
        self.agenda.after(delay, Event::Request { to, request });
    }

    pub(super) fn publisher_request(
        &self,
        to: Reply,
        serial: u64,
        base: u64,
        since: WallTime,
        skip: bool,
    ) -> channel::Request<Reply> {
        let Client::Publisher(index) = to.client else {
            unreachable!("readers do not publish");
        };
        let author = Author {
            subject: Subject::anonymous(),
            publisher: PublisherId([u8::try_from(index).unwrap_or(0); 16]),
        };
        let (serial_id, base) = (Serial(serial), Serial(base));
        if skip {
            return channel::Request::Skip(channel::Skip {
                to,
                author,
                serial: serial_id,
                base,
                since,
            });
        }
        let serial = serial_id;
        channel::Request::Publish(channel::Publish {
            to,
            origin: Origin::Publisher { author, serial, base },
            key: None,
            deleted: false,
            payload: Bytes::from(payload_of((index, serial.0))),
            since,
        })
    }

    /// A publisher is told something.
    pub(super) fn publisher_told(&mut self, index: usize, number: u64, told: Told) {
        let now = self.agenda.now().instant;
        let publisher = &mut self.publishers[index];
        let found = publisher.pending.iter().find(|(_, pending)| pending.number == number);
        let Some(serial) = found.map(|(serial, _)| *serial) else {
            return; // it has asked again since, or knows already
        };
        let channel = publisher.channel.clone();
        self.line(|| format!("publisher {index}: {serial} of {channel}: {told:?}"));
        let publisher = &mut self.publishers[index];
        match told {
            Told::Ack(ack) => {
                if let Some(pending) = publisher.pending.remove(&serial) {
                    self.judge_publish(index, serial, pending.began, Some(true));
                }
                if let Some(position) = &ack.position {
                    self.truth.acked(&channel, (index, serial), position);
                }
            }
            Told::Refused(Refusal::OutcomeUnknown | Refusal::SerialSkipped) => {
                if let Some(pending) = publisher.pending.remove(&serial) {
                    self.judge_publish(index, serial, pending.began, Some(false));
                }
            }
            Told::Refused(Refusal::SerialGap { expected }) => {
                for (_, pending) in publisher.pending.range_mut(expected.0..) {
                    pending.again_at = pending.again_at.min(now + Duration::from_millis(50));
                }
            }
            Told::Refused(Refusal::Unavailable | Refusal::Moving | Refusal::InsufficientReplicas | Refusal::Busy) => {
                if let Some(pending) = publisher.pending.get_mut(&serial) {
                    pending.again_at = now + Duration::from_millis(250);
                }
            }
            told => self
                .truth
                .ensure(false, Rule::Liveness, || format!("a publisher is told {told:?}")),
        }
    }
}
