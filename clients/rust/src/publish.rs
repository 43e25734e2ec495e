//! What is published, and what became of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::client::Handle;
use crate::{Position, PublishError};

/// What is published. [`PublishOptions::new`] and [`PublishOptions::keyed`] fill in the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishOptions {
    /// The channel.
    pub channel: String,
    /// The message.
    pub payload: Bytes,
    /// The key, on a keyed channel.
    pub key: Option<String>,
    /// Removes the key; the payload is to be empty.
    pub delete: bool,
    /// How long the client tries.
    ///
    /// A message that was sent and not answered by then is retired with the server before the failure is reported, so
    /// that it cannot appear later; the report waits for that answer, but no longer than the same time again.
    pub timeout: Duration,
}

impl PublishOptions {
    /// A message for a channel.
    #[must_use]
    pub fn new(channel: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        let payload = payload.into();
        Self {
            channel: channel.into(),
            payload,
            key: None,
            delete: false,
            timeout: Duration::from_secs(30),
        }
    }

    /// A value for a key of a keyed channel.
    #[must_use]
    pub fn keyed(channel: impl Into<String>, key: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::new(channel, payload)
        }
    }

    /// The removal of a key of a keyed channel.
    #[must_use]
    pub fn removal(channel: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            delete: true,
            ..Self::keyed(channel, key, Bytes::new())
        }
    }
}

/// A message that the server acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where it stands.
    pub position: Position,
    /// Its number among this client's messages to the channel.
    pub serial: u64,
    /// Nodes that hold it.
    pub copies: u32,
    /// The server knew it already: an earlier acknowledgement was lost on the way.
    pub duplicate: bool,
}

/// A message on its way. Awaiting it gives the outcome; dropping it does not take the message back.
#[derive(Debug)]
#[must_use = "the message is on its way; await this for its outcome"]
pub struct Pending {
    answer: oneshot::Receiver<Result<Published, PublishError>>,
    /// Keeps the client running until the outcome is known.
    handle: Arc<Handle>,
}

impl Pending {
    pub(crate) fn new(answer: oneshot::Receiver<Result<Published, PublishError>>, handle: Arc<Handle>) -> Self {
        Self { answer, handle }
    }
}

impl Future for Pending {
    type Output = Result<Published, PublishError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(context));
        // The sender is dropped unused only if the message came after the client had closed.
        let outcome = answer.unwrap_or_else(|_| {
            Err(PublishError::Closed {
                reason: self.handle.close_reason(),
                sent: false,
            })
        });
        Poll::Ready(outcome)
    }
}
