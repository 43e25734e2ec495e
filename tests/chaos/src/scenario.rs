//! What is done to the nodes, and what is expected of them meanwhile.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;

use crate::emulator::Rule;

/// How long a killed node stays away: longer than it takes the others to do without it.
pub(crate) const DOWN: Duration = Duration::from_secs(3);

/// How long a node stands still or is cut off, and how long links are rough.
pub(crate) const HELD: Duration = Duration::from_secs(10);

/// Links as a bad radio network has them.
pub(crate) const ROUGH: Rule = Rule {
    cut: false,
    loss: 0.05,
    duplicate: 0.05,
    reorder: 0.05,
    delay: Duration::from_millis(30),
    jitter: Duration::from_millis(20),
};

/// A kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// One node without a cluster, killed and started again; its channels are on its disk.
    KillOne,
    /// The node that owns most channels is killed.
    KillOwner,
    /// Any node is killed.
    KillAny,
    /// A node stands still (SIGSTOP) and goes on.
    Pause,
    /// A node is cut off from the others, not from its clients.
    Isolate,
    /// A node hears the others and is not heard, or the other way round.
    OneWay,
    /// All links lose, double, delay and reorder, those of clients too.
    Lossy,
    /// Each node in turn is told to go (SIGTERM) and started again.
    RollingRestart,
    /// No node is in a majority: two are killed together, or all are cut off from each other.
    RaftMinority,
    /// All nodes are killed at once: what they had in memory is lost.
    AllInSyncDie,
    /// Any node is killed while a crowd is watched.
    PresenceKill,
    /// A node stands still meanwhile.
    PresenceFreeze,
    /// Each node in turn is told to go and started again meanwhile.
    PresenceRestart,
    /// While documents are edited a node is killed, stands still, or is cut off from the others, or the database is away.
    DocKill,
}

/// One fault. Nodes are numbers, and directions pairs of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Kill(Vec<usize>),
    Pause(usize),
    Cut {
        what: &'static str,
        directions: Vec<(usize, usize)>,
        nodes: Vec<usize>,
    },
    Rough,
    Restart(usize),
    /// The database that the nodes share is stopped.
    Outage,
}

/// What a run has to achieve besides breaking no promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Goals {
    pub(crate) publish_gap_ms_p50: Option<u32>,
    pub(crate) publish_gap_ms_max: Option<u32>,
    pub(crate) reconnect_gap_ms_p99: Option<u32>,
    /// No publish may fail at the client.
    pub(crate) publishes_all: bool,
    /// Somebody has to resume, or the run has shown nothing.
    pub(crate) resumes: bool,
    /// Every history is lost each time, and readers are told. Otherwise nobody may be told of a loss.
    pub(crate) loses: bool,
}

const ALL: [(Scenario, &str); 14] = [
    (Scenario::KillOne, "kill-one"),
    (Scenario::KillOwner, "kill-owner"),
    (Scenario::KillAny, "kill-any"),
    (Scenario::Pause, "pause"),
    (Scenario::Isolate, "isolate"),
    (Scenario::OneWay, "one-way"),
    (Scenario::Lossy, "lossy"),
    (Scenario::RollingRestart, "rolling-restart"),
    (Scenario::RaftMinority, "raft-minority"),
    (Scenario::AllInSyncDie, "all-in-sync-die"),
    (Scenario::PresenceKill, "presence-kill"),
    (Scenario::PresenceFreeze, "presence-freeze"),
    (Scenario::PresenceRestart, "presence-restart"),
    (Scenario::DocKill, "doc-kill"),
];

impl Goals {
    /// The same without those that a machine which does other things meanwhile may miss.
    pub(crate) const fn untimed(self) -> Self {
        Self {
            publish_gap_ms_p50: None,
            publish_gap_ms_max: None,
            reconnect_gap_ms_p99: None,
            ..self
        }
    }
}

impl Scenario {
    /// Whether it is about a cluster, and not about one node.
    pub(crate) fn is_cluster(self) -> bool {
        self != Self::KillOne
    }

    /// Whether it is about who is in a channel, and not about messages.
    pub(crate) const fn is_crowd(self) -> bool {
        matches!(self, Self::PresenceKill | Self::PresenceFreeze | Self::PresenceRestart)
    }

    /// Whether it is about documents.
    pub(crate) const fn is_documents(self) -> bool {
        matches!(self, Self::DocKill)
    }

    pub(crate) fn goals(self) -> Goals {
        let killed = Goals {
            publish_gap_ms_p50: Some(1_500),
            publish_gap_ms_max: Some(3_000),
            reconnect_gap_ms_p99: Some(5_000),
            resumes: true,
            ..Goals::default()
        };
        let silent = Goals {
            publish_gap_ms_p50: Some(2_500),
            ..Goals::default()
        };
        match self {
            Self::KillOwner | Self::KillAny => killed,
            Self::Pause => Goals {
                reconnect_gap_ms_p99: Some(5_000),
                ..silent
            },
            Self::Isolate | Self::OneWay | Self::Lossy => silent,
            Self::RollingRestart => Goals {
                publish_gap_ms_p50: None,
                publish_gap_ms_max: Some(200),
                publishes_all: true,
                ..killed
            },
            // Nobody is left to publish to, so a time means nothing.
            Self::KillOne => Goals {
                resumes: true,
                ..Goals::default()
            },
            Self::AllInSyncDie => Goals {
                loses: true,
                ..Goals::default()
            },
            // A crowd is judged by itself, and so are documents.
            Self::RaftMinority | Self::PresenceKill | Self::PresenceFreeze | Self::PresenceRestart | Self::DocKill => {
                Goals::default()
            }
        }
    }

    /// The next fault. `owner` is the node that owns most channels, if that is known.
    pub(crate) fn fault(self, number: u32, nodes: usize, owner: Option<usize>, rng: &mut Rng) -> Fault {
        let any = rng.usize(..nodes);
        let others = |of: usize| (0..nodes).filter(move |other| *other != of);
        match self {
            Self::KillOne => Fault::Kill(vec![0]),
            Self::KillOwner => Fault::Kill(vec![owner.unwrap_or(any)]),
            Self::KillAny | Self::PresenceKill => Fault::Kill(vec![any]),
            Self::AllInSyncDie => Fault::Kill((0..nodes).collect()),
            Self::Pause | Self::PresenceFreeze => Fault::Pause(owner.unwrap_or(any)),
            Self::RollingRestart | Self::PresenceRestart => Fault::Restart(number as usize % nodes),
            Self::Lossy => Fault::Rough,
            Self::DocKill => match number % 4 {
                0 => Fault::Kill(vec![any]),
                1 => Fault::Pause(any),
                2 => Fault::Outage,
                _ => cut_off(any, others(any)),
            },
            Self::Isolate => cut_off(any, others(any)),
            Self::OneWay => {
                let is_deaf = rng.bool();
                let direction = |other| if is_deaf { (other, any) } else { (any, other) };
                Fault::Cut {
                    what: if is_deaf {
                        "deaf to the others"
                    } else {
                        "not heard by the others"
                    },
                    directions: others(any).map(direction).collect(),
                    nodes: vec![any],
                }
            }
            Self::RaftMinority if number.is_multiple_of(2) => Fault::Kill(others(any).collect()),
            Self::RaftMinority => Fault::Cut {
                what: "cut off from each other",
                directions: (0..nodes)
                    .flat_map(|from| others(from).map(move |to| (from, to)))
                    .collect(),
                nodes: (0..nodes).collect(),
            },
        }
    }
}

/// A node that neither hears the others nor is heard by them.
fn cut_off(node: usize, others: impl Iterator<Item = usize>) -> Fault {
    Fault::Cut {
        what: "cut off",
        directions: others.flat_map(|other| [(node, other), (other, node)]).collect(),
        nodes: vec![node],
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ALL.iter().find(|(scenario, _)| scenario == self).map(|(_, name)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = ALL
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(scenario, _)| *scenario);
        found.ok_or_else(|| {
            let names: Vec<_> = ALL.iter().map(|(_, name)| *name).collect();
            format!("it is none of {}", names.join(", "))
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill(_) => "killed",
            Self::Pause(_) => "standing still",
            Self::Cut { what, .. } => what,
            Self::Rough => "rough links",
            Self::Restart(_) => "told to go",
            Self::Outage => "the database is stopped",
        })
    }
}

impl Fault {
    /// The nodes that it hits.
    pub(crate) fn nodes(&self) -> &[usize] {
        match self {
            Self::Kill(nodes) | Self::Cut { nodes, .. } => nodes,
            Self::Pause(node) | Self::Restart(node) => std::slice::from_ref(node),
            Self::Rough | Self::Outage => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_its_name() {
        for (scenario, name) in ALL {
            assert_eq!((scenario.to_string().as_str(), name.parse()), (name, Ok(scenario)));
        }
        let error = "kill".parse::<Scenario>().expect_err("no scenario");
        assert!(
            error.contains("kill-owner") && error.contains("all-in-sync-die"),
            "{error}"
        );
    }

    #[test]
    fn a_seed_repeats_the_faults() {
        for (scenario, _) in ALL {
            let faults = |seed| {
                let mut rng = Rng::with_seed(seed);
                let faults = (0..20).map(|number| scenario.fault(number, 3, None, &mut rng));
                faults.collect::<Vec<_>>()
            };
            assert_eq!(faults(7), faults(7), "{scenario}");
        }
    }

    #[test]
    fn cuts_are_what_their_names_say() {
        let mut rng = Rng::with_seed(1);
        for _ in 0..50 {
            let Fault::Cut { directions, nodes, .. } = Scenario::Isolate.fault(0, 3, None, &mut rng) else {
                panic!("no cut");
            };
            assert_eq!((directions.len(), nodes.len()), (4, 1));
            assert!(
                directions
                    .iter()
                    .all(|(from, to)| (*from == nodes[0]) != (*to == nodes[0]))
            );
            let Fault::Cut { directions, nodes, .. } = Scenario::OneWay.fault(0, 3, None, &mut rng) else {
                panic!("no cut");
            };
            let is_heard = directions.iter().all(|(from, _)| *from == nodes[0]);
            let hears = directions.iter().all(|(_, to)| *to == nodes[0]);
            assert!(directions.len() == 2 && is_heard != hears);
        }
        let mut of = |number| Scenario::DocKill.fault(number, 3, None, &mut rng);
        assert!(matches!(of(4), Fault::Kill(nodes) if nodes.len() == 1));
        assert!(matches!((of(1), of(2)), (Fault::Pause(_), Fault::Outage)));
        assert!(matches!(of(7), Fault::Cut { directions, .. } if directions.len() == 4));
        let mut of = |number| Scenario::RaftMinority.fault(number, 3, None, &mut rng);
        assert!(matches!(of(0), Fault::Kill(nodes) if nodes.len() == 2));
        assert!(matches!(of(1), Fault::Cut { directions, .. } if directions.len() == 6));
        assert_eq!(
            Scenario::KillOwner.fault(0, 3, Some(2), &mut Rng::with_seed(1)),
            Fault::Kill(vec![2])
        );
    }
}
