//! Whether the other side is there: who was silent for how long.

use std::time::{Duration, Instant};

/// When either side was last active.
#[derive(Debug, Clone, Copy)]
pub(super) struct Liveness {
    /// A frame came.
    heard: Instant,
    /// A frame was written.
    said: Instant,
    /// A ping was sent since the client was last heard.
    asked: bool,
    /// Nothing could be written since: what the client sends is not read either.
    stuck: bool,
}

/// What silence asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing yet.
    Short,
    /// Ask whether the client is there.
    Ask,
    /// The client is gone.
    Gone,
    /// The client does not read what it is sent.
    Stuck,
}

impl Liveness {
    /// Both sides are active.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            heard: now,
            said: now,
            asked: false,
            stuck: false,
        }
    }

    /// A frame came.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.asked = false;
    }

    /// A frame was written.
    pub(super) const fn said(&mut self, now: Instant) {
        self.said = now;
        self.stuck = false;
    }

    /// Nothing can be written.
    pub(super) const fn stuck(&mut self) {
        self.stuck = true;
    }

    /// When silence asks for something next, for a heartbeat and the silence that means loss.
    pub(super) fn due(&self, heartbeat: Duration, silence_max: Duration) -> Instant {
        let active = if self.asked {
            self.said
        } else {
            self.said.min(self.heard)
        };
        (active + heartbeat).min(self.missed_at(silence_max))
    }

    /// When the client counts as gone unless it is heard before, for the silence that means loss.
    pub(super) fn missed_at(&self, silence_max: Duration) -> Instant {
        self.heard + silence_max
    }

    /// What silence asks for now. After [`Silence::Ask`] it does not ask again until somebody was
    /// active, or a heartbeat has passed.
    pub(super) fn look(&mut self, heartbeat: Duration, silence_max: Duration, now: Instant) -> Silence {
        if now < self.due(heartbeat, silence_max) {
            return Silence::Short;
        }
        if now < self.missed_at(silence_max) {
            self.said = now;
            self.asked = true;
            return Silence::Ask;
        }
        if self.stuck { Silence::Stuck } else { Silence::Gone }
    }
}
