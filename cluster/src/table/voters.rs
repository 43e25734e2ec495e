//! Who votes on the slot table: how a cluster begins, and how that changes.
//!
//! A cluster begins once. Every node is given the same bootstrap list; one that has never taken part makes the
//! listed nodes the first voters when all of them answer and none has taken part before. Then it does not matter
//! which of them is first. A listed node that lost its disk finds that the others have begun, and waits to be taken
//! in like any other.
//!
//! After that the leader keeps three to five voters among the nodes that live: it takes new nodes in as learners,
//! lets learners vote in place of voters that are gone for long, and forgets those. It does one thing at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::{BasicNode, ChangeMembers};
use serde::{Deserialize, Serialize};
use starling_core::id::NodeName;
use tracing::{info, warn};

use super::TableService;
use super::courier::Unreachable;
use super::network::{self, Reply, Request};

/// What a node says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Its name in Raft.
    pub raft_id: u64,
    /// It has never taken part in a cluster.
    pub is_pristine: bool,
}

/// What is to become of a node that has never taken part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beginning {
    /// Make these the first voters.
    Begin(BTreeMap<u64, NodeName>),
    /// Not all answer, or others have begun: wait.
    Wait,
}

/// What a node that has never taken part does, given what those on the bootstrap list say; `None` for one that does
/// not answer.
#[must_use]
pub fn beginning(answers: &BTreeMap<NodeName, Option<Who>>) -> Beginning {
    let mut voters = BTreeMap::new();
    for (name, answer) in answers {
        match answer {
            Some(who) if who.is_pristine => voters.insert(who.raft_id, name.clone()),
            Some(_) | None => return Beginning::Wait,
        };
    }
    match voters.is_empty() {
        true => Beginning::Wait,
        false => Beginning::Begin(voters),
    }
}

/// What the leader knows of the members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// Who votes.
    pub voters: BTreeMap<u64, NodeName>,
    /// Who does not.
    pub learners: BTreeMap<u64, NodeName>,
    /// Learners that hold nearly all of the log.
    pub caught_up: BTreeSet<u64>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Take a node in.
    AddLearner(u64, NodeName),
    /// Let this learner vote, in place of that voter if one is named.
    Promote(u64, Option<u64>),
    /// A node is to vote no longer.
    Demote(u64),
    /// Forget a learner.
    Remove(u64),
}

/// The next step towards three to five voters among `live`, the nodes that answer, with the name each has in Raft.
/// Of members in `gone` nothing was heard for so long that others take their places.
#[must_use]
pub fn next_step(members: &Members, live: &BTreeMap<NodeName, u64>, gone: &BTreeSet<u64>) -> Option<Step> {
    let Members {
        voters,
        learners,
        caught_up,
    } = members;
    let lives = |id: &u64, name: &NodeName| live.get(name) == Some(id);
    // A node that came back under another name in Raft has lost its disk: the old one will never answer.
    let is_replaced = |id: &u64, name: &NodeName| live.get(name).is_some_and(|other| other != id);
    let is_lost = |id: &u64, name: &NodeName| is_replaced(id, name) || (gone.contains(id) && !lives(id, name));

    let is_member = |id: &u64| voters.contains_key(id) || learners.contains_key(id);
    if let Some((name, id)) = live.iter().find(|(_, id)| !is_member(id)) {
        return Some(Step::AddLearner(*id, name.clone()));
    }
    let ready = learners
        .iter()
        .filter(|(id, name)| lives(id, name) && caught_up.contains(id));
    let mut ready = ready.map(|(id, _)| *id);
    let lost = voters.iter().find(|(id, name)| is_lost(id, name)).map(|(id, _)| *id);
    let wanted = match live.len() {
        0..5 => 3,
        _ => 5,
    };
    if let Some(lost) = lost {
        if let Some(ready) = ready.next() {
            return Some(Step::Promote(ready, Some(lost)));
        }
        // Nobody can take its place. With it, one more may fail than without; below three it stays.
        return (voters.len() > 3).then_some(Step::Demote(lost));
    }
    if voters.len() < wanted
        && let Some(ready) = ready.next()
    {
        return Some(Step::Promote(ready, None));
    }
    let gone = learners.iter().find(|(id, name)| is_lost(id, name));
    gone.map(|(id, _)| Step::Remove(*id))
}

/// How often a node looks whether something is to be done.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl TableService {
    /// Begins the cluster with the nodes of `bootstrap`, unless it has begun. Returns when this node takes part.
    pub async fn begin(&self, bootstrap: &BTreeSet<NodeName>) {
        while !self.raft.is_initialized().await.unwrap_or(true) {
            if bootstrap.contains(&self.name) {
                let mut answers = BTreeMap::new();
                for name in bootstrap {
                    let who = match *name == self.name {
                        true => Some(self.who().await),
                        false => self.ask_who(name).await.ok(),
                    };
                    answers.insert(name.clone(), who);
                }
                if let Beginning::Begin(voters) = beginning(&answers) {
                    info!(voters = voters.len(), "the slot table begins");
                    let nodes = voters.iter().map(|(id, name)| (*id, BasicNode::new(name.as_str())));
                    let begun = self.raft.initialize(nodes.collect::<BTreeMap<_, _>>()).await;
                    if let Err(refusal) = begun {
                        // Another of the list was faster, with the same list.
                        info!(%refusal, "the slot table has begun");
                    }
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What another node says about itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask_who(&self, name: &NodeName) -> Result<Who, Unreachable> {
        match network::call(&*self.courier, name, &Request::Who).await? {
            Reply::Who(who) => Ok(who),
            _ => Err(Unreachable),
        }
    }

    /// As the leader, takes the next step towards the voters that should be; else does nothing. `live` are the nodes
    /// that answer, with the name each has in Raft; of members in `gone` nothing was heard for long.
    pub async fn tend(&self, live: &BTreeMap<NodeName, u64>, gone: &BTreeSet<u64>) -> Option<Step> {
        let members = self.members()?;
        let step = next_step(&members, live, gone)?;
        info!(?step, "the voters of the slot table change");
        let result = match &step {
            Step::AddLearner(id, name) => {
                let node = BasicNode::new(name.as_str());
                self.raft.add_learner(*id, node, false).await.map(|_| ())
            }
            Step::Promote(id, lost) => {
                let voters = members.voters.keys().copied().filter(|voter| Some(*voter) != *lost);
                let voters: BTreeSet<_> = voters.chain([*id]).collect();
                self.raft.change_membership(voters, false).await.map(|_| ())
            }
            Step::Demote(id) => {
                let change = ChangeMembers::RemoveVoters(BTreeSet::from([*id]));
                self.raft.change_membership(change, false).await.map(|_| ())
            }
            Step::Remove(id) => {
                let change = ChangeMembers::RemoveNodes(BTreeSet::from([*id]));
                self.raft.change_membership(change, false).await.map(|_| ())
            }
        };
        if let Err(refusal) = result {
            warn!(%refusal, ?step, "the voters of the slot table did not change");
        }
        Some(step)
    }

    /// The members, if this node leads.
    #[must_use]
    pub fn members(&self) -> Option<Members> {
        let metrics = self.raft.metrics().borrow().clone();
        let replication = metrics
            .replication
            .as_ref()
            .filter(|_| metrics.current_leader == Some(self.id))?;
        let membership = metrics.membership_config.membership();
        let voters: BTreeSet<u64> = membership.voter_ids().collect();
        let last = metrics.last_log_index.unwrap_or(0);
        let mut members = Members::default();
        for (id, node) in membership.nodes() {
            let Ok(name) = NodeName::parse(&node.addr) else {
                continue;
            };
            match voters.contains(id) {
                true => members.voters.insert(*id, name),
                false => members.learners.insert(*id, name),
            };
            let matched = replication
                .get(id)
                .and_then(|log| log.as_ref())
                .map_or(0, |log| log.index);
            if last.saturating_sub(matched) <= NEARLY {
                members.caught_up.insert(*id);
            }
        }
        Some(members)
    }
}

/// Who decides about the table, as far as a node knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Electorate {
    /// Who leads; nobody during an election, and on a node that is cut off.
    pub leader: Option<NodeName>,
    /// Who votes.
    pub voters: BTreeSet<NodeName>,
}

impl TableService {
    /// Who leads and who votes, as far as this node knows.
    #[must_use]
    pub fn electorate(&self) -> Electorate {
        let metrics = self.raft.metrics().borrow().clone();
        let membership = metrics.membership_config.membership();
        let name = |id: &u64| NodeName::parse(&membership.get_node(id)?.addr).ok();
        // One that is cut off with its title believes in it until somebody tells it; that nobody answers it knows.
        let is_heard = match metrics.millis_since_quorum_ack {
            Some(silence) => u128::from(silence) <= 2 * self.timing.election.1.as_millis(),
            None => metrics.current_leader != Some(self.id) || membership.voter_ids().count() == 1,
        };
        Electorate {
            leader: metrics.current_leader.filter(|_| is_heard).as_ref().and_then(name),
            voters: membership.voter_ids().filter_map(|id| name(&id)).collect(),
        }
    }
}

/// Entries a learner may lack when it begins to vote. It gets them in a round trip.
const NEARLY: u64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NodeName {
        NodeName::parse(text).unwrap()
    }

    fn named(of: &[(u64, &str)]) -> BTreeMap<u64, NodeName> {
        of.iter().map(|(id, text)| (*id, name(text))).collect()
    }

    fn live(of: &[(u64, &str)]) -> BTreeMap<NodeName, u64> {
        of.iter().map(|(id, text)| (name(text), *id)).collect()
    }

    fn members(voters: &[(u64, &str)], learners: &[(u64, &str)]) -> Members {
        Members {
            voters: named(voters),
            learners: named(learners),
            caught_up: learners.iter().map(|(id, _)| *id).collect(),
        }
    }

    const NONE: BTreeSet<u64> = BTreeSet::new();

    #[test]
    fn a_cluster_begins_when_all_answer_and_none_has_begun() {
        let pristine = |raft_id| {
            Some(Who {
                raft_id,
                is_pristine: true,
            })
        };
        let begun = Some(Who {
            raft_id: 9,
            is_pristine: false,
        });
        let answers = |b, c| BTreeMap::from([(name("a"), pristine(1)), (name("b"), b), (name("c"), c)]);
        let all = named(&[(1, "a"), (2, "b"), (3, "c")]);
        assert_eq!(beginning(&answers(pristine(2), pristine(3))), Beginning::Begin(all));
        assert_eq!(beginning(&answers(pristine(2), None)), Beginning::Wait);
        assert_eq!(beginning(&answers(pristine(2), begun)), Beginning::Wait);
        assert_eq!(beginning(&BTreeMap::new()), Beginning::Wait);
    }

    #[test]
    fn new_nodes_learn_first_and_vote_when_they_are_needed() {
        let three = [(1, "a"), (2, "b"), (3, "c")];
        let four = live(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
        let before = members(&three, &[]);
        assert_eq!(next_step(&before, &four, &NONE), Some(Step::AddLearner(4, name("d"))));
        let after = members(&three, &[(4, "d")]);
        assert_eq!(next_step(&after, &four, &NONE), None, "three are enough for four nodes");
        let five = live(&[(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]);
        let mut after = members(&three, &[(4, "d"), (5, "e")]);
        assert_eq!(next_step(&after, &five, &NONE), Some(Step::Promote(4, None)));
        after.caught_up.remove(&4);
        assert_eq!(
            next_step(&after, &five, &NONE),
            Some(Step::Promote(5, None)),
            "who is ready"
        );
    }

    #[test]
    fn a_voter_that_is_gone_for_long_is_replaced() {
        let before = members(&[(1, "a"), (2, "b"), (3, "c")], &[(4, "d")]);
        let three = live(&[(1, "a"), (2, "b"), (4, "d")]);
        assert_eq!(next_step(&before, &three, &NONE), None, "it may come back");
        let gone = BTreeSet::from([3]);
        assert_eq!(next_step(&before, &three, &gone), Some(Step::Promote(4, Some(3))));
        let alone = members(&[(1, "a"), (2, "b"), (3, "c")], &[]);
        let two = live(&[(1, "a"), (2, "b")]);
        assert_eq!(next_step(&alone, &two, &gone), None, "nobody can take its place");
    }

    #[test]
    fn a_node_that_lost_its_disk_is_another_voter() {
        let before = members(&[(1, "a"), (2, "b"), (3, "c")], &[]);
        let back = live(&[(1, "a"), (2, "b"), (30, "c")]);
        assert_eq!(next_step(&before, &back, &NONE), Some(Step::AddLearner(30, name("c"))));
        let learning = members(&[(1, "a"), (2, "b"), (3, "c")], &[(30, "c")]);
        assert_eq!(next_step(&learning, &back, &NONE), Some(Step::Promote(30, Some(3))));
        let done = members(&[(1, "a"), (2, "b"), (30, "c")], &[]);
        assert_eq!(next_step(&done, &back, &NONE), None);
    }

    #[test]
    fn learners_that_are_gone_are_forgotten() {
        let before = members(&[(1, "a"), (2, "b"), (3, "c")], &[(4, "d")]);
        let three = live(&[(1, "a"), (2, "b"), (3, "c")]);
        assert_eq!(next_step(&before, &three, &BTreeSet::from([4])), Some(Step::Remove(4)));
    }
}
