//! The rules of a client: one life over many connections. No IO, no clock, no dice of its own.
//!
//! ```text
//!            ┌── Asking ◀──── token needed ────┐
//!   token    │                                 │
//!            ▼            dialed               │  back-off is over
//!  Start ─▶ Dialing ──────────────▶ Greeting ──┼──▶ Waiting ◀── lost, refused, Goodbye 4500-4599
//!                                      │       │       ▲
//!                              Welcome ▼       └───────┤
//!                                    Open ─────────────┘
//!                                      └──▶ Closed ◀── closed by the application, Goodbye 4400-4499, token denied
//! ```
//!
//! [`Session::handle`] takes one [`Input`] and says what to do as [`Effect`]s; [`Session::wake_at`] says when to call
//! it again with [`Input::Wake`]. `driver.rs` carries out the effects. The parts: `connect.rs` (dialing, tokens, and
//! how connections end), `frames.rs` (what the server sent), `subscriptions.rs` (the channels), `presence.rs` (where the client
//! is and what it watches), and, one level up, `channel.rs`, `publisher.rs` and `roster.rs` with the rules of reading, publishing
//! and watching.

use std::time::{Duration, Instant};

use starling_protocol::close::CloseCode;
use starling_protocol::v1::{self, client_frame};
use url::Url;

use self::connect::TokenSource;
use self::liveness::{Liveness, Verdict};
pub(crate) use self::message::{Effect, Ending, Input, SubscriptionId, Ticket, Violation};
use self::presence::Presence;
pub(crate) use self::requests::{Request, Requests};
use self::subscriptions::Subscriptions;
use self::targets::Targets;
pub(crate) use self::turn::{Common, Turn};
use crate::backoff::Backoff;
use crate::publisher::Publisher;
use crate::token::Token;
use crate::{CloseReason, State, Stats, Transport};

mod connect;
mod frames;
mod liveness;
mod message;
mod presence;
mod requests;
mod routes;
mod subscriptions;
mod targets;
mod turn;

/// The ceiling of the first wait before a reconnect, and the cap of all. With 500 ms the first return is nearly at once;
/// 30 s is as long as a person waits before looking.
const RECONNECT: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

/// How long a client that closes waits for publishes without a result: longer than a change of owner, shorter than a
/// process manager's patience.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// What a session says of itself.
pub(crate) struct Identity {
    /// 128 random bits, kept for the life of the client: they name its publishes.
    pub(crate) publisher: [u8; 16],
    /// 128 random bits, by which it is the same in presence.
    pub(crate) client: [u8; 16],
    pub(crate) agent: String,
    /// Empty for none.
    pub(crate) token: Token,
    /// The application has a token provider.
    pub(crate) has_provider: bool,
}

/// The rules of one client.
pub(crate) struct Session {
    publisher_id: [u8; 16],
    client: [u8; 16],
    agent: String,
    phase: Phase,
    targets: Targets,
    token: TokenSource,
    backoff: Backoff,
    subscriptions: Subscriptions,
    publisher: Publisher,
    presence: Presence,
    common: Common,
    /// The application closed the client: the end of waiting for results.
    closing: Option<Instant>,
}

/// Where a client is on its way to a session.
#[derive(Debug)]
enum Phase {
    /// It was not started.
    New,
    /// Waits for the token provider.
    Asking,
    /// Waits for a connection.
    Dialing,
    /// Hello is sent; Welcome is due.
    Greeting { transport: Transport, deadline: Instant },
    /// The session is open.
    Open(Open),
    /// Waits before it tries again.
    Waiting { until: Instant },
    /// It stopped for good.
    Closed,
}

/// An open session.
#[derive(Debug)]
struct Open {
    since: Instant,
    alive: Liveness,
    /// When to ask for a new token.
    refresh_at: Option<Instant>,
}

impl Session {
    /// The rules of a client of the nodes at `bases`, of which there is one at least.
    pub(crate) fn new(identity: Identity, bases: Vec<Url>, seed: u64) -> Self {
        let Identity {
            publisher,
            client,
            agent,
            token,
            has_provider,
        } = identity;
        Self {
            publisher_id: publisher,
            client,
            agent,
            phase: Phase::New,
            targets: Targets::new(bases),
            token: TokenSource::new(token, has_provider),
            backoff: RECONNECT,
            subscriptions: Subscriptions::default(),
            publisher: Publisher::new(),
            presence: Presence::default(),
            common: Common::new(seed),
            closing: None,
        }
    }

    /// Something happened.
    pub(crate) fn handle(&mut self, input: Input, now: Instant, effects: &mut Vec<Effect>) {
        // What comes after the end is answered by whoever carries out the effects.
        if self.is_closed() {
            return;
        }
        let begun = effects.len();
        let mut turn = Turn {
            now,
            effects,
            common: &mut self.common,
        };
        match input {
            Input::Subscribe { id, channel, options } => self.subscriptions.subscribe(id, channel, options, &mut turn),
            Input::Enter {
                id,
                channel,
                state,
                timeout,
            } => self.presence.enter(id, channel, (state, timeout), &mut turn),
            Input::Update { id, state, timeout } => self.presence.update(id, (state, timeout), &mut turn),
            Input::Ephemeral { id, state } => self.presence.ephemeral(id, state),
            Input::Watch { id, channel, options } => self.presence.watch(id, channel, &options, &mut turn),
            Input::Unsubscribe(id) => {
                self.subscriptions.unsubscribe(id, &mut turn);
                self.presence.dropped(id, &mut turn);
            }
            Input::Taken { id, taken } => {
                self.subscriptions.taken(id, taken, &mut turn);
                self.presence.taken(id, taken, &mut turn);
            }
            Input::Publish { ticket, options } => self.publisher.enqueue(ticket, options, now),
            Input::Start => self.connect(effects),
            Input::Close => self.closing = self.closing.or(Some(now + CLOSE_PATIENCE)),
            Input::Token(token) => self.token_came(token, now, effects),
            Input::Dialed { base, transport, nodes } => self.dialed((base, transport), nodes, now, effects),
            Input::DialFailed(reason) => self.dial_failed(reason, now, effects),
            Input::Frame { frame, bytes } => self.frame(frame, bytes, now, effects),
            Input::Datagram(ephemerals) => self.datagram(ephemerals, now, effects),
            Input::BadFrame(reason) => self.violated(&reason, now, effects),
            Input::Lost(ending) => self.lost(ending, now, effects),
            Input::Wake { heard } => self.wake(heard, now, effects),
        }
        self.settle(now, effects);
        if let Phase::Open(open) = &mut self.phase
            && effects[begun..].iter().any(|effect| matches!(effect, Effect::Send(_)))
        {
            open.alive.sent(now);
        }
    }

    /// When to call with [`Input::Wake`].
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::New | Phase::Asking | Phase::Dialing => None,
            Phase::Greeting { deadline, .. } => Some(*deadline),
            Phase::Open(open) => {
                let beat = open.alive.wake_at(self.publisher.unanswered());
                Some(open.refresh_at.map_or(beat, |refresh| refresh.min(beat)))
            }
            Phase::Waiting { until } => Some(*until),
            Phase::Closed => return None,
        };
        let subscriptions = self.subscriptions.wake_at(self.is_open(), &self.common.credit);
        let presence = self.presence.wake_at(self.is_open());
        [phase, self.closing, self.publisher.wake_at(), subscriptions, presence]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether it stopped for good.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Counts since the start.
    pub(crate) fn stats(&self) -> Stats {
        self.common.stats
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    fn wake(&mut self, heard: Option<Instant>, now: Instant, effects: &mut Vec<Effect>) {
        let mut turn = Turn {
            now,
            effects,
            common: &mut self.common,
        };
        self.subscriptions.wake(&mut turn);
        self.publisher.wake(&mut turn);
        self.presence.wake(&mut turn);
        match &mut self.phase {
            Phase::Greeting { deadline, .. } if now >= *deadline => {
                self.lost(Ending::because("the server did not answer hello in time"), now, effects);
            }
            Phase::Waiting { until } if now >= *until => self.connect(effects),
            Phase::Open(open) => {
                if let Some(heard) = heard {
                    open.alive.heard(heard);
                }
                self.beat(now, effects);
            }
            Phase::New | Phase::Greeting { .. } | Phase::Waiting { .. } => {}
            Phase::Asking | Phase::Dialing | Phase::Closed => {}
        }
    }

    /// Looks after an open session: its token and its heartbeat.
    fn beat(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let Phase::Open(open) = &mut self.phase else { return };
        if open.refresh_at.is_some_and(|at| now >= at) {
            open.refresh_at = None;
            effects.push(self.token.refresh());
        }
        match open.alive.judge(self.publisher.unanswered(), now) {
            Verdict::Alive => {}
            Verdict::Ping(ping) => effects.push(Effect::Send(ping.into())),
            Verdict::Lost(reason) => {
                self.common.stats.silences += 1;
                effects.push(Effect::Send(goodbye(CloseCode::Silent, reason)));
                self.lost(Ending::because(reason), now, effects);
            }
        }
    }

    /// Sends what may be sent now, and closes if nothing else is left to do.
    fn settle(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.is_open() {
            let mut turn = Turn {
                now,
                effects,
                common: &mut self.common,
            };
            self.subscriptions.attach(&mut turn);
            self.publisher.send(&mut turn);
            self.presence.ask(&mut turn);
            if let Some(grant) = turn.common.credit.grant() {
                turn.send(grant);
            }
        }
        if self.closing.is_some_and(|end| now >= end || self.publisher.is_idle()) {
            self.close(CloseReason::Application, now, effects);
        }
    }

    /// Stops for good.
    fn close(&mut self, reason: CloseReason, now: Instant, effects: &mut Vec<Effect>) {
        if self.is_closed() {
            return;
        }
        let mut turn = Turn {
            now,
            effects,
            common: &mut self.common,
        };
        if let Phase::Open(_) = self.phase {
            turn.send(goodbye(CloseCode::Normal, "the client is done"));
        }
        self.publisher.close(&reason, &mut turn);
        self.subscriptions.close(&reason, &mut turn);
        self.presence.close(&reason, &mut turn);
        self.phase = Phase::Closed;
        effects.push(Effect::Hangup);
        effects.push(Effect::State(State::Closed { reason }));
    }
}

/// The last frame of a session.
fn goodbye(code: CloseCode, reason: &str) -> client_frame::Body {
    v1::Goodbye {
        code: code.number().into(),
        reason: reason.into(),
        ..v1::Goodbye::default()
    }
    .into()
}

#[cfg(test)]
mod tests;
