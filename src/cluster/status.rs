//! What an operator is shown of a cluster, as one node sees it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use starling_cluster::gossip::{Phase, State};
use starling_cluster::link::PeerState;
use starling_core::id::{NodeId, NodeName};
use starling_core::placement::COPIES;
use starling_core::table::Record;
use thiserror::Error;

use super::duty::Duty;
use super::{Cluster, Standing};

/// The cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub cluster: String,
    /// Whose view this is.
    pub node: String,
    /// Who leads the slot table; none when it cannot be changed.
    pub leader: Option<String>,
    /// How far the table is here.
    pub table: u64,
    /// Every node that is registered, or there.
    pub nodes: Vec<NodeStatus>,
    /// All slots, counted.
    pub slots: Counts,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Which start of it: the one that is there, or else the one that is registered.
    pub generation: u64,
    /// Whether it is there.
    pub state: NodeState,
    /// What it does, if it is there.
    pub phase: Option<String>,
    /// Whether this start is registered, so that it may own slots.
    pub registered: bool,
    /// Whether it votes on the slot table.
    pub voter: bool,
    /// Whether it leads it.
    pub leader: bool,
    /// Slots that it owns.
    pub owns: usize,
    /// Slots in whose in-sync set it is.
    pub holds: usize,
    /// Sessions that it serves.
    pub sessions: Option<u32>,
    /// Version of the software.
    pub version: Option<String>,
    /// Failure zone.
    pub zone: Option<String>,
    /// Whether its namespaces are those of the node that was asked.
    pub settings_differ: bool,
}

/// Whether a node is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It is heard and linked.
    Live,
    /// It is silent in gossip, or its link is not up.
    Suspected,
    /// It is not there.
    Gone,
    /// It was declared lost.
    Lost,
}

/// The slots, counted by how well they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub all: usize,
    /// Nobody has ever owned them.
    pub unowned: usize,
    /// Their in-sync set is as large as it should be.
    pub whole: usize,
    /// It is smaller, and acknowledgements are given.
    pub short: usize,
    /// It is too small for an acknowledgement.
    pub stopped: usize,
    /// Everybody who could have their history is proved dead.
    pub lost: usize,
}

/// One slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotStatus {
    /// Its number.
    pub slot: u16,
    /// Who orders it.
    pub owner: Option<String>,
    /// How often that has changed.
    pub term: u64,
    /// Who holds what is acknowledged.
    pub isr: Vec<String>,
    /// Who may take it over beside those.
    pub heirs: Vec<String>,
    /// How often its history was given up.
    pub resets: u32,
    /// Whether it has to be given up again.
    pub lost: bool,
}

/// Why clients should not be sent to this node.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotReady {
    /// It hands over.
    #[error("draining")]
    Draining,
    /// It is not registered.
    #[error("this node is not a member of the cluster yet")]
    Joining,
    /// It cannot go on.
    #[error("this node takes no part in the cluster any more")]
    Out,
    /// What it publishes itself does not come back: it is cut off, or cannot keep up.
    #[error("messages do not get through")]
    Impassable,
    /// It is behind.
    #[error("{0} slots wait until this node has caught up")]
    Behind(usize),
}

impl Cluster {
    /// Whether clients should be sent to this node.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), NotReady> {
        match (&*self.standing.borrow(), self.roster.duty()) {
            (Standing::Out(_), _) => return Err(NotReady::Out),
            (Standing::Left, _) | (_, Duty::Drained | Duty::Ending) => return Err(NotReady::Draining),
            (Standing::Joining, Duty::Serving) => return Err(NotReady::Joining),
            (Standing::Member, Duty::Serving) => {}
        }
        if !self.is_passable() {
            return Err(NotReady::Impassable);
        }
        match self.behind.load(Ordering::Relaxed) {
            0 => Ok(()),
            slots => Err(NotReady::Behind(slots)),
        }
    }

    /// Says how many slots want this node among their copies and do not count it yet. It is not ready while there are any.
    pub fn set_behind(&self, slots: usize) {
        self.behind.store(slots, Ordering::Relaxed);
    }

    /// The cluster, as this node sees it.
    #[must_use]
    pub fn status(&self) -> Status {
        let table = self.table.view();
        let electorate = self.table.electorate();
        let mut owns: BTreeMap<&NodeId, usize> = BTreeMap::new();
        let mut holds: BTreeMap<&NodeId, usize> = BTreeMap::new();
        let mut slots = Counts::default();
        for (slot, record) in table.records() {
            slots.count(record, table.is_lost(slot));
            if let Some(owner) = &record.owner {
                *owns.entry(owner).or_default() += 1;
            }
            for member in &record.isr {
                *holds.entry(member).or_default() += 1;
            }
        }
        let mut nodes: BTreeMap<NodeName, NodeStatus> = BTreeMap::new();
        for (node, lost) in table.nodes().entries() {
            let state = if lost { NodeState::Lost } else { NodeState::Gone };
            nodes.insert(node.name.clone(), NodeStatus::of(&node, state));
        }
        let me = (self.me.clone(), NodeState::Live, self.facts());
        let view = self.membership.view();
        let others = view.members.values().map(|member| {
            let link = self.links.of(&member.node.name);
            let is_up = link.is_some_and(|link| *link.node() == member.node && link.state() == PeerState::Up);
            let state = match member.state {
                State::Live if is_up => NodeState::Live,
                State::Live | State::Suspected => NodeState::Suspected,
            };
            (member.node.clone(), state, member.facts.clone())
        });
        let settings = me.2.settings;
        for (node, state, facts) in others.chain([me]) {
            let status = NodeStatus {
                phase: Some(phase(facts.phase).to_owned()),
                sessions: Some(facts.load),
                version: Some(facts.version),
                zone: Some(facts.zone).filter(|zone| !zone.is_empty()),
                settings_differ: facts.settings != settings,
                ..NodeStatus::of(&node, state)
            };
            // Of two starts the later is the node's: gossip may be behind the table, or ahead of it. What is lost stays so.
            let stays = |known: &&NodeStatus| match known.state {
                NodeState::Lost => known.generation >= node.generation.0,
                _ => known.generation > node.generation.0,
            };
            if nodes.get(&node.name).filter(stays).is_none() {
                nodes.insert(node.name, status);
            }
        }
        for (name, status) in &mut nodes {
            let node = NodeId {
                name: name.clone(),
                generation: starling_core::id::Generation(status.generation),
            };
            status.registered = table.nodes().current(name).as_ref() == Some(&node);
            status.voter = electorate.voters.contains(name);
            status.leader = electorate.leader.as_ref() == Some(name);
            status.owns = owns.get(&node).copied().unwrap_or(0);
            status.holds = holds.get(&node).copied().unwrap_or(0);
        }
        Status {
            cluster: self.section.id.clone(),
            node: self.me.name.to_string(),
            leader: electorate.leader.map(|leader| leader.to_string()),
            table: self.table.version(),
            nodes: nodes.into_values().collect(),
            slots,
        }
    }

    /// Every slot, as this node's copy of the table has it.
    #[must_use]
    pub fn slots(&self) -> Vec<SlotStatus> {
        let table = self.table.view();
        let names = |nodes: &std::collections::BTreeSet<NodeId>| nodes.iter().map(ToString::to_string).collect();
        let slots = table.records().map(|(slot, record)| SlotStatus {
            slot: slot.0,
            owner: record.owner.as_ref().map(ToString::to_string),
            term: record.term.0,
            isr: names(&record.isr),
            heirs: names(&record.heirs),
            resets: record.resets,
            lost: table.is_lost(slot),
        });
        slots.collect()
    }
}

impl NodeStatus {
    fn of(node: &NodeId, state: NodeState) -> Self {
        Self {
            name: node.name.to_string(),
            generation: node.generation.0,
            state,
            phase: None,
            registered: false,
            voter: false,
            leader: false,
            owns: 0,
            holds: 0,
            sessions: None,
            version: None,
            zone: None,
            settings_differ: false,
        }
    }
}

impl Counts {
    fn count(&mut self, record: &Record, lost: bool) {
        self.all += 1;
        let place = match (&record.owner, record.isr.len()) {
            (None, _) => &mut self.unowned,
            _ if lost => &mut self.lost,
            (_, COPIES..) => &mut self.whole,
            (_, 2..) => &mut self.short,
            _ => &mut self.stopped,
        };
        *place += 1;
    }
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Serving => "serving",
        Phase::Draining => "draining",
        Phase::Left => "left",
    }
}
