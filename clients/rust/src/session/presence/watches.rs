//! The channels that the client watches.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use starling_protocol::v1::{self, ErrorCode};

use super::{ASKED_MAX, RETRY, Waiting, again, tell};
use crate::backoff::Backoff;
use crate::roster::Roster;
use crate::session::routes::{Route, Routes};
use crate::session::{Effect, Request, SubscriptionId, Turn, Violation};
use crate::{CloseReason, PresenceError, Refusal, WatchOptions};

/// The watches of a client.
#[derive(Debug, Default)]
pub(in crate::session) struct Watches {
    /// Boxed, as entries are.
    watches: BTreeMap<SubscriptionId, Box<Watch>>,
    names: HashMap<Arc<str>, SubscriptionId>,
    /// Those that no node watches for.
    unwatched: BTreeSet<SubscriptionId>,
    /// Of this connection. The numbers are others than those of channels that are attached.
    routes: Routes,
}

#[derive(Debug)]
struct Watch {
    channel: Arc<str>,
    count: bool,
    roster: Roster,
    /// It was asked for and is not answered.
    is_asked: bool,
    not_before: Option<Instant>,
    waiting: Option<Waiting>,
    retry: Backoff,
}

impl Watches {
    pub(super) fn watch(&mut self, id: SubscriptionId, channel: Arc<str>, options: &WatchOptions, turn: &mut Turn<'_>) {
        if self.names.contains_key(&channel) {
            return tell(id, Err(PresenceError::AlreadyWatched), turn);
        }
        self.names.insert(Arc::clone(&channel), id);
        self.unwatched.insert(id);
        let watch = Watch {
            channel,
            count: options.count,
            roster: Roster::new(id, options),
            is_asked: false,
            not_before: None,
            waiting: Some(Waiting::new(options.timeout, turn.now)),
            retry: RETRY,
        };
        self.watches.insert(id, Box::new(watch));
    }

    /// The application watches a channel no more, if this is a watch.
    pub(super) fn unwatch(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        let Some(watch) = self.watches.remove(&id) else { return };
        self.routes.leave(id, &watch.channel, turn);
        self.names.remove(&watch.channel);
        self.unwatched.remove(&id);
        turn.effects.push(Effect::Unwatched(id));
    }

    /// What is known of a channel that is watched.
    pub(super) fn roster(&mut self, id: SubscriptionId) -> Option<&mut Roster> {
        self.watches.get_mut(&id).map(|watch| &mut watch.roster)
    }

    /// Whether frames about presence come under this number, or may be on their way.
    pub(in crate::session) fn knows(&self, channel_id: u32) -> bool {
        self.routes.find(channel_id).is_ok()
    }

    /// Whom a frame about presence is for; `None` if the channel is watched no more.
    pub(in crate::session) fn route(&mut self, channel_id: u32) -> Result<Option<&mut Roster>, Violation> {
        let id = self.routes.find(channel_id);
        let id = id.map_err(|_| Violation("presence that nobody asked for"))?;
        Ok(id.and_then(|id| self.roster(id)))
    }

    /// Asks for what can be asked for.
    pub(super) fn ask(&mut self, turn: &mut Turn<'_>) {
        let asked = |id: &&SubscriptionId| self.watches.get(id).is_some_and(|watch| watch.is_asked);
        let mut room = ASKED_MAX.saturating_sub(self.unwatched.iter().filter(asked).count());
        for id in &self.unwatched {
            let Some(watch) = self.watches.get_mut(id) else {
                continue;
            };
            let rests = watch.not_before.is_some_and(|at| turn.now < at);
            let is_ready = room > 0 && !rests && !watch.is_asked;
            if !is_ready || !self.routes.take_place(&watch.channel, *id) {
                continue;
            }
            room -= 1;
            (watch.is_asked, watch.not_before) = (true, None);
            let request = turn.common.requests.open(Request::Watch(*id));
            turn.send(v1::Watch {
                request,
                channel: watch.channel.as_ref().to_owned(),
                count: watch.count,
            });
        }
    }

    pub(super) fn watched(
        &mut self,
        id: SubscriptionId,
        frame: &v1::Watched,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let name: Arc<str> = frame.channel.as_str().into();
        self.routes.attached(id, &name, frame.channel_id)?;
        let Some(watch) = self.watches.get_mut(&id) else {
            self.routes.leave(id, &name, turn);
            return Ok(());
        };
        watch.is_asked = false;
        watch.retry.reset();
        self.unwatched.remove(&id);
        if watch.waiting.take().is_some() {
            tell(id, Ok(()), turn);
        }
        Ok(())
    }

    pub(super) fn refused(&mut self, id: SubscriptionId, refusal: Refusal, turn: &mut Turn<'_>) {
        self.routes.free_place(id);
        self.judge(id, refusal, turn);
    }

    /// The server reports a fault of a channel that is watched. It may be so still: the watch is ended before anything else.
    pub(in crate::session) fn faulted(&mut self, channel_id: u32, refusal: Refusal, turn: &mut Turn<'_>) {
        if let Ok(Some(id)) = self.routes.find(channel_id)
            && let Some(watch) = self.watches.get(&id)
        {
            self.routes.leave(id, &watch.channel, turn);
            self.judge(id, refusal, turn);
        }
    }

    /// The server confirmed that a watch has ended, or ended it by itself.
    pub(in crate::session) fn left(&mut self, channel_id: u32, turn: &mut Turn<'_>) {
        if let Some(Route::To(id)) = self.routes.left(channel_id)
            && let Some(watch) = self.watches.get_mut(&id)
        {
            watch.not_before = Some(turn.now + watch.retry.next(1, &mut turn.common.rng));
            watch.roster.unheard(turn);
            self.unwatched.insert(id);
        }
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self, turn: &mut Turn<'_>) {
        self.routes = Routes::default();
        for (id, watch) in &mut self.watches {
            (watch.is_asked, watch.not_before) = (false, None);
            watch.roster.unheard(turn);
            self.unwatched.insert(*id);
        }
    }

    pub(super) fn wake(&mut self, turn: &mut Turn<'_>) {
        let late = |id: &SubscriptionId| Some((*id, self.watches.get(id)?.waiting.as_ref()?.late(turn)?));
        let late: Vec<_> = self.unwatched.iter().filter_map(late).collect();
        for (id, error) in late {
            self.fail(id, error, turn);
        }
    }

    pub(super) fn wake_at(&self, connected: bool) -> Option<Instant> {
        let due = |id| {
            let watch: &Watch = self.watches.get(id)?;
            let retry = watch.not_before.filter(|_| connected);
            let deadline = watch.waiting.as_ref().map(|waiting| waiting.deadline);
            deadline.into_iter().chain(retry).min()
        };
        self.unwatched.iter().filter_map(due).min()
    }

    pub(super) fn close(&mut self, reason: &CloseReason, turn: &mut Turn<'_>) {
        for (id, mut watch) in std::mem::take(&mut self.watches) {
            let error = PresenceError::Closed(reason.clone());
            if watch.waiting.is_some() {
                tell(id, Err(error), turn);
            } else if *reason != CloseReason::Application {
                watch.roster.fail(error, turn);
            }
            turn.effects.push(Effect::Unwatched(id));
        }
    }

    /// A watch was refused, at first or later.
    fn judge(&mut self, id: SubscriptionId, refusal: Refusal, turn: &mut Turn<'_>) {
        // A gateway that forgot the watch can begin it again.
        if !refusal.is_retryable() && refusal.code() != Some(ErrorCode::NotAttached) {
            return self.fail(id, PresenceError::Refused(refusal), turn);
        }
        let Some(watch) = self.watches.get_mut(&id) else { return };
        watch.is_asked = false;
        watch.not_before = again(&mut watch.retry, &refusal, turn);
        if let Some(waiting) = &mut watch.waiting {
            waiting.blame(&refusal);
        }
        watch.roster.unheard(turn);
        self.unwatched.insert(id);
    }

    /// Ends a watch that cannot go on.
    fn fail(&mut self, id: SubscriptionId, error: PresenceError, turn: &mut Turn<'_>) {
        let Some(watch) = self.watches.get_mut(&id) else { return };
        match watch.waiting.is_some() {
            true => tell(id, Err(error), turn),
            false => watch.roster.fail(error, turn),
        }
        self.unwatch(id, turn);
    }
}
