//! What a payload carries: its number, and when it should have left.
//!
//! Latency counts from the instant on the schedule, not from when the message really left: a publisher held up by a
//! slow server would otherwise hide the very delay it suffers.

use std::time::Instant;

/// Bytes of a stamp, and so the shortest payload.
pub(crate) const STAMP_BYTES: usize = 16;

/// Nanoseconds since the run began, the same for publisher and probes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that reads zero now.
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Nanoseconds from the start to an instant; an earlier one counts as the start.
    pub(crate) fn nanoseconds(self, at: Instant) -> u64 {
        at.saturating_duration_since(self.origin).as_nanos() as u64
    }
}

/// The first bytes of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Number of the message in its run, from 0.
    pub(crate) number: u64,
    /// When the schedule wanted it to leave.
    pub(crate) intended_ns: u64,
}

impl Stamp {
    /// A payload of so many bytes, at least [`STAMP_BYTES`]: the stamp and filler. All are equally long, so that a
    /// frame's length varies with its numbers only.
    pub(crate) fn payload(self, bytes: usize) -> Vec<u8> {
        let mut payload = vec![b'.'; bytes.max(STAMP_BYTES)];
        payload[..8].copy_from_slice(&self.number.to_be_bytes());
        payload[8..STAMP_BYTES].copy_from_slice(&self.intended_ns.to_be_bytes());
        payload
    }

    /// Reads the stamp of a payload; `None` if it is too short to have one.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let (number, rest) = payload.split_first_chunk()?;
        let (intended_ns, _) = rest.split_first_chunk()?;
        Some(Self {
            number: u64::from_be_bytes(*number),
            intended_ns: u64::from_be_bytes(*intended_ns),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_from_a_payload_of_the_length_asked_for() {
        let stamp = Stamp {
            number: 70_000,
            intended_ns: 12_345_678_901,
        };
        for (asked, got) in [(0, STAMP_BYTES), (STAMP_BYTES, STAMP_BYTES), (150, 150)] {
            let payload = stamp.payload(asked);
            assert_eq!((payload.len(), Stamp::read(&payload)), (got, Some(stamp)));
        }
        assert_eq!(Stamp::read(&[0; STAMP_BYTES - 1]), None);
    }
}
