//! Random runs from a seed: whatever happens in whatever order, the promises hold.
//!
//! A run drives one channel and its slot with publishers that retry, skip and send nonsense, readers
//! that attach and read back, commits that are late, actors that crash and retire, quarantines,
//! and time. A printed seed replays: set `SEED` to it.

mod check;

use std::collections::BTreeMap;

use rand::RngExt;

use super::*;
use crate::slot::TailBounds;

const STEPS: usize = 400;

#[test]
fn promises_hold_in_random_runs() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => {
            let seed: u64 = seed.parse().expect("SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..300,
    };
    for seed in seeds {
        let told = OnPanic(seed);
        Run::new(seed).run();
        drop(told);
    }
}

struct OnPanic(u64);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with SEED={}", self.0);
        }
    }
}

struct Run {
    random: StdRng,
    owner: Owner,
    replica: Slot,
    authors: Vec<Publisher>,
    /// What was fanned out, by epoch.
    shown: BTreeMap<Epoch, Vec<Arc<Message>>>,
    /// Requests that wait for their answer.
    waiting: BTreeMap<u32, Asked>,
    /// Positions a reader may hold.
    positions: Vec<Position>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Serial { author: usize, serial: u64 },
    Other,
}

struct Publisher {
    author: Author,
    sent: Vec<Sent>,
}

/// One serial, from 1.
struct Sent {
    since: WallTime,
    result: Option<Ack>,
    given_up: bool,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let config = Config {
            durability: match random.random_range(0..4) {
                0 => Durability::Ephemeral,
                1 => Durability::Stored,
                _ => Durability::Logged,
            },
            keyed: random.random_bool(0.3),
            window: Window {
                messages: random.random_range(0..30),
                bytes: random.random_range(20..400),
                age: seconds(random.random_range(1..200)),
            },
            keys_max: random.random_range(1..5),
            values_bytes_max: random.random_range(30..80),
            publishers_max: random.random_range(1..5),
            ..Config::default()
        };
        let slot_config = slot::Config {
            tail: TailBounds {
                entries: usize::MAX,
                bytes: u64::MAX,
            },
            ..slot::Config::default()
        };
        let owner = Owner::in_slot(config.clone(), slot_config);
        let mut replica = Slot::copy(slot_config, Arc::new(config), &mut random);
        replica.install(owner.slot.snapshot(), start());
        let authors = (0..4).map(|id| Publisher {
            author: Author {
                subject: Subject::new(if id % 2 == 0 { "anna" } else { "ben" }),
                publisher: PublisherId([id; 16]),
            },
            sent: Vec::new(),
        });
        Self {
            owner,
            replica,
            authors: authors.collect(),
            shown: BTreeMap::new(),
            waiting: BTreeMap::new(),
            positions: Vec::new(),
            random,
        }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            self.step();
        }
        let effects = self.owner.resume();
        self.check(effects);
        self.release();
        let effects = self.owner.resume();
        self.check(effects);
        assert!(self.waiting.is_empty(), "everybody is answered: {:?}", self.waiting);
        self.check_quiet();
    }

    fn step(&mut self) {
        let effects = match self.random.random_range(0..100) {
            0..40 => self.publish_numbered(),
            40..48 => self.publish_other(),
            48..54 => self.skip(),
            54..64 => self.attach(),
            64..72 => self.read(),
            72..80 => {
                self.owner.stalled = !self.owner.stalled;
                if self.owner.stalled {
                    Vec::new()
                } else {
                    self.owner.resume()
                }
            }
            80..88 => {
                let most = [2, 60, 400, 4_000][self.random.random_range(0..4)];
                let time = self.random.random_range(0..most * 1_000);
                self.owner.pass(Duration::from_millis(time));
                self.owner.attended = self.random.random_bool(0.5);
                if self.owner.stalled {
                    Vec::new()
                } else {
                    self.owner.wake()
                }
            }
            88..91 => {
                self.release();
                self.owner.crash();
                self.waiting.clear();
                Vec::new()
            }
            91..94 => {
                self.release();
                if self.owner.channel().is_idle() {
                    self.owner.retire();
                }
                Vec::new()
            }
            94..96 => {
                let channel = name("t:a");
                let mut seen = Vec::new();
                self.owner.slot_turn(slot::Input::Quarantine { channel }, &mut seen);
                seen.extend(self.owner.say("while quarantined"));
                self.waiting.insert(self.owner.next, Asked::Other);
                seen
            }
            96..98 => {
                self.release();
                Vec::new()
            }
            _ => {
                self.owner.now.wall = WallTime(self.owner.now.wall.0 + 1_000);
                Vec::new()
            }
        };
        self.check(effects);
        self.follow();
        if self.owner.channel().is_idle() && !self.owner.stalled {
            self.check_quiet();
        }
    }

    fn release(&mut self) {
        let channel = name("t:a");
        let mut seen = Vec::new();
        self.owner.slot_turn(slot::Input::Release { channel }, &mut seen);
        if !self.owner.stalled {
            self.owner.flush(&mut seen);
        }
        self.check(seen);
    }

    fn message(&mut self) -> (Option<Key>, bool, Bytes) {
        let keyed = self.owner.channel().config().keyed != self.random.random_bool(0.02);
        let key = keyed.then(|| {
            let keys = ["a", "b", "c", "d", "e", "f"];
            Key::parse(keys[self.random.random_range(0..keys.len())]).unwrap()
        });
        let deleted = keyed && self.random.random_bool(0.3);
        let length = if deleted { 0 } else { self.random.random_range(0..20) };
        (key, deleted, Bytes::from(vec![b'x'; length]))
    }

    fn send_publish(&mut self, origin: Origin, since: WallTime, asked: Asked) -> Effects {
        let (key, deleted, payload) = self.message();
        let to = self.owner.to();
        self.waiting.insert(to, asked);
        self.owner.send(Request::Publish(Publish {
            to,
            origin,
            key,
            deleted,
            payload,
            since,
        }))
    }

    /// A serial of some author: the next one, an earlier one again, or one too far.
    fn serial(&mut self) -> (usize, u64, Serial, WallTime) {
        let wall = self.owner.now.wall;
        let author = self.random.random_range(0..self.authors.len());
        let sent = &mut self.authors[author].sent;
        let serial = match self.random.random_range(0..10) {
            0..5 => sent.len() as u64 + 1,
            5..9 => self.random.random_range(1..=sent.len().max(1) as u64),
            _ => sent.len() as u64 + self.random.random_range(1..4),
        };
        while (sent.len() as u64) < serial {
            sent.push(Sent {
                since: wall,
                result: None,
                given_up: false,
            });
        }
        let open = sent.iter().position(|sent| sent.result.is_none() && !sent.given_up);
        let base = open.map_or(sent.len() as u64, |at| at as u64 + 1).min(serial);
        (author, serial, Serial(base), sent[serial as usize - 1].since)
    }

    fn publish_numbered(&mut self) -> Effects {
        let (author, serial, base, since) = self.serial();
        let origin = Origin::Publisher {
            author: self.authors[author].author.clone(),
            serial: Serial(serial),
            base,
        };
        self.send_publish(origin, since, Asked::Serial { author, serial })
    }

    fn publish_other(&mut self) -> Effects {
        let origin = match self.random.random_range(0..3) {
            0 => Origin::Anonymous,
            1 => request(["k1", "k2", "k3"][self.random.random_range(0..3)]),
            _ => number(0, 0),
        };
        let since = self.owner.now.wall;
        self.send_publish(origin, since, Asked::Other)
    }

    fn skip(&mut self) -> Effects {
        let (author, serial, base, since) = self.serial();
        let to = self.owner.to();
        self.waiting.insert(to, Asked::Serial { author, serial });
        self.owner.send(Request::Skip(Skip {
            to,
            author: self.authors[author].author.clone(),
            serial: Serial(serial),
            base,
            since,
        }))
    }

    fn attach(&mut self) -> Effects {
        let from = match self.random.random_range(0..4) {
            0 => From::Head,
            1 => From::Rewind(self.random.random_range(0..40)),
            _ => {
                let known = self.random.random_range(0..=self.positions.len());
                let mut position = match self.positions.get(known) {
                    Some(position) => position.clone(),
                    None => Position {
                        epoch: Epoch::parse("0-00000000000000aa").unwrap(),
                        seq: Seq(self.random.random_range(0..50)),
                        term: Term(0),
                    },
                };
                if self.random.random_bool(0.1) {
                    position.seq = Seq(self.random.random());
                }
                From::Position(position)
            }
        };
        let to = self.owner.to();
        self.waiting.insert(to, Asked::Other);
        self.owner.send(Request::Attach { to, from })
    }

    fn read(&mut self) -> Effects {
        let view = self.owner.channel().view();
        let epoch = view.map(|view| view.epoch().clone());
        let to = self.owner.to();
        self.waiting.insert(to, Asked::Other);
        if self.random.random_bool(0.1) {
            let question = Question::Description;
            return self.owner.send(Request::Inspect { to, question });
        }
        let range = Range {
            epoch: epoch.filter(|_| self.random.random_bool(0.8)),
            after: Seq(self.random.random_range(0..40)),
            bytes_max: self.random.random_range(0..1_000),
            messages_max: self.random.random_range(0..10),
        };
        self.owner.send(Request::Read { to, range })
    }
}
