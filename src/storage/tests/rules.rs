//! A channel that is driven by the rules comes back from the store as the rules have it.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use starling_core::channel::{self, Channel, Durability, Effect, Input, Publish, Request, Skip, State, Window};
use starling_core::id::{IdempotencyKey, Key};
use starling_core::slot::{CommitPoint, Slot};
use starling_core::time::Now;

use super::*;

/// A channel at its owner, with the store behind it and nothing between them.
struct Run {
    random: StdRng,
    opened: Opened,
    slot: Slot,
    channel: Channel<()>,
    config: channel::Config,
    now: Now,
    serials: [u64; 3],
}

fn config(random: &mut StdRng) -> channel::Config {
    channel::Config {
        durability: Durability::Stored,
        keyed: random.random_bool(0.5),
        window: Window {
            messages: random.random_range(0..40),
            bytes: random.random_range(300..2_000),
            age: Duration::from_secs(random.random_range(1..300)),
        },
        payload_bytes_max: 200,
        keys_max: 6,
        tombstone_age: Duration::from_secs(30),
        memory: ALL,
        ..channel::Config::default()
    }
}

impl Run {
    async fn new(seed: u64, place: &Place) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let config = config(&mut random);
        let opened = opened(place, 1).await;
        let now = crate::node::Clock.now();
        let (slot, channel) = Self::begin(&opened, &config, now, &mut random).await;
        Self {
            random,
            opened,
            slot,
            channel,
            config,
            now,
            serials: [0; 3],
        }
    }

    /// The slot of a process that starts, with the channel opened.
    async fn begin(opened: &Opened, config: &channel::Config, now: Now, random: &mut StdRng) -> (Slot, Channel<()>) {
        let settings = Arc::new(config.clone());
        let (config_of_slot, commit) = (slot::Config::default(), CommitPoint::Standalone);
        let mut slot = Slot::new(config_of_slot, settings, commit, Term(1), 0, random);
        slot.lease(opened.claim.lease);
        let mut out = Vec::new();
        let channel = name("t:a");
        slot.handle(slot::Input::Open { channel }, now.instant, &mut out);
        let loaded = slot::Input::Loaded {
            channel: name("t:a"),
            term: opened.claim.lease.term,
            found: opened.store.load(&name("t:a"), config.memory).await,
            wall: now.wall,
        };
        slot.handle(loaded, now.instant, &mut out);
        let opening = out.into_iter().find_map(|effect| match effect {
            slot::Effect::Opened { opening, .. } => Some(*opening),
            _ => None,
        });
        let opening = opening.expect("the store gives what it took");
        (slot, Channel::new(name("t:a"), config.clone(), opening, now.instant))
    }

    /// Hands something to the channel, and all it proposes to the store.
    async fn send(&mut self, input: impl Into<Input<()>>) {
        let mut inputs = vec![input.into()];
        while let Some(input) = inputs.pop() {
            let mut effects = Vec::new();
            self.channel.handle(input, self.now, &mut effects);
            let proposals: Vec<_> = effects
                .into_iter()
                .filter_map(|effect| match effect {
                    Effect::Propose(proposal) => Some(proposal),
                    _ => None,
                })
                .collect();
            if !proposals.is_empty() {
                let channel = name("t:a");
                inputs.extend(self.slot_turn(slot::Input::Propose { channel, proposals }).await);
            }
        }
    }

    async fn slot_turn(&mut self, input: slot::Input) -> Vec<Input<()>> {
        let mut inputs = Vec::new();
        let mut turns = vec![input];
        while let Some(input) = turns.pop() {
            let mut out = Vec::new();
            self.slot.handle(input, self.now.instant, &mut out);
            for effect in out {
                match effect {
                    slot::Effect::Store(batch) => {
                        let (channel, through) = (batch.channel.clone(), batch.through);
                        let (told, outcome) = oneshot::channel();
                        let batch = Batch {
                            fence: self.opened.claim.fence.clone(),
                            batch,
                            time: self.now.wall,
                            due: None,
                        };
                        self.opened
                            .store
                            .commit(batch, Box::new(|outcome| _ = told.send(outcome)));
                        outcome
                            .await
                            .expect("answered")
                            .expect("what the rules propose fits the store");
                        turns.push(slot::Input::Stored { channel, through });
                    }
                    slot::Effect::Committed { through, copies, .. } => {
                        inputs.push(Input::Committed { through, copies });
                    }
                    slot::Effect::Due { .. } => inputs.push(Input::Due { attended: false }),
                    _ => {}
                }
            }
        }
        inputs
    }

    async fn step(&mut self) {
        let author = self.random.random_range(0..3);
        let of_author = Author {
            subject: Subject::new("anna"),
            publisher: PublisherId([u8::try_from(author).expect("a few"); 16]),
        };
        match self.random.random_range(0..20) {
            0..2 => {
                self.serials[author] += 1;
                let serial = Serial(self.serials[author]);
                let skip = Skip {
                    to: (),
                    author: of_author,
                    serial,
                    base: serial,
                    since: self.now.wall,
                };
                self.send(Request::Skip(skip)).await;
            }
            2..4 => {
                let millis = self.random.random_range(0..100_000);
                self.now.instant += Duration::from_millis(millis);
                self.now.wall.0 += millis;
                for input in self.slot_turn(slot::Input::Wake(slot::Timer::Due)).await {
                    self.send(input).await;
                }
            }
            _ => self.publish(author, of_author).await,
        }
    }

    async fn publish(&mut self, author: usize, of_author: Author) {
        let origin = match self.random.random_range(0..4) {
            0 => Origin::Anonymous,
            1 => Origin::Idempotency {
                subject: Subject::new("anna"),
                key: IdempotencyKey::parse(&format!("k{}", self.random.random_range(0..9))).expect("valid"),
            },
            _ => {
                self.serials[author] += 1;
                let serial = Serial(self.serials[author]);
                Origin::Publisher {
                    author: of_author,
                    serial,
                    base: serial,
                }
            }
        };
        let deleted = self.config.keyed && self.random.random_bool(0.3);
        let length = if deleted { 0 } else { self.random.random_range(0..150) };
        let key = ["a", "b", "c", "d", "e"][self.random.random_range(0..5)];
        let publish = Publish {
            to: (),
            origin,
            key: self.config.keyed.then(|| Key::parse(key).expect("valid")),
            deleted,
            payload: Bytes::from(vec![b'x'; length]),
            since: self.now.wall,
        };
        self.send(Request::Publish(publish)).await;
    }

    /// What the store holds is what the slot holds.
    async fn check(&self) {
        let found = self
            .opened
            .store
            .load(&name("t:a"), self.config.memory)
            .await
            .expect("loads");
        let restored = found.map(|found| State::restore(&found, self.now).expect("sound"));
        assert_eq!(restored.as_ref(), self.slot.channel(&name("t:a")));
    }
}

pub(super) async fn a_channel_comes_back_as_the_rules_have_it(place: &Place) {
    for seed in 0..place.seeds() {
        let told = OnPanic(format!("seed {seed}"));
        let place = place.another();
        let mut run = Run::new(seed, &place).await;
        for step in 0..150 {
            run.step().await;
            if step % 10 == 9 {
                run.check().await;
            }
            if step % 50 == 49 {
                // Another process goes on.
                let (opened, config, now) = (&run.opened, &run.config, run.now);
                let (slot, channel) = Run::begin(opened, config, now, &mut run.random).await;
                (run.slot, run.channel) = (slot, channel);
            }
        }
        drop(told);
    }
}
