//! `starling cluster status`, `slots`, `drain`, `undrain` and `reset`: what an operator sees of a cluster, and orders.

use serde::Serialize;
use starling_core::id::NodeName;
use starling_core::placement::COPIES;

use super::super::exit::{Exit, Failure};
use super::super::output::Output;
use super::super::shape::json;
use super::admin::Admin;
use super::table::Columns;
use crate::cluster::status::{Counts, NodeState, NodeStatus, SlotStatus, Status};

/// Shows the nodes of a cluster.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct Show {
    #[command(flatten)]
    admin: Admin,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Shows slots.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct Slots {
    /// Every slot, and not only those that lack something
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    admin: Admin,
    /// Print every slot as a JSON object, one on a line
    #[arg(long)]
    json: bool,
}

/// Orders something of a node.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct Ordered {
    /// The node, as node.name says it
    node: NodeName,
    #[command(flatten)]
    admin: Admin,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Declares a node lost.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct Reset {
    /// The node that will not come back, as node.name says it
    #[arg(long, value_name = "NODE")]
    node: NodeName,
    /// Accept that messages which only this node holds are lost, acknowledged ones included
    #[arg(long, required = true)]
    accept_loss: bool,
    #[command(flatten)]
    admin: Admin,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let status: Status = self.admin.get("/cluster/status")?;
        let mut output = Output::stdout();
        if self.json {
            output.line(&json(&status))?;
            return Ok(Exit::Done);
        }
        let led = status.leader.as_ref().map_or_else(
            || "nobody leads the slot table, and it cannot be changed".to_owned(),
            |leader| format!("{leader} leads the slot table"),
        );
        output.line(format!("cluster {}, as {} sees it; {led}", status.cluster, status.node).as_bytes())?;
        output.line(counted(&status.slots).as_bytes())?;
        let mut columns = Columns::new([
            "NODE",
            "STATE",
            "PHASE",
            "TABLE",
            "OWNS",
            "HOLDS",
            "SESSIONS",
            "VERSION",
            "ZONE",
            "GENERATION",
        ]);
        status.nodes.iter().for_each(|node| columns.row(row(node)));
        for line in columns.lines() {
            output.line(line.as_bytes())?;
        }
        for node in status.nodes.iter().filter(|node| node.settings_differ) {
            let told = format!(
                "{} has other namespaces than {}; compare: starling config show",
                node.name, status.node
            );
            output.line(told.as_bytes())?;
        }
        Ok(Exit::Done)
    }
}

impl Slots {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let slots: Vec<SlotStatus> = self.admin.get("/cluster/slots")?;
        let mut output = Output::stdout();
        if self.json {
            for slot in &slots {
                output.line(&json(slot))?;
            }
            return Ok(Exit::Done);
        }
        let status: Status = self.admin.get("/cluster/status")?;
        output.line(counted(&status.slots).as_bytes())?;
        let mut columns = Columns::new(["SLOT", "OWNER", "TERM", "IN SYNC", "HEIRS", "RESETS"]);
        let shown = slots.iter().filter(|slot| self.all || lacks(slot));
        shown.for_each(|slot| {
            columns.row([
                slot.slot.to_string(),
                slot.owner.clone().unwrap_or_else(nothing),
                slot.term.to_string(),
                names(&slot.isr),
                names(&slot.heirs),
                slot.resets.to_string(),
            ]);
        });
        for line in columns.lines() {
            output.line(line.as_bytes())?;
        }
        Ok(Exit::Done)
    }
}

impl Ordered {
    pub(super) fn drain(self) -> Result<Exit, Failure> {
        let told = "hands over what it has, and stays up; see: starling cluster status";
        self.order("/cluster/drain", told)
    }

    pub(super) fn undrain(self) -> Result<Exit, Failure> {
        self.order("/cluster/undrain", "serves again")
    }

    fn order(self, path: &str, told: &str) -> Result<Exit, Failure> {
        #[derive(Serialize)]
        struct To<'a> {
            node: &'a str,
        }
        let node = self.node.as_str();
        let answer: serde_json::Value = self.admin.post(path, &To { node })?;
        tell(&answer, self.json, &format!("{node} {told}"))
    }
}

impl Reset {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        #[derive(Serialize)]
        struct Lost<'a> {
            node: &'a str,
            accept_loss: bool,
        }
        let lost = Lost {
            node: self.node.as_str(),
            accept_loss: self.accept_loss,
        };
        let answer: serde_json::Value = self.admin.post("/cluster/reset", &lost)?;
        let told = format!(
            "{} is declared lost; slots of which it had the last copy begin anew",
            lost.node
        );
        tell(&answer, self.json, &told)
    }
}

fn tell(answer: &serde_json::Value, as_json: bool, told: &str) -> Result<Exit, Failure> {
    let mut output = Output::stdout();
    match as_json {
        true => output.line(&json(answer))?,
        false => output.line(told.as_bytes())?,
    }
    Ok(Exit::Done)
}

/// Whether a slot is not as it should be.
fn lacks(slot: &SlotStatus) -> bool {
    slot.lost || slot.owner.is_none() || slot.isr.len() < COPIES
}

/// The slots in one line; what there is none of is left out.
fn counted(slots: &Counts) -> String {
    let Counts {
        all,
        unowned,
        whole,
        short,
        stopped,
        lost,
    } = *slots;
    let parts = [
        (whole, "whole"),
        (short, "with too few copies"),
        (stopped, "that acknowledge nothing"),
        (lost, "lost"),
        (unowned, "that nobody has owned yet"),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("{all} slots: {}", parts.join(", "))
}

fn row(node: &NodeStatus) -> [String; 10] {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(nothing);
    let state = match node.state {
        NodeState::Live if !node.registered => "joining",
        NodeState::Live => "live",
        NodeState::Suspected => "suspected",
        NodeState::Gone => "gone",
        NodeState::Lost => "lost",
    };
    let table = match (node.leader, node.voter) {
        (true, _) => "leads",
        (false, true) => "votes",
        (false, false) => "learns",
    };
    [
        node.name.clone(),
        state.to_owned(),
        or(&node.phase),
        table.to_owned(),
        node.owns.to_string(),
        node.holds.to_string(),
        node.sessions.map_or_else(nothing, |sessions| sessions.to_string()),
        or(&node.version),
        or(&node.zone),
        node.generation.to_string(),
    ]
}

fn names(all: &[String]) -> String {
    match all {
        [] => nothing(),
        _ => all.join(" "),
    }
}

fn nothing() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_counted_in_words() {
        let counts = Counts {
            all: 1_024,
            whole: 1_000,
            stopped: 24,
            ..Counts::default()
        };
        assert_eq!(counted(&counts), "1024 slots: 1000 whole, 24 that acknowledge nothing");
    }

    #[test]
    fn a_slot_that_lacks_something_is_shown() {
        let whole = SlotStatus {
            slot: 7,
            owner: Some("a@1".to_owned()),
            term: 2,
            isr: ["a@1", "b@1", "c@1"].map(str::to_owned).into(),
            heirs: Vec::new(),
            resets: 0,
            lost: false,
        };
        assert!(!lacks(&whole));
        let unowned = SlotStatus {
            owner: None,
            ..whole.clone()
        };
        let mut short = whole.clone();
        short.isr.pop();
        let lost = SlotStatus { lost: true, ..whole };
        assert!([unowned, short, lost].iter().all(lacks));
    }
}
