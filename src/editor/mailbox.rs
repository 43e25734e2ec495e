//! What documents tell a connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use starling_core::document::message::EditorId;
use starling_core::session::answer::Farewell;
use starling_runtime::wheel::Alarm;

use super::Told;
use crate::node::Dismiss;

/// Bytes that wait for a connection. One that has more waiting is too slow: it is closed, and comes back with a state vector,
/// so that it is sent what it lacks in one piece. What was queued while there was less may go beyond it: a whole document.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub struct Mailbox {
    waker: AtomicWaker,
    rung: AtomicBool,
    queue: Mutex<Queue>,
}

/// What one of a connection's editors is told.
pub type Letter = (EditorId, Arc<Told>);

#[derive(Debug, Default)]
struct Queue {
    told: Vec<Letter>,
    bytes: usize,
    end: Option<End>,
}

/// Why a connection has to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It does not take what it is told.
    Slow,
    /// A document failed at this node. Whoever comes back finds it.
    Lost,
    /// The node, an operator or the application ends it.
    Dismissed(Farewell),
}

impl Mailbox {
    /// Tells one of its editors something.
    pub fn push(&self, editor: EditorId, told: &Arc<Told>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.end.is_some() {
            return;
        }
        if queue.bytes > WAITING_BYTES_MAX {
            (queue.told, queue.bytes, queue.end) = (Vec::new(), 0, Some(End::Slow));
        } else {
            queue.bytes += told.bytes();
            queue.told.push((editor, Arc::clone(told)));
        }
        drop(queue);
        self.waker.wake();
    }

    /// Ends the connection, unless it has been told before.
    pub fn end(&self, end: End) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = queue.end.is_none();
        queue.end.get_or_insert(end);
        drop(queue);
        self.waker.wake();
        is_first
    }

    /// Takes what has come; nothing more comes after an end.
    pub fn poll_take(&self, cx: &Context<'_>) -> Poll<Result<Vec<Letter>, End>> {
        self.waker.register(cx.waker());
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if !queue.told.is_empty() {
            queue.bytes = 0;
            return Poll::Ready(Ok(std::mem::take(&mut queue.told)));
        }
        match &queue.end {
            Some(end) => Poll::Ready(Err(end.clone())),
            None => Poll::Pending,
        }
    }

    /// Has the task woken by whatever comes next.
    pub fn register(&self, cx: &Context<'_>) {
        self.waker.register(cx.waker());
    }

    /// Whether an alarm rang since the last look.
    pub(super) fn take_rung(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }
}

impl Alarm for Mailbox {
    fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Dismiss for Mailbox {
    fn dismiss(&self, farewell: &Farewell) -> bool {
        self.end(End::Dismissed(farewell.clone()))
    }

    /// An editor knows one URL: told to go, it comes back to the same node.
    fn may_move(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytes::Bytes;
    use starling_core::document::gateway::Event;
    use starling_core::session::DocumentId;

    use super::*;

    #[test]
    fn one_that_does_not_take_what_it_is_told_is_ended() {
        let mailbox = Mailbox::default();
        let cx = Context::from_waker(Waker::noop());
        let told = |bytes| Arc::new(Told::new(DocumentId(1), Event::Update(Bytes::from(vec![0; bytes]))));
        assert!(mailbox.poll_take(&cx).is_pending());
        // A whole document, however large, and what comes after it until it is taken.
        mailbox.push(EditorId(1), &told(2 * WAITING_BYTES_MAX));
        let taken = |polled| match polled {
            Poll::Ready(Ok(told)) => Vec::len(&told),
            _ => 0,
        };
        assert_eq!(taken(mailbox.poll_take(&cx)), 1);
        for _ in 0..3 {
            mailbox.push(EditorId(1), &told(WAITING_BYTES_MAX / 2));
        }
        mailbox.push(EditorId(1), &told(1));
        assert_eq!(
            mailbox.poll_take(&cx).map(|taken| taken.map(drop)),
            Poll::Ready(Err(End::Slow))
        );
        assert!(!mailbox.end(End::Lost), "it has been told");
    }
}
