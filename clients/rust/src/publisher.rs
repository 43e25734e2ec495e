//! The rules of publishing: each message once, in order, however often the connection breaks. No IO, no clock.
//!
//! A client is one publisher. On each channel its messages carry a serial that rises by one, given when a message is
//! first sent; until then a message can still be forgotten without a trace. Once sent, a serial has exactly one
//! result, and the client keeps asking for it:
//!
//! ```text
//!  queued ── first sent ──▶ Publish ──┬─ acknowledged ─────────────────────────▶ published
//!    │                        ▲  │    └─ outcome unknown ──────────────────────▶ unknown
//!    │     lost, gap, refused │  │
//!    │     for now: sent again└──┤
//!    │                           └─ refused for good, or out of time ─▶ Skip ──▶ published after all, or failed
//!    └─ out of time: failed
//! ```
//!
//! Skip retires the serial at the owner, so that the failure can be reported as one: the message cannot appear later.
//! The rules are R10 and R11 of the protocol's reliability notes: the owner takes only the serial after the highest it
//! knows, and, of a publisher it does not know, only the one that the client names as its `base`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use starling_protocol::limits;
use starling_protocol::v1;

use self::line::Line;
use crate::session::{Request, Ticket, Turn, Violation};
use crate::{CloseReason, PublishOptions, Refusal};

mod entry;
mod line;

/// Channels without a publish in flight whose next serial is remembered.
///
/// A client that publishes to thousands of channels forgets the one it used longest ago. That is safe at any number,
/// see [`Publisher::floor`]; this many cost some 400 KiB.
const IDLE_MAX: usize = 4096;

/// The publishes of a client.
#[derive(Debug)]
pub(crate) struct Publisher {
    /// Channels with messages that have no result.
    lines: BTreeMap<Arc<str>, Line>,
    idle: BTreeMap<Arc<str>, Idle>,
    /// First serial on a channel that is not remembered.
    ///
    /// Above every serial of a forgotten channel: an owner that still knows the publisher there asks for the serials
    /// in between, which are skipped, and never takes a new message for an old one.
    floor: u64,
    limits: Limits,
}

/// What is remembered of a channel between publishes.
#[derive(Clone, Copy, Debug)]
struct Idle {
    serial: u64,
    used: Instant,
}

/// What the server takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) payload_bytes: usize,
    pub(crate) in_flight: usize,
}

impl Limits {
    pub(crate) fn from_wire(limits: &v1::Limits) -> Self {
        Self {
            payload_bytes: (limits.frame_bytes as usize).saturating_sub(limits::FRAME_HEADER_BYTES),
            in_flight: limits.publishes_in_flight as usize,
        }
    }
}

impl Publisher {
    pub(crate) fn new() -> Self {
        let limits = Limits {
            payload_bytes: limits::PAYLOAD_BYTES_MAX,
            in_flight: 0,
        };
        Self {
            lines: BTreeMap::new(),
            idle: BTreeMap::new(),
            floor: 1,
            limits,
        }
    }

    /// The application publishes.
    pub(crate) fn enqueue(&mut self, ticket: Ticket, options: PublishOptions, now: Instant) {
        let channel: Arc<str> = options.channel.as_str().into();
        let line = self.lines.entry(Arc::clone(&channel)).or_insert_with(|| {
            let serial = self.idle.remove(&channel).map_or(self.floor, |idle| idle.serial);
            Line::new(channel, serial)
        });
        line.enqueue(ticket, options, now);
    }

    /// A session is open: what was sent before has to be sent again.
    pub(crate) fn connected(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The connection is gone, and with it the answers to what was sent.
    pub(crate) fn disconnected(&mut self) {
        self.limits.in_flight = 0;
        self.lines.values_mut().for_each(Line::disconnected);
    }

    /// Sends what may be sent now.
    pub(crate) fn send(&mut self, turn: &mut Turn<'_>) {
        let in_flight: usize = self.lines.values().map(Line::in_flight).sum();
        let mut room = self.limits.in_flight.saturating_sub(in_flight);
        for line in self.lines.values_mut() {
            line.send(self.limits.payload_bytes, &mut room, turn);
        }
        self.retire(turn.now);
    }

    /// A publish or a skip was answered.
    pub(crate) fn ack(&mut self, channel: &str, frame: v1::Ack, turn: &mut Turn<'_>) -> Result<(), Violation> {
        let Some(line) = self.lines.get_mut(channel) else {
            return Ok(());
        };
        line.ack(frame, turn)
    }

    /// A publish or a skip was refused. `request` tells whether the refusal is of its last sending.
    pub(crate) fn refused(&mut self, channel: &str, serial: u64, error: v1::Error, turn: &mut Turn<'_>) {
        if let Some(line) = self.lines.get_mut(channel) {
            let (request, expected) = (error.request, error.expected_serial);
            line.refused(serial, request, Refusal::from_wire(error), expected, turn);
        }
    }

    /// It is later: what is out of time is given up.
    pub(crate) fn wake(&mut self, turn: &mut Turn<'_>) {
        self.lines.values_mut().for_each(|line| line.wake(turn));
    }

    /// When to wake.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.lines
            .values()
            .filter_map(|line| line.wake_at(self.limits.in_flight > 0))
            .min()
    }

    /// When the oldest publish without an answer was sent.
    pub(crate) fn unanswered(&self) -> Option<Instant> {
        self.lines.values().filter_map(Line::unanswered).min()
    }

    /// Whether every publish has its result.
    pub(crate) fn is_idle(&self) -> bool {
        self.lines.is_empty()
    }

    /// The client closes: nothing more will be known.
    pub(crate) fn close(&mut self, reason: &CloseReason, turn: &mut Turn<'_>) {
        self.lines.values_mut().for_each(|line| line.close(reason, turn));
        self.lines.clear();
    }

    /// Forgets lines that have nothing in flight, but not their serials.
    fn retire(&mut self, now: Instant) {
        for (channel, line) in self.lines.extract_if(.., |_, line| line.is_empty()) {
            self.idle.insert(
                channel,
                Idle {
                    serial: line.next_serial(),
                    used: now,
                },
            );
        }
        while self.idle.len() > IDLE_MAX {
            let oldest = self
                .idle
                .iter()
                .min_by_key(|(_, idle)| idle.used)
                .map(|(channel, _)| Arc::clone(channel));
            let Some(idle) = oldest.and_then(|channel| self.idle.remove(&channel)) else {
                return;
            };
            self.floor = self.floor.max(idle.serial);
        }
    }
}

/// The request of a publish or skip.
fn request(channel: &Arc<str>, serial: u64) -> Request {
    Request::Publish {
        channel: Arc::clone(channel),
        serial,
    }
}

#[cfg(test)]
mod tests;
