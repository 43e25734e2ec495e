//! The channels that the application left, and a node may still have the client in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use starling_protocol::v1;

use super::{RETRY, again};
use crate::Refusal;
use crate::backoff::Backoff;
use crate::session::{Effect, Request, SubscriptionId, Turn};

/// Entries that are to be taken away. Whatever becomes of one, whoever waits for it is told once.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    entries: BTreeMap<SubscriptionId, Entry>,
}

#[derive(Debug)]
struct Entry {
    channel: Arc<str>,
    is_asked: bool,
    not_before: Option<Instant>,
    retry: Backoff,
}

impl Leaving {
    /// An entry is to be taken away.
    pub(super) fn begin(&mut self, id: SubscriptionId, channel: Arc<str>) {
        let entry = Entry {
            channel,
            is_asked: false,
            not_before: None,
            retry: RETRY,
        };
        self.entries.insert(id, entry);
    }

    /// A channel is entered again: a Leave that was not sent yet would take the new entry away.
    pub(super) fn entered_again(&mut self, channel: &str, turn: &mut Turn<'_>) {
        self.entries.retain(|id, entry| {
            let stays = entry.is_asked || &*entry.channel != channel;
            if !stays {
                turn.effects.push(Effect::Left(*id));
            }
            stays
        });
    }

    /// Sends what can be sent.
    pub(super) fn ask(&mut self, turn: &mut Turn<'_>) {
        for (id, entry) in &mut self.entries {
            let rests = entry.not_before.is_some_and(|at| turn.now < at);
            if entry.is_asked || rests {
                continue;
            }
            (entry.is_asked, entry.not_before) = (true, None);
            let request = turn.common.requests.open(Request::Leave(*id));
            let channel = entry.channel.as_ref().to_owned();
            turn.send(v1::Leave { request, channel });
        }
    }

    /// The node has taken an entry away.
    pub(super) fn left(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        if self.entries.remove(&id).is_some() {
            turn.effects.push(Effect::Left(id));
        }
    }

    /// The node has not: for now, or because there is none.
    pub(super) fn refused(
        &mut self,
        id: SubscriptionId,
        refusal: &Refusal,
        is_entered: impl FnOnce(&str) -> bool,
        turn: &mut Turn<'_>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if refusal.is_retryable() && !is_entered(&entry.channel) {
            entry.is_asked = false;
            entry.not_before = again(&mut entry.retry, refusal, turn);
        } else {
            self.left(id, turn);
        }
    }

    /// What was entered ends with the connection.
    pub(super) fn disconnected(&mut self, turn: &mut Turn<'_>) {
        let gone = std::mem::take(&mut self.entries).into_keys();
        turn.effects.extend(gone.map(Effect::Left));
    }

    /// When to ask again.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.entries.values().filter_map(|entry| entry.not_before).min()
    }
}
