//! What this node does for its cluster: it serves, or an operator has it drained, or it is about to end.
//!
//! A drained node stays up and linked. It owns nothing once it has handed over, and whoever asks whether it is ready is told no.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use starling_cluster::gossip::Phase;
use tokio::sync::watch;

use super::voice::Voice;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duty {
    /// It takes slots and clients.
    Serving,
    /// It hands over what it has, by an operator's order, and takes nothing until the order is taken back.
    Drained,
    /// It hands over what it has, and ends.
    Ending,
}

/// Holds the duty, and says it to the others. Cheap to clone.
#[derive(Clone)]
pub(super) struct Roster {
    duty: watch::Sender<Duty>,
    voice: Arc<Voice>,
}

impl Roster {
    pub(super) fn new(voice: Arc<Voice>) -> Self {
        Self {
            duty: watch::Sender::new(Duty::Serving),
            voice,
        }
    }

    pub(super) fn duty(&self) -> Duty {
        *self.duty.borrow()
    }

    pub(super) fn changes(&self) -> watch::Receiver<Duty> {
        self.duty.subscribe()
    }

    /// Changes the duty, and says which it is now: a node that ends does not take up another.
    pub(super) fn assign(&self, wanted: Duty) -> Duty {
        let changes = self.duty.send_if_modified(|duty| match (*duty, wanted) {
            (Duty::Ending, _) => false,
            (before, wanted) => {
                *duty = wanted;
                before != wanted
            }
        });
        let duty = self.duty();
        if changes {
            tracing::info!(?duty, "this node's duty changes");
            // The newest is said, should two be assigned at once.
            self.voice.say(|facts| {
                facts.phase = match self.duty() {
                    Duty::Serving => Phase::Serving,
                    Duty::Drained | Duty::Ending => Phase::Draining,
                }
            });
        }
        duty
    }
}
