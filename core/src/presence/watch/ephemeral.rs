//! Ephemeral state: where cursors are.
//!
//! The owner passes it on and keeps nothing. The gateway of those who watch keeps the newest of each client until the
//! next pass, and until it rests: who was told it by a datagram may have missed it, and where a cursor stopped is worth
//! something. After that it keeps no more than its number, by which it knows older ones. Whoever begins to watch sees
//! a cursor when it moves next. What does not fit is dropped: it is worth nothing when the next has come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::turn::{Effect, Event};
use super::{Due, Watch};
use crate::id::{ChannelName, NodeId};
use crate::presence::entry::{Client, ConnectionId};
use crate::presence::message::Ephemeral;

/// Time between two passes: two frames of a screen that shows sixty in a second.
const PASS_EVERY: Duration = Duration::from_millis(33);

/// How long a state that was passed on has to stay the newest before it is told once more. Three passes: a client that moves
/// sends as often as this passes on, and is not to be taken for one at rest because one of them came a little later.
const REST_AFTER: Duration = Duration::from_millis(100);

/// Clients of a channel whose ephemeral state is passed on. With 512 bytes each, a channel keeps half a megabyte at most
/// between two passes; nobody can tell a thousand cursors apart. Those of further clients are dropped.
const CLIENTS_MAX: usize = 1_000;

/// What is kept of a channel.
#[derive(Debug, Default)]
pub(super) struct Ephemerals {
    newest: BTreeMap<Client, Newest>,
    /// Those that came since the last pass.
    waiting: BTreeSet<Client>,
    /// What was passed on within [`REST_AFTER`], by its number, and when it rests. Of each client one for each pass.
    resting: VecDeque<(Instant, Client, u64)>,
    passed_at: Option<Instant>,
}

#[derive(Debug)]
struct Newest {
    /// Numbers count for one connection.
    of: (NodeId, ConnectionId),
    number: u64,
    /// Until it rests.
    state: Option<Ephemeral>,
}

impl Ephemerals {
    /// Keeps it if it is news.
    fn keep(&mut self, client: Client, of: (NodeId, ConnectionId), ephemeral: Ephemeral) -> bool {
        let known = self.newest.get(&client);
        let is_old = known.is_some_and(|known| known.of == of && ephemeral.number <= known.number);
        if is_old || (known.is_none() && self.newest.len() >= CLIENTS_MAX) {
            return false;
        }
        self.waiting.insert(client.clone());
        let newest = Newest {
            of,
            number: ephemeral.number,
            state: Some(ephemeral),
        };
        self.newest.insert(client, newest);
        true
    }

    /// Forgets clients that have left.
    pub(super) fn forget(&mut self, events: &[Event]) {
        for event in events {
            if let Event::Left { client, .. } = event {
                self.newest.remove(client);
                self.waiting.remove(client);
            }
        }
    }
}

impl<W: Ord + Clone> Watch<W> {
    /// A client has sent ephemeral state. It is of one that is shown here, by the connection that is shown, or dropped.
    pub(super) fn ephemeral(
        &mut self,
        name: &ChannelName,
        client: Client,
        of: (NodeId, ConnectionId),
        ephemeral: Ephemeral,
        now: Instant,
    ) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let row = channel.screen.as_ref().and_then(|screen| screen.row(&client));
        let is_shown = row.is_some_and(|row| (&row.gateway, row.connection) == (&of.0, of.1));
        if is_shown && channel.ephemerals.keep(client, of, ephemeral) {
            let at = channel.ephemerals.passed_at.map_or(now, |at| at + PASS_EVERY);
            self.timers.set_by(Due::Pass(name.clone()), at.max(now));
        }
    }

    /// Passes on what came since the last time.
    pub(super) fn pass(&mut self, name: &ChannelName, now: Instant, out: &mut Vec<Effect<W>>) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let Ephemerals {
            newest,
            waiting,
            resting,
            passed_at,
        } = &mut channel.ephemerals;
        *passed_at = Some(now);
        let rests_at = now + REST_AFTER;
        let mut pass = |client: Client| {
            let state = newest.get(&client)?.state.clone()?;
            resting.push_back((rests_at, client.clone(), state.number));
            Some((client, state))
        };
        let states: Vec<_> = std::mem::take(waiting).into_iter().filter_map(&mut pass).collect();
        if !states.is_empty() {
            self.timers.set_by(Due::Rest(name.clone()), rests_at);
            out.push(Effect::Passed {
                channel: name.clone(),
                states,
            });
        }
    }

    /// Tells once more what nothing newer has followed.
    pub(super) fn rest(&mut self, name: &ChannelName, now: Instant, out: &mut Vec<Effect<W>>) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let Ephemerals { newest, resting, .. } = &mut channel.ephemerals;
        let mut states = Vec::new();
        while let Some((_, client, number)) = resting.pop_front_if(|(at, ..)| *at <= now) {
            let newest = newest.get_mut(&client).filter(|newest| newest.number == number);
            states.extend(
                newest
                    .and_then(|newest| newest.state.take())
                    .map(|state| (client, state)),
            );
        }
        if let Some((at, ..)) = resting.front() {
            self.timers.set(Due::Rest(name.clone()), *at);
        }
        if !states.is_empty() {
            out.push(Effect::Rested {
                channel: name.clone(),
                states,
            });
        }
    }
}
