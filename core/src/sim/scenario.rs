//! What kinds of trouble a run can be about.

use std::fmt;

/// One kind of run. Each puts its weight on some faults and some settings, so that a thousand
/// seeds reach every corner; [`Scenario::Storm`] does everything at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Publishers and readers, and hardly a fault.
    Steady,
    /// Connections that break, in one direction or both, and copies that arrive late.
    Reconnect,
    /// Small rings, narrow links, readers that stop reading, and every policy.
    Slow,
    /// Minutes and days in which nothing happens: retirement and everything that expires.
    Idle,
    /// Actors of channels and slots that fail and start again.
    Crash,
    /// The node that loses all it knew.
    Restart,
    /// Channels whose messages carry keys.
    Keyed,
    /// Readers that come, go, and ask for places that are not there.
    Churn,
    /// All of it.
    Storm,
}

/// The knobs of a scenario. Chances are in a hundred.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mix {
    pub(super) clients: (u64, u64),
    pub(super) channels: (u64, u64),
    /// Actions in a run.
    pub(super) steps: (u64, u64),
    /// Milliseconds between two actions.
    pub(super) gap: (u64, u64),
    /// How often a gap lasts for minutes or hours, and for how many seconds.
    pub(super) long: u64,
    pub(super) long_gap: (u64, u64),
    pub(super) heartbeat_secs: u64,
    /// How often a channel is ephemeral, how often a store keeps it if not, and how often it carries keys.
    pub(super) ephemeral: u64,
    pub(super) stored: u64,
    pub(super) keyed: u64,
    /// How often the node's queues are tiny and links are narrow.
    pub(super) tight: u64,
    pub(super) weights: Weights,
}

/// How often each action is taken, relative to the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    pub(super) publish: u64,
    pub(super) burst: u64,
    pub(super) subscribe: u64,
    pub(super) unsubscribe: u64,
    pub(super) forge: u64,
    pub(super) pause: u64,
    pub(super) stall: u64,
    pub(super) trouble: u64,
    pub(super) sleep: u64,
    pub(super) kick: u64,
    pub(super) crash: u64,
    pub(super) restart: u64,
    pub(super) wall: u64,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 9] = [
        Self::Steady,
        Self::Reconnect,
        Self::Slow,
        Self::Idle,
        Self::Crash,
        Self::Restart,
        Self::Keyed,
        Self::Churn,
        Self::Storm,
    ];

    /// The scenario of a seed for which none was named.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let count = Self::ALL.len() as u64;
        Self::ALL[usize::try_from(seed % count).expect("a remainder of a length fits")]
    }

    /// The scenario called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Reconnect => "reconnect",
            Self::Slow => "slow",
            Self::Idle => "idle",
            Self::Crash => "crash",
            Self::Restart => "restart",
            Self::Keyed => "keyed",
            Self::Churn => "churn",
            Self::Storm => "storm",
        }
    }

    pub(super) const fn mix(self) -> Mix {
        let mut mix = QUIET;
        match self {
            Self::Steady => {}
            Self::Reconnect => {
                mix.weights.trouble = 22;
                mix.weights.sleep = 6;
                mix.weights.kick = 4;
            }
            Self::Slow => {
                mix.tight = 90;
                mix.ephemeral = 25;
                mix.keyed = 20;
                mix.gap = (1, 700);
                mix.weights.burst = 26;
                mix.weights.pause = 10;
                mix.weights.stall = 12;
            }
            Self::Idle => {
                mix.steps = (40, 80);
                mix.long = 35;
                mix.long_gap = (20, 100_000);
                mix.heartbeat_secs = 600;
                mix.ephemeral = 20;
                mix.weights.sleep = 18;
                mix.weights.trouble = 8;
                mix.weights.unsubscribe = 10;
            }
            Self::Crash => {
                mix.ephemeral = 20;
                mix.gap = (1, 900);
                mix.weights.crash = 24;
                mix.weights.burst = 14;
            }
            Self::Restart => {
                mix.ephemeral = 10;
                mix.weights.restart = 7;
                mix.weights.trouble = 8;
                mix.weights.wall = 3;
            }
            Self::Keyed => {
                mix.keyed = 90;
                mix.ephemeral = 10;
                mix.tight = 50;
                mix.long = 6;
                mix.long_gap = (10, 2_000);
                mix.weights.subscribe = 18;
                mix.weights.stall = 5;
                mix.weights.trouble = 8;
            }
            Self::Churn => {
                mix.tight = 60;
                mix.gap = (1, 500);
                mix.weights.subscribe = 40;
                mix.weights.unsubscribe = 16;
                mix.weights.forge = 8;
                mix.weights.burst = 14;
            }
            Self::Storm => {
                mix.steps = (120, 200);
                mix.ephemeral = 20;
                mix.keyed = 25;
                mix.tight = 40;
                mix.long = 3;
                mix.long_gap = (5, 1_500);
                mix.weights = STORM;
            }
        }
        mix
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a scenario departs from.
const QUIET: Mix = Mix {
    clients: (3, 6),
    channels: (2, 4),
    steps: (60, 120),
    gap: (1, 1_500),
    long: 0,
    long_gap: (1, 1),
    heartbeat_secs: 10,
    ephemeral: 10,
    stored: 30,
    keyed: 10,
    tight: 20,
    weights: Weights {
        publish: 50,
        burst: 6,
        subscribe: 12,
        unsubscribe: 4,
        forge: 1,
        pause: 2,
        stall: 1,
        trouble: 1,
        sleep: 1,
        kick: 1,
        crash: 0,
        restart: 0,
        wall: 1,
    },
};

const STORM: Weights = Weights {
    publish: 40,
    burst: 14,
    subscribe: 16,
    unsubscribe: 6,
    forge: 2,
    pause: 5,
    stall: 5,
    trouble: 14,
    sleep: 4,
    kick: 3,
    crash: 6,
    restart: 1,
    wall: 2,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_a_name_and_a_seed() {
        for (seed, scenario) in Scenario::ALL.into_iter().enumerate() {
            assert_eq!(Scenario::named(scenario.name()), Some(scenario));
            assert_eq!(Scenario::of(seed as u64), scenario);
        }
        assert_eq!(Scenario::named("none"), None);
    }
}
