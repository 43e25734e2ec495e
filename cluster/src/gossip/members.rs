//! Who belongs to the cluster, decided from what gossip sees: two looks, and what changed between them.
//!
//! The newest generation of a name is the name's. An older one that is still seen (a node that was just restarted, or a
//! second process that was given the same name) is passed over, and a node that finds itself the older is told so.
//! Suspicion is a hint: nothing is decided by it here but to say so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use starling_core::id::{Generation, NodeId, NodeName};

use super::facts::{FactsError, NodeFacts, Phase};

/// How long a suspected node is remembered. A machine that restarts is back within minutes, and its peers want to see
/// until then that one is missing; later it counts as gone for good.
pub const MISSING_TIME_MAX: Duration = Duration::from_secs(15 * 60);

/// A node, as gossip knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which process.
    pub node: NodeId,
    /// Where it gossips.
    pub gossip: SocketAddr,
    /// What it last said about itself.
    pub facts: NodeFacts,
    /// Whether it is heard.
    pub state: State,
}

/// Whether a member is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    Live,
    /// It was silent for longer than it ever is.
    Suspected,
}

/// What changed between two looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A node is there that was not.
    Joined(Member),
    /// A node says something else about itself.
    Changed(Member),
    /// A node has gone silent.
    Suspected(NodeId),
    /// A suspected node is heard again.
    Recovered(NodeId),
    /// A node is gone, and why that is known.
    Left(NodeId, Departure),
    /// This node's name belongs to a younger process: it should stop.
    Superseded(NodeId),
}

/// Why a node is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It said so.
    Said,
    /// Its name has a newer generation.
    Replaced,
    /// It was suspected for [`MISSING_TIME_MAX`].
    Missing,
}

/// A live node, as gossip sees it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) node: NodeId,
    pub(super) gossip: SocketAddr,
    pub(super) facts: Result<NodeFacts, FactsError>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Members {
    me: NodeId,
    known: BTreeMap<NodeName, Known>,
    superseded_by: Generation,
}

#[derive(Debug)]
enum Known {
    Here {
        member: Box<Member>,
        silent_since: Option<Instant>,
    },
    /// Its generation and older ones do not come back.
    Gone { generation: Generation },
}

impl Known {
    const fn generation(&self) -> Generation {
        match self {
            Self::Here { member, .. } => member.node.generation,
            Self::Gone { generation } => *generation,
        }
    }
}

impl Members {
    pub(super) const fn new(me: NodeId) -> Self {
        Self {
            me,
            known: BTreeMap::new(),
            superseded_by: Generation(0),
        }
    }

    /// Everybody but this node.
    pub(super) fn all(&self) -> impl Iterator<Item = &Member> {
        self.known.values().filter_map(|known| match known {
            Known::Here { member, .. } => Some(&**member),
            Known::Gone { .. } => None,
        })
    }

    /// A process of this node's name is heard of. What there is to say, if it is a later one.
    pub(super) fn supersede(&mut self, namesake: NodeId) -> Option<Change> {
        let generation = namesake.generation;
        let is_news = generation > self.me.generation && generation > self.superseded_by;
        is_news.then(|| {
            self.superseded_by = generation;
            Change::Superseded(namesake)
        })
    }

    /// Takes a look at who is live now.
    pub(super) fn look(&mut self, live: Vec<Seen>, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut newest: BTreeMap<NodeName, Seen> = BTreeMap::new();
        for seen in live {
            let rival = newest.get(&seen.node.name);
            if rival.is_none_or(|rival| rival.node.generation < seen.node.generation) {
                newest.insert(seen.node.name.clone(), seen);
            }
        }
        if let Some(namesake) = newest.remove(&self.me.name) {
            changes.extend(self.supersede(namesake.node));
        }
        let seen_names: BTreeSet<_> = newest.keys().cloned().collect();
        let is_older =
            |known: Option<&Known>, seen: &Seen| known.is_some_and(|known| known.generation() > seen.node.generation);
        newest.retain(|name, seen| !is_older(self.known.get(name), seen));
        for seen in newest.values() {
            self.see(seen, &mut changes);
        }
        let missing: Vec<_> = self
            .known
            .keys()
            .filter(|name| !newest.contains_key(name))
            .cloned()
            .collect();
        for name in missing {
            self.miss(&name, seen_names.contains(&name), now, &mut changes);
        }
        changes
    }

    /// A live node, which is not older than the one that is known by its name.
    fn see(&mut self, seen: &Seen, changes: &mut Vec<Change>) {
        let name = &seen.node.name;
        match (self.known.get_mut(name), seen.facts.as_ref().ok()) {
            (Some(Known::Gone { generation }), _) if *generation == seen.node.generation => {}
            (Some(Known::Here { member, silent_since }), facts) if member.node == seen.node => {
                if silent_since.take().is_some() {
                    member.state = State::Live;
                    changes.push(Change::Recovered(member.node.clone()));
                }
                // Facts that cannot be read leave those that could.
                let Some(facts) = facts else { return };
                if facts.phase == Phase::Left {
                    let node = member.node.clone();
                    changes.push(Change::Left(node.clone(), Departure::Said));
                    self.known.insert(
                        node.name,
                        Known::Gone {
                            generation: node.generation,
                        },
                    );
                } else if *facts != member.facts {
                    member.facts = facts.clone();
                    changes.push(Change::Changed((**member).clone()));
                }
            }
            (_, None) => {}
            (_, Some(facts)) if facts.phase == Phase::Left => {}
            (known, Some(facts)) => {
                if let Some(Known::Here { member, .. }) = known {
                    changes.push(Change::Left(member.node.clone(), Departure::Replaced));
                }
                let member = Box::new(Member {
                    node: seen.node.clone(),
                    gossip: seen.gossip,
                    facts: facts.clone(),
                    state: State::Live,
                });
                changes.push(Change::Joined((*member).clone()));
                self.known.insert(
                    name.clone(),
                    Known::Here {
                        member,
                        silent_since: None,
                    },
                );
            }
        }
    }

    /// A known node that is not live. `older` says whether an earlier generation of it still is.
    fn miss(&mut self, name: &NodeName, older: bool, now: Instant, changes: &mut Vec<Change>) {
        let Some(known) = self.known.get_mut(name) else {
            return;
        };
        match known {
            Known::Here { member, silent_since } => match silent_since {
                None => {
                    *silent_since = Some(now);
                    member.state = State::Suspected;
                    changes.push(Change::Suspected(member.node.clone()));
                }
                Some(since) if now.saturating_duration_since(*since) >= MISSING_TIME_MAX => {
                    changes.push(Change::Left(member.node.clone(), Departure::Missing));
                    self.known.remove(name);
                }
                Some(_) => {}
            },
            // Gossip has lost sight of it, and cannot bring it back.
            Known::Gone { .. } if !older => {
                self.known.remove(name);
            }
            Known::Gone { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
