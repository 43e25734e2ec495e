//! A connection with the frames that wait to be written.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use starling_protocol::frame::Encoded;
use tokio::time::{Instant, timeout};

use crate::transport::{Connection, TransportError};

/// Frames that wait to be written.
///
/// The rules bound what they send: publishes in flight (64), attaches (64), and for each channel a detach and a pull.
/// What nothing bounds is how often a server pings without reading the answers: at this many frames the connection
/// counts as broken.
const OUTBOX_FRAMES_MAX: usize = 4096;

/// The time for last words: a round trip on a poor network. A server that takes longer learns of the end from silence.
const PARTING: Duration = Duration::from_secs(1);

/// What came from a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// The body of a frame.
    Frame(Bytes),
    /// The body of a datagram.
    Datagram(Bytes),
}

/// An open connection and its outbox.
pub(super) struct Link {
    connection: Connection,
    outbox: VecDeque<Encoded>,
    unflushed: bool,
    overrun: bool,
}

impl Link {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            outbox: VecDeque::new(),
            unflushed: false,
            overrun: false,
        }
    }

    /// Puts a frame into the outbox. [`next`](Self::next) writes it.
    pub(super) fn send(&mut self, frame: Encoded) {
        if self.outbox.len() < OUTBOX_FRAMES_MAX {
            self.outbox.push_back(frame);
        } else {
            self.overrun = true;
        }
    }

    /// Sends a frame in a datagram, which may get lost; as [`send`](Self::send) does where that cannot be.
    pub(super) fn send_datagram(&mut self, frame: Encoded) {
        let datagrams = self.connection.datagrams.as_mut();
        if !datagrams.is_some_and(|datagrams| datagrams.send(&frame.message())) {
            self.send(frame);
        }
    }

    /// When bytes last came in.
    pub(super) fn heard(&self) -> Instant {
        self.connection.activity.last()
    }

    /// Writes what waits to be written until something comes in. Giving up the wait loses nothing.
    pub(super) async fn next(&mut self) -> Result<Received, TransportError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Writes what is left and closes the connection, as far as there is time.
    pub(super) async fn part(mut self) {
        let parting = async {
            poll_fn(|context| self.poll_write(context)).await?;
            self.connection.outgoing.close().await
        };
        if let Ok(Err(error)) = timeout(PARTING, parting).await {
            tracing::debug!(%error, "the connection ended before it was closed");
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Received, TransportError>> {
        if self.overrun {
            return Poll::Ready(Err(TransportError::Stuck));
        }
        let written = self.poll_write(context);
        // What came before the connection broke is read first: it may say why.
        match self.connection.incoming.as_mut().poll_next(context) {
            Poll::Ready(Some(frame)) => Poll::Ready(frame.map(Received::Frame)),
            Poll::Ready(None) => Poll::Ready(Err(TransportError::Closed {
                code: None,
                reason: String::new(),
            })),
            Poll::Pending => match written {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) | Poll::Pending => {
                    self.poll_datagram(context).map(|body| Ok(Received::Datagram(body)))
                }
            },
        }
    }

    fn poll_datagram(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        match &mut self.connection.datagrams {
            Some(datagrams) => datagrams.poll_receive(context),
            None => Poll::Pending,
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let mut outgoing = self.connection.outgoing.as_mut();
        while !self.outbox.is_empty() {
            ready!(outgoing.as_mut().poll_ready(context))?;
            if let Some(frame) = self.outbox.pop_front() {
                outgoing.as_mut().start_send(frame)?;
                self.unflushed = true;
            }
        }
        if self.unflushed {
            ready!(outgoing.poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
