//! Whoever in the application waits for something.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use crate::channel::room::Taken;
use crate::queue::{Item, Queue};
use crate::roster::Told;
use crate::session::{SubscriptionId, Ticket};
use crate::{PresenceError, PublishError, Published, SubscribeError};

/// Where the news goes that a channel is attached, or will not be.
pub(crate) type Attaching = oneshot::Sender<Result<(), SubscribeError>>;

/// Where the outcome of a publish goes.
pub(crate) type Outcome = oneshot::Sender<Result<Published, PublishError>>;

/// Where the news goes that a node answers for an entry or a watch, or that none will.
pub(crate) type Answering = oneshot::Sender<Result<(), PresenceError>>;

/// Everyone who waits.
#[derive(Default)]
pub(super) struct Callers {
    queues: HashMap<SubscriptionId, Arc<Queue>>,
    subscribing: HashMap<SubscriptionId, Attaching>,
    watching: HashMap<SubscriptionId, Arc<Queue<Told>>>,
    entered: HashMap<SubscriptionId, watch::Sender<Option<PresenceError>>>,
    /// Of those who enter, update or watch.
    asking: HashMap<SubscriptionId, Answering>,
    leaving: HashMap<SubscriptionId, oneshot::Sender<()>>,
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
        let subscription = self.queues.get(&id).map(|queue| queue.taken());
        subscription.or_else(|| self.watching.get(&id).map(|queue| queue.taken()))
    }

    pub(super) fn end(&mut self, id: SubscriptionId) {
        self.subscribing.remove(&id);
        if let Some(queue) = self.queues.remove(&id) {
            queue.end();
        }
    }

    pub(super) fn enter(&mut self, id: SubscriptionId, ended: watch::Sender<Option<PresenceError>>, done: Answering) {
        self.entered.insert(id, ended);
        self.asking.insert(id, done);
    }

    /// One update of an entry waits at a time: the newest counts.
    pub(super) fn update(&mut self, id: SubscriptionId, done: Answering) {
        // If it has ended, its holder was told.
        if self.entered.contains_key(&id)
            && let Some(older) = self.asking.insert(id, done)
        {
            let _given_up = older.send(Err(PresenceError::Superseded));
        }
    }

    /// Waits until an entry was taken away, if there is one.
    pub(super) fn leave(&mut self, id: SubscriptionId, done: oneshot::Sender<()>) {
        if self.entered.remove(&id).is_some() {
            self.leaving.insert(id, done);
        }
    }

    pub(super) fn left(&mut self, id: SubscriptionId) {
        if let Some(done) = self.leaving.remove(&id) {
            let _given_up = done.send(());
        }
    }

    pub(super) fn watch(&mut self, id: SubscriptionId, queue: Arc<Queue<Told>>, done: Answering) {
        self.watching.insert(id, queue);
        self.asking.insert(id, done);
    }

    /// A node answers for an entry or a watch, or none will.
    pub(super) fn present(&mut self, id: SubscriptionId, outcome: Result<(), PresenceError>) {
        if let Some(done) = self.asking.remove(&id) {
            let _given_up = done.send(outcome);
        }
    }

    pub(super) fn tell(&self, to: SubscriptionId, item: Item<Told>) {
        if let Some(queue) = self.watching.get(&to) {
            queue.push(item);
        }
    }

    pub(super) fn unwatched(&mut self, id: SubscriptionId) {
        self.asking.remove(&id);
        if let Some(queue) = self.watching.remove(&id) {
            queue.end();
        }
    }

    /// An entry has ended, and not because its holder left.
    pub(super) fn out(&mut self, id: SubscriptionId, error: PresenceError) {
        self.asking.remove(&id);
        if let Some(ended) = self.entered.remove(&id) {
            ended.send_replace(Some(error));
        }
    }

    /// Nobody holds it any more, be it an entry or a watch.
    pub(super) fn dropped(&mut self, id: SubscriptionId) {
        self.asking.remove(&id);
        self.entered.remove(&id);
        self.watching.remove(&id);
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
