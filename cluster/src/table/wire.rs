//! The table's commands, records and answers as bytes.
//!
//! JSON: the table changes when nodes come and go, so its bytes are few, and a person can read the file of a voter
//! that does not start.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use starling_core::id::{Generation, NodeId, NodeName, SlotId, Term};
use starling_core::table::{self, Registry};

/// Commands that are applied together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Batch(Vec<Command>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Node {
    name: String,
    generation: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    Register {
        node: Node,
    },
    Bury {
        name: String,
    },
    Change {
        slot: u16,
        version: u64,
        by: Node,
        change: Change,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Claim,
    Shrink { without: Vec<Node> },
    Grow { with: Vec<Node> },
    HandOver { to: Node },
    Reset,
    Confirm,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Changed { version: u64 },
    Done,
    Passed { version: u64 },
    NotOwner,
    Owned,
    NotAMember,
    NotProvedDead,
    NotRegistered,
    Superseded { generation: u64 },
    NoSuchSlot,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    slots: Vec<Record>,
    nodes: Vec<Registered>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Node>,
    term: u64,
    isr: Vec<Node>,
    heirs: Vec<Node>,
    version: u64,
    resets: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Registered {
    node: Node,
    lost: bool,
}

/// A name in it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it names a node in a way that no node is named")]
pub(super) struct BadName;

impl Batch {
    pub(super) fn of(commands: &[table::Command]) -> Self {
        Self(commands.iter().map(Command::of).collect())
    }

    /// The commands, in order.
    pub(super) fn into_core(self) -> Result<Vec<table::Command>, BadName> {
        self.0.into_iter().map(Command::into_core).collect()
    }
}

impl Node {
    fn of(node: &NodeId) -> Self {
        Self {
            name: node.name.as_str().into(),
            generation: node.generation.0,
        }
    }

    fn into_core(self) -> Result<NodeId, BadName> {
        Ok(NodeId {
            name: name(&self.name)?,
            generation: Generation(self.generation),
        })
    }
}

fn name(text: &str) -> Result<NodeName, BadName> {
    NodeName::parse(text).map_err(|_| BadName)
}

fn nodes(of: &BTreeSet<NodeId>) -> Vec<Node> {
    of.iter().map(Node::of).collect()
}

fn set(of: Vec<Node>) -> Result<BTreeSet<NodeId>, BadName> {
    of.into_iter().map(Node::into_core).collect()
}

impl Command {
    fn of(command: &table::Command) -> Self {
        match command {
            table::Command::Register { node } => Self::Register { node: Node::of(node) },
            table::Command::Bury { name } => Self::Bury {
                name: name.as_str().into(),
            },
            table::Command::Change {
                slot,
                version,
                by,
                change,
            } => Self::Change {
                slot: slot.0,
                version: *version,
                by: Node::of(by),
                change: Change::of(change),
            },
        }
    }

    fn into_core(self) -> Result<table::Command, BadName> {
        Ok(match self {
            Self::Register { node } => table::Command::Register {
                node: node.into_core()?,
            },
            Self::Bury { name: text } => table::Command::Bury { name: name(&text)? },
            Self::Change {
                slot,
                version,
                by,
                change,
            } => table::Command::Change {
                slot: SlotId(slot),
                version,
                by: by.into_core()?,
                change: change.into_core()?,
            },
        })
    }
}

impl Change {
    fn of(change: &table::Change) -> Self {
        match change {
            table::Change::Claim => Self::Claim,
            table::Change::Shrink { without } => Self::Shrink {
                without: nodes(without),
            },
            table::Change::Grow { with } => Self::Grow { with: nodes(with) },
            table::Change::HandOver { to } => Self::HandOver { to: Node::of(to) },
            table::Change::Reset => Self::Reset,
            table::Change::Confirm => Self::Confirm,
        }
    }

    fn into_core(self) -> Result<table::Change, BadName> {
        Ok(match self {
            Self::Claim => table::Change::Claim,
            Self::Shrink { without } => table::Change::Shrink { without: set(without)? },
            Self::Grow { with } => table::Change::Grow { with: set(with)? },
            Self::HandOver { to } => table::Change::HandOver { to: to.into_core()? },
            Self::Reset => table::Change::Reset,
            Self::Confirm => table::Change::Confirm,
        })
    }
}

impl Outcome {
    pub(super) fn of(outcome: &super::Outcome) -> Self {
        match outcome {
            Ok(table::Answer::Changed { version }) => Self::Changed { version: *version },
            Ok(table::Answer::Done) => Self::Done,
            Err(table::Refusal::Passed { version }) => Self::Passed { version: *version },
            Err(table::Refusal::NotOwner) => Self::NotOwner,
            Err(table::Refusal::Owned) => Self::Owned,
            Err(table::Refusal::NotAMember) => Self::NotAMember,
            Err(table::Refusal::NotProvedDead) => Self::NotProvedDead,
            Err(table::Refusal::NotRegistered) => Self::NotRegistered,
            Err(table::Refusal::Superseded { generation }) => Self::Superseded {
                generation: generation.0,
            },
            Err(table::Refusal::NoSuchSlot) => Self::NoSuchSlot,
        }
    }

    pub(super) const fn into_core(self) -> super::Outcome {
        match self {
            Self::Changed { version } => Ok(table::Answer::Changed { version }),
            Self::Done => Ok(table::Answer::Done),
            Self::Passed { version } => Err(table::Refusal::Passed { version }),
            Self::NotOwner => Err(table::Refusal::NotOwner),
            Self::Owned => Err(table::Refusal::Owned),
            Self::NotAMember => Err(table::Refusal::NotAMember),
            Self::NotProvedDead => Err(table::Refusal::NotProvedDead),
            Self::NotRegistered => Err(table::Refusal::NotRegistered),
            Self::Superseded { generation } => Err(table::Refusal::Superseded {
                generation: Generation(generation),
            }),
            Self::NoSuchSlot => Err(table::Refusal::NoSuchSlot),
        }
    }
}

impl Snapshot {
    pub(super) fn of(table: &table::Table) -> Self {
        let record = |record: &table::Record| Record {
            owner: record.owner.as_ref().map(Node::of),
            term: record.term.0,
            isr: nodes(&record.isr),
            heirs: nodes(&record.heirs),
            version: record.version,
            resets: record.resets,
        };
        let registered = |(node, lost): (NodeId, bool)| Registered {
            node: Node::of(&node),
            lost,
        };
        Self {
            slots: table.records().map(|(_, line)| record(line)).collect(),
            nodes: table.nodes().entries().map(registered).collect(),
        }
    }

    pub(super) fn into_core(self) -> Result<table::Table, BadName> {
        let record = |record: Record| {
            Ok(table::Record {
                owner: record.owner.map(Node::into_core).transpose()?,
                term: Term(record.term),
                isr: set(record.isr)?,
                heirs: set(record.heirs)?,
                version: record.version,
                resets: record.resets,
            })
        };
        let slots = self.slots.into_iter().map(record).collect::<Result<_, BadName>>()?;
        let registered = |one: Registered| Ok((one.node.into_core()?, one.lost));
        let nodes = self
            .nodes
            .into_iter()
            .map(registered)
            .collect::<Result<Vec<_>, BadName>>()?;
        Ok(table::Table::restore(slots, Registry::restore(nodes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, generation: u64) -> NodeId {
        NodeId {
            name: NodeName::parse(name).unwrap(),
            generation: Generation(generation),
        }
    }

    fn commands() -> Vec<table::Command> {
        let (a, b) = (node("a", 1), node("b", 7));
        let change = |version, change| table::Command::Change {
            slot: SlotId(3),
            version,
            by: a.clone(),
            change,
        };
        vec![
            table::Command::Register { node: a.clone() },
            table::Command::Register { node: b.clone() },
            change(0, table::Change::Claim),
            change(
                1,
                table::Change::Grow {
                    with: BTreeSet::from([b.clone()]),
                },
            ),
            change(
                2,
                table::Change::Shrink {
                    without: BTreeSet::from([b.clone()]),
                },
            ),
            change(2, table::Change::Reset),
            change(3, table::Change::Confirm),
            change(3, table::Change::HandOver { to: b.clone() }),
            table::Command::Bury { name: b.name },
        ]
    }

    #[test]
    fn commands_and_outcomes_come_back_as_they_were() {
        let bytes = serde_json::to_vec(&Batch::of(&commands())).unwrap();
        let batch: Batch = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(batch.into_core().unwrap(), commands());
        let outcomes = [
            Ok(table::Answer::Done),
            Ok(table::Answer::Changed { version: 3 }),
            Err(table::Refusal::Passed { version: 4 }),
            Err(table::Refusal::NotOwner),
            Err(table::Refusal::Owned),
            Err(table::Refusal::NotAMember),
            Err(table::Refusal::NotProvedDead),
            Err(table::Refusal::NotRegistered),
            Err(table::Refusal::Superseded {
                generation: Generation(9),
            }),
            Err(table::Refusal::NoSuchSlot),
        ];
        for outcome in outcomes {
            let bytes = serde_json::to_vec(&Outcome::of(&outcome)).unwrap();
            let back: Outcome = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(back.into_core(), outcome);
        }
    }

    #[test]
    fn a_table_comes_back_as_it_was() {
        let mut table = table::Table::new(8);
        for command in commands() {
            let _ = table.apply(&command);
        }
        let bytes = serde_json::to_vec(&Snapshot::of(&table)).unwrap();
        let snapshot: Snapshot = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(snapshot.into_core().unwrap(), table);
    }

    #[test]
    fn as_many_commands_as_there_may_be_fit_half_a_frame() {
        let long = |letter: &str| node(&letter.repeat(60), u64::MAX);
        let command = table::Command::Change {
            slot: SlotId(u16::MAX),
            version: u64::MAX,
            by: long("a"),
            change: table::Change::Grow {
                with: BTreeSet::from([long("b"), long("c")]),
            },
        };
        let commands = vec![command; super::super::COMMANDS_MAX];
        let bytes = serde_json::to_vec(&Batch::of(&commands)).unwrap().len();
        let all = usize::try_from(super::super::ENTRIES_MAX).unwrap() * bytes;
        assert!(
            all < super::super::network::REQUEST_BYTES_MAX - 4 * 1024,
            "{bytes} bytes"
        );
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let batch: Batch = serde_json::from_str(r#"[{"register":{"node":{"name":"..","generation":1}}}]"#).unwrap();
        assert_eq!(batch.into_core(), Err(BadName));
    }
}
