//! What breaks, and how it is healed.

use std::time::Duration;

use super::event::Event;
use super::node::Node;
use super::plan::Action;
use super::sight::Sight;
use super::world::{World, node_id};
use crate::id::SlotId;
use crate::table::Command;

impl World {
    pub(super) fn act(&mut self, action: Action) {
        self.line(|| format!("{action:?}"));
        match action {
            Action::Crash { node, back_after } => {
                let crashed = &mut self.nodes[node];
                if !crashed.is_up {
                    return;
                }
                let (generation, clock, lag) = (crashed.id.generation.0 + 1, crashed.clock, crashed.gossip_lag);
                let mut next = Node::new(node_id(node, generation), clock, lag, self.planner_config);
                next.is_up = false;
                let crashed = std::mem::replace(crashed, next);
                self.graves.insert(crashed.id, crashed.replicas);
                self.agenda.after(back_after, Event::Start { node });
            }
            Action::Pause { node, lasting } => {
                self.nodes[node].is_paused = true;
                self.agenda.after(lasting, Event::Resume { node });
            }
            Action::Cut { from, to, cut } => self.network.cut(from, to, cut),
            Action::CutTable { node, cut } => self.network.cut_table(node, cut),
            Action::TableDown(down) => self.network.table_down = down,
            Action::Noise { loss, doubling } => (self.network.loss, self.network.doubling) = (loss, doubling),
            Action::Burn { node, buried_after } => {
                // Two that are left keep the rest going.
                if self.nodes[node].is_up && self.gone.len() + 2 < self.nodes.len() {
                    self.gone.insert(node);
                    self.act(Action::Crash {
                        node,
                        back_after: Duration::ZERO,
                    });
                    self.agenda.after(buried_after, Event::Bury { node });
                }
            }
            Action::Isolate { node, cut } => {
                for other in (0..self.nodes.len()).filter(|other| *other != node) {
                    self.network.cut(node, other, cut);
                    self.network.cut(other, node, cut);
                }
                self.network.cut_table(node, cut);
                match cut {
                    true => self.isolated.insert(node),
                    false => self.isolated.remove(&node),
                };
            }
            Action::Drain { node, drain } => self.nodes[node].is_draining = drain,
            Action::Roll => self.roll(),
        }
    }

    pub(super) fn come_back(&mut self, node: usize) {
        if !self.nodes[node].is_up && !self.gone.contains(&node) {
            self.nodes[node].is_up = true;
            self.start(node);
        }
    }

    /// The operator declares a node lost that is gone.
    pub(super) fn bury(&mut self, node: usize) {
        let name = self.nodes[node].id.name.clone();
        let outcome = self.table.apply(&Command::Bury { name });
        self.line(|| format!("node {node} is declared lost: {outcome:?}"));
        self.coverage.saw(Sight::Buried);
        for to in 0..self.nodes.len() {
            self.tell_of_nodes(to);
        }
    }

    pub(super) fn resume(&mut self, node: usize) {
        if !std::mem::take(&mut self.nodes[node].is_paused) {
            return;
        }
        let owns = (0..self.plan.slots).any(|slot| self.nodes[node].owns(SlotId(slot)));
        if owns {
            self.coverage.saw(Sight::WokeAsOwner);
        }
        let backlog = std::mem::take(&mut self.nodes[node].backlog);
        for event in backlog {
            self.happen(event);
        }
    }

    pub(super) fn heal(&mut self) {
        self.line(|| "everything is healed".into());
        self.is_healed = true;
        self.network.heal();
        self.lanes.widen();
        self.isolated.clear();
        for node in self.gone.clone() {
            self.bury(node);
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].is_draining = false;
            self.come_back(node);
            self.resume(node);
        }
    }
}
