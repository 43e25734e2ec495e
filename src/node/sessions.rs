//! Who is connected.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;
use starling_core::session::answer::Farewell;
use tokio::sync::Notify;

use crate::session::{Delivery, Mailbox};

/// The sessions of a node, by number.
#[derive(Debug, Default)]
pub struct Sessions {
    mailboxes: DashMap<u64, Weak<Mailbox>>,
    last: AtomicU64,
    left: Notify,
}

impl Sessions {
    /// Adds a session and numbers it.
    pub fn list(&self, mailbox: &Arc<Mailbox>) -> u64 {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.mailboxes.insert(number, Arc::downgrade(mailbox));
        number
    }

    /// Takes a session out that has ended.
    pub fn unlist(&self, number: u64) {
        self.mailboxes.remove(&number);
        self.left.notify_waiters();
    }

    /// Sessions at this moment, those that have not said hello included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mailboxes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mailboxes.is_empty()
    }

    /// Ends every session and waits until they are gone, at most so long.
    pub async fn dismiss(&self, farewell: &Farewell, time_max: Duration) {
        for session in &self.mailboxes {
            if let Some(mailbox) = session.upgrade() {
                mailbox.deliver(Delivery::Dismiss(farewell.clone()));
            }
        }
        let gone = async {
            loop {
                let left = self.left.notified();
                if self.is_empty() {
                    return;
                }
                left.await;
            }
        };
        if tokio::time::timeout(time_max, gone).await.is_err() {
            tracing::warn!(sessions = self.len(), "some clients did not read their goodbye");
        }
    }
}
