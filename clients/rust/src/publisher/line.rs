//! The messages of a client to one channel.
//!
//! Entries are sent in the order of their serials. An entry that has to be sent again goes before all that were not
//! sent yet; those after it that are in flight already will be refused with a gap, and follow then.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use starling_protocol::v1::{self, ErrorCode};

use super::entry::{Entry, Queued, Sent, What};
use super::request;
use crate::backoff::Backoff;
use crate::session::{Ticket, Turn, Violation};
use crate::{CloseReason, Position, PublishError, PublishOptions, Published, Refusal};

/// The waits after refusals that say to try again: from a tenth of a second, about the time to replace a replica, to
/// one second, beside what the refusal itself asks for: a channel that changes its owner is back within three.
const RETRY: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));

/// Gaps in a row after which an entry waits before it is sent again.
///
/// A gap is the normal answer to what was in flight behind a refused serial, and comes once or twice. More often means
/// that two views of this publisher do not agree; then haste helps nobody.
const GAPS_MAX: u32 = 3;

/// Serials that are skipped at a time because the owner asked for them and no message is left.
const GHOSTS_MAX: u64 = 64;

#[derive(Debug)]
pub(super) struct Line {
    channel: Arc<str>,
    /// The serial of the next message that is sent for the first time.
    serial: u64,
    /// By serial.
    entries: VecDeque<Entry>,
    queued: VecDeque<Queued>,
    /// Nothing is sent before.
    hold: Option<Instant>,
    retry: Backoff,
}

impl Line {
    pub(super) fn new(channel: Arc<str>, serial: u64) -> Self {
        let (entries, queued) = (VecDeque::new(), VecDeque::new());
        Self {
            channel,
            serial,
            entries,
            queued,
            hold: None,
            retry: RETRY,
        }
    }

    pub(super) fn enqueue(&mut self, ticket: Ticket, options: PublishOptions, now: Instant) {
        self.queued.push_back(Queued::new(ticket, options, now));
    }

    pub(super) fn disconnected(&mut self) {
        for entry in &mut self.entries {
            (entry.sent, entry.gaps) = (None, 0);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.queued.is_empty()
    }

    pub(super) fn next_serial(&self) -> u64 {
        self.serial
    }

    pub(super) fn in_flight(&self) -> usize {
        self.entries.iter().filter(|entry| entry.sent.is_some()).count()
    }

    pub(super) fn unanswered(&self) -> Option<Instant> {
        self.entries
            .iter()
            .filter_map(|entry| entry.sent)
            .map(|sent| sent.at)
            .min()
    }

    /// When to wake: for a message that is out of time, or, while connected, when the hold ends.
    pub(super) fn wake_at(&self, connected: bool) -> Option<Instant> {
        let entries = self.entries.iter().filter_map(Entry::deadline);
        let queued = self.queued.iter().map(|queued| queued.deadline);
        entries.chain(queued).chain(self.hold.filter(|_| connected)).min()
    }

    /// Sends what may be sent, as long as there is `room` in flight.
    pub(super) fn send(&mut self, payload_bytes_max: usize, room: &mut usize, turn: &mut Turn<'_>) {
        if self.hold.is_some_and(|hold| turn.now < hold) {
            return;
        }
        self.hold = None;
        for at in 0..self.entries.len() {
            let entry = &mut self.entries[at];
            if entry.sent.is_some() || *room == 0 {
                continue;
            }
            if let What::Publish(body) = &entry.what {
                let bytes = body.payload.len();
                // Another node may take less than the one it was first sent to.
                if bytes > payload_bytes_max {
                    entry.skip(
                        PublishError::TooLarge {
                            bytes,
                            max: payload_bytes_max,
                        },
                        turn.now,
                    );
                } else {
                    turn.common.stats.resent += 1;
                }
            }
            self.send_entry(at, room, turn);
        }
        while *room > 0
            && let Some(queued) = self.queued.pop_front()
        {
            let bytes = queued.body.payload.len();
            let entry = queued.number(self.serial, turn.common.clock_ms);
            if bytes > payload_bytes_max {
                // Never sent: the serial is still free.
                turn.common.stats.failed += 1;
                entry.settle(
                    Err(PublishError::TooLarge {
                        bytes,
                        max: payload_bytes_max,
                    }),
                    turn.effects,
                );
                continue;
            }
            self.serial += 1;
            self.entries.push_back(entry);
            turn.common.stats.published += 1;
            self.send_entry(self.entries.len() - 1, room, turn);
        }
    }

    /// A serial has its result.
    pub(super) fn ack(&mut self, frame: v1::Ack, turn: &mut Turn<'_>) -> Result<(), Violation> {
        // A serial that was sent twice is answered twice; the first answer counted.
        let Some(at) = self.find(frame.serial) else {
            return Ok(());
        };
        if frame.skipped && matches!(self.entries[at].what, What::Publish(_)) {
            return Err(Violation("an ack that says skipped, to a publish"));
        }
        let Some(mut entry) = self.entries.remove(at) else {
            return Ok(());
        };
        self.retry.reset();
        let outcome = match frame.position {
            Some(position) => {
                let v1::Ack {
                    serial,
                    copies,
                    duplicate,
                    ..
                } = frame;
                Ok(Published {
                    position: Position::from_wire(position),
                    serial,
                    copies,
                    duplicate,
                })
            }
            None => Err(entry.retired()),
        };
        self.finish(entry, outcome, turn);
        Ok(())
    }

    /// A serial was refused, as this request. `expected` is the serial that a gap asks for.
    pub(super) fn refused(&mut self, serial: u64, request: u64, refusal: Refusal, expected: u64, turn: &mut Turn<'_>) {
        // An answer to an earlier sending says nothing about what was sent since.
        let Some(at) = self.find(serial).filter(|at| self.entries[*at].is_of(request)) else {
            return;
        };
        let entry = &mut self.entries[at];
        entry.sent = None;
        match refusal.code() {
            Some(ErrorCode::SerialGap) => self.gap(at, expected, turn),
            Some(ErrorCode::OutcomeUnknown) => {
                let error = entry.unretired();
                self.resolve(at, error, turn);
            }
            _ if refusal.is_retryable() => {
                entry.blame(&refusal);
                self.hold(refusal.retry_after, turn);
            }
            // Nothing was published under it and nothing will be: there is no serial left to retire.
            Some(ErrorCode::SerialSkipped) => self.resolve(at, PublishError::Refused(refusal), turn),
            _ if matches!(entry.what, What::Publish(_)) => entry.skip(PublishError::Refused(refusal), turn.now),
            // The owner does not even let it be retired; it will ask for the serial if it ever wants it.
            _ => {
                let error = entry.unretired();
                self.resolve(at, error, turn);
            }
        }
    }

    /// Gives up what is out of time.
    pub(super) fn wake(&mut self, turn: &mut Turn<'_>) {
        let late: VecDeque<_>;
        (late, self.queued) = self.queued.drain(..).partition(|queued| queued.deadline <= turn.now);
        for queued in late {
            turn.common.stats.failed += 1;
            let entry = queued.number(0, 0);
            let error = entry.timed_out(turn.common.trouble.as_deref());
            entry.settle(Err(error), turn.effects);
        }
        for entry in &mut self.entries {
            if entry.deadline().is_none_or(|deadline| turn.now < deadline) {
                continue;
            }
            match &entry.what {
                What::Publish(_) => entry.skip(entry.timed_out(turn.common.trouble.as_deref()), turn.now),
                // Not even the retirement was answered.
                What::Skip(_) => {
                    let error = entry.unretired();
                    entry.answer(Err(error), turn.effects);
                }
            }
        }
    }

    /// The client closes.
    pub(super) fn close(&mut self, reason: &CloseReason, turn: &mut Turn<'_>) {
        let closed = |sent| {
            Err(PublishError::Closed {
                reason: reason.clone(),
                sent,
            })
        };
        for entry in self.entries.drain(..) {
            turn.common.stats.failed += 1;
            entry.settle(closed(true), turn.effects);
        }
        for queued in self.queued.drain(..) {
            turn.common.stats.failed += 1;
            queued.number(0, 0).settle(closed(false), turn.effects);
        }
    }

    fn send_entry(&mut self, at: usize, room: &mut usize, turn: &mut Turn<'_>) {
        let base = self.entries.front().map_or(self.serial, |first| first.serial);
        let entry = &mut self.entries[at];
        let request = turn.common.requests.open(request(&self.channel, entry.serial));
        entry.sent = Some(Sent { at: turn.now, request });
        entry.tries += u32::from(matches!(entry.what, What::Publish(_)));
        turn.effects.push(entry.frame(request, &self.channel, base));
        *room -= 1;
    }

    /// The owner wants another serial first.
    fn gap(&mut self, at: usize, expected: u64, turn: &mut Turn<'_>) {
        let entry = &mut self.entries[at];
        let serial = entry.serial;
        entry.gaps += 1;
        if expected > serial {
            // It holds a result for this serial, and does not tell which.
            self.resolve(at, PublishError::OutcomeUnknown, turn);
            return;
        }
        if expected == serial || entry.gaps > GAPS_MAX {
            self.hold(None, turn);
        }
        let missing = (expected..serial).filter(|serial| self.find(*serial).is_none());
        for ghost in missing.take(GHOSTS_MAX as usize).collect::<Vec<_>>() {
            let at = self.entries.partition_point(|entry| entry.serial < ghost);
            self.entries.insert(at, Entry::ghost(ghost, turn.common.clock_ms));
        }
    }

    fn hold(&mut self, retry_after: Option<Duration>, turn: &mut Turn<'_>) {
        // All that was on its way is refused together, and is one failure.
        let is_held = self.hold.is_some_and(|hold| turn.now < hold);
        let wait = if is_held {
            Duration::ZERO
        } else {
            self.retry.next(1, &mut turn.common.rng)
        };
        let until = turn.now + retry_after.map_or(wait, |at_least| at_least + wait);
        self.hold = Some(self.hold.map_or(until, |hold| hold.max(until)));
    }

    fn resolve(&mut self, at: usize, error: PublishError, turn: &mut Turn<'_>) {
        if let Some(entry) = self.entries.remove(at) {
            self.finish(entry, Err(error), turn);
        }
    }

    fn finish(&self, entry: Entry, outcome: Result<Published, PublishError>, turn: &mut Turn<'_>) {
        if entry.asker.is_some() {
            match outcome {
                Ok(_) => turn.common.stats.acknowledged += 1,
                Err(_) => turn.common.stats.failed += 1,
            }
        }
        entry.settle(outcome, turn.effects);
    }

    fn find(&self, serial: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&serial, |entry| entry.serial).ok()
    }
}
