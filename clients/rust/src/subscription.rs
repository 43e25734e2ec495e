//! What the application reads a channel from.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use futures_util::stream::FusedStream;

use crate::client::Handle;
use crate::queue::Queue;
use crate::session::SubscriptionId;
use crate::{Event, Position};

/// A subscribed channel: a stream of [`Event`]s that ends when the client is closed.
///
/// Dropping it leaves the channel. It keeps its client running.
#[derive(Debug)]
pub struct Subscription {
    id: SubscriptionId,
    channel: Arc<str>,
    queue: Arc<Queue>,
    handle: Arc<Handle>,
    position: Option<Position>,
    ended: bool,
}

impl Subscription {
    pub(crate) fn new(id: SubscriptionId, channel: Arc<str>, queue: Arc<Queue>, handle: Arc<Handle>) -> Self {
        Self {
            id,
            channel,
            queue,
            handle,
            position: None,
            ended: false,
        }
    }

    /// The channel's name.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Where the last event taken left the reader: to go on from there later, subscribe with
    /// [`From::Position`](crate::From::Position).
    ///
    /// `None` until [`Event::Attached`] was taken. On a keyed channel it stands before the first message until a state
    /// that replaces everything is complete, so that going on from it gives every key.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// The next event; `None` once the subscription has ended. Giving up the wait loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&mut self, context: &Context<'_>) -> Poll<Option<Event>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Some(item) = ready!(self.queue.poll_next(context, self.id, &self.handle.signals)) else {
            self.ended = true;
            return Poll::Ready(None);
        };
        if item.place.is_some() {
            self.position = item.place;
        }
        Poll::Ready(Some(item.event))
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(context)
    }
}

impl FusedStream for Subscription {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.handle.signals.dropped(self.id);
    }
}
