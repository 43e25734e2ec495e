//! The channels of slots, at the node that owns them and at its replicas.
//!
//! ```text
//!   gateways ──Changes, Listing──▶ merge (dots) ──▶ channel: joined, updated, left
//!                                     │                │ each tick, the newest of each client
//!                                     ▼                ▼
//!                              Log to replicas      Delta, Count to gateways that watch
//! ```
//!
//! A client is present as long as any entry of it counts, also one of a connection that was lost: so it may move to another
//! node, or reload, and nobody sees it leave. When it leaves by one connection, those that were lost count no more.
//!
//! A node that becomes the owner goes on with what it holds as a replica, which may be old. It says so: a gateway is
//! *unsettled* until its digest has matched, and those who watch take neither absence for a leave nor presence for a
//! join meanwhile. A node that is dead never settles; its entries go after the grace, and a purge record refuses
//! whatever still comes from it. Without a majority an owner declares nobody's members gone.
//!
//! * [`turn`]: inputs and effects; `role`: becoming owner or replica;
//! * `merge`: one slot, what gateways did to it; `channel`: who is present in one channel;
//! * `repair`: comparing with gateways; `standing`: nodes that are suspected and dead;
//! * `feed`: followers, and how far they are; `tell`: ticks; `copy`: the replica's side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::COMPARE_EVERY;
use super::entry::{Client, ConnectionId, Key};
use super::message::{Scope, ToOwner};
use super::settings::Namespaces;
use super::timers::Timers;
use crate::fault::Faults;
use crate::id::{ChannelName, NodeId, SlotId};

mod channel;
mod copy;
mod feed;
mod merge;
mod repair;
mod role;
mod standing;
mod tell;
pub mod turn;

pub use turn::{Effect, Input, Role, Standing};

use merge::Slot;
use standing::Peer;

/// Time between two tellings of a channel with up to [`SMALL_MAX`] clients, and with more. A delta goes out at once when
/// the channel was quiet for as long.
pub const TICK: Duration = Duration::from_millis(50);
/// See [`TICK`].
pub const TICK_LARGE: Duration = Duration::from_millis(250);
/// See [`TICK`].
pub const SMALL_MAX: usize = 5_000;

/// How long a dead node is refused, should anything come from it, before it is forgotten. Longer than any link keeps
/// anything, or any node stays away and still is the same start of itself to its peers.
pub const PURGE_KEPT: Duration = Duration::from_secs(3_600);

/// How long an owner may be silent before its followers ask again: it compares every five seconds.
pub const SILENCE_MAX: Duration = Duration::from_secs(12);

/// See the module.
#[derive(Debug)]
pub struct Roster {
    node: NodeId,
    namespaces: Arc<Namespaces>,
    faults: Faults,
    slots: BTreeMap<SlotId, Slot>,
    peers: BTreeMap<NodeId, Peer>,
    /// What each node follows of what this one owns.
    following: BTreeMap<NodeId, BTreeSet<Scope>>,
    /// This node hears from a majority.
    has_quorum: bool,
    /// When each owner last said how far its feeds are.
    heard: BTreeMap<NodeId, Instant>,
    timers: Timers<Due>,
    /// Slots with steps that replicas have not been sent, in this turn.
    logged: BTreeSet<SlotId>,
    /// This turn made it the owner of something: have everybody compare.
    must_compare: bool,
}

/// When to do what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// When to tell those who follow a channel.
    Tell(SlotId, ChannelName),
    /// When the entries of a dead node go, where the grace is this long.
    Purge(NodeId, Duration),
    /// When a dead node is forgotten.
    Forget(NodeId),
    /// When an owner that held no copy, or had no majority, may say who has left.
    See(SlotId),
    /// When to say how far all feeds are.
    Heads,
    /// When a replica asks for its slot again.
    Ask(SlotId),
}

impl Roster {
    /// A node that owns nothing yet.
    #[must_use]
    pub fn new(node: NodeId, namespaces: Arc<Namespaces>, faults: Faults, now: Instant) -> Self {
        let mut timers = Timers::new();
        timers.set(Due::Heads, now + COMPARE_EVERY);
        Self {
            node,
            namespaces,
            faults,
            slots: BTreeMap::new(),
            peers: BTreeMap::new(),
            following: BTreeMap::new(),
            has_quorum: true,
            heard: BTreeMap::new(),
            timers,
            logged: BTreeSet::new(),
            must_compare: false,
        }
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input, now: Instant, out: &mut Vec<Effect>) {
        match input {
            Input::Role { slot, role } => self.role(slot, role, now, out),
            Input::Asked { from, asked } => self.asked(from, asked, now, out),
            Input::Told { from, told } => self.told(&from, told, now, out),
            Input::Standing { node, standing } => self.standing(node, standing, now),
            Input::Quorum(has_quorum) => self.quorum(has_quorum, now, out),
            Input::Reset(node) => self.reset(&node, now, out),
            Input::Wake => self.timers.woken(now),
        }
        while let Some(due) = self.timers.due(now) {
            match due {
                Due::Tell(slot, channel) => self.tell(slot, &channel, now, out),
                Due::Purge(node, grace) => self.purge(&node, grace, now),
                Due::Forget(node) => self.forget(node, now),
                Due::See(slot) => self.see(slot, now),
                Due::Heads => self.heads(now, out),
                Due::Ask(slot) => self.look(slot, now, out),
            }
        }
        self.log(out);
        if std::mem::take(&mut self.must_compare) {
            self.have_compared(out);
        }
        out.extend(self.timers.wanted().map(|at| Effect::Wake { at }));
    }

    /// What is held of a slot, as owner or replica: by which gateway and connection who is where, and with what state.
    pub fn entries(&self, slot: SlotId) -> impl Iterator<Item = (NodeId, ChannelName, Client, ConnectionId, Bytes)> {
        let channels = self
            .slots
            .get(&slot)
            .into_iter()
            .flat_map(|slot| slot.channels.values());
        channels.flat_map(channel::Channel::entries).map(|one| {
            let Key {
                channel,
                client,
                connection,
            } = one.entry.key;
            (one.gateway, channel, client, connection, one.entry.state)
        })
    }

    /// A gateway or a follower has said something.
    fn asked(&mut self, from: NodeId, asked: ToOwner, now: Instant, out: &mut Vec<Effect>) {
        if !self.meets(&from, now) {
            return;
        }
        match asked {
            ToOwner::Follow { scope, mode } => self.follow(from, scope, mode, now, out),
            ToOwner::Unfollow(scope) => self.unfollow(&from, &scope),
            ToOwner::AskHeads { of, groups } => self.head_list(from, of, groups, out),
            // What a dead node still says would never be taken back.
            _ if self.is_refused(&from) => {}
            ToOwner::Changes { slot, changes } => {
                for change in changes {
                    self.change(slot, &from, change, now);
                }
            }
            ToOwner::Digest { slots, tally } => self.digest(from, &slots, &tally, now, out),
            ToOwner::Cells { slots, groups } => self.cells(from, &slots, &groups, out),
            ToOwner::Listing {
                slots,
                range,
                counter,
                entries,
            } => self.listing(&from, &slots, &range, counter, entries, now),
            ToOwner::Ephemeral { slot, key, ephemeral } => self.ephemeral(&from, slot, key, &ephemeral, out),
        }
    }
}

#[cfg(test)]
mod tests;
