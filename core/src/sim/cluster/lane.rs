//! What two nodes say to each other about channels: in order and without a loss while both of them live, as links promise.
//!
//! What is sent while the way is cut waits, as much as a lane has room for. A link that begins anew loses what waited on
//! both its ways, and both ends are told.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::event::Event;
use super::sight::Sight;
use super::world::World;
use crate::id::{ChannelName, NodeId};
use crate::relay::{Asked, Told};

/// When what did not get through is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(30);

/// Tries after which a link may begin anew.
const TRIES: u32 = 8;

/// What a gateway and an owner say.
#[derive(Debug, Clone)]
pub(super) enum Carried {
    Asked(Asked),
    Told(Told),
}

/// From one start of a node to one of another.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<(Instant, ChannelName, Carried)>,
    /// Times the first of them did not get through.
    tries: u32,
    /// It is sent again by itself.
    tries_again: bool,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Lanes {
    /// What one has room for.
    room: usize,
    lanes: BTreeMap<(NodeId, NodeId), Lane>,
}

impl Lanes {
    /// Room that is enough for all that clients here ask, so that it may be promised that they are served.
    pub(super) const WIDE: usize = 64;

    pub(super) const fn new(room: usize) -> Self {
        Self {
            room,
            lanes: BTreeMap::new(),
        }
    }

    pub(super) const fn widen(&mut self) {
        self.room = Self::WIDE;
    }
}

impl World {
    /// Sends something if there is a way and room. What `must` arrive waits for room.
    pub(super) fn carry(&mut self, from: usize, to: &NodeId, channel: &ChannelName, what: Carried, must: bool) -> bool {
        let there = self.index_of(to);
        if self.nodes[there].id != *to {
            return false;
        }
        let from = self.nodes[from].id.clone();
        let now = self.agenda.now().instant;
        let at = now + self.network.delay();
        let lane = self.lanes.lanes.entry((from.clone(), to.clone())).or_default();
        if lane.waiting.len() >= self.lanes.room && !must {
            self.coverage.saw(Sight::LaneFull);
            return false;
        }
        let at = lane.waiting.back().map_or(at, |(last, ..)| at.max(*last));
        lane.waiting.push_back((at, channel.clone(), what));
        self.agenda.at(at, Event::Lane { to: to.clone(), from });
        true
    }

    /// Something may have arrived.
    pub(super) fn lane(&mut self, to: usize, from: &NodeId, again: bool) {
        let key = (from.clone(), self.nodes[to].id.clone());
        let there = self.index_of(from);
        if !self.is_running(from) {
            self.lanes.lanes.remove(&key);
            return;
        }
        if let Some(lane) = self.lanes.lanes.get_mut(&key).filter(|_| again) {
            lane.tries_again = false;
        }
        while self.truth.violation.is_none() {
            let now = self.agenda.now().instant;
            let Some(lane) = self.lanes.lanes.get_mut(&key) else {
                return;
            };
            let Some((at, ..)) = lane.waiting.front() else {
                return;
            };
            if *at > now || lane.tries_again {
                return;
            }
            if self.network.carry(there, to).is_empty() {
                (lane.tries, lane.tries_again) = (lane.tries + 1, true);
                let (to, from) = (key.1, key.0);
                return self.agenda.after(AGAIN_AFTER, Event::LaneAgain { to, from });
            }
            let tries = std::mem::take(&mut lane.tries);
            if tries >= TRIES && self.dice.percent(30) {
                return self.begin_anew(to, there);
            }
            let (_, channel, what) = lane.waiting.pop_front().expect("there was one");
            match what {
                Carried::Asked(asked) => self.asked_by(to, from, channel, asked),
                Carried::Told(told) => self.told_by(to, from, channel, told),
            }
        }
    }

    /// A link has forgotten what waited on both its ways.
    fn begin_anew(&mut self, one: usize, other: usize) {
        let (a, b) = (self.nodes[one].id.clone(), self.nodes[other].id.clone());
        self.line(|| format!("the link of {a} and {b} begins anew"));
        self.coverage.saw(Sight::LaneReset);
        for key in [(a.clone(), b.clone()), (b.clone(), a.clone())] {
            if let Some(lane) = self.lanes.lanes.get_mut(&key) {
                lane.waiting.clear();
            }
        }
        self.relays_reset(one, &b);
        self.relays_reset(other, &a);
    }
}
