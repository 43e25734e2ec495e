//! Where the client is, and what it watches: what presence asks of a connection.
//!
//! Being in a channel (`entries.rs`) and watching one (`watches.rs`) are apart. Both outlive the connection: on the next, to
//! whichever node, the client enters again with its newest state, and watches again. They ask against one rate of the server's,
//! and so wait together when that is reached.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use starling_protocol::v1::{self, ErrorCode};

use self::entries::Entries;
use self::watches::Watches;
use super::{Effect, Request, SubscriptionId, Turn, Violation};
use crate::backoff::Backoff;
use crate::channel::room::Taken;
use crate::{CloseReason, PresenceError, Refusal, WatchOptions};

mod entries;
mod leaving;
mod watches;

/// Requests without an answer at once, to enter, and to watch: of both together about what a server takes in one breath.
const ASKED_MAX: usize = 32;

/// The waits before what was refused for now is asked again.
const RETRY: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));

/// The least that nothing is asked for after the server said that this client asks too fast: see the same of attaches.
const HOLD_MIN: Duration = Duration::from_millis(250);

/// The presence of a client.
#[derive(Debug, Default)]
pub(super) struct Presence {
    entries: Entries,
    watches: Watches,
    /// Nothing is asked for before: the server said that it was too much at once.
    hold: Option<Instant>,
}

/// Somebody in the application waits for the answer of a node.
#[derive(Debug)]
struct Waiting {
    deadline: Instant,
    cause: Option<String>,
}

impl Presence {
    /// The application enters a channel, under this id.
    pub(super) fn enter(
        &mut self,
        id: SubscriptionId,
        channel: Arc<str>,
        (state, timeout): (Bytes, Duration),
        turn: &mut Turn<'_>,
    ) {
        self.entries.enter(id, channel, (state, timeout), turn);
    }

    /// The application says something else of itself.
    pub(super) fn update(&mut self, id: SubscriptionId, (state, timeout): (Bytes, Duration), turn: &mut Turn<'_>) {
        self.entries.update(id, (state, timeout), turn);
    }

    /// The application said something that is worth nothing when the next has come.
    pub(super) fn ephemeral(&mut self, id: SubscriptionId, state: Bytes) {
        self.entries.ephemeral(id, state);
    }

    /// The application watches a channel.
    pub(super) fn watch(&mut self, id: SubscriptionId, channel: Arc<str>, options: &WatchOptions, turn: &mut Turn<'_>) {
        self.watches.watch(id, channel, options, turn);
    }

    /// The application leaves a channel, or watches one no more, or this is neither.
    pub(super) fn dropped(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        self.entries.leave(id, turn);
        self.watches.unwatch(id, turn);
    }

    /// The application took events of a watch, or this is none.
    pub(super) fn taken(&mut self, id: SubscriptionId, taken: Taken, turn: &mut Turn<'_>) {
        if let Some(roster) = self.watches.roster(id) {
            roster.taken(taken, turn);
        }
    }

    /// Asks for what can be asked for.
    pub(super) fn ask(&mut self, turn: &mut Turn<'_>) {
        self.hold = self.hold.filter(|until| turn.now < *until);
        if self.hold.is_none() {
            self.entries.ask(turn);
            self.watches.ask(turn);
        }
        self.entries.say(turn);
    }

    /// A node answers for an entry.
    pub(super) fn entered(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        self.entries.entered(id, turn);
    }

    /// A node has taken an entry away.
    pub(super) fn left(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        self.entries.left(id, turn);
    }

    /// A node has taken an entry away that nobody left.
    pub(super) fn taken_out(&mut self, channel: &str, refusal: Refusal, turn: &mut Turn<'_>) {
        self.entries.taken_out(channel, refusal, turn);
    }

    /// A node watches for the client.
    pub(super) fn watched(
        &mut self,
        id: SubscriptionId,
        frame: &v1::Watched,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        self.watches.watched(id, frame, turn)
    }

    /// The server refused a request to enter, leave or watch.
    pub(super) fn refused(&mut self, request: Request, refusal: Refusal, turn: &mut Turn<'_>) {
        if refusal.code() == Some(ErrorCode::RateLimited) {
            let until = turn.now + refusal.retry_after.unwrap_or_default().max(HOLD_MIN);
            self.hold = self.hold.max(Some(until));
        }
        match request {
            Request::Enter(id) => self.entries.refused(id, refusal, turn),
            Request::Leave(id) => self.entries.not_left(id, &refusal, turn),
            Request::Watch(id) => self.watches.refused(id, refusal, turn),
            Request::Attach(_) | Request::Detach(_) | Request::Publish { .. } | Request::Refresh => {}
        }
    }

    /// The watches, for frames of what is watched.
    pub(super) fn watches(&mut self) -> &mut Watches {
        &mut self.watches
    }

    /// The connection is gone. What was entered ends with it.
    pub(super) fn disconnected(&mut self, turn: &mut Turn<'_>) {
        self.hold = None;
        self.entries.disconnected(turn);
        self.watches.disconnected(turn);
    }

    /// Gives up on what no node answered for in time.
    pub(super) fn wake(&mut self, turn: &mut Turn<'_>) {
        self.entries.wake(turn);
        self.watches.wake(turn);
    }

    /// When to wake.
    pub(super) fn wake_at(&self, connected: bool) -> Option<Instant> {
        let hold = self.hold.filter(|_| connected);
        let parts = [hold, self.entries.wake_at(connected), self.watches.wake_at(connected)];
        parts.into_iter().flatten().min()
    }

    /// The client closes.
    pub(super) fn close(&mut self, reason: &CloseReason, turn: &mut Turn<'_>) {
        self.entries.close(reason, turn);
        self.watches.close(reason, turn);
    }
}

impl Waiting {
    fn new(timeout: Duration, now: Instant) -> Self {
        Self {
            deadline: crate::clock::later(now, timeout),
            cause: None,
        }
    }

    /// The error of one that is out of time; `None` if there is time left.
    fn late(&self, turn: &Turn<'_>) -> Option<PresenceError> {
        let cause = || turn.common.trouble.clone().or_else(|| self.cause.clone());
        (turn.now >= self.deadline).then(|| PresenceError::TimedOut { cause: cause() })
    }

    /// Notes what stands in the way.
    fn blame(&mut self, refusal: &Refusal) {
        self.cause = Some(refusal.to_string());
    }
}

/// When to ask again for what was refused for now. A rate that was reached is no fault of what was asked for: all wait for it
/// together, and none for longer because it was refused more often.
fn again(retry: &mut Backoff, refusal: &Refusal, turn: &mut Turn<'_>) -> Option<Instant> {
    if refusal.code() == Some(ErrorCode::RateLimited) {
        return None;
    }
    let wait = retry.next(1, &mut turn.common.rng);
    Some(turn.now + wait + refusal.retry_after.unwrap_or_default())
}

/// Tells who waits in the application.
fn tell(id: SubscriptionId, outcome: Result<(), PresenceError>, turn: &mut Turn<'_>) {
    turn.effects.push(Effect::Present { id, outcome });
}
