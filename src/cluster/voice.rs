//! What this node says about itself in gossip. Several say a part of it; each says only what changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use starling_cluster::gossip::{Gossip, GossipError, KeyRing, NodeFacts, Phase};
use starling_cluster::link::Credentials;

/// See the module.
pub(super) struct Voice {
    gossip: Mutex<State>,
}

enum State {
    Speaks(Box<Gossip>),
    /// It has left, and this is the last that it said.
    Left(Box<NodeFacts>),
}

impl Voice {
    pub(super) fn new(gossip: Gossip) -> Self {
        Self {
            gossip: Mutex::new(State::Speaks(Box::new(gossip))),
        }
    }

    /// What is said now.
    pub(super) fn said(&self) -> NodeFacts {
        match &*self.state() {
            State::Speaks(gossip) => gossip.said().clone(),
            State::Left(facts) => (**facts).clone(),
        }
    }

    /// Says something else, unless the node has left.
    pub(super) fn say(&self, change: impl FnOnce(&mut NodeFacts)) {
        if let State::Speaks(gossip) = &mut *self.state() {
            let mut facts = gossip.said().clone();
            change(&mut facts);
            if facts != *gossip.said()
                && let Err(error) = gossip.say(facts)
            {
                tracing::error!(%error, "what changed about this node cannot be said; report this");
            }
        }
    }

    /// Seals with other keys from now on.
    pub(super) fn rekey(&self, ring: KeyRing) {
        if let State::Speaks(gossip) = &*self.state() {
            gossip.rekey(ring);
        }
    }

    /// Signs with another certificate from now on, and believes other authorities.
    pub(super) fn renew(&self, credentials: Credentials) {
        if let State::Speaks(gossip) = &*self.state() {
            gossip.renew(credentials);
        }
    }

    /// Ready when gossip has ended by itself.
    pub(super) fn ended(&self) -> impl Future<Output = Arc<GossipError>> + Send + use<> {
        let ended = match &*self.state() {
            State::Speaks(gossip) => Some(gossip.ended()),
            State::Left(_) => None,
        };
        async {
            match ended {
                Some(ended) => ended.await,
                None => std::future::pending().await,
            }
        }
    }

    /// Says that the node is gone, gives the others time to hear it, and is silent.
    pub(super) async fn leave(&self) {
        let left = {
            let mut state = self.state();
            let last = match &*state {
                State::Speaks(gossip) => gossip.said().clone(),
                State::Left(_) => return,
            };
            let last = NodeFacts {
                phase: Phase::Left,
                ..last
            };
            std::mem::replace(&mut *state, State::Left(Box::new(last)))
        };
        if let State::Speaks(gossip) = left {
            gossip.leave().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.gossip.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
