//! Whom a shard tells who is in a channel.

use std::cmp;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use starling_core::presence::watch::View;
use starling_core::session::Place;
use tokio::sync::oneshot;

use crate::session::Mailbox;

/// Names a watcher: the number of its session, 0 for requests over HTTP, and the number of its watch there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatcherId {
    /// The session.
    pub session: u64,
    /// The watch, of all that the session ever began.
    pub watch: u32,
}

/// Who is in a channel at one moment.
#[derive(Debug)]
pub struct Glance {
    /// Who, or how many.
    pub view: View,
    /// It may be old.
    pub is_stale: bool,
}

/// Somebody who watches, and the way to it. Cheap to clone.
#[derive(Clone)]
pub struct Watcher {
    /// Which.
    pub id: WatcherId,
    to: To,
}

#[derive(Clone)]
enum To {
    Session {
        mailbox: Arc<Mailbox>,
        place: Place,
        /// It does not watch any more. Its wish to watch may be on its way still, and comes to nothing then.
        is_over: Arc<AtomicBool>,
    },
    /// A request over HTTP, which looks once.
    Http(Arc<Mutex<Option<oneshot::Sender<Glance>>>>),
}

impl Watcher {
    /// A session that watches a channel at one of its places.
    #[must_use]
    pub fn session(id: WatcherId, mailbox: Arc<Mailbox>, place: Place) -> Self {
        let to = To::Session {
            mailbox,
            place,
            is_over: Arc::default(),
        };
        Self { id, to }
    }

    /// The session is about to say that it watches no more: what it says overtakes a wish that waits for room.
    pub fn give_up(&self) {
        if let To::Session { is_over, .. } = &self.to {
            is_over.store(true, Ordering::Release);
        }
    }

    /// Whether it watches no more.
    pub(super) fn is_over(&self) -> bool {
        matches!(&self.to, To::Session { is_over, .. } if is_over.load(Ordering::Acquire))
    }

    /// A request over HTTP: what is there first goes to the receiver.
    #[must_use]
    pub fn http(watch: u32) -> (Self, oneshot::Receiver<Glance>) {
        let (sender, receiver) = oneshot::channel();
        let to = To::Http(Arc::new(Mutex::new(Some(sender))));
        let id = WatcherId { session: 0, watch };
        (Self { id, to }, receiver)
    }

    /// The session's mailbox, and where it watches.
    pub(super) const fn seat(&self) -> Option<(&Arc<Mailbox>, Place)> {
        match &self.to {
            To::Session { mailbox, place, .. } => Some((mailbox, *place)),
            To::Http(_) => None,
        }
    }

    /// Shows a request over HTTP what is there. A session is shown a board.
    pub(super) fn show(&self, glance: Glance) {
        if let To::Http(sender) = &self.to {
            let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).take();
            let _ = sender.map(|sender| sender.send(glance)); // whoever asked may have gone
        }
    }
}

impl PartialEq for Watcher {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Watcher {}

impl PartialOrd for Watcher {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Watcher {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.id.cmp(&other.id)
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_watch_that_is_overtaken_comes_to_nothing() {
        let id = WatcherId { session: 7, watch: 1 };
        let seat = Watcher::session(id, Arc::default(), Place(0));
        let on_its_way = seat.clone();
        assert!(!on_its_way.is_over());
        seat.give_up();
        assert!(on_its_way.is_over() && on_its_way == seat);
        let again = Watcher::session(id, Arc::default(), Place(0));
        assert!(!again.is_over());
    }
}
