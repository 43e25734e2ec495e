//! The handle an application holds.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use starling_protocol::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::channel::room::Room;
use crate::driver::Command;
use crate::presence::{check_channel, check_state};
use crate::queue::{Queue, Signals};
use crate::session::SubscriptionId;
use crate::{
    ClientBuilder, CloseReason, Entry, Pending, PresenceError, PublishError, PublishOptions, Published, State, Stats,
    SubscribeError, SubscribeOptions, Subscription, Watch, WatchOptions,
};

/// A client of a Starling server. Cloning it is cheap and gives another handle to the same client.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<Handle>,
}

/// What every handle to a client shares. The client's task ends when the last is dropped.
pub(crate) struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) signals: Arc<Signals>,
    /// One permit for each publish without an outcome.
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) state: watch::Receiver<State>,
    pub(crate) stats: Arc<Mutex<Stats>>,
    pub(crate) ids: AtomicU64,
}

impl Client {
    /// Starts to make a client of the node at this HTTP base: `http://host:port` or `https://host:port`.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url)
    }

    pub(crate) fn new(handle: Arc<Handle>) -> Self {
        Self { handle }
    }

    /// Subscribes to a channel and waits until it is attached. One subscription per channel and client.
    ///
    /// Giving up the wait takes the subscription back.
    ///
    /// # Errors
    ///
    /// See [`SubscribeError`].
    pub async fn subscribe(
        &self,
        channel: impl Into<String>,
        options: SubscribeOptions,
    ) -> Result<Subscription, SubscribeError> {
        let channel = channel.into();
        let bytes = channel.len();
        if !(1..=limits::CHANNEL_BYTES_MAX).contains(&bytes) {
            return Err(SubscribeError::BadChannelName { bytes });
        }
        let channel: Arc<str> = channel.into();
        let id = self.handle.next_id();
        let queue = Arc::new(Queue::new(
            Room::new(options.queue_events, options.queue_bytes).telling(),
        ));
        let (done, attached) = oneshot::channel();
        let command = Command::Subscribe {
            id,
            channel: Arc::clone(&channel),
            options,
            queue: Arc::clone(&queue),
            done,
        };
        if self.handle.commands.send(command).await.is_err() {
            return Err(SubscribeError::Closed(self.handle.close_reason()));
        }
        // Made before the wait: if that is given up, dropping the subscription takes it back.
        let subscription = Subscription::new(id, channel, queue, Arc::clone(&self.handle));
        match attached.await {
            Ok(Ok(())) => Ok(subscription),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(SubscribeError::Closed(self.handle.close_reason())),
        }
    }

    /// Enters a channel's presence, saying this of the client, and waits until a node answers for it. One entry per channel and
    /// client.
    ///
    /// Who watches sees the client from then on. Giving up the wait takes the entry back.
    ///
    /// # Errors
    ///
    /// See [`PresenceError`].
    pub async fn enter(&self, channel: impl Into<String>, state: impl Into<Bytes>) -> Result<Entry, PresenceError> {
        let (channel, state) = (channel.into(), state.into());
        check_channel(&channel)?;
        check_state(&state, limits::STATE_BYTES_MAX)?;
        let channel: Arc<str> = channel.into();
        let id = self.handle.next_id();
        let (ended, ending) = watch::channel(None);
        let (done, entered) = oneshot::channel();
        let command = Command::Enter {
            id,
            channel: Arc::clone(&channel),
            state,
            ended,
            done,
        };
        if self.handle.commands.send(command).await.is_err() {
            return Err(PresenceError::Closed(self.handle.close_reason()));
        }
        // Made before the wait: if that is given up, dropping the entry takes it back.
        let entry = Entry::new(id, channel, Arc::clone(&self.handle), ending);
        match entered.await {
            Ok(outcome) => outcome.map(|()| entry),
            Err(_) => Err(PresenceError::Closed(self.handle.close_reason())),
        }
    }

    /// Watches who is in a channel, or how many, and waits until a node does so for the client. One watch per channel and client.
    ///
    /// Neither subscribing nor entering is needed for it. Giving up the wait takes the watch back.
    ///
    /// # Errors
    ///
    /// See [`PresenceError`].
    pub async fn watch(&self, channel: impl Into<String>, options: WatchOptions) -> Result<Watch, PresenceError> {
        let channel = channel.into();
        check_channel(&channel)?;
        let channel: Arc<str> = channel.into();
        let id = self.handle.next_id();
        let room = Room::new(options.queue_events, options.queue_bytes);
        let queue = Arc::new(Queue::new(room.telling()));
        let (done, watched) = oneshot::channel();
        let command = Command::Watch {
            id,
            channel: Arc::clone(&channel),
            options,
            queue: Arc::clone(&queue),
            done,
        };
        if self.handle.commands.send(command).await.is_err() {
            return Err(PresenceError::Closed(self.handle.close_reason()));
        }
        // Made before the wait, as above.
        let watch = Watch::new(id, channel, queue, Arc::clone(&self.handle));
        match watched.await {
            Ok(outcome) => outcome.map(|()| watch),
            Err(_) => Err(PresenceError::Closed(self.handle.close_reason())),
        }
    }

    /// Publishes a message and waits for its outcome.
    ///
    /// Messages to one channel are published in the order of the calls. The client keeps trying over reconnects for 30
    /// seconds, and publishes a message once however often it had to be sent.
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub async fn publish(
        &self,
        channel: impl Into<String>,
        payload: impl Into<Bytes>,
    ) -> Result<Published, PublishError> {
        self.publish_with(PublishOptions::new(channel, payload)).await
    }

    /// Publishes a message with a key, a deadline, or both; see [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub async fn publish_with(&self, options: PublishOptions) -> Result<Published, PublishError> {
        self.enqueue_with(options).await?.await
    }

    /// Publishes a message without waiting for its outcome, which the returned future gives.
    ///
    /// Waits only while 64 publishes of this client are without an outcome.
    ///
    /// # Errors
    ///
    /// [`PublishError::Invalid`] and [`PublishError::Closed`]; others come from the returned future.
    pub async fn enqueue(
        &self,
        channel: impl Into<String>,
        payload: impl Into<Bytes>,
    ) -> Result<Pending, PublishError> {
        self.enqueue_with(PublishOptions::new(channel, payload)).await
    }

    /// Publishes a message with a key, a deadline, or both, without waiting for its outcome; see
    /// [`enqueue`](Self::enqueue).
    ///
    /// # Errors
    ///
    /// [`PublishError::Invalid`] and [`PublishError::Closed`]; others come from the returned future.
    pub async fn enqueue_with(&self, options: PublishOptions) -> Result<Pending, PublishError> {
        check(&options)?;
        let closed = || PublishError::Closed {
            reason: self.handle.close_reason(),
            sent: false,
        };
        let permit: OwnedSemaphorePermit = Arc::clone(&self.handle.in_flight)
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        let (done, answer) = oneshot::channel();
        let command = Command::Publish { options, permit, done };
        self.handle.commands.send(command).await.map_err(|_| closed())?;
        Ok(Pending::new(answer, Arc::clone(&self.handle)))
    }

    /// Whether the client is connected, now and from now on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.handle.state.clone()
    }

    /// Waits until the client is connected.
    ///
    /// # Errors
    ///
    /// The reason, if the client stopped for good instead.
    pub async fn connected(&self) -> Result<(), CloseReason> {
        let mut state = self.state();
        let settled = state
            .wait_for(|state| matches!(state, State::Connected { .. } | State::Closed { .. }))
            .await;
        match settled.as_deref() {
            Ok(State::Connected { .. }) => Ok(()),
            Ok(_) | Err(_) => Err(self.handle.close_reason()),
        }
    }

    /// Counts since the client was built.
    #[must_use]
    pub fn stats(&self) -> Stats {
        *self.handle.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits up to 5 seconds for publishes without an outcome, says goodbye, and ends every subscription, watch and entry. Who
    /// watches sees the client leave at once. Safe to call twice.
    pub async fn close(&self) {
        // It fails only if the client has closed already.
        let _closed = self.handle.commands.send(Command::Close).await;
        self.handle.commands.closed().await;
    }
}

impl Handle {
    /// Names a subscription, a watch or an entry.
    fn next_id(&self) -> SubscriptionId {
        SubscriptionId(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Why the client closed. Only asked once it has.
    pub(crate) fn close_reason(&self) -> CloseReason {
        match &*self.state.borrow() {
            State::Closed { reason } => reason.clone(),
            // The runtime was shut down under the client's task: the application's doing, too.
            _ => CloseReason::Application,
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}

/// What needs no server to refuse.
fn check(options: &PublishOptions) -> Result<(), PublishError> {
    let key = options.key.as_deref();
    if !(1..=limits::CHANNEL_BYTES_MAX).contains(&options.channel.len()) {
        return Err(PublishError::Invalid("a channel's name has 1 to 255 bytes"));
    }
    if key.is_some_and(|key| !(1..=limits::KEY_BYTES_MAX).contains(&key.len())) {
        return Err(PublishError::Invalid("a key has 1 to 128 bytes"));
    }
    if options.delete && key.is_none() {
        return Err(PublishError::Invalid("only a key can be removed; name one"));
    }
    if options.delete && !options.payload.is_empty() {
        return Err(PublishError::Invalid("the removal of a key has no payload"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_sent_is_taken() {
        assert_eq!(check(&PublishOptions::new("demo:lobby", "hi")), Ok(()));
        assert_eq!(check(&PublishOptions::keyed("demo:state", "k", "")), Ok(()));
        assert_eq!(check(&PublishOptions::removal("demo:state", "k")), Ok(()));

        let bad = [
            PublishOptions::new("", "hi"),
            PublishOptions::new("c".repeat(limits::CHANNEL_BYTES_MAX + 1), "hi"),
            PublishOptions::keyed("demo:state", "", "v"),
            PublishOptions::keyed("demo:state", "k".repeat(limits::KEY_BYTES_MAX + 1), "v"),
            PublishOptions {
                delete: true,
                ..PublishOptions::new("demo:state", "")
            },
            PublishOptions {
                delete: true,
                ..PublishOptions::keyed("demo:state", "k", "v")
            },
        ];
        for options in bad {
            assert!(matches!(check(&options), Err(PublishError::Invalid(_))), "{options:?}");
        }
    }
}
