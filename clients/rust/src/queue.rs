//! What lies between the client's task and one subscription of the application, or one watch, or one entry.
//!
//! The queue has no bound of its own: the rules, with `channel/room.rs`, know what is in it and hand it nothing that has
//! no room. For that they are told what the application took, through [`Signals`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::channel::room::{Cost, Taken, Telling};
use crate::session::SubscriptionId;
use crate::{Event, Position};

/// An event on its way to the application.
#[derive(Clone, Debug)]
pub(crate) struct Item<E = Event> {
    pub(crate) event: E,
    /// What it takes of the queue's room and of the client's page credit.
    pub(crate) cost: Cost,
    /// Where the reader of a channel stands once it was taken; `None` after the last event.
    pub(crate) place: Option<Position>,
}

/// Events on their way to one subscription, or to one watch.
#[derive(Debug)]
pub(crate) struct Queue<E = Event> {
    inner: Mutex<Inner<E>>,
    reader: AtomicWaker,
}

#[derive(Debug)]
struct Inner<E> {
    items: VecDeque<Item<E>>,
    /// What the application took and the rules have not been told of.
    untold: Taken,
    telling: Telling,
    ended: bool,
}

impl<E> Queue<E> {
    pub(crate) fn new(telling: Telling) -> Self {
        let inner = Inner {
            items: VecDeque::new(),
            untold: Taken::default(),
            telling,
            ended: false,
        };
        Self {
            inner: Mutex::new(inner),
            reader: AtomicWaker::new(),
        }
    }

    pub(crate) fn push(&self, item: Item<E>) {
        self.lock().items.push_back(item);
        self.reader.wake();
    }

    /// Nothing follows what is queued.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.reader.wake();
    }

    /// What the application took since the last call.
    pub(crate) fn taken(&self) -> Taken {
        std::mem::take(&mut self.lock().untold)
    }

    pub(crate) fn poll_next(
        &self,
        context: &Context<'_>,
        id: SubscriptionId,
        signals: &Signals,
    ) -> Poll<Option<Item<E>>> {
        // Registered before looking: what is pushed in between wakes the reader.
        self.reader.register(context.waker());
        let mut inner = self.lock();
        let Some(item) = inner.items.pop_front() else {
            return if inner.ended { Poll::Ready(None) } else { Poll::Pending };
        };
        inner.untold.add(item.cost);
        let tell = inner.telling.is_due(inner.untold);
        drop(inner);
        if tell {
            signals.taken(id);
        }
        Poll::Ready(Some(item))
    }

    fn lock(&self) -> MutexGuard<'_, Inner<E>> {
        // Nothing panics while it is held, and what it guards is whole between any two lines.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What subscriptions, watches and entries tell the client's task without waiting for it.
///
/// Bounded by their number: each is named at most once in each list.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    news: Mutex<News>,
    notify: Notify,
}

/// Those that have something to tell.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The application took events from these.
    pub(crate) taken: BTreeSet<SubscriptionId>,
    /// The application dropped these.
    pub(crate) dropped: BTreeSet<SubscriptionId>,
    /// The newest ephemeral state that the application wants these to tell.
    pub(crate) ephemerals: BTreeMap<SubscriptionId, Bytes>,
}

impl Signals {
    pub(crate) fn taken(&self, id: SubscriptionId) {
        self.tell(|news| news.taken.insert(id));
    }

    pub(crate) fn dropped(&self, id: SubscriptionId) {
        self.tell(|news| news.dropped.insert(id));
    }

    pub(crate) fn ephemeral(&self, id: SubscriptionId, state: Bytes) {
        self.tell(|news| news.ephemerals.insert(id, state).is_none());
    }

    /// Waits for news and takes it. Nothing is lost if the wait is given up.
    pub(crate) async fn news(&self) -> News {
        self.notify.notified().await;
        std::mem::take(&mut *self.lock())
    }

    fn tell(&self, tell: impl FnOnce(&mut News) -> bool) {
        if tell(&mut self.lock()) {
            self.notify.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures_util::FutureExt;

    use super::*;
    use crate::SkipReason;
    use crate::credit::Credit;

    const ID: SubscriptionId = SubscriptionId(1);

    fn item(bytes: usize, credit: u32) -> Item {
        let event = Event::Skipped {
            to: 1,
            count: 1,
            reason: SkipReason::Slow,
        };
        Item {
            event,
            cost: Cost {
                bytes,
                credit: Credit {
                    connection: 1,
                    bytes: credit,
                },
            },
            place: None,
        }
    }

    fn poll(queue: &Queue, signals: &Signals) -> Poll<bool> {
        queue
            .poll_next(&Context::from_waker(Waker::noop()), ID, signals)
            .map(|item| item.is_some())
    }

    #[test]
    fn the_rules_hear_once_enough_was_taken() {
        let (queue, signals) = (Queue::new(Telling { events: 3, bytes: 100 }), Signals::default());
        (0..3).for_each(|_| queue.push(item(10, 0)));
        queue.push(item(100, 0));
        queue.push(item(0, 7));

        assert_eq!(poll(&queue, &signals), Poll::Ready(true));
        assert_eq!(poll(&queue, &signals), Poll::Ready(true));
        assert!(
            signals.news().now_or_never().is_none(),
            "two events are not worth waking for"
        );
        assert_eq!(poll(&queue, &signals), Poll::Ready(true));
        let news = signals.news().now_or_never().expect("the third event is");
        assert!(news.taken.contains(&ID));
        let taken = queue.taken();
        assert_eq!((taken.events, taken.bytes), (3, 30));

        assert_eq!(poll(&queue, &signals), Poll::Ready(true));
        assert!(signals.news().now_or_never().is_some(), "many bytes are too");
        assert_eq!(queue.taken().bytes, 100);
        assert_eq!(poll(&queue, &signals), Poll::Ready(true));
        assert!(signals.news().now_or_never().is_some(), "and any page");
        assert_eq!(queue.taken().credit.bytes, 7);
    }

    #[test]
    fn of_ephemeral_states_the_newest_counts() {
        let signals = Signals::default();
        for state in ["1", "2", "3"] {
            signals.ephemeral(ID, state.into());
        }
        let news = signals.news().now_or_never().expect("there is news");
        assert_eq!(news.ephemerals.get(&ID).map(Bytes::as_ref), Some(&b"3"[..]));
        assert!(signals.news().now_or_never().is_none(), "told once");
    }

    #[test]
    fn what_was_queued_before_the_end_is_still_taken() {
        let (queue, signals) = (Queue::new(Telling { events: 9, bytes: 9 }), Signals::default());
        assert_eq!(poll(&queue, &signals), Poll::Pending);
        queue.push(item(1, 0));
        queue.end();
        assert_eq!(poll(&queue, &signals), Poll::Ready(true));
        assert_eq!(poll(&queue, &signals), Poll::Ready(false));
    }
}
