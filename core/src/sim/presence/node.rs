//! Nodes: a shard, and what the shell around it knows of the others.

use std::time::{Duration, Instant};

use super::event::Event;
use super::sight::Sight;
use super::world::World;
use crate::id::{NodeId, SlotId};
use crate::presence::message::{Message, Step, ToOwner, ToReplica, ToWatch};
use crate::presence::roster::Standing;
use crate::presence::settings::Settings;
use crate::presence::shard::{Effect, Input, Shard};
use crate::sim::cluster::clock::Clock;

use super::link::Carried;
use super::place::Record;

/// How long a node is silent before it is suspected, and declared dead.
const SUSPECT_AFTER: Duration = Duration::from_secs(1);
const DOWN_AFTER: Duration = Duration::from_secs(2);

/// How often nodes look after each other.
pub(super) const BEAT: Duration = Duration::from_millis(250);

/// One start of a node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) is_up: bool,
    pub(super) clock: Clock,
    pub(super) shard: Shard<u64>,
    /// What it knows of each slot.
    pub(super) places: Vec<u64>,
    /// When it learns that.
    pub(super) routed_at: Vec<Duration>,
    pub(super) started_at: Duration,
    pub(super) peers: Vec<Peer>,
    pub(super) has_quorum: bool,
}

/// Another node, as this one sees it.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    heard_at: Duration,
    is_broken: bool,
    pub(super) told: Option<(NodeId, Standing)>,
    pub(super) since: Duration,
    /// Its clients may be told to have left.
    pub(super) is_excused: bool,
    /// An earlier start of it that was taken for dead, maybe while it lived, and since when.
    pub(super) past: Option<(NodeId, Duration)>,
}

impl Peer {
    pub(super) const fn new(now: Duration) -> Self {
        Self {
            heard_at: now,
            is_broken: true,
            told: None,
            since: now,
            is_excused: false,
            past: None,
        }
    }

    /// Takes the earlier start of it if that has been dead for a grace.
    pub(super) fn past_gone(&mut self, now: Duration) -> Option<NodeId> {
        let past = self.past.take_if(|(_, since)| now >= *since + nearly_grace());
        past.map(|(node, _)| node)
    }

    /// Whether the one that it is taken for has been dead for a grace.
    pub(super) fn is_gone(&self, now: Duration) -> bool {
        let is_down = matches!(self.told, Some((_, Standing::Down)));
        is_down && now >= self.since + nearly_grace()
    }
}

/// How long a node must have been dead for its clients to have left, by a clock that goes wrong.
fn nearly_grace() -> Duration {
    Settings::default().grace.mul_f64(0.85)
}

impl World {
    /// A node looks after the others.
    pub(super) fn beat(&mut self, index: usize) {
        let now = self.agenda.passed();
        for other in (0..self.nodes.len()).filter(|other| *other != index) {
            let hears = self.nodes[other].is_up && !self.links.is_cut(index, other) && !self.links.is_cut(other, index);
            let id = self.nodes[other].id.clone();
            let peer = &mut self.nodes[index].peers[other];
            let mut was_reset = false;
            match hears {
                true => {
                    was_reset = std::mem::take(&mut peer.is_broken);
                    peer.heard_at = now;
                }
                false => peer.is_broken = true,
            }
            let silent = now - peer.heard_at;
            let standing = match silent {
                _ if silent >= DOWN_AFTER => Standing::Down,
                _ if silent >= SUSPECT_AFTER || peer.told.is_none() && !hears => Standing::Suspect,
                _ => Standing::Up,
            };
            // Which nodes there are is known, also of those that were never heard from; which start of them is not.
            let (known, before) = match &peer.told {
                Some((known, before)) if *known == id || !hears => (known.clone(), Some(*before)),
                _ => (id, None),
            };
            if before != Some(standing) {
                if before == Some(Standing::Down) && standing == Standing::Up {
                    self.coverage.saw(Sight::Healed);
                }
                // Another start shows that the earlier one is dead, which it may have been taken for long since.
                let peer = &mut self.nodes[index].peers[other];
                if let Some((past, Standing::Down)) = peer.told.clone()
                    && past != known
                {
                    peer.past = Some((past, peer.since));
                }
                (peer.told, peer.since) = (Some((known.clone(), standing)), now);
                let node = known.clone();
                self.turn(index, Input::Standing { node, standing });
            }
            if was_reset {
                self.turn(index, Input::Reset(known));
            }
        }
        let heard = self.nodes[index].peers.iter().enumerate().filter(|(other, peer)| {
            *other != index
                && peer
                    .told
                    .as_ref()
                    .is_some_and(|(_, standing)| *standing != Standing::Down)
        });
        let has_quorum = (heard.count() + 1) * 2 > self.nodes.len();
        if has_quorum != self.nodes[index].has_quorum {
            self.nodes[index].has_quorum = has_quorum;
            self.turn(index, Input::Quorum(has_quorum));
        }
        self.tell_places(index);
        self.excuse(index);
    }

    /// Whether a node and a majority hear each other.
    pub(super) fn reaches_majority(&self, index: usize) -> bool {
        let hears = |other: &usize| {
            *other == index
                || (self.nodes[*other].is_up && !self.links.is_cut(index, *other) && !self.links.is_cut(*other, index))
        };
        (0..self.nodes.len()).filter(hears).count() * 2 > self.nodes.len()
    }

    pub(super) fn placed(&mut self, index: usize, slot: u16, record: Record) {
        let owner = record.owner.map(|owner| (owner, record.term));
        let is_replica = record.replicas.contains(&index);
        let slot = SlotId(slot);
        self.turn(
            index,
            Input::Placed {
                slot,
                owner,
                is_replica,
            },
        );
    }

    /// One turn of a node's shard.
    pub(super) fn turn(
        &mut self,
        index: usize,
        input: Input<u64>,
    ) -> Option<Result<(), crate::presence::gateway::Refusal>> {
        let now = self.now_at(index);
        let mut effects = Vec::new();
        self.nodes[index].shard.handle(input, now, &mut effects);
        let mut answer = None;
        for effect in effects {
            match effect {
                Effect::Answer(result) => answer = Some(result),
                Effect::Send { to, message } => self.send(index, to, message),
                Effect::Tell(told) => self.show(index, told),
                Effect::Wake { at } => {
                    let start = self.agenda.now().instant - self.agenda.passed();
                    let at = start + self.nodes[index].clock.passed_at(at - start);
                    let to = self.nodes[index].id.clone();
                    self.agenda.at(at, Event::Wake { to });
                }
            }
        }
        answer
    }

    fn send(&mut self, from: usize, to: NodeId, message: Message) {
        self.see(&message);
        let at = self.agenda.passed();
        let other = self.index_of(&to);
        let sender = self.nodes[from].id.clone();
        self.line(|| format!("{sender} -> {to}: {message:?}"));
        match self.links.carry(from, other, at) {
            Carried::Full => {
                self.coverage.saw(Sight::Unsent);
                let from = sender;
                self.agenda.after(Duration::ZERO, Event::Unsent { from, to });
            }
            Carried::At(times) => {
                if times.len() > 1 {
                    self.coverage.saw(Sight::Doubled);
                }
                for time in times {
                    let (from, to, message) = (sender.clone(), to.clone(), message.clone());
                    self.agenda.after(time - at, Event::Deliver { from, to, message });
                }
            }
        }
    }

    fn see(&mut self, message: &Message) {
        let sight = match message {
            Message::Owner(ToOwner::Listing { .. }) => Sight::Repair,
            Message::Replica(ToReplica::HeadList(_)) | Message::Watch(ToWatch::HeadList(_)) => Sight::Behind,
            Message::Replica(ToReplica::Log { steps, .. })
                if steps.iter().any(|step| matches!(step, Step::Purge { .. })) =>
            {
                Sight::Purge
            }
            _ => return,
        };
        self.coverage.saw(sight);
    }

    /// What a node's clock shows.
    pub(super) fn now_at(&self, node: usize) -> Instant {
        let passed = self.agenda.passed();
        self.agenda.now().instant - passed + self.nodes[node].clock.shows(passed)
    }
}
