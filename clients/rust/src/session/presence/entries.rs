//! The channels that the client is in.
//!
//! An entry has one state, the newest, and one request at most: what is said while that is unanswered waits for the answer, and
//! the newest of it is what is said next. A state that the server refuses for good takes nothing away: the entry goes on with the
//! last that was taken.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use starling_protocol::v1;

use super::leaving::Leaving;
use super::{ASKED_MAX, RETRY, Waiting, again, tell};
use crate::backoff::Backoff;
use crate::session::{Effect, Request, SubscriptionId, Turn};
use crate::{CloseReason, PresenceError, Refusal};

/// Between two ephemeral states of an entry. What comes faster reaches nobody: those who watch are told as often.
const EPHEMERAL_INTERVAL: Duration = Duration::from_millis(33);

/// How long an ephemeral state that went in a datagram stays the newest before it is said again, by the stream: the datagram may
/// be lost, and where a cursor stops is worth something. Three states that move on without a rest.
const REST: Duration = Duration::from_millis(100);

/// The entries of a client.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Boxed: a map makes room for eleven at once, and most clients have one.
    entries: BTreeMap<SubscriptionId, Box<Entry>>,
    names: HashMap<Arc<str>, SubscriptionId>,
    /// Those whose newest state no node has answered for.
    unsaid: BTreeSet<SubscriptionId>,
    /// Those with an ephemeral state that waits, or that may have been lost.
    speaking: BTreeSet<SubscriptionId>,
    leaving: Leaving,
}

#[derive(Debug)]
struct Entry {
    channel: Arc<str>,
    /// What is to be said.
    state: Bytes,
    /// What a node has taken last, of any connection.
    taken: Option<Bytes>,
    /// What was asked of the node of this connection and is not answered.
    asked: Option<Bytes>,
    /// The node of this connection answers for it.
    is_there: bool,
    not_before: Option<Instant>,
    waiting: Option<Waiting>,
    retry: Backoff,
    ephemeral: Ephemeral,
}

/// What an entry says that is worth nothing when the next has come.
#[derive(Debug, Default)]
struct Ephemeral {
    waits: Option<Bytes>,
    not_before: Option<Instant>,
    number: u64,
    /// The last went in a datagram: what it said, and when it is said again.
    unsure: Option<(Bytes, Instant)>,
}

impl Ephemeral {
    /// When there is something to say.
    fn due(&self) -> Option<Instant> {
        let waits = self.waits.as_ref().and(self.not_before);
        let unsure = self.unsure.as_ref().map(|(_, at)| *at);
        waits.into_iter().chain(unsure).min()
    }
}

impl Entry {
    /// Whether a node has yet to answer for the newest state.
    fn is_unsaid(&self) -> bool {
        !self.is_there || self.taken.as_ref() != Some(&self.state)
    }
}

impl Entries {
    pub(super) fn enter(
        &mut self,
        id: SubscriptionId,
        channel: Arc<str>,
        (state, timeout): (Bytes, Duration),
        turn: &mut Turn<'_>,
    ) {
        if self.names.contains_key(&channel) {
            return tell(id, Err(PresenceError::AlreadyEntered), turn);
        }
        self.leaving.entered_again(&channel, turn);
        self.names.insert(Arc::clone(&channel), id);
        self.unsaid.insert(id);
        let entry = Entry {
            channel,
            state,
            taken: None,
            asked: None,
            is_there: false,
            not_before: None,
            waiting: Some(Waiting::new(timeout, turn.now)),
            retry: RETRY,
            ephemeral: Ephemeral::default(),
        };
        self.entries.insert(id, Box::new(entry));
    }

    pub(super) fn update(&mut self, id: SubscriptionId, (state, timeout): (Bytes, Duration), turn: &mut Turn<'_>) {
        // Of one that has ended the application was told.
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.state = state;
        entry.waiting = Some(Waiting::new(timeout, turn.now));
        self.settle(id, turn);
    }

    pub(super) fn ephemeral(&mut self, id: SubscriptionId, state: Bytes) {
        let is_there = |entry: &&mut Box<Entry>| entry.is_there;
        if let Some(entry) = self.entries.get_mut(&id).filter(is_there) {
            entry.ephemeral.waits = Some(state);
            self.speaking.insert(id);
        }
    }

    /// The application left a channel, if this is an entry.
    pub(super) fn leave(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        if let Some(entry) = self.remove(id) {
            self.take_leave(id, entry, turn);
        }
    }

    /// Sends what can be sent.
    pub(super) fn ask(&mut self, turn: &mut Turn<'_>) {
        self.leaving.ask(turn);
        let asked = |id: &&SubscriptionId| self.entries.get(id).is_some_and(|entry| entry.asked.is_some());
        let mut room = ASKED_MAX.saturating_sub(self.unsaid.iter().filter(asked).count());
        for id in &self.unsaid {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            let rests = entry.not_before.is_some_and(|at| turn.now < at);
            if room == 0 || rests || entry.asked.is_some() {
                continue;
            }
            room -= 1;
            entry.not_before = None;
            entry.asked = Some(entry.state.clone());
            let request = turn.common.requests.open(Request::Enter(*id));
            turn.send(v1::Enter {
                request,
                channel: entry.channel.as_ref().to_owned(),
                state: entry.state.clone(),
            });
        }
    }

    /// Sends the ephemeral states whose time has come.
    pub(super) fn say(&mut self, turn: &mut Turn<'_>) {
        self.speaking.retain(|id| {
            let Some(Entry { channel, ephemeral, .. }) = self.entries.get_mut(id).map(Box::as_mut) else {
                return false;
            };
            let rests = ephemeral.not_before.is_some_and(|at| turn.now < at);
            let say = |state: Bytes, number| v1::Ephemeral {
                channel: channel.as_ref().to_owned(),
                number,
                state,
            };
            if let Some(state) = ephemeral.waits.take_if(|_| !rests) {
                ephemeral.not_before = Some(turn.now + EPHEMERAL_INTERVAL);
                // By the clock, it rises over restarts of a process that keeps its secret.
                ephemeral.number = (ephemeral.number + 1).max(turn.common.clock_ms);
                let may_get_lost = turn.send_lossy(say(state.clone(), ephemeral.number));
                ephemeral.unsure = may_get_lost.then(|| (state, turn.now + REST));
            } else if let Some((state, _)) = ephemeral.unsure.take_if(|(_, at)| *at <= turn.now) {
                turn.send(say(state, ephemeral.number));
            }
            ephemeral.due().is_some()
        });
    }

    pub(super) fn entered(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        // One that is left meanwhile is taken away by what was sent behind.
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.taken = entry.asked.take();
        entry.is_there = true;
        entry.retry.reset();
        self.settle(id, turn);
    }

    pub(super) fn refused(&mut self, id: SubscriptionId, refusal: Refusal, turn: &mut Turn<'_>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let asked = entry.asked.take();
        if refusal.is_retryable() {
            entry.not_before = again(&mut entry.retry, &refusal, turn);
            if let Some(waiting) = &mut entry.waiting {
                waiting.blame(&refusal);
            }
            return;
        }
        if asked.as_ref() != Some(&entry.state) {
            return; // something else is to be said by now
        }
        let error = PresenceError::Refused(refusal);
        match entry.taken.clone() {
            Some(taken) if taken != entry.state => {
                entry.state = taken;
                if entry.waiting.take().is_some() {
                    tell(id, Err(error), turn);
                }
                self.settle(id, turn);
            }
            _ => self.fail(id, error, turn),
        }
    }

    /// The node has taken an entry away that nobody left. What it was asked meanwhile it may take all the same.
    pub(super) fn taken_out(&mut self, channel: &str, refusal: Refusal, turn: &mut Turn<'_>) {
        let Some(id) = self.names.get(channel).copied() else {
            return;
        };
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.is_there = false;
        }
        self.fail(id, PresenceError::Refused(refusal), turn);
    }

    /// The node has taken an entry away.
    pub(super) fn left(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        self.leaving.left(id, turn);
    }

    /// The node has not taken an entry away: for now, or because there is none.
    pub(super) fn not_left(&mut self, id: SubscriptionId, refusal: &Refusal, turn: &mut Turn<'_>) {
        let is_entered = |channel: &str| self.names.contains_key(channel);
        self.leaving.refused(id, refusal, is_entered, turn);
    }

    /// What was entered ends with the connection, and what was left, too.
    pub(super) fn disconnected(&mut self, turn: &mut Turn<'_>) {
        self.leaving.disconnected(turn);
        for (id, entry) in &mut self.entries {
            entry.asked = None;
            entry.is_there = false;
            entry.not_before = None;
            (entry.ephemeral.waits, entry.ephemeral.unsure) = (None, None);
            self.unsaid.insert(*id);
        }
        self.speaking.clear();
    }

    pub(super) fn wake(&mut self, turn: &mut Turn<'_>) {
        let late = |id: &SubscriptionId| Some((*id, self.entries.get(id)?.waiting.as_ref()?.late(turn)?));
        let late: Vec<_> = self.unsaid.iter().filter_map(late).collect();
        for (id, error) in late {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            // Of one that was entered before only the wait is over: its newest state is still to be said.
            entry.waiting = None;
            tell(id, Err(error), turn);
            if entry.taken.is_none() {
                self.leave(id, turn);
            }
        }
    }

    pub(super) fn wake_at(&self, connected: bool) -> Option<Instant> {
        let due = |id| {
            let entry: &Entry = self.entries.get(id)?;
            let retry = entry.not_before.filter(|_| connected);
            let deadline = entry.waiting.as_ref().map(|waiting| waiting.deadline);
            deadline.into_iter().chain(retry).min()
        };
        let speaking = self
            .speaking
            .iter()
            .filter_map(|id| self.entries.get(id)?.ephemeral.due());
        let asked = speaking.chain(self.leaving.wake_at()).filter(|_| connected);
        self.unsaid.iter().filter_map(due).chain(asked).min()
    }

    pub(super) fn close(&mut self, reason: &CloseReason, turn: &mut Turn<'_>) {
        for (id, entry) in std::mem::take(&mut self.entries) {
            let error = PresenceError::Closed(reason.clone());
            if entry.waiting.is_some() {
                tell(id, Err(error.clone()), turn);
            }
            turn.effects.push(Effect::Out { id, error });
        }
        self.leaving.disconnected(turn);
    }

    /// Ends an entry that cannot go on.
    fn fail(&mut self, id: SubscriptionId, error: PresenceError, turn: &mut Turn<'_>) {
        let Some(entry) = self.remove(id) else { return };
        if entry.waiting.is_some() {
            tell(id, Err(error.clone()), turn);
        }
        turn.effects.push(Effect::Out { id, error });
        // A node that refused to change it may still hold it as it was.
        self.take_leave(id, entry, turn);
    }

    /// Has the node take away what it may hold.
    fn take_leave(&mut self, id: SubscriptionId, entry: Box<Entry>, turn: &mut Turn<'_>) {
        if !entry.is_there && entry.asked.is_none() {
            return turn.effects.push(Effect::Left(id));
        }
        self.leaving.begin(id, entry.channel);
    }

    /// Whoever waits for the newest state is told once a node answers for it.
    fn settle(&mut self, id: SubscriptionId, turn: &mut Turn<'_>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.is_unsaid() || entry.asked.is_some() {
            self.unsaid.insert(id);
            return;
        }
        self.unsaid.remove(&id);
        if entry.waiting.take().is_some() {
            tell(id, Ok(()), turn);
        }
    }

    fn remove(&mut self, id: SubscriptionId) -> Option<Box<Entry>> {
        let entry = self.entries.remove(&id)?;
        self.names.remove(&entry.channel);
        self.unsaid.remove(&id);
        self.speaking.remove(&id);
        Some(entry)
    }
}
