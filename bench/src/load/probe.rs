//! A probe: a subscriber that looks at every message.

use std::time::Instant;

use bytes::BytesMut;
use hdrhistogram::Histogram;
use starling_protocol::frame::decode_server;
use starling_protocol::v1::{Publication, server_frame};

use super::stamp::{Clock, Stamp};
use crate::Transport;
use crate::error::LinkError;
use crate::wire::Frame;

/// Bounds of a latency that is told apart: a microsecond to a minute, in nanoseconds, to three digits. What is longer
/// counts as a minute; a run waits ten seconds for its last message.
const LATENCY_NS: (u64, u64) = (1_000, 60_000_000_000);
const LATENCY_DIGITS: u8 = 3;

/// An empty histogram of latencies, in nanoseconds.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(LATENCY_NS.0, LATENCY_NS.1, LATENCY_DIGITS).expect("the bounds are in order")
}

/// What one probe has seen.
#[derive(Debug)]
pub(crate) struct Probe {
    clock: Clock,
    /// Messages before this number are warm-up: they are checked and not timed.
    measured_from: u64,
    /// Bytes on the wire of each message, in order.
    pub(crate) lengths: Vec<u32>,
    bytes: u64,
    /// Latencies from the intended send time.
    pub(crate) latency: Histogram<u64>,
    /// The first thing that was wrong.
    pub(crate) fault: Option<String>,
}

impl Probe {
    /// A probe that has seen nothing.
    pub(crate) fn new(clock: Clock, measured_from: u64) -> Self {
        Self {
            clock,
            measured_from,
            lengths: Vec::new(),
            bytes: 0,
            latency: latencies(),
            fault: None,
        }
    }

    /// A probe that has seen messages of these lengths.
    #[cfg(test)]
    pub(super) fn that_saw(lengths: &[u32]) -> Self {
        let bytes = lengths.iter().map(|length| u64::from(*length)).sum();
        Self {
            lengths: lengths.to_vec(),
            bytes,
            ..Self::new(Clock::start(), 0)
        }
    }

    /// Takes a frame that arrived at `now`.
    pub(crate) fn take(&mut self, frame: Frame, now: Instant) {
        match decode_server(frame.body) {
            Ok(server_frame::Body::Publication(publication)) => self.publication(&publication, frame.wire_bytes, now),
            // The session's own life. Every subscriber tells often enough that it is there.
            Ok(server_frame::Body::Ping(_) | server_frame::Body::Pong(_)) => {}
            Ok(other) => self.fail(format!("a subscriber was sent {other:?} instead of messages")),
            Err(error) => self.fail(format!("a subscriber was sent a frame that is refused: {error}")),
        }
    }

    /// Notes what was wrong, if it is the first thing.
    pub(crate) fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }

    /// Messages seen, each once and in order.
    pub(crate) fn messages(&self) -> u64 {
        self.lengths.len() as u64
    }

    /// Bytes these messages took on the wire.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn publication(&mut self, publication: &Publication, wire_bytes: usize, now: Instant) {
        let number = self.messages();
        let Some(stamp) = Stamp::read(&publication.payload) else {
            return self.fail("a message has no stamp: something else publishes to the channel".into());
        };
        if publication.seq != number + 1 || stamp.number != number {
            return self.fail(format!(
                "message {} came with seq {} where message {number} with seq {} was next",
                stamp.number,
                publication.seq,
                number + 1
            ));
        }
        self.lengths.push(wire_bytes as u32);
        self.bytes += wire_bytes as u64;
        if number >= self.measured_from {
            self.latency
                .saturating_record(self.clock.nanoseconds(now).saturating_sub(stamp.intended_ns));
        }
    }
}

/// A probe at the end of a connection: bytes in, frames to the probe.
#[derive(Debug)]
pub(crate) struct Reader {
    transport: Transport,
    received: BytesMut,
    pub(crate) probe: Probe,
}

impl Reader {
    /// A reader that starts with what was read before it took over.
    pub(crate) fn new(transport: Transport, received: BytesMut, probe: Probe) -> Self {
        Self {
            transport,
            received,
            probe,
        }
    }

    /// Takes bytes as they come.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let now = Instant::now();
        self.received.extend_from_slice(bytes);
        while let Some(frame) = self.transport.next_frame(&mut self.received)? {
            self.probe.take(frame, now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use starling_protocol::frame::encode_server;
    use starling_protocol::v1::{Lagged, Ping};

    use super::*;

    fn frame(body: impl Into<server_frame::Body>) -> Frame {
        let body: Bytes = encode_server(body.into()).message();
        Frame {
            wire_bytes: body.len() + 4,
            body,
        }
    }

    fn message(seq: u64, number: u64, intended_ns: u64) -> Frame {
        let payload = Stamp { number, intended_ns }.payload(150).into();
        let publication = Publication {
            channel_id: 1,
            seq,
            term: 1,
            time_ms: 1,
            payload,
            ..Publication::default()
        };
        frame(server_frame::Body::Publication(publication))
    }

    #[test]
    fn latency_counts_from_the_intended_time_and_leaves_the_warm_up_out() {
        let clock = Clock::start();
        let mut probe = Probe::new(clock, 1);
        let arrival = Instant::now() + Duration::from_millis(100);
        let intended_ns = clock.nanoseconds(arrival) - 30_000_000;
        probe.take(message(1, 0, 0), arrival);
        probe.take(frame(server_frame::Body::Ping(Ping { nonce: 1 })), arrival);
        probe.take(message(2, 1, intended_ns), arrival);
        assert_eq!((probe.fault, probe.lengths.len(), probe.latency.len()), (None, 2, 1));
        let error_ns = probe.latency.max().abs_diff(30_000_000);
        assert!(error_ns < 30_000, "three digits of 30 ms, off by {error_ns} ns");
    }

    #[test]
    fn gaps_and_repeats_are_faults_and_do_not_count() {
        for wrong in [message(2, 1, 0), message(4, 3, 0), message(3, 1, 0)] {
            let mut probe = Probe::new(Clock::start(), 0);
            probe.take(message(1, 0, 0), Instant::now());
            probe.take(message(2, 1, 0), Instant::now());
            probe.take(wrong, Instant::now());
            assert_eq!(probe.messages(), 2);
            assert!(
                probe
                    .fault
                    .is_some_and(|fault| fault.contains("message 2 with seq 3 was next"))
            );
        }
    }

    #[test]
    fn anything_but_messages_is_a_fault() {
        let mut probe = Probe::new(Clock::start(), 0);
        probe.take(
            frame(server_frame::Body::Lagged(Lagged { channel_id: 1, seq: 1 })),
            Instant::now(),
        );
        assert!(probe.fault.as_ref().is_some_and(|fault| fault.contains("Lagged")));
        probe.take(
            Frame {
                body: Bytes::from_static(b"\xff"),
                wire_bytes: 1,
            },
            Instant::now(),
        );
        assert!(
            probe.fault.is_some_and(|fault| fault.contains("Lagged")),
            "the first fault is the one to tell"
        );
    }
}
