//! Whom a shard tells who is in a channel.

use std::cmp::Ordering;
use std::fmt;
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
    },
    /// A request over HTTP, which looks once.
    Http(Arc<Mutex<Option<oneshot::Sender<Glance>>>>),
}

impl Watcher {
    /// A session that watches a channel at one of its places.
    #[must_use]
    pub const fn session(id: WatcherId, mailbox: Arc<Mailbox>, place: Place) -> Self {
        let to = To::Session { mailbox, place };
        Self { id, to }
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
            To::Session { mailbox, place } => Some((mailbox, *place)),
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
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Watcher {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}
