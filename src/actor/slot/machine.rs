//! The rules of a slot: alone, or with copies at other nodes.

use std::time::Instant;

use starling_core::id::{ChannelName, NodeId, Seq, Term};
use starling_core::replica::{self, Replica};
use starling_core::slot::{self, Lease, Slot};

/// See the module.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for each slot, and all of a node are alike"
)]
pub enum Machine {
    /// This node has no peers: it owns the slot, and what it appends is committed.
    Alone {
        /// Its rules.
        slot: Slot,
        /// What a turn asks for; kept, because a busy slot has many turns.
        effects: Vec<slot::Effect>,
    },
    /// Other nodes hold the slot too.
    Replicated(Replica),
}

/// Where a slot's channels are worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// At this node: it owns the slot.
    Here,
    /// At another node.
    At(NodeId),
    /// Nowhere that this node knows of.
    Nowhere,
}

impl Route {
    /// The owner, if it is another node.
    #[must_use]
    pub const fn owner(&self) -> Option<&NodeId> {
        match self {
            Self::At(node) => Some(node),
            Self::Here | Self::Nowhere => None,
        }
    }
}

impl Machine {
    /// The only copy of a slot.
    #[must_use]
    pub const fn alone(slot: Slot) -> Self {
        Self::Alone {
            slot,
            effects: Vec::new(),
        }
    }

    /// Something that concerns the slot's channels.
    pub fn handle(&mut self, input: slot::Input, now: Instant, out: &mut Vec<replica::Effect>) {
        match self {
            Self::Alone { slot, effects } => {
                slot.handle(input, now, effects);
                out.extend(effects.drain(..).map(replica::Effect::Slot));
            }
            Self::Replicated(replica) => replica.handle(replica::Input::Slot(input), now, out),
        }
    }

    /// Something that concerns its copies. Alone there are none.
    pub fn handle_replica(&mut self, input: replica::Input, now: Instant, out: &mut Vec<replica::Effect>) {
        if let Self::Replicated(replica) = self {
            replica.handle(input, now, out);
        }
    }

    /// The term that this node owns the slot under, where there are other nodes.
    #[must_use]
    pub fn owned_under(&self) -> Option<Term> {
        match self {
            Self::Alone { .. } => None,
            Self::Replicated(replica) => replica.owned_under(),
        }
    }

    /// The store knows this node as the owner under `term`: persisted channels are opened from now on, if it still is.
    pub fn lease(&mut self, term: Term, lease: Lease) {
        match self {
            Self::Replicated(replica) if replica.owned_under() == Some(term) => replica.lease(lease),
            Self::Alone { .. } | Self::Replicated(_) => {}
        }
    }

    /// What this node holds of the slot.
    #[must_use]
    pub const fn slot(&self) -> &Slot {
        match self {
            Self::Alone { slot, .. } => slot,
            Self::Replicated(replica) => replica.slot(),
        }
    }

    /// Where a channel stands here.
    #[must_use]
    pub fn head(&self, channel: &ChannelName) -> Option<Seq> {
        Some(self.slot().channel(channel)?.view().head())
    }

    /// Where its channels are worked on, as far as this node `me` knows.
    #[must_use]
    pub fn route(&self) -> Route {
        match self {
            Self::Alone { .. } => Route::Here,
            Self::Replicated(replica) if replica.owned_under().is_some() => Route::Here,
            Self::Replicated(replica) => match &replica.record().owner {
                Some(owner) if owner != replica.me() => Route::At(owner.clone()),
                Some(_) | None => Route::Nowhere,
            },
        }
    }

    /// Whether the slot has an owner, and this node holds it if it should.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Alone { .. } => true,
            Self::Replicated(replica) => replica.is_placed(),
        }
    }
}
