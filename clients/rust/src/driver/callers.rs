//! Whoever in the application waits for something.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::channel::room::Taken;
use crate::queue::{Item, Queue};
use crate::session::{SubscriptionId, Ticket};
use crate::{PublishError, Published, SubscribeError};

/// Where the news goes that a channel is attached, or will not be.
pub(crate) type Attaching = oneshot::Sender<Result<(), SubscribeError>>;

/// Where the outcome of a publish goes.
pub(crate) type Outcome = oneshot::Sender<Result<Published, PublishError>>;

/// Everyone who waits.
#[derive(Default)]
pub(super) struct Callers {
    queues: HashMap<SubscriptionId, Arc<Queue>>,
    subscribing: HashMap<SubscriptionId, Attaching>,
    publishing: HashMap<Ticket, Publishing>,
    tickets: u64,
}

/// A publish without a result.
struct Publishing {
    /// `None` once the outcome was told, which may be before there is a result.
    done: Option<Outcome>,
    _permit: OwnedSemaphorePermit,
}

impl Callers {
    pub(super) fn subscribe(&mut self, id: SubscriptionId, queue: Arc<Queue>, done: Attaching) {
        self.queues.insert(id, queue);
        self.subscribing.insert(id, done);
    }

    pub(super) fn subscribed(&mut self, id: SubscriptionId, outcome: Result<(), SubscribeError>) {
        if outcome.is_err() {
            self.queues.remove(&id);
        }
        if let Some(done) = self.subscribing.remove(&id) {
            // Whoever gave up the wait has dropped the subscription, which is told apart.
            let _given_up = done.send(outcome);
        }
    }

    pub(super) fn deliver(&self, to: SubscriptionId, item: Item) {
        if let Some(queue) = self.queues.get(&to) {
            queue.push(item);
        }
    }

    /// What was taken from a queue since the last call.
    pub(super) fn taken(&self, id: SubscriptionId) -> Option<Taken> {
        self.queues.get(&id).map(|queue| queue.taken())
    }

    pub(super) fn end(&mut self, id: SubscriptionId) {
        self.subscribing.remove(&id);
        if let Some(queue) = self.queues.remove(&id) {
            queue.end();
        }
    }

    /// A publish, with its room among those in flight.
    pub(super) fn publish(&mut self, done: Outcome, permit: OwnedSemaphorePermit) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        let publishing = Publishing {
            done: Some(done),
            _permit: permit,
        };
        self.publishing.insert(ticket, publishing);
        ticket
    }

    pub(super) fn answer(&mut self, ticket: Ticket, outcome: Result<Published, PublishError>) {
        let publishing = self.publishing.get_mut(&ticket);
        if let Some(done) = publishing.and_then(|publishing| publishing.done.take()) {
            // The message goes its way whether or not anyone waits for its outcome.
            let _given_up = done.send(outcome);
        }
    }

    pub(super) fn settled(&mut self, ticket: Ticket) {
        self.publishing.remove(&ticket);
    }
}
