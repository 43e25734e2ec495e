//! A relay against owners that change, stop answering and lose what was on its way, from seeds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::channel::{self, Ack, From, Message, Outcome, Page, Publish, Reason};
use crate::id::{Author, Epoch, Generation, Lineage, NodeName, PublisherId, Seq, Serial, Subject, Term};
use crate::slot::Origin;
use crate::time::WallTime;

mod owner;
mod rules;

use owner::{Owner, epoch, node};

#[expect(clippy::disallowed_methods, reason = "an instant has no other beginning")]
fn start() -> Instant {
    Instant::now()
}

/// One gateway: a relay, its feed, a publisher and readers that come and go.
struct World {
    dice: SmallRng,
    start: Instant,
    now: Instant,
    relay: Relay<u64>,
    wake: Option<Instant>,
    owner: Owner,
    /// Which of two nodes has the slot, as this gateway knows.
    at: u64,
    /// On its way to the owner, and back, in order.
    asked: VecDeque<Asked>,
    told: VecDeque<Told>,
    /// What the feed showed: its epoch, and the last message.
    feed: Option<(Epoch, Seq)>,
    shown: u64,
    /// Whoever waits: `true` for a publish.
    waiting: BTreeMap<u64, bool>,
    next: u64,
    serial: u64,
    acknowledged: BTreeMap<u64, Seq>,
}

impl World {
    fn new(seed: u64) -> Self {
        let start = start();
        Self {
            dice: SmallRng::seed_from_u64(seed),
            start,
            now: start,
            relay: Relay::new(0, Some(node(0)), None),
            wake: None,
            owner: Owner::default(),
            at: 0,
            asked: VecDeque::new(),
            told: VecDeque::new(),
            feed: None,
            shown: 0,
            waiting: BTreeMap::new(),
            next: 0,
            serial: 0,
            acknowledged: BTreeMap::new(),
        }
    }

    fn handle(&mut self, input: Input<u64>) {
        let mut out = Vec::new();
        self.relay.handle(input, self.now, &mut out);
        for effect in out {
            match effect {
                Effect::Send { to, asked } => {
                    assert_eq!(to, node(self.at), "nobody but the owner is asked");
                    self.asked.push_back(asked);
                }
                Effect::Answer { to, answer } => self.answered(to, answer),
                Effect::Begin(head) => {
                    assert_eq!(self.feed, None, "a feed begins once");
                    self.feed = Some((head.epoch, head.seq));
                }
                Effect::Push(message) => {
                    let (_, last) = self.feed.as_mut().expect("there is a feed");
                    assert_eq!(message.seq, last.next(), "in order, without a gap");
                    assert_eq!(message.payload, self.owner.payload(message.seq), "what the owner holds");
                    *last = message.seq;
                    self.shown += 1;
                }
                Effect::Restart(head) => {
                    let (epoch, last) = self.feed.as_mut().expect("there is a feed");
                    assert_eq!((&head.epoch, head.seq >= *last), (&*epoch, true), "never back");
                    *last = head.seq;
                }
                Effect::Dismiss => assert!(self.feed.take().is_some(), "there was a feed"),
                Effect::Wake { at } => self.wake = Some(at),
            }
        }
    }

    fn answered(&mut self, to: u64, answer: Answer) {
        let is_publish = self.waiting.remove(&to).expect("answered once");
        match answer {
            Answer::Acknowledged(ack) => {
                assert!(is_publish);
                let seq = ack.position.expect("published").seq;
                assert_eq!(
                    self.owner.payload(seq),
                    Bytes::from(to.to_string()),
                    "acknowledged is held"
                );
                self.acknowledged.insert(to, seq);
            }
            Answer::Attached(attachment) => {
                let feed = self.feed.as_ref().expect("whoever is attached reads a feed");
                assert_eq!(feed.0, attachment.head.epoch);
                assert!(feed.1 >= attachment.head.seq, "the feed has reached where it joins");
            }
            Answer::Refused(_) => {}
            Answer::Page(_) | Answer::Inspected(_) | Answer::Moved => panic!("nobody has asked for {answer:?}"),
        }
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(self.dice.random_range(0..20));
        if self.wake.is_some_and(|at| at <= self.now) {
            self.wake = None;
            self.handle(Input::Wake);
        }
        match self.dice.random_range(0..100) {
            0..25 => self.publish(),
            25..35 => self.attach(),
            35..60 => self.owner_reads(),
            60..85 => self.gateway_hears(),
            85..92 => {
                self.owner.publish(Bytes::from_static(b"elsewhere"));
                self.owner.fan_out(&mut self.told);
            }
            92 => self.moves(),
            93 => {
                // What was on its way is gone, in both directions.
                self.asked.clear();
                self.told.clear();
                self.handle(Input::Reset);
            }
            94 => self.owner.ends(&mut self.told),
            95 => self.owner.is_busy = !self.owner.is_busy,
            96 => self.owner.drops = !self.owner.drops,
            97 => {
                if let Some(Asked::Request(request)) = self.asked.pop_back() {
                    self.handle(Input::Unsent {
                        number: request.number(),
                    });
                }
            }
            98 if self.dice.random_range(0..4) == 0 => {
                self.feed = None;
                self.handle(Input::Unread);
            }
            _ => self.owner.truncate(),
        }
    }

    fn publish(&mut self) {
        self.next += 1;
        self.serial += 1;
        self.waiting.insert(self.next, true);
        let author = Author {
            subject: Subject::anonymous(),
            publisher: PublisherId([1; 16]),
        };
        let publish = Publish {
            to: self.next,
            origin: Origin::Publisher {
                author,
                serial: Serial(self.next),
                base: Serial(1),
            },
            key: None,
            deleted: false,
            payload: Bytes::from(self.next.to_string()),
            since: WallTime(0),
        };
        self.handle(Input::Request(Request::Publish(publish)));
    }

    fn attach(&mut self) {
        self.next += 1;
        self.waiting.insert(self.next, false);
        let from = match self.dice.random_range(0..3) {
            0 => From::Head,
            _ => From::Position(
                self.owner
                    .position(Seq(self.dice.random_range(0..=self.owner.head().0))),
            ),
        };
        self.handle(Input::Request(Request::Attach { to: self.next, from }));
    }

    fn owner_reads(&mut self) {
        if let Some(asked) = self.asked.pop_front() {
            self.owner.asked(asked, &mut self.told);
        }
    }

    fn gateway_hears(&mut self) {
        if let Some(told) = self.told.pop_front() {
            let from = node(self.at);
            self.handle(Input::Told { from, told });
        }
    }

    /// The other node takes the slot over, with all that is committed. At times nobody has it for a while.
    fn moves(&mut self) {
        self.asked.clear();
        let late = std::mem::take(&mut self.told);
        self.owner.follower = false;
        let from = node(self.at);
        self.at = 1 - self.at;
        if self.dice.random_range(0..2) == 0 {
            self.handle(Input::Route(None));
        }
        self.handle(Input::Route(Some(node(self.at))));
        // What the last owner said arrives after that, and is not heard.
        for told in late {
            let from = from.clone();
            self.handle(Input::Told { from, told });
        }
        if self.dice.random_range(0..3) == 0 {
            self.owner.loses_history();
        }
    }

    /// No more faults: everything is answered, and the feed reaches the head.
    fn settle(&mut self) {
        (self.owner.is_busy, self.owner.drops) = (false, false);
        for _ in 0..10_000 {
            self.owner_reads();
            self.gateway_hears();
            if self.asked.is_empty() && self.told.is_empty() {
                match self.wake.take() {
                    Some(at) => {
                        self.now = self.now.max(at);
                        self.handle(Input::Wake);
                    }
                    None => break,
                }
            }
        }
    }
}

#[test]
fn whatever_happens_between_them_readers_see_one_order_and_everybody_is_answered() {
    let (mut shown, mut acknowledged) = (0, 0);
    for seed in 0..400 {
        let mut world = World::new(seed);
        for _ in 0..600 {
            world.step();
        }
        world.settle();
        assert!(world.waiting.is_empty(), "seed {seed}: {:?} wait", world.waiting);
        assert!(world.relay.is_idle(), "seed {seed}");
        if let Some((epoch, last)) = &world.feed {
            assert_eq!(
                (epoch, *last),
                (&world.owner.epoch, world.owner.head()),
                "seed {seed}: behind"
            );
        }
        world.owner.nothing_twice();
        shown += world.shown;
        acknowledged += world.acknowledged.len();
        assert!(world.now > world.start);
    }
    assert!(shown > 20_000, "{shown} messages are too few to show anything");
    assert!(
        acknowledged > 10_000,
        "{acknowledged} acknowledgements are too few to show anything"
    );
}
