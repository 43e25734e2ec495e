//! What happens to a run from outside, drawn before it begins: what the applications do, and what
//! breaks when.

use std::time::Duration;

use super::dice::Dice;
use super::scenario::Scenario;
use super::setup::Setup;
use crate::backpressure::Policy;

/// The number of a client, and of a channel.
pub(super) type ClientId = usize;
pub(super) type ChannelNumber = usize;

/// One thing that is done to the world.
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// An application publishes so many messages of so many bytes.
    Publish {
        client: ClientId,
        channel: ChannelNumber,
        count: u64,
        bytes: usize,
    },
    /// An application reads a channel, or moves its reader.
    Subscribe {
        client: ClientId,
        channel: ChannelNumber,
        start: Start,
        policy: Option<Policy>,
    },
    /// An application stops to read a channel.
    Unsubscribe { client: ClientId, channel: ChannelNumber },
    /// An application takes no more messages of a channel, or takes them again.
    Pause {
        client: ClientId,
        channel: ChannelNumber,
        paused: bool,
    },
    /// A client's process stands still, or goes on.
    Stall { client: ClientId, stalled: bool },
    /// Something happens to a client's connection.
    Trouble { client: ClientId, trouble: Trouble },
    /// A client goes away, or comes back.
    Sleep { client: ClientId, asleep: bool },
    /// An operator ends a client's session.
    Kick { client: ClientId },
    /// The actor of a channel fails.
    CrashChannel { channel: ChannelNumber },
    /// The actor of a slot fails.
    CrashSlot { slot: u64 },
    /// The node ends, and begins again without memory.
    Restart {
        /// The slots count as reset: every copy was lost.
        reset: bool,
        /// Its connections are not closed; they are just never answered again.
        silent: bool,
        downtime: Duration,
    },
    /// The node's wall clock is stepped.
    StepWall { millis: i64 },
}

/// Where a reader is to start.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    Head,
    Rewind(u32),
    /// Where it stands, or so many messages before it.
    Back(u64),
    /// A position ahead of the channel, one that another owner wrote, one of no history.
    Ahead,
    Forked,
    Unknown,
}

/// What can happen to a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    /// It is reset: both ends are told.
    Reset,
    /// Nothing reaches the client any more, nothing reaches the node, or neither.
    HoleDown,
    HoleUp,
    HoleBoth,
    /// What is sent to the node, or to the client, stays under way for a while.
    StallUp(Duration),
    StallDown(Duration),
}

/// Milliseconds that the wall clock is stepped back at once.
const WALL_BACK_MAX: i64 = 30_000;

/// The actions of a run, by when they happen.
pub(super) fn draw(scenario: Scenario, setup: &Setup, dice: &mut Dice) -> Vec<(Duration, Action)> {
    let mix = scenario.mix();
    let mut plan = Plan {
        setup,
        at: Duration::ZERO,
        actions: Vec::new(),
    };
    for client in 0..setup.clients.len() {
        plan.subscribe(client, dice);
    }
    for _ in 0..dice.between(mix.steps) {
        plan.at += match dice.percent(mix.long) {
            true => Duration::from_secs(dice.between(mix.long_gap)),
            false => Duration::from_millis(dice.between(mix.gap)),
        };
        plan.step(scenario, dice);
    }
    plan.actions.sort_by_key(|(at, _)| *at);
    plan.actions
}

struct Plan<'a> {
    setup: &'a Setup,
    at: Duration,
    actions: Vec<(Duration, Action)>,
}

/// One way to add to a plan.
type Act<'a> = fn(&mut Plan<'a>, ClientId, ChannelNumber, Duration, &mut Dice);

impl Plan<'_> {
    fn step(&mut self, scenario: Scenario, dice: &mut Dice) {
        let mix = scenario.mix();
        let weights = mix.weights;
        let client = dice.index(self.setup.clients.len());
        let channel = dice.index(self.setup.channels.len());
        let lasting = match dice.percent(mix.long) {
            true => Duration::from_secs(dice.between(mix.long_gap)),
            false => Duration::from_millis(dice.between((50, 25_000))),
        };
        let kinds: [(u64, Act<'_>); 13] = [
            (weights.publish, Plan::publish),
            (weights.burst, Plan::burst),
            (weights.subscribe, |plan, client, _, _, dice| {
                plan.subscribe(client, dice)
            }),
            (weights.unsubscribe, Plan::unsubscribe),
            (weights.forge, Plan::forge),
            (weights.pause, Plan::pause),
            (weights.stall, Plan::stall),
            (weights.trouble, Plan::trouble),
            (weights.sleep, Plan::sleep),
            (weights.kick, |plan, client, _, _, _| plan.add(Action::Kick { client })),
            (weights.crash, Plan::crash),
            (weights.restart, Plan::restart),
            (weights.wall, Plan::wall),
        ];
        let mut drawn = dice.below(kinds.iter().map(|(weight, _)| weight).sum());
        for (weight, act) in kinds {
            if drawn < weight {
                return act(self, client, channel, lasting, dice);
            }
            drawn -= weight;
        }
    }

    fn add(&mut self, action: Action) {
        self.actions.push((self.at, action));
    }

    /// Something that is undone after a while.
    fn add_both(&mut self, lasting: Duration, begin: Action, end: Action) {
        self.add(begin);
        self.actions.push((self.at + lasting, end));
    }

    fn publish(&mut self, client: ClientId, channel: ChannelNumber, _: Duration, dice: &mut Dice) {
        // One in a hundred is larger than any channel takes.
        let bytes = if dice.percent(1) { 301 } else { dice.index(60) + 4 };
        let count = dice.between((1, 3));
        self.add(Action::Publish {
            client,
            channel,
            count,
            bytes,
        });
    }

    fn burst(&mut self, client: ClientId, channel: ChannelNumber, _: Duration, dice: &mut Dice) {
        let (count, bytes) = (dice.between((5, 40)), dice.index(200) + 4);
        if dice.percent(8) {
            return self.stream(client, channel, count * 5, bytes);
        }
        self.add(Action::Publish {
            client,
            channel,
            count,
            bytes,
        });
    }

    /// One message a millisecond, whatever becomes of those before.
    fn stream(&mut self, client: ClientId, channel: ChannelNumber, count: u64, bytes: usize) {
        for number in 0..count {
            let publish = Action::Publish {
                client,
                channel,
                count: 1,
                bytes,
            };
            self.actions.push((self.at + Duration::from_millis(number), publish));
        }
    }

    fn subscribe(&mut self, client: ClientId, dice: &mut Dice) {
        let channel = dice.index(self.setup.channels.len());
        let start = match dice.below(10) {
            0..3 => Start::Head,
            3..6 => Start::Rewind(u32::try_from(dice.below(80)).expect("a few")),
            6..8 => Start::Back(0),
            _ => Start::Back(dice.below(60)),
        };
        let policies = [Policy::Recover, Policy::Latest, Policy::Drop, Policy::Disconnect];
        let policy = dice.percent(60).then(|| *dice.pick(&policies));
        let subscribe = Action::Subscribe {
            client,
            channel,
            start,
            policy,
        };
        if dice.percent(10) {
            // Another change of mind while the answer, or the first page, is on its way.
            let round_trip = (self.setup.delay.0, self.setup.delay.1 * 3);
            self.actions.push((self.at + dice.time(round_trip), subscribe.clone()));
        }
        self.add(subscribe);
    }

    fn unsubscribe(&mut self, client: ClientId, channel: ChannelNumber, _: Duration, _: &mut Dice) {
        self.add(Action::Unsubscribe { client, channel });
    }

    fn forge(&mut self, client: ClientId, channel: ChannelNumber, _: Duration, dice: &mut Dice) {
        let start = *dice.pick(&[Start::Ahead, Start::Forked, Start::Unknown]);
        let policy = None;
        self.add(Action::Subscribe {
            client,
            channel,
            start,
            policy,
        });
    }

    fn pause(&mut self, client: ClientId, channel: ChannelNumber, lasting: Duration, _: &mut Dice) {
        let pause = |paused| Action::Pause {
            client,
            channel,
            paused,
        };
        self.add_both(lasting, pause(true), pause(false));
    }

    fn stall(&mut self, client: ClientId, _: ChannelNumber, lasting: Duration, _: &mut Dice) {
        let stall = |stalled| Action::Stall { client, stalled };
        self.add_both(lasting, stall(true), stall(false));
    }

    fn trouble(&mut self, client: ClientId, _: ChannelNumber, lasting: Duration, dice: &mut Dice) {
        let trouble = match dice.below(8) {
            0..2 => Trouble::Reset,
            2 => Trouble::HoleDown,
            3 => Trouble::HoleUp,
            4 => Trouble::HoleBoth,
            5..7 => Trouble::StallUp(lasting),
            _ => Trouble::StallDown(lasting),
        };
        self.add(Action::Trouble { client, trouble });
    }

    fn sleep(&mut self, client: ClientId, _: ChannelNumber, lasting: Duration, _: &mut Dice) {
        let sleep = |asleep| Action::Sleep { client, asleep };
        self.add_both(lasting, sleep(true), sleep(false));
    }

    fn crash(&mut self, client: ClientId, channel: ChannelNumber, _: Duration, dice: &mut Dice) {
        if dice.percent(60) {
            // Just when somebody joins and publishes: what is between two actors is what can be lost.
            let (start, policy) = (Start::Back(0), None);
            self.add(Action::Subscribe {
                client,
                channel,
                start,
                policy,
            });
            let (count, bytes) = (dice.between((1, 4)), 20);
            self.add(Action::Publish {
                client,
                channel,
                count,
                bytes,
            });
            let round_trip = (self.setup.delay.0, self.setup.delay.1 + self.setup.turn.1 * 4);
            self.at += dice.time(round_trip);
        }
        self.add(match dice.percent(75) {
            true => Action::CrashChannel { channel },
            false => Action::CrashSlot {
                slot: dice.below(u64::from(self.setup.slots)),
            },
        });
    }

    fn restart(&mut self, client: ClientId, channel: ChannelNumber, _: Duration, dice: &mut Dice) {
        if self.setup.has_store() && dice.percent(60) {
            // Just when somebody publishes: what is between a batch and its sync is what can be lost.
            let (count, bytes) = (dice.between((1, 6)), 20);
            self.add(Action::Publish {
                client,
                channel,
                count,
                bytes,
            });
            let on_its_way = self.setup.delay.1 + self.setup.turn.1 * 4 + self.setup.sync.1;
            self.at += dice.time((self.setup.delay.0, on_its_way));
        }
        self.add(Action::Restart {
            reset: dice.percent(30),
            silent: dice.percent(40),
            downtime: Duration::from_millis(dice.between((10, 8_000))),
        });
    }

    fn wall(&mut self, _: ClientId, _: ChannelNumber, _: Duration, dice: &mut Dice) {
        if self.setup.has_store() {
            return; // a store's ages go by the wall clock, and a step would end them early
        }
        // Forward as far as one likes. Back by half a minute at most, a few times: the clock that a
        // publish is dated by may be off by the five minutes between the two ages of rule R10.
        let millis = i64::try_from(dice.below(3_630_000)).expect("an hour fits");
        self.add(Action::StepWall {
            millis: millis - WALL_BACK_MAX,
        });
    }
}
