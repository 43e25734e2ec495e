//! What the parts of a session share while one input is handled.

use std::time::Instant;

use fastrand::Rng;
use starling_protocol::v1::{self, client_frame};

use super::{Effect, Requests};
use crate::Stats;
use crate::credit::PageCredit;

/// Bytes in the frame of an ephemeral state beside the channel's name and the state, at most: tags, lengths and a number.
const EPHEMERAL_COST: usize = 24;

/// The handling of one input.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) common: &'a mut Common,
}

/// What reading and publishing have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) requests: Requests,
    pub(crate) credit: PageCredit,
    pub(crate) stats: Stats,
    pub(crate) rng: Rng,
    /// The server's clock as of the last frame that carried it, milliseconds since 1970.
    pub(crate) clock_ms: u64,
    /// The longest datagram that the server takes; 0 for none.
    pub(crate) datagram_bytes: usize,
    /// Why there is no session now, if there is a reason yet.
    pub(crate) trouble: Option<String>,
}

impl Turn<'_> {
    pub(crate) fn send(&mut self, frame: impl Into<client_frame::Body>) {
        self.effects.push(Effect::Send(frame.into()));
    }

    /// Sends what may get lost. Whether it may.
    pub(crate) fn send_lossy(&mut self, frame: v1::Ephemeral) -> bool {
        let bytes = EPHEMERAL_COST + frame.channel.len() + frame.state.len();
        let may_get_lost = bytes <= self.common.datagram_bytes;
        self.effects.push(match may_get_lost {
            true => Effect::SendDatagram(frame.into()),
            false => Effect::Send(frame.into()),
        });
        may_get_lost
    }
}

impl Common {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            requests: Requests::default(),
            credit: PageCredit::default(),
            stats: Stats::default(),
            rng: Rng::with_seed(seed),
            clock_ms: 0,
            datagram_bytes: 0,
            trouble: None,
        }
    }

    /// A frame carried the server's clock. Messages of the past carry theirs, so the highest counts.
    pub(crate) fn clock(&mut self, time_ms: u64) {
        self.clock_ms = self.clock_ms.max(time_ms);
    }
}
