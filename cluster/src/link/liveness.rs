//! Whether a peer lives, decided from when it was heard, when it last heard us, and what its client port says.
//!
//! A node that was starved of its processor has read nothing for a while and would find everybody silent. So a late tick
//! accuses nobody: the time it was late by does not count as silence, and for a moment silence may last longer.
//! A verdict is a hint. What it sets off is safe when it is wrong.

use std::time::{Duration, Instant};

/// Times, all counted from when a peer was last heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeats {
    /// Time between two signs of life.
    pub interval: Duration,
    /// Signs missed before a peer is suspected, and its client port asked.
    pub missed_max: u32,
    /// Silence after which a peer counts as dead although nobody said so.
    pub silence_max: Duration,
}

impl Default for Heartbeats {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(200),
            missed_max: 3,
            silence_max: Duration::from_millis(1_500),
        }
    }
}

/// A tick later than this was starved: it has missed one beat of its own.
const LATE: Duration = Duration::from_millis(200);

/// For how long after a late tick silence may last longer: the next one is likely late as well.
const LENIENT_TIME: Duration = Duration::from_secs(2);

/// How many times longer, at the most.
const LENIENCE_MAX: u32 = 4;

/// What is thought of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// It is linked and heard.
    Up,
    /// It was not heard for some beats, or its link broke.
    Suspect,
    /// It is taken for dead, or was never linked.
    Down,
}

/// Why a peer is taken for dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its client port refuses: the process is gone.
    Refused,
    /// It was silent for too long.
    Silent,
    /// It does not hear us, although we hear it.
    Deaf,
    /// It said that it ends.
    Farewell,
}

/// What its client port says of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probed {
    /// Nobody listens there: the process is gone.
    Refused,
    /// Anything else, which says nothing: the kernel answers for a process that has stopped.
    Unclear,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Ask the client port.
    Probe,
    /// Something else is thought of the peer.
    Now(PeerState, Option<Cause>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Liveness {
    beats: Heartbeats,
    state: PeerState,
    is_linked: bool,
    heard: Instant,
    /// Silence since then that was our own fault.
    excused: Duration,
    /// When the next tick is due.
    due: Instant,
    lenient: Option<(Instant, u32)>,
    probing: bool,
}

impl Liveness {
    /// Of a peer that was never linked.
    pub(super) const fn new(beats: Heartbeats, now: Instant) -> Self {
        Self {
            beats,
            state: PeerState::Down,
            is_linked: false,
            heard: now,
            excused: Duration::ZERO,
            due: now,
            lenient: None,
            probing: false,
        }
    }

    /// A link stands.
    pub(super) fn linked(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.is_linked = true;
        self.hear(now);
        self.due = self.due.max(now);
        self.turn(PeerState::Up, None, out);
    }

    /// The link broke.
    pub(super) fn broken(&mut self, farewell: bool, out: &mut Vec<Effect>) {
        self.is_linked = false;
        match (self.state, farewell) {
            (PeerState::Up | PeerState::Suspect, true) => self.turn(PeerState::Down, Some(Cause::Farewell), out),
            (PeerState::Up, false) => self.suspect(out),
            (PeerState::Suspect, false) | (PeerState::Down, _) => {}
        }
    }

    /// Time has passed. `heard` is when the peer was last heard, `deaf` how long it has not heard us, as it says.
    pub(super) fn tick(&mut self, now: Instant, heard: Instant, deaf: Duration, out: &mut Vec<Effect>) {
        let late = now.saturating_duration_since(self.due);
        self.due = now + self.beats.interval;
        if heard > self.heard {
            self.hear(heard);
        }
        if late > LATE {
            self.excused += late;
            let times = 1 + u32::try_from(late.as_millis() / LATE.as_millis()).unwrap_or(LENIENCE_MAX);
            self.lenient = Some((now + LENIENT_TIME, times.min(LENIENCE_MAX)));
        }
        let lenient = self.lenient.filter(|(until, _)| now < *until);
        let lenience = lenient.map_or(1, |(_, times)| times);
        let suspicion = self.beats.interval * self.beats.missed_max;
        let silence = now.saturating_duration_since(self.heard).saturating_sub(self.excused);
        // It could not hear us while we were starved, and has not heard us since it said so.
        let (worst, cause) = if deaf > suspicion && lenient.is_none() {
            (deaf + silence, Cause::Deaf)
        } else {
            (silence, Cause::Silent)
        };
        let suspicious = worst > suspicion * lenience;
        match (self.state, suspicious) {
            (PeerState::Up, false) | (PeerState::Down, _) => {}
            (PeerState::Up, true) => self.suspect(out),
            (PeerState::Suspect, false) if self.is_linked => self.turn(PeerState::Up, None, out),
            (PeerState::Suspect, _) if worst >= self.beats.silence_max * lenience => {
                self.turn(PeerState::Down, Some(cause), out);
            }
            (PeerState::Suspect, _) => {}
        }
    }

    /// The client port was asked.
    pub(super) fn probed(&mut self, answer: Probed, out: &mut Vec<Effect>) {
        self.probing = false;
        if (self.state, answer) == (PeerState::Suspect, Probed::Refused) {
            self.turn(PeerState::Down, Some(Cause::Refused), out);
        }
    }

    const fn hear(&mut self, at: Instant) {
        self.heard = at;
        self.excused = Duration::ZERO;
    }

    fn suspect(&mut self, out: &mut Vec<Effect>) {
        self.turn(PeerState::Suspect, None, out);
        if !self.probing {
            self.probing = true;
            out.push(Effect::Probe);
        }
    }

    fn turn(&mut self, state: PeerState, cause: Option<Cause>, out: &mut Vec<Effect>) {
        if self.state != state {
            self.state = state;
            out.push(Effect::Now(state, cause));
        }
    }
}

#[cfg(test)]
mod tests;
