//! Whether the gateway is still there.
//!
//! A connection is lost after silence of one and a half heartbeats, or sooner if something is at stake: a publish
//! unanswered for 1.5 s makes the client ping, and a ping unanswered for 1 s is taken for loss. A publish that is slow
//! for another reason than a dead gateway costs one ping every 1.5 s.

use std::time::{Duration, Instant};

use starling_protocol::limits;
use starling_protocol::v1;

/// A publish without an answer for so long raises suspicion.
///
/// Owners change hands within 1.5 s of a crash; an answer that takes longer is more likely never to come.
const PUBLISH_PATIENCE: Duration = Duration::from_millis(1500);

/// A ping sent on suspicion is answered within this time, or the connection is given up: three times the round trip
/// of a poor mobile network.
const PING_PATIENCE: Duration = Duration::from_secs(1);

/// What a look at the clock led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing to do.
    Alive,
    /// A ping is due.
    Ping(v1::Ping),
    /// The connection is lost, and why.
    Lost(&'static str),
}

/// When one connection was heard and used.
#[derive(Debug)]
pub(crate) struct Liveness {
    heartbeat: Duration,
    silence: Duration,
    heard: Instant,
    sent: Instant,
    nonce: u64,
    /// A ping that was sent on suspicion and is unanswered: its nonce, and since when.
    probing: Option<(u64, Instant)>,
    /// When the last such ping was answered.
    proved: Option<Instant>,
}

impl Liveness {
    /// A connection that was opened now, with the server's heartbeat.
    pub(crate) fn new(heartbeat_ms: u32, now: Instant) -> Self {
        Self {
            heartbeat: Duration::from_millis(heartbeat_ms.into()),
            silence: Duration::from_millis(limits::silence_ms(heartbeat_ms)),
            heard: now,
            sent: now,
            nonce: 0,
            probing: None,
            proved: None,
        }
    }

    /// Bytes came.
    pub(crate) fn heard(&mut self, at: Instant) {
        self.heard = self.heard.max(at);
    }

    /// A frame was sent.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    /// A ping was answered. An answer to an older one than was sent on suspicion proves nothing about now.
    pub(crate) fn pong(&mut self, nonce: u64, now: Instant) {
        if self.probing.is_some_and(|(asked, _)| nonce >= asked) {
            self.probing = None;
            self.proved = Some(now);
        }
    }

    /// Judges, with the time at which the oldest publish without an answer was sent.
    pub(crate) fn judge(&mut self, unanswered: Option<Instant>, now: Instant) -> Verdict {
        if now >= self.heard + self.silence {
            return Verdict::Lost("nothing was heard for one and a half heartbeats");
        }
        if self.probe_ends().is_some_and(|end| now >= end) {
            return Verdict::Lost("a publish and then a ping went unanswered");
        }
        let suspects = self.suspicion(unanswered).is_some_and(|at| now >= at);
        if suspects || now >= self.sent + self.heartbeat {
            self.nonce += 1;
            if suspects {
                self.probing = Some((self.nonce, now));
            }
            return Verdict::Ping(v1::Ping { nonce: self.nonce });
        }
        Verdict::Alive
    }

    /// When to judge again.
    pub(crate) fn wake_at(&self, unanswered: Option<Instant>) -> Instant {
        let beat = (self.sent + self.heartbeat).min(self.heard + self.silence);
        let probe = self.probe_ends().or_else(|| self.suspicion(unanswered));
        probe.map_or(beat, |probe| probe.min(beat))
    }

    /// When a ping is due because a publish has no answer.
    fn suspicion(&self, unanswered: Option<Instant>) -> Option<Instant> {
        let since = unanswered.filter(|_| self.probing.is_none())?;
        Some(since.max(self.proved.unwrap_or(since)) + PUBLISH_PATIENCE)
    }

    /// When a ping sent on suspicion is given up. Bytes that come after it are a sign of life too: on a slow line the
    /// answer may wait behind a page.
    fn probe_ends(&self) -> Option<Instant> {
        self.probing.map(|(_, since)| since.max(self.heard) + PING_PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT_MS: u32 = 10_000;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_quiet_side_pings_each_heartbeat() {
        let start = Instant::now();
        let mut alive = Liveness::new(HEARTBEAT_MS, start);
        assert_eq!(alive.wake_at(None), after(start, 10_000));
        assert_eq!(alive.judge(None, after(start, 9_999)), Verdict::Alive);
        assert_eq!(
            alive.judge(None, after(start, 10_000)),
            Verdict::Ping(v1::Ping { nonce: 1 })
        );
        alive.sent(after(start, 10_000));
        alive.heard(after(start, 10_020));
        assert_eq!(alive.wake_at(None), after(start, 20_000));
    }

    #[test]
    fn silence_of_one_and_a_half_heartbeats_is_loss() {
        let start = Instant::now();
        let mut alive = Liveness::new(HEARTBEAT_MS, start);
        alive.sent(after(start, 14_000));
        assert_eq!(alive.wake_at(None), after(start, 15_000));
        assert_eq!(alive.judge(None, after(start, 14_999)), Verdict::Alive);
        assert!(matches!(alive.judge(None, after(start, 15_000)), Verdict::Lost(_)));
        alive.heard(after(start, 1));
        assert_eq!(
            alive.judge(None, after(start, 15_000)),
            Verdict::Alive,
            "any byte counts"
        );
    }

    #[test]
    fn a_publish_without_an_answer_costs_a_ping_and_then_the_connection() {
        let start = Instant::now();
        let mut alive = Liveness::new(HEARTBEAT_MS, start);
        let sent = Some(after(start, 100));
        assert_eq!(alive.wake_at(sent), after(start, 1_600));
        assert_eq!(alive.judge(sent, after(start, 1_599)), Verdict::Alive);
        assert_eq!(
            alive.judge(sent, after(start, 1_600)),
            Verdict::Ping(v1::Ping { nonce: 1 })
        );
        alive.sent(after(start, 1_600));
        assert_eq!(alive.wake_at(sent), after(start, 2_600));
        assert_eq!(alive.judge(sent, after(start, 2_599)), Verdict::Alive);
        assert!(matches!(alive.judge(sent, after(start, 2_600)), Verdict::Lost(_)));
    }

    #[test]
    fn an_answered_ping_buys_the_publish_more_time() {
        let start = Instant::now();
        let mut alive = Liveness::new(HEARTBEAT_MS, start);
        let sent = Some(start);
        assert!(matches!(alive.judge(sent, after(start, 1_500)), Verdict::Ping(_)));
        alive.pong(0, after(start, 1_510));
        assert!(
            matches!(alive.judge(sent, after(start, 2_500)), Verdict::Lost(_)),
            "an older answer proves nothing"
        );
        alive.pong(1, after(start, 1_600));
        assert_eq!(alive.wake_at(sent), after(start, 3_100));
        assert_eq!(
            alive.judge(sent, after(start, 3_100)),
            Verdict::Ping(v1::Ping { nonce: 2 })
        );
    }

    #[test]
    fn bytes_behind_a_ping_are_a_sign_of_life() {
        let start = Instant::now();
        let mut alive = Liveness::new(HEARTBEAT_MS, start);
        assert!(matches!(
            alive.judge(Some(start), after(start, 1_500)),
            Verdict::Ping(_)
        ));
        alive.heard(after(start, 2_400));
        assert_eq!(alive.judge(Some(start), after(start, 2_500)), Verdict::Alive);
        assert!(matches!(
            alive.judge(Some(start), after(start, 3_400)),
            Verdict::Lost(_)
        ));
    }
}
