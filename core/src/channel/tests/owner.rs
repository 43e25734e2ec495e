//! A channel at its owner, without a shell.

use super::*;

pub(super) const LEASE: slot::Lease = slot::Lease {
    term: Term(3),
    lineage: Lineage {
        resets: 0,
        incarnation: 77,
    },
    channels: 0,
};

pub(super) type Effects = Vec<Effect<u32>>;

/// A channel at its owner, with the slot it proposes to and nothing between them.
pub(super) struct Owner {
    pub(super) slot: Slot,
    pub(super) channel: Option<Channel<u32>>,
    pub(super) now: Now,
    /// Whether a reader is attached, as the shell would know.
    pub(super) attended: bool,
    /// While set, the slot gets nothing: proposals wait in `proposed`.
    pub(super) stalled: bool,
    pub(super) proposed: VecDeque<Vec<Proposal>>,
    /// What the store of a stored channel has synced, all of it; and batches on their way there.
    pub(super) store: Option<State>,
    pub(super) batches: VecDeque<slot::Batch>,
    /// While set, the store answers nothing.
    pub(super) store_stalled: bool,
    /// Names the next request.
    pub(super) next: u32,
}

impl Owner {
    pub(super) fn new(config: Config) -> Self {
        Self::in_slot(config, slot::Config::default())
    }

    pub(super) fn in_slot(config: Config, slot_config: slot::Config) -> Self {
        let mut random = StdRng::seed_from_u64(7);
        let settings = Arc::new(config.clone());
        let commit = CommitPoint::Standalone;
        let mut owner = Self {
            slot: Slot::new(slot_config, settings, commit, Term(3), 0, &mut random),
            channel: None,
            now: Now {
                instant: start(),
                wall: NOON,
            },
            attended: false,
            stalled: false,
            proposed: VecDeque::new(),
            store: None,
            batches: VecDeque::new(),
            store_stalled: false,
            next: 0,
        };
        owner.slot.lease(LEASE);
        owner.open(config);
        owner
    }

    pub(super) fn channel(&self) -> &Channel<u32> {
        self.channel.as_ref().unwrap()
    }

    pub(super) fn view(&self) -> &View {
        self.channel().view().unwrap()
    }

    /// Time passes, on both clocks.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.wall.0 += u64::try_from(time.as_millis()).unwrap();
    }

    /// An actor starts for the channel.
    pub(super) fn open(&mut self, config: Config) {
        let mut out = Vec::new();
        let channel = name("t:a");
        self.slot
            .handle(slot::Input::Open { channel }, self.now.instant, &mut out);
        let load = out.iter().find_map(|effect| match effect {
            slot::Effect::Load { term, .. } => Some(*term),
            _ => None,
        });
        if let Some(term) = load {
            let (memory, now) = (config.memory, self.now);
            let found = self.store.as_ref().map(|state| Box::new(state.to_stored(memory, now)));
            let loaded = slot::Input::Loaded {
                channel: name("t:a"),
                term,
                found: Ok(found),
                wall: now.wall,
            };
            self.slot.handle(loaded, now.instant, &mut out);
        }
        let opening = out.into_iter().find_map(|effect| match effect {
            slot::Effect::Opened { opening, .. } => Some(*opening),
            _ => None,
        });
        let opening = opening.expect("the channel is not quarantined");
        self.channel = Some(Channel::new(name("t:a"), config, opening, self.now.instant));
    }

    /// The actor ends as it should, and another starts.
    pub(super) fn retire(&mut self) {
        let channel = self.channel.take().unwrap();
        assert!(channel.is_idle());
        let config = channel.config().clone();
        let park = slot::Input::Park {
            channel: name("t:a"),
            retired: channel.retire(),
        };
        self.slot.handle(park, self.now.instant, &mut Vec::new());
        self.open(config);
    }

    /// The actor panics, and another starts. What it had proposed stays where it is.
    pub(super) fn crash(&mut self) {
        let config = self.channel.take().unwrap().config().clone();
        self.open(config);
    }

    /// Hands one input in and carries out what comes of it. Answers with the effects that the
    /// world outside would see.
    pub(super) fn send(&mut self, input: impl Into<Input<u32>>) -> Effects {
        let mut seen = Vec::new();
        self.turn(input.into(), &mut seen);
        if !self.stalled {
            self.flush(&mut seen);
        }
        seen
    }

    /// The slot gets what waited.
    pub(super) fn resume(&mut self) -> Effects {
        self.stalled = false;
        let mut seen = Vec::new();
        self.flush(&mut seen);
        seen
    }

    /// The slot looks what is due.
    pub(super) fn wake(&mut self) -> Effects {
        let mut seen = Vec::new();
        self.slot_turn(slot::Input::Wake(slot::Timer::Due), &mut seen);
        self.flush(&mut seen);
        seen
    }

    pub(super) fn turn(&mut self, input: Input<u32>, seen: &mut Effects) {
        let mut out = Vec::new();
        self.channel.as_mut().unwrap().handle(input, self.now, &mut out);
        let mut batch = Vec::new();
        for effect in out {
            match effect {
                Effect::Propose(proposal) => batch.push(proposal),
                Effect::Used { at } => {
                    let channel = name("t:a");
                    self.slot_turn(slot::Input::Used { channel, at }, seen);
                }
                effect => seen.push(effect),
            }
        }
        if !batch.is_empty() {
            self.proposed.push_back(batch);
        }
    }

    pub(super) fn flush(&mut self, seen: &mut Effects) {
        while let Some(proposals) = self.proposed.pop_front() {
            let channel = name("t:a");
            self.slot_turn(slot::Input::Propose { channel, proposals }, seen);
        }
    }

    pub(super) fn slot_turn(&mut self, input: slot::Input, seen: &mut Effects) {
        let mut out = Vec::new();
        self.slot.handle(input, self.now.instant, &mut out);
        for effect in out {
            match effect {
                slot::Effect::Committed { through, copies, .. } => {
                    self.turn(Input::Committed { through, copies }, seen);
                }
                slot::Effect::Refused { reason, opening, .. } => {
                    self.turn(Input::Refused { reason, opening }, seen);
                }
                slot::Effect::Due { .. } => {
                    let attended = self.attended;
                    self.turn(Input::Due { attended }, seen);
                }
                slot::Effect::Store(batch) => {
                    self.batches.push_back(batch);
                    self.sync(seen);
                }
                slot::Effect::Closed { reason, .. } => {
                    let channel = self.channel.take().unwrap();
                    let config = channel.config().clone();
                    let refuse = |to| Effect::Refuse {
                        to,
                        refusal: reason.clone(),
                    };
                    seen.extend(channel.into_waiting().map(refuse));
                    self.open(config);
                }
                slot::Effect::Standing { standing, .. } => self.turn(Input::Standing(standing), seen),
                slot::Effect::Confirmed { through, .. } => self.turn(Input::Confirmed { through }, seen),
                slot::Effect::Wake { .. } | slot::Effect::Mark { .. } | slot::Effect::Dropped { .. } => {}
                slot::Effect::Load { .. } => unreachable!("only an open asks for it"),
                slot::Effect::Opened { .. } | slot::Effect::Barred { .. } | slot::Effect::Unleased => unreachable!(),
            }
        }
    }

    /// The store syncs what was sent to it, unless it is stalled.
    pub(super) fn sync(&mut self, seen: &mut Effects) {
        while !self.store_stalled
            && let Some(batch) = self.batches.pop_front()
        {
            for entry in &batch.entries {
                crate::channel::state::apply(&mut self.store, &entry.change, self.now.instant).unwrap();
            }
            let stored = slot::Input::Stored {
                channel: name("t:a"),
                through: batch.through,
            };
            self.slot_turn(stored, seen);
        }
    }

    /// The process dies and another starts: what the store had not synced is gone.
    pub(super) fn restart(&mut self) {
        let config = self.channel.take().unwrap().config().clone();
        let mut restarted = Self::in_slot(Config::default(), slot::Config::default());
        restarted.slot = {
            let (commit, settings) = (CommitPoint::Standalone, Arc::new(config.clone()));
            let mut random = StdRng::seed_from_u64(8);
            Slot::new(slot::Config::default(), settings, commit, Term(1), 0, &mut random)
        };
        restarted.slot.lease(slot::Lease { term: Term(6), ..LEASE });
        (restarted.store, restarted.now) = (self.store.take(), self.now);
        restarted.open(config);
        *self = restarted;
    }

    pub(super) fn to(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Publishes without a number.
    pub(super) fn say(&mut self, payload: &str) -> Effects {
        self.publish(Origin::Anonymous, payload)
    }

    /// Publishes as anna, whose results are known up to the serial before.
    pub(super) fn anna(&mut self, serial: u64) -> Effects {
        self.publish(number(serial, serial), "hello")
    }

    pub(super) fn publish(&mut self, origin: Origin, payload: &str) -> Effects {
        let to = self.to();
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        self.send(Request::Publish(Publish {
            to,
            origin,
            key: None,
            deleted: false,
            payload,
            since: self.now.wall,
        }))
    }

    /// Sets a key, or removes it.
    pub(super) fn set(&mut self, key: &str, value: Option<&str>) -> Effects {
        let to = self.to();
        self.send(Request::Publish(Publish {
            to,
            origin: Origin::Anonymous,
            key: Some(Key::parse(key).unwrap()),
            deleted: value.is_none(),
            payload: Bytes::copy_from_slice(value.unwrap_or_default().as_bytes()),
            since: self.now.wall,
        }))
    }

    /// Gives a serial of anna's up.
    pub(super) fn skip(&mut self, serial: u64) -> Effects {
        self.skip_from(serial, serial)
    }

    pub(super) fn skip_from(&mut self, serial: u64, base: u64) -> Effects {
        let to = self.to();
        self.send(Request::Skip(Skip {
            to,
            author: anna(),
            serial: Serial(serial),
            base: Serial(base),
            since: self.now.wall,
        }))
    }

    pub(super) fn attach(&mut self, from: From) -> Attachment {
        let to = self.to();
        let effects = self.send(Request::Attach { to, from });
        match <[_; 1]>::try_from(effects) {
            Ok([Effect::Attached { attachment, .. }]) => attachment,
            other => panic!("not attached: {other:?}"),
        }
    }

    pub(super) fn read(&mut self, range: Range) -> Page {
        let to = self.to();
        let effects = self.send(Request::Read { to, range });
        match <[_; 1]>::try_from(effects) {
            Ok([Effect::Page { page, .. }]) => page,
            other => panic!("no page: {other:?}"),
        }
    }

    /// A position in the present history.
    pub(super) fn at(&self, seq: u64) -> Position {
        self.view().position(Seq(seq))
    }
}
