//! How a client gets a session, and what it does when it loses one.

use std::time::{Duration, Instant};

use bytes::Bytes;
use starling_protocol::close::{self, CloseCode};
use starling_protocol::{limits, v1, version};
use url::Url;

use super::{Effect, Ending, Open, Phase, Session, goodbye};
use crate::credit::PageCredit;
use crate::publisher;
use crate::session::liveness::Liveness;
use crate::session::{Request, Turn, Violation};
use crate::token::Token;
use crate::{CloseReason, State, TokenError, TokenRequest, Transport};

/// A session that lasted so long was a success: a loss after it is the first again.
///
/// A server that takes every client and drops it soon is not a success, and must not be asked twice a second.
const STEADY: Duration = Duration::from_secs(60);

/// A shorter one makes up for a failure for each time that it lasted this long. So a client whose nodes are replaced one after
/// the other goes on at once each time, and one that is dropped soon asks less and less often.
const MAKES_UP: Duration = Duration::from_secs(5);

/// Between a provider's "not now" and the next question, while the old token still holds.
const REFRESH_RETRY: Duration = Duration::from_secs(5);

/// Where tokens come from, and what became of the last.
#[derive(Debug)]
pub(super) struct TokenSource {
    token: Token,
    has_provider: bool,
    /// Why the next one is asked for.
    why: TokenRequest,
    /// The server did not accept one since the last session. It is asked for another once.
    refused: bool,
}

impl TokenSource {
    pub(super) fn new(token: Token, has_provider: bool) -> Self {
        Self {
            token,
            has_provider,
            why: TokenRequest::First,
            refused: false,
        }
    }

    /// Asks for the token that follows the one in use.
    pub(super) fn refresh(&mut self) -> Effect {
        Effect::AskToken(TokenRequest::Refresh)
    }

    /// The token does not hold any more: whether there may be another.
    fn replace(&mut self) -> bool {
        if self.has_provider {
            self.token = Token::default();
            self.why = TokenRequest::Replace;
        }
        self.has_provider
    }
}

impl Session {
    /// Takes the next step to a session.
    pub(super) fn connect(&mut self, effects: &mut Vec<Effect>) {
        if self.token.has_provider && self.token.token.0.is_empty() {
            self.phase = Phase::Asking;
            effects.push(Effect::AskToken(self.token.why));
            return;
        }
        self.phase = Phase::Dialing;
        effects.push(Effect::Dial(self.targets.next()));
    }

    pub(super) fn token_came(&mut self, token: Result<Token, TokenError>, now: Instant, effects: &mut Vec<Effect>) {
        let token = token.and_then(check);
        match (&mut self.phase, token) {
            (_, Err(TokenError::Denied(reason))) => self.close(CloseReason::Denied(reason), now, effects),
            (Phase::Asking, Err(unavailable)) => self.retry(unavailable.to_string(), (1, None), now, effects),
            (Phase::Open(open), Err(_)) => open.refresh_at = Some(now + REFRESH_RETRY),
            (Phase::Asking, Ok(token)) => {
                self.token.token = token;
                self.connect(effects);
            }
            (Phase::Open(_), Ok(token)) => {
                self.token.token.clone_from(&token);
                let request = self.common.requests.open(Request::Refresh);
                effects.push(Effect::Send(
                    v1::Refresh {
                        request,
                        token: token.0,
                    }
                    .into(),
                ));
            }
            // Asked for in a session that has ended: it serves the next.
            (_, Ok(token)) => self.token.token = token,
            (_, Err(TokenError::Unavailable(_))) => {}
        }
    }

    pub(super) fn dialed(
        &mut self,
        (base, transport): (Url, Transport),
        nodes: Vec<Url>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if !matches!(self.phase, Phase::Dialing) {
            return;
        }
        self.targets.reached(base);
        self.targets.learn(nodes, &mut self.common.rng);
        let hello = v1::Hello {
            version_min: version::VERSION_MIN,
            version_max: version::VERSION_MAX,
            token: self.token.token.0.clone(),
            publisher: Bytes::copy_from_slice(&self.publisher_id),
            agent: self.agent.clone(),
            page_credit: PageCredit::window(),
            client: Bytes::copy_from_slice(&self.client),
            datagrams: transport == Transport::WebTransport,
        };
        effects.push(Effect::Send(hello.into()));
        self.phase = Phase::Greeting {
            transport,
            deadline: now + Duration::from_millis(limits::HELLO_DEADLINE_MS),
        };
    }

    pub(super) fn dial_failed(&mut self, reason: String, now: Instant, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Dialing) {
            self.targets.missed();
            self.retry(reason, (1, None), now, effects);
        }
    }

    /// The server opened the session.
    pub(super) fn welcomed(
        &mut self,
        frame: v1::Welcome,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        let Phase::Greeting { transport, .. } = self.phase else {
            return Err(Violation("a second welcome"));
        };
        if !(version::VERSION_MIN..=version::VERSION_MAX).contains(&frame.version) {
            return Err(Violation("welcome in a protocol version that was not offered"));
        }
        let Some(limits) = &frame.limits else {
            return Err(Violation("welcome without limits"));
        };
        self.publisher.connected(publisher::Limits::from_wire(limits));
        self.common.credit.connected();
        // Not the highest of two nodes' clocks: this one judges what this session publishes.
        self.common.clock_ms = frame.time_ms;
        self.common.datagram_bytes = usize::try_from(frame.datagram_bytes).unwrap_or(usize::MAX);
        self.common.trouble = None;
        self.common.stats.sessions += 1;
        self.token.refused = false;
        let alive = Liveness::new(frame.heartbeat_ms, now);
        self.phase = Phase::Open(Open {
            since: now,
            alive,
            refresh_at: None,
        });
        self.expires(frame.expires_ms, now);
        effects.push(Effect::State(State::Connected {
            transport,
            node: frame.node,
            session: frame.session,
        }));
        Ok(())
    }

    /// Notes when the token expires: a new one is asked for when four fifths of its time are over.
    pub(super) fn expires(&mut self, expires_ms: u64, now: Instant) {
        let has_provider = self.token.has_provider;
        if let Phase::Open(open) = &mut self.phase {
            let left = Duration::from_millis(expires_ms.saturating_sub(self.common.clock_ms)) / 5 * 4;
            open.refresh_at = (has_provider && expires_ms != 0).then(|| crate::clock::later(now, left));
        }
    }

    /// The server did not take the new token.
    pub(super) fn refresh_refused(&mut self) {
        // The session goes on with the old one; when that expires, its end leads to the provider.
        self.token.replace();
    }

    /// What the server sent breaks the rules: goes on with a new connection, and what was missed is replayed.
    pub(super) fn violated(&mut self, reason: &str, now: Instant, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Greeting { .. } | Phase::Open(_)) {
            self.common.stats.violations += 1;
            let mut reason = format!("the server sent {reason}");
            reason.truncate(reason.floor_char_boundary(limits::TEXT_BYTES_MAX));
            effects.push(Effect::Send(goodbye(CloseCode::ProtocolError, &reason)));
            self.lost(Ending::because(&reason), now, effects);
        }
    }

    /// The connection is over.
    pub(super) fn lost(&mut self, ending: Ending, now: Instant, effects: &mut Vec<Effect>) {
        match &self.phase {
            Phase::Open(open) => self.backoff.forgive(made_up(now.saturating_duration_since(open.since))),
            Phase::Greeting { .. } => {}
            Phase::New | Phase::Asking | Phase::Dialing | Phase::Waiting { .. } | Phase::Closed => return,
        }
        self.phase = Phase::Waiting { until: now };
        self.common.requests.forget_all();
        self.subscriptions.disconnected();
        self.publisher.disconnected();
        self.presence.disconnected(&mut Turn {
            now,
            effects,
            common: &mut self.common,
        });
        effects.push(Effect::Hangup);

        let code = ending.code.unwrap_or_default();
        if !self.may_return(code) {
            self.close(
                CloseReason::Server {
                    code,
                    reason: ending.reason,
                },
                now,
                effects,
            );
            return;
        }
        self.targets.hint(&ending.alternates);
        // A node that sends its clients to others does so to a few at a time: once, nobody has to wait by itself.
        let is_sent = !ending.alternates.is_empty() && self.backoff.failures() == 0;
        let share = if is_sent { 0 } else { 1 };
        self.retry(ending.reason, (share, ending.retry_after), now, effects);
    }

    /// Whether a session that ended with this code is followed by another.
    fn may_return(&mut self, code: u16) -> bool {
        match CloseCode::from_u16(code) {
            // With another token, once.
            Some(CloseCode::Unauthorized) => self.token.replace() && !std::mem::replace(&mut self.token.refused, true),
            Some(CloseCode::TokenExpired) => {
                self.token.replace();
                true
            }
            _ => close::returns(code),
        }
    }

    /// Waits before the next attempt: as long as the server asked for, and this share of what the client waits by itself.
    fn retry(
        &mut self,
        reason: String,
        (share, retry_after): (u32, Option<Duration>),
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        self.common.stats.failures += 1;
        let wait = share * self.backoff.next(self.targets.round(), &mut self.common.rng);
        self.phase = Phase::Waiting {
            until: now + wait + retry_after.unwrap_or_default(),
        };
        self.common.trouble = Some(reason.clone());
        effects.push(Effect::State(State::Reconnecting {
            attempt: self.backoff.failures(),
            error: reason,
        }));
    }
}

/// Failures that a session makes up for which lasted so long.
fn made_up(lasted: Duration) -> u32 {
    if lasted >= STEADY {
        return u32::MAX;
    }
    u32::try_from(lasted.as_millis() / MAKES_UP.as_millis()).unwrap_or(u32::MAX)
}

/// What a provider gave, if it can be sent.
fn check(token: Token) -> Result<Token, TokenError> {
    let (bytes, max) = (token.0.len(), limits::TOKEN_BYTES_MAX);
    if bytes > max {
        return Err(TokenError::Denied(format!(
            "the token has {bytes} bytes and the protocol takes {max}"
        )));
    }
    if token.0.is_empty() {
        return Err(TokenError::Unavailable("the provider gave an empty token".into()));
    }
    Ok(token)
}
