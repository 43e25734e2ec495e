//! From the connection to the rules: frame after frame, and when the client is listened to at all.

use std::task::{Context, Poll};

use starling_core::session::Input;
use starling_core::session::request::Request;
use tokio::time::Instant;

use super::task::{ANSWERS_BYTES_MAX, Ending, Task};
use crate::actor::channel;
use crate::transport::{Connection, Ended};
use crate::wire::{self, Rejected};

/// Frames read in one go before others get their turn.
const FRAMES_PER_TURN: usize = 64;

/// Bytes of frames after which others get their turn, too: what they ask for may have to wait for an owner. As long as the
/// longest publish, so a turn takes in at most twice as much.
const BYTES_PER_TURN: usize = 64 * 1024;

const _: () = assert!(
    FRAMES_PER_TURN <= channel::MAILBOX_SIZE as usize,
    "what is read in one go fits a mailbox: who waits for room for all of it gets it"
);

impl<C: Connection> Task<C> {
    /// Reads frames while there are some and there is room for answers, unless the client is listened to later.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        if let Some(at) = self.rules.listens_at().map(Instant::from_std)
            && Instant::now() < at
        {
            self.listen_at(at);
            return Poll::Pending;
        }
        let mut bytes = 0;
        for _ in 0..FRAMES_PER_TURN {
            if bytes >= BYTES_PER_TURN {
                break;
            }
            if self.ending.is_some() {
                return Poll::Pending;
            }
            if self.answers >= ANSWERS_BYTES_MAX {
                self.deaf = true;
                return Poll::Pending;
            }
            if let Some(at) = self.rules.heard_again_at(|| self.services.clock.now().instant) {
                self.look_at(Instant::from_std(at));
                return Poll::Pending;
            }
            match self.connection.poll_receive(cx) {
                Poll::Ready(Ok(body)) => {
                    bytes += body.len();
                    self.received(body);
                }
                Poll::Ready(Err(Ended::Fault(farewell))) => self.handle(Input::Dismiss(farewell)),
                Poll::Ready(Err(Ended::Gone)) => return Poll::Ready(Ending::Gone),
                Poll::Ready(Err(Ended::Closed)) => return Poll::Ready(Ending::Closed),
                Poll::Pending => {
                    self.listened(cx);
                    return Poll::Pending;
                }
            }
        }
        // There may be more: come back after the others.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The client has nothing more to say for now.
    fn listened(&mut self, cx: &Context<'_>) {
        if self.rules.listens_at().is_none() {
            return;
        }
        self.rules.listened(self.services.clock.now().instant);
        match self.rules.listens_at() {
            Some(at) => self.listen_at(Instant::from_std(at)),
            None => {
                self.connection.doze(false);
                // To look again: what came while it dozed has woken nobody.
                cx.waker().wake_by_ref();
            }
        }
    }

    /// Leaves the client alone until then.
    fn listen_at(&mut self, at: Instant) {
        self.connection.doze(true);
        self.look_at(at);
    }

    fn received(&mut self, body: bytes::Bytes) {
        self.services.metrics.received(body.len());
        let namespace = &self.services.config.documents.namespace;
        match wire::request(body, namespace) {
            Ok(request) => self.handle(Input::Received(request)),
            Err(Rejected::Close(farewell)) => self.handle(Input::Dismiss(farewell)),
            Err(Rejected::Refuse { request, code, message }) => {
                if self.rules.is_open() {
                    self.answer(&wire::refused(request, code, &message));
                }
                self.handle(Input::Received(Request::Malformed));
            }
        }
    }
}
