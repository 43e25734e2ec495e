//! The connection of an editor: its frames, its pace, and whether anybody is there.
//!
//! A client that is over its rate is not read until it may be: what an editor has typed must not be lost, so nothing is refused for
//! coming fast. One that does not take what it is told finds its mailbox full. Providers take silence for a lost
//! connection, and browsers cannot be asked to answer a ping of their own protocol, so the node sends something at least
//! every [`SAY_EVERY`], and pings by WebSocket, which every client answers by itself.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use starling_core::rate::{Rate, interval};
use starling_core::session::answer::Farewell;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::mailbox::Letter;
use super::{End, Mailbox};
use crate::actor::registry::Registry;
use crate::transport::tcp::Doze;
use crate::transport::websocket::{WebSocket, codec};
use crate::transport::{Connection as _, Ended};

/// After so long without a frame an editor is sent one: y-websocket 3 gives a connection up after 30 s, Hocuspocus too.
pub(super) const SAY_EVERY: Duration = Duration::from_secs(15);

/// After so long without a byte from it, a client is gone: it was pinged three times. Hocuspocus's own server waits as long.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Bytes queued for the connection beyond which nothing more is taken out of the mailbox.
const QUEUED_BYTES_MAX: usize = 256 * 1024;

/// How long the last frames and the close may take.
const LAST_WORDS_TIME_MAX: Duration = Duration::from_secs(4);

/// What happens on a line.
pub(super) enum Happened {
    /// The client has sent a frame.
    Frame(Bytes),
    /// Documents have told editors something.
    Told(Vec<Letter>),
    /// Time has passed: something may be due.
    Rang,
    /// The line has to end.
    Ends(Ending),
}

/// How a line ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// The client is gone.
    Gone,
    /// The node says so, with the code of a WebSocket's close and a reason.
    Close(u16, String),
}

/// See the module.
pub(super) struct Line<T> {
    socket: WebSocket<T>,
    pub(super) registry: Registry,
    pub(super) mailbox: Arc<Mailbox>,
    rate: Rate,
    interval: Option<Duration>,
    /// When the client was seen to have sent something.
    heard: Instant,
    said: Instant,
    pinged: Instant,
    /// When the connection is looked at next.
    alarm: Option<Instant>,
    /// When something else is due.
    pub(super) due: Option<Instant>,
}

impl<T: AsyncRead + AsyncWrite + Doze + Unpin + Send + 'static> Line<T> {
    pub(super) fn new(mut socket: WebSocket<T>, registry: Registry, mailbox: Arc<Mailbox>, frame_max: usize) -> Self {
        socket.limit_frames(frame_max);
        let rate = registry.services().config.documents.message_rate;
        let now = Instant::now();
        Self {
            socket,
            registry,
            mailbox,
            rate: Rate::default(),
            interval: interval(rate),
            heard: now,
            said: now,
            pinged: now,
            alarm: None,
            due: None,
        }
    }

    /// Queues a frame, its header included.
    pub(super) fn queue(&mut self, frame: Bytes) {
        self.said = Instant::now();
        self.socket.queue_bytes(frame);
    }

    /// Queues a message.
    pub(super) fn say(&mut self, message: &[u8]) {
        self.queue(codec::binary(message));
    }

    /// Whether the client has been told nothing for so long that it might think itself alone.
    pub(super) fn is_quiet(&self) -> bool {
        self.said.elapsed() >= SAY_EVERY
    }

    /// The next thing that happens.
    pub(super) async fn next(&mut self) -> Happened {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        if !self.socket.is_written()
            && let Poll::Ready(Err(_)) = self.socket.poll_flush(cx)
        {
            return Poll::Ready(Happened::Ends(Ending::Gone));
        }
        if self.mailbox.take_rung() {
            self.alarm = None;
            if let Some(ending) = self.look() {
                return Poll::Ready(Happened::Ends(ending));
            }
            self.set_alarm();
            return Poll::Ready(Happened::Rang);
        }
        self.set_alarm();
        if self.socket.queued_bytes() <= QUEUED_BYTES_MAX {
            match self.mailbox.poll_take(cx) {
                Poll::Ready(Ok(told)) => return Poll::Ready(Happened::Told(told)),
                Poll::Ready(Err(end)) => return Poll::Ready(Happened::Ends(ending(end))),
                Poll::Pending => {}
            }
        } else {
            self.mailbox.register(cx);
        }
        let now = Instant::now();
        if let Err(wait) = self.rate.look(now.into_std()) {
            self.wake_at(now + wait);
            return Poll::Pending;
        }
        match self.socket.poll_receive(cx) {
            Poll::Ready(Ok(frame)) => {
                if let Some(interval) = self.interval {
                    self.rate.spend(interval, now.into_std());
                }
                Poll::Ready(Happened::Frame(frame))
            }
            Poll::Ready(Err(Ended::Gone | Ended::Closed)) => Poll::Ready(Happened::Ends(Ending::Gone)),
            Poll::Ready(Err(Ended::Fault(farewell))) => Poll::Ready(Happened::Ends(fault(&farewell))),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether the client is still there; asks it, if it has not said anything for a while.
    fn look(&mut self) -> Option<Ending> {
        let now = Instant::now();
        if self.socket.take_heard() {
            self.heard = now;
        }
        if now - self.heard >= SILENCE_MAX {
            return Some(Ending::Close(
                close::TRY_AGAIN,
                "nothing was heard for a minute".to_owned(),
            ));
        }
        if now - self.heard >= SAY_EVERY && now - self.pinged >= SAY_EVERY {
            self.pinged = now;
            self.socket.queue_bytes(codec::ping());
        }
        None
    }

    fn set_alarm(&mut self) {
        let next = Instant::now() + SAY_EVERY;
        let at = self.due.map_or(next, |due| due.min(next));
        if self.alarm.is_none_or(|set| at < set) {
            self.wake_at(at);
        }
    }

    fn wake_at(&mut self, at: Instant) {
        if self.alarm.is_none_or(|set| at < set) {
            self.alarm = Some(at);
            let mailbox = Arc::clone(&self.mailbox);
            self.registry.services().ring(at, mailbox);
        }
    }

    /// Writes what is queued, and closes.
    pub(super) async fn close(mut self, ending: Ending) {
        let Ending::Close(code, reason) = ending else {
            return;
        };
        let deadline = Instant::now() + LAST_WORDS_TIME_MAX;
        let flushed = std::future::poll_fn(|cx| self.socket.poll_flush(cx));
        if let Ok(Ok(())) = tokio::time::timeout_at(deadline, flushed).await {
            self.socket.close(code, &reason, deadline).await;
        }
    }
}

/// Codes of a WebSocket's close. Those from 4400 to 4499 tell y-websocket since 3.1 not to come back; the names are those of
/// Hocuspocus.
pub(super) mod close {
    /// The node goes away, and others are there.
    pub(in crate::editor) const RESTART: u16 = 1012;
    /// Come back in a while.
    pub(in crate::editor) const TRY_AGAIN: u16 = 1013;
    /// A frame broke a rule of the protocol.
    pub(in crate::editor) const PROTOCOL: u16 = 1002;
    /// A frame is too long.
    pub(in crate::editor) const TOO_LARGE: u16 = 1009;
    /// The node failed.
    pub(in crate::editor) const INTERNAL: u16 = 1011;
    /// The name is none of a document.
    pub(in crate::editor) const BAD_REQUEST: u16 = 4400;
    /// The token is not accepted.
    pub(in crate::editor) const UNAUTHORIZED: u16 = 4401;
    /// The token does not allow it.
    pub(in crate::editor) const FORBIDDEN: u16 = 4403;
    /// No token came in time.
    pub(in crate::editor) const TIMEOUT: u16 = 4408;
}

fn ending(end: End) -> Ending {
    match end {
        End::Slow => Ending::Close(
            close::TRY_AGAIN,
            "the client is too slow; it comes back and syncs".to_owned(),
        ),
        End::Lost => Ending::Close(
            close::INTERNAL,
            "the document failed at this node; come back".to_owned(),
        ),
        End::Dismissed(farewell) => fault(&farewell),
    }
}

/// How a line ends for the reason that a session would.
fn fault(farewell: &Farewell) -> Ending {
    let (_, reason) = crate::wire::farewell(farewell);
    let code = match farewell {
        Farewell::ClientLeft | Farewell::ClientReturns => return Ending::Gone,
        Farewell::FrameTooLarge { .. } => close::TOO_LARGE,
        Farewell::Draining | Farewell::Rebalanced => close::RESTART,
        Farewell::Overloaded | Farewell::Throttled | Farewell::Slow | Farewell::Silent => close::TRY_AGAIN,
        Farewell::Unauthorized(_) | Farewell::TokenExpired => close::UNAUTHORIZED,
        Farewell::Dismissed { returns: false, .. } => close::FORBIDDEN,
        Farewell::Dismissed { returns: true, .. } => close::RESTART,
        Farewell::Internal => close::INTERNAL,
        Farewell::HelloFirst
        | Farewell::HelloTwice
        | Farewell::HelloLate
        | Farewell::BadFrame(_)
        | Farewell::UnsupportedVersion => close::PROTOCOL,
    };
    Ending::Close(code, reason)
}
