//! Whether the gateway is still there.
//!
//! A connection is lost after silence of one and a half heartbeats, or sooner if something is amiss: the client pings
//! when a publish is unanswered for 1.5 s, and when frames came one after another and then none did for 1.5 s; a ping
//! unanswered for 1 s is taken for loss. A publish that is slow for another reason than a dead gateway costs one ping
//! every 1.5 s, a lull one ping however long it lasts, and a connection on which little happens nothing.

use std::time::{Duration, Instant};

use starling_protocol::limits;
use starling_protocol::v1;

/// A publish without an answer for so long raises suspicion.
///
/// Owners change hands within 1.5 s of a crash; an answer that takes longer is more likely never to come.
const PUBLISH_PATIENCE: Duration = Duration::from_millis(1500);

/// Frames that come closer together than this flow, and a flow that stops for so long raises suspicion.
///
/// What is sent once a second may be half a second late. With the ping's second, half of the five seconds are left in
/// which a reader is to be back after its gateway died.
const LULL: Duration = Duration::from_millis(1500);

/// Frames in a row that are a flow. Fewer are an answer, or something that is sent to everybody now and then, after which
/// all readers would ping at one moment; and so that pings are never more than a quarter of what comes.
const FLOW_FRAMES_MIN: u32 = 4;

/// A ping sent on suspicion is answered within this time, or the connection is given up: three times the round trip
/// of a poor mobile network.
const PING_PATIENCE: Duration = Duration::from_secs(1);

/// Who looks for the answer so much later than it meant to was not running, and may not have read what is there.
const LATE: Duration = Duration::from_millis(250);

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
    flow: Flow,
    /// A ping that was sent on suspicion and is unanswered.
    probe: Option<Probe>,
    /// When the last such ping was answered.
    proved: Option<Instant>,
}

/// Frames that came one after another.
#[derive(Debug)]
struct Flow {
    last: Instant,
    frames: u32,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    nonce: u64,
    since: Instant,
    /// Its time was over when nobody was looking, and it got the same again.
    is_extended: bool,
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
            flow: Flow { last: now, frames: 0 },
            probe: None,
            proved: None,
        }
    }

    /// Bytes came.
    pub(crate) fn heard(&mut self, at: Instant) {
        self.heard = self.heard.max(at);
    }

    /// A frame came that is no pong: pongs come because of pings, and would keep up what they measure.
    pub(crate) fn flowed(&mut self, now: Instant) {
        let goes_on = now.saturating_duration_since(self.flow.last) < LULL;
        let frames = if goes_on { self.flow.frames.saturating_add(1) } else { 1 };
        self.flow = Flow { last: now, frames };
    }

    /// A frame was sent.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    /// A ping was answered. An answer to an older one than was sent on suspicion proves nothing about now.
    pub(crate) fn pong(&mut self, nonce: u64, now: Instant) {
        if self.probe.is_some_and(|probe| nonce >= probe.nonce) {
            self.probe = None;
            self.proved = Some(now);
        }
    }

    /// Judges, with the time at which the oldest publish without an answer was sent.
    pub(crate) fn judge(&mut self, unanswered: Option<Instant>, now: Instant) -> Verdict {
        if now >= self.heard + self.silence {
            return Verdict::Lost("nothing was heard for one and a half heartbeats");
        }
        let end = self.probe_ends();
        if let (Some(probe), Some(end)) = (&mut self.probe, end)
            && now >= end
        {
            if now < end + LATE || probe.is_extended {
                return Verdict::Lost("the node went quiet, and a ping went unanswered");
            }
            (probe.since, probe.is_extended) = (now, true);
        }
        let suspects = self.suspicion(unanswered).is_some_and(|at| now >= at);
        if suspects || now >= self.sent + self.heartbeat {
            self.nonce += 1;
            if suspects {
                self.flow.frames = 0;
                self.probe = Some(Probe {
                    nonce: self.nonce,
                    since: now,
                    is_extended: false,
                });
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

    /// When a ping is due because a publish has no answer, or because what came regularly does not.
    fn suspicion(&self, unanswered: Option<Instant>) -> Option<Instant> {
        if self.probe.is_some() {
            return None;
        }
        let publish = unanswered.map(|since| since.max(self.proved.unwrap_or(since)) + PUBLISH_PATIENCE);
        let lull = (self.flow.frames >= FLOW_FRAMES_MIN).then(|| self.heard + LULL);
        publish.into_iter().chain(lull).min()
    }

    /// When a ping sent on suspicion is given up. Bytes that come after it are a sign of life too: on a slow line the
    /// answer may wait behind a page.
    fn probe_ends(&self) -> Option<Instant> {
        self.probe.map(|probe| probe.since.max(self.heard) + PING_PATIENCE)
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

    /// Frames came every `gap` milliseconds, so many of them: the time of the last.
    fn flow(alive: &mut Liveness, start: Instant, gap: u64, frames: u64) -> u64 {
        for frame in 1..=frames {
            let now = after(start, frame * gap);
            alive.heard(now);
            alive.flowed(now);
            assert_eq!(alive.judge(None, now), Verdict::Alive);
        }
        gap * frames
    }

    #[test]
    fn a_flow_that_stops_costs_a_ping_and_then_the_connection() {
        let start = Instant::now();
        let mut alive = Liveness::new(HEARTBEAT_MS, start);
        let last = flow(&mut alive, start, 1_000, 4);
        assert_eq!(alive.wake_at(None), after(start, last + 1_500));
        assert_eq!(alive.judge(None, after(start, last + 1_499)), Verdict::Alive);
        let ping = alive.judge(None, after(start, last + 1_500));
        assert_eq!(ping, Verdict::Ping(v1::Ping { nonce: 1 }));
        alive.sent(after(start, last + 1_500));
        assert_eq!(alive.wake_at(None), after(start, last + 2_500));
        assert_eq!(alive.judge(None, after(start, last + 2_499)), Verdict::Alive);
        let lost = alive.judge(None, after(start, last + 2_500));
        assert!(matches!(lost, Verdict::Lost(_)), "{lost:?}");
    }

    #[test]
    fn a_lull_costs_one_ping_however_long_it_lasts() {
        let start = Instant::now();
        let mut alive = Liveness::new(HEARTBEAT_MS, start);
        let last = flow(&mut alive, start, 10, 100);
        let asked = after(start, last + 1_500);
        assert!(matches!(alive.judge(None, asked), Verdict::Ping(_)));
        alive.sent(asked);
        let answered = after(start, last + 1_520);
        alive.heard(answered);
        alive.pong(1, answered);
        assert_eq!(
            alive.wake_at(None),
            asked + Duration::from_secs(10),
            "the next is a heartbeat's"
        );
        assert_eq!(alive.judge(None, after(start, last + 11_000)), Verdict::Alive);
        let resumed = after(start, last + 11_000);
        flow(&mut alive, resumed, 10, 4);
        alive.sent(resumed);
        assert_eq!(
            alive.wake_at(None),
            resumed + Duration::from_millis(1_540),
            "the next lull"
        );
    }

    #[test]
    fn what_comes_now_and_then_is_no_flow() {
        for (gap, frames) in [(1_500, 6), (1_000, 3)] {
            let start = Instant::now();
            let mut alive = Liveness::new(HEARTBEAT_MS, start);
            flow(&mut alive, start, gap, frames);
            assert_eq!(
                alive.wake_at(None),
                after(start, 10_000),
                "{frames} frames, every {gap} ms"
            );
        }
    }

    #[test]
    fn bytes_of_a_frame_that_is_not_whole_are_no_lull() {
        let start = Instant::now();
        let mut alive = Liveness::new(HEARTBEAT_MS, start);
        let last = flow(&mut alive, start, 10, 10);
        alive.heard(after(start, last + 1_400));
        assert_eq!(alive.judge(None, after(start, last + 1_500)), Verdict::Alive);
        assert_eq!(alive.wake_at(None), after(start, last + 2_900));
    }

    #[test]
    fn who_was_not_running_looks_again_once() {
        let start = Instant::now();
        let mut alive = Liveness::new(HEARTBEAT_MS, start);
        assert!(matches!(
            alive.judge(Some(start), after(start, 1_500)),
            Verdict::Ping(_)
        ));
        assert_eq!(alive.judge(Some(start), after(start, 6_000)), Verdict::Alive);
        assert_eq!(alive.wake_at(Some(start)), after(start, 7_000));
        let lost = alive.judge(Some(start), after(start, 9_000));
        assert!(matches!(lost, Verdict::Lost(_)), "{lost:?}");
    }
}
