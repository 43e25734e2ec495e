//! The subscriptions of a client: which are to be attached, which have failed, and which wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use starling_protocol::v1::{self, ErrorCode};

use super::routes::{Route, Routes};
use super::{Effect, Request, SubscriptionId, Turn, Violation};
use crate::backoff::Backoff;
use crate::channel::room::{Cost, Taken};
use crate::channel::{Attachment, Channel};
use crate::clock::later;
use crate::credit::PageCredit;
use crate::queue::Item;
use crate::{CloseReason, Event, Refusal, SubscribeError, SubscribeOptions};

/// Attaches without an answer at once.
///
/// A client that returns with thousands of channels shall not send thousands of requests in one breath; with 64, a
/// round trip of 20 ms attaches 3,200 a second.
const ATTACHING_MAX: usize = 64;

/// The waits before a channel that was refused for now, or detached by the server, is attached again.
const RETRY: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));

/// How long a subscription may sit on the page credit that others need.
///
/// Longer than an application works on one page, unless it has stopped reading; shorter than a person waits for another
/// channel to load.
const HOARDING_MAX: Duration = Duration::from_secs(1);

/// The least that nothing is attached for after the server said that this client attaches too fast.
///
/// The server names the moment when it would take one more. At a few hundred a second that is milliseconds away, and a
/// client with thousands of channels would be refused nearly as often as it asks; after a quarter of a second it is let
/// in by dozens.
const HOLD_MIN: Duration = Duration::from_millis(250);

/// The subscriptions of a client.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    entries: BTreeMap<SubscriptionId, Entry>,
    names: HashMap<Arc<str>, SubscriptionId>,
    /// Those that are not attached.
    unattached: BTreeSet<SubscriptionId>,
    /// Of this connection.
    routes: Routes,
    /// Nothing is attached before: the server said that it was too much at once.
    hold: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    channel: Channel,
    /// `subscribe` waits for the first attachment.
    waiting: Option<Waiting>,
    retry: Backoff,
}

#[derive(Debug)]
struct Waiting {
    deadline: Instant,
    cause: Option<String>,
}

impl Subscriptions {
    pub(super) fn subscribe(
        &mut self,
        id: SubscriptionId,
        name: Arc<str>,
        options: SubscribeOptions,
        turn: &mut Turn<'_>,
    ) {
        if self.names.contains_key(&name) {
            turn.effects.push(Effect::Subscribed {
                id,
                outcome: Err(SubscribeError::AlreadySubscribed),
            });
            return;
        }
        let waiting = Some(Waiting {
            deadline: later(turn.now, options.timeout),
            cause: None,
        });
        self.names.insert(Arc::clone(&name), id);
        self.unattached.insert(id);
        self.entries.insert(
            id,
            Entry {
                channel: Channel::new(id, name, options, turn.now),
                waiting,
                retry: RETRY,
            },
        );
    }

    /// The application dropped a subscription.
    pub(super) fn unsubscribe(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        self.remove(id, turn);
    }

    pub(super) fn taken(&mut self, id: SubscriptionId, taken: Taken, turn: &mut Turn<'_>) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.channel.taken(taken, turn);
        }
    }

    /// Attaches what can be attached.
    pub(super) fn attach(&mut self, turn: &mut Turn<'_>) {
        self.hold = self.hold.filter(|until| turn.now < *until);
        let is_attaching = |entry: &&Entry| matches!(entry.channel.attachment(), Attachment::Attaching);
        let attaching = self
            .unattached
            .iter()
            .filter_map(|id| self.entries.get(id))
            .filter(is_attaching)
            .count();
        let mut room = match self.hold {
            Some(_) => 0,
            None => ATTACHING_MAX.saturating_sub(attaching),
        };
        for id in &self.unattached {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            entry.channel.rest(turn.now);
            let is_ready = room > 0 && entry.channel.wants_attach();
            if !is_ready || !self.routes.take_place(entry.channel.name(), *id) {
                continue;
            }
            room -= 1;
            let request = turn.common.requests.open(Request::Attach(*id));
            turn.send(entry.channel.attach(request));
        }
    }

    /// The server attached a subscription, which may be gone by now.
    pub(super) fn attached(
        &mut self,
        id: SubscriptionId,
        frame: v1::Attached,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let name: Arc<str> = frame.channel.as_str().into();
        self.routes.attached(id, &name, frame.channel_id)?;
        let Some(entry) = self.entries.get_mut(&id) else {
            self.routes.leave(id, &name, turn);
            return Ok(());
        };
        entry.channel.attached(frame, turn)?;
        entry.retry.reset();
        self.unattached.remove(&id);
        if entry.waiting.take().is_some() {
            turn.effects.push(Effect::Subscribed { id, outcome: Ok(()) });
        }
        Ok(())
    }

    /// The server refused to attach a subscription.
    pub(super) fn refused(&mut self, id: SubscriptionId, refusal: Refusal, turn: &mut Turn<'_>) {
        self.routes.free_place(id);
        if refusal.code() == Some(ErrorCode::RateLimited) {
            return self.held_back(id, &refusal, turn);
        }
        self.judge(id, refusal, turn);
    }

    /// The server reports a fault of a channel that was attached. It may still be: it is left before anything else.
    pub(super) fn faulted(&mut self, channel_id: u32, refusal: Refusal, turn: &mut Turn<'_>) {
        if let Ok(Some(id)) = self.routes.find(channel_id) {
            self.leave(id, turn);
            self.judge(id, refusal, turn);
        }
    }

    /// Messages are lost to a reader. One of a keyed channel asks for the values that changed meanwhile instead.
    pub(super) fn discontinued(&mut self, frame: v1::Discontinuity, turn: &mut Turn<'_>) -> Result<(), Violation> {
        let Some(id) = self.routes.find(frame.channel_id)? else {
            return Ok(());
        };
        let Some(entry) = self.entries.get_mut(&id) else {
            return Ok(());
        };
        if !entry.channel.is_keyed() {
            return entry.channel.discontinuity(frame, turn);
        }
        entry.channel.detached(None);
        self.unattached.insert(id);
        self.leave(id, turn);
        Ok(())
    }

    /// The server confirmed that a channel was left, or left it by itself.
    pub(super) fn left(&mut self, channel_id: u32, turn: &mut Turn<'_>) {
        if let Some(Route::To(id)) = self.routes.left(channel_id) {
            self.detached(id, None, turn);
        }
    }

    /// The channel that a frame is of; `None` if it was left.
    pub(super) fn route(&mut self, channel_id: u32) -> Result<Option<&mut Channel>, Violation> {
        let id = self.routes.find(channel_id)?;
        Ok(id
            .and_then(|id| self.entries.get_mut(&id))
            .map(|entry| &mut entry.channel))
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self) {
        self.routes = Routes::default();
        self.hold = None;
        for (id, entry) in &mut self.entries {
            entry.channel.detached(None);
            self.unattached.insert(*id);
        }
    }

    /// Gives up on what was not attached in time, and has one that is not read share the page credit.
    pub(super) fn wake(&mut self, turn: &mut Turn<'_>) {
        if let Some((id, until)) = self.hoarder(&turn.common.credit)
            && until <= turn.now
            && let Some(entry) = self.entries.get_mut(&id)
        {
            entry.channel.release(turn);
        }
        let cause_of_late = |id: &SubscriptionId| {
            let waiting = self
                .entries
                .get(id)?
                .waiting
                .as_ref()
                .filter(|waiting| turn.now >= waiting.deadline)?;
            Some((*id, turn.common.trouble.clone().or_else(|| waiting.cause.clone())))
        };
        let late: Vec<_> = self.unattached.iter().filter_map(cause_of_late).collect();
        for (id, cause) in late {
            self.fail(id, SubscribeError::TimedOut { cause }, turn);
        }
    }

    /// When to wake: for one that is out of time, or one that sits on the page credit, or, while connected, one that
    /// may be tried again.
    pub(super) fn wake_at(&self, connected: bool, credit: &PageCredit) -> Option<Instant> {
        let due = |entry: &Entry| {
            let retry = entry.channel.not_before().filter(|_| connected);
            entry
                .waiting
                .as_ref()
                .map(|waiting| waiting.deadline)
                .into_iter()
                .chain(retry)
                .min()
        };
        let unattached = self
            .unattached
            .iter()
            .filter_map(|id| self.entries.get(id))
            .filter_map(due);
        let hold = self.hold.filter(|_| connected);
        unattached
            .chain(self.hoarder(credit).map(|(_, until)| until))
            .chain(hold)
            .min()
    }

    /// The subscription that has sat longest on page credit that another needs, and until when it may.
    fn hoarder(&self, credit: &PageCredit) -> Option<(SubscriptionId, Instant)> {
        if credit.covers_a_page() {
            return None;
        }
        let since = |(id, entry): (&SubscriptionId, &Entry)| Some((entry.channel.hoards_since()?, *id));
        let (since, id) = self.entries.iter().filter_map(since).min()?;
        let is_needed = self
            .entries
            .iter()
            .any(|(other, entry)| *other != id && entry.channel.expects_pages());
        is_needed.then(|| (id, since + HOARDING_MAX))
    }

    /// The client closes.
    pub(super) fn close(&mut self, reason: &CloseReason, turn: &mut Turn<'_>) {
        let error = SubscribeError::Closed(reason.clone());
        for (id, entry) in std::mem::take(&mut self.entries) {
            if entry.waiting.is_some() {
                turn.effects.push(Effect::Subscribed {
                    id,
                    outcome: Err(error.clone()),
                });
            } else if *reason != CloseReason::Application {
                turn.effects.push(last_word(id, error.clone()));
            }
            turn.effects.push(Effect::End(id));
        }
    }

    /// A subscription was refused, at first or later.
    fn judge(&mut self, id: SubscriptionId, refusal: Refusal, turn: &mut Turn<'_>) {
        // A gateway that forgot the attachment can make it again.
        if refusal.is_retryable() || refusal.code() == Some(ErrorCode::NotAttached) {
            self.detached(id, Some(&refusal), turn);
        } else {
            self.fail(id, SubscribeError::Refused(refusal), turn);
        }
    }

    /// The server takes attaches more slowly. That is no fault of this channel: all wait together, and none of them
    /// for longer because it was refused more often.
    fn held_back(&mut self, id: SubscriptionId, refusal: &Refusal, turn: &mut Turn<'_>) {
        let until = turn.now + refusal.retry_after.unwrap_or_default().max(HOLD_MIN);
        self.hold = self.hold.max(Some(until));
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.channel.detached(None);
        if let Some(waiting) = &mut entry.waiting {
            waiting.cause = Some(refusal.to_string());
        }
    }

    fn detached(&mut self, id: SubscriptionId, refusal: Option<&Refusal>, turn: &mut Turn<'_>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let at_least = refusal.and_then(|refusal| refusal.retry_after).unwrap_or_default();
        let wait = entry.retry.next(1, &mut turn.common.rng) + at_least;
        entry.channel.detached(Some(turn.now + wait));
        self.unattached.insert(id);
        if let (Some(waiting), Some(refusal)) = (&mut entry.waiting, refusal) {
            waiting.cause = Some(refusal.to_string());
        }
    }

    /// Ends a subscription that cannot go on.
    fn fail(&mut self, id: SubscriptionId, error: SubscribeError, turn: &mut Turn<'_>) {
        let Some(entry) = self.entries.get(&id) else { return };
        if entry.waiting.is_some() {
            turn.effects.push(Effect::Subscribed {
                id,
                outcome: Err(error),
            });
        } else {
            turn.effects.push(last_word(id, error));
        }
        self.remove(id, turn);
    }

    /// Forgets a subscription, and has the server forget it.
    fn remove(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        self.leave(id, turn);
        let Some(entry) = self.entries.remove(&id) else { return };
        // What its queue still holds is not told of any more.
        turn.common.credit.give_back(entry.channel.room().credit());
        self.names.remove(entry.channel.name());
        self.unattached.remove(&id);
        turn.effects.push(Effect::End(id));
    }

    fn leave(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        if let Some(entry) = self.entries.get(&id) {
            self.routes.leave(id, entry.channel.name(), turn);
        }
    }
}

/// The event that ends a subscription. It needs no room: nothing follows it.
fn last_word(to: SubscriptionId, error: SubscribeError) -> Effect {
    Effect::Deliver {
        to,
        item: Item {
            event: Event::Failed(error),
            cost: Cost::default(),
            place: None,
        },
    }
}
