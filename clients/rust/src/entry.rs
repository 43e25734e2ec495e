//! What the application is in a channel with.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use starling_protocol::limits;
use tokio::sync::{oneshot, watch};

use crate::PresenceError;
use crate::client::Handle;
use crate::driver::Command;
use crate::presence::check_state;
use crate::session::SubscriptionId;

/// How long a client tries to enter a channel, or to say something else there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A channel that the client is in.
///
/// It stays in it over reconnects, to any node, until this is dropped; what it says of itself is what it said last. It keeps its
/// client running.
#[derive(Debug)]
pub struct Entry {
    id: SubscriptionId,
    channel: Arc<str>,
    handle: Arc<Handle>,
    ended: watch::Receiver<Option<PresenceError>>,
}

impl Entry {
    pub(crate) fn new(
        id: SubscriptionId,
        channel: Arc<str>,
        handle: Arc<Handle>,
        ended: watch::Receiver<Option<PresenceError>>,
    ) -> Self {
        Self {
            id,
            channel,
            handle,
            ended,
        }
    }

    /// The channel's name.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Says something else of the client, and waits until a node answers for it.
    ///
    /// The newest state counts: one that is not taken when the next comes is left out. Giving up the wait takes nothing back.
    ///
    /// # Errors
    ///
    /// See [`PresenceError`]. Of a state that is refused for good nothing remains: what was said before goes on. After
    /// [`PresenceError::TimedOut`] the state is said once a node can be reached.
    pub async fn update(&self, state: impl Into<Bytes>) -> Result<(), PresenceError> {
        let state = state.into();
        check_state(&state, limits::STATE_BYTES_MAX)?;
        let (done, answer) = oneshot::channel();
        let command = Command::Update {
            id: self.id,
            state,
            done,
        };
        if self.handle.commands.send(command).await.is_err() {
            return Err(self.error());
        }
        answer.await.unwrap_or_else(|_| Err(self.error()))
    }

    /// Says something that is worth nothing when the next has come, such as where a cursor is, to those who watch at that moment.
    ///
    /// It never waits: at most every 33 ms the newest is sent, and none while no node answers for the entry.
    ///
    /// # Errors
    ///
    /// [`PresenceError::StateTooLarge`], above 512 bytes.
    pub fn ephemeral(&self, state: impl Into<Bytes>) -> Result<(), PresenceError> {
        let state = state.into();
        check_state(&state, limits::EPHEMERAL_BYTES_MAX)?;
        self.handle.signals.ephemeral(self.id, state);
        Ok(())
    }

    /// Leaves the channel, and waits until the node has taken it away. Dropping the entry does the same without the wait.
    ///
    /// While there is no connection it does not wait: what was entered ends with the connection, after the grace of the namespace.
    pub async fn leave(self) {
        let (done, left) = oneshot::channel();
        let command = Command::Leave { id: self.id, done };
        if self.handle.commands.send(command).await.is_ok() {
            // Dropped unused if there was nothing to take away.
            let _left = left.await;
        }
    }

    /// Waits until the client is in the channel no more although the application did not leave it: the server refused it for
    /// good, because the token of the moment does not permit it, say, or the client has closed.
    pub async fn ended(&self) -> PresenceError {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or_else(|| self.closed()),
            Err(_) => self.closed(),
        }
    }

    /// Why there is nobody any more who could answer.
    fn error(&self) -> PresenceError {
        self.ended.borrow().clone().unwrap_or_else(|| self.closed())
    }

    fn closed(&self) -> PresenceError {
        PresenceError::Closed(self.handle.close_reason())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.handle.signals.dropped(self.id);
    }
}
