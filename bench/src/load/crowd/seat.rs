//! One session of the crowd, as far as it understands what it is told.

use std::collections::HashSet;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use starling_protocol::frame::decode_server;
use starling_protocol::v1::{Absent, PresenceChanges, Present, Roster, server_frame};

use super::Seen;
use crate::Transport;
use crate::error::LinkError;
use crate::load::stamp::{Clock, Stamp};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Seat {
    received: BytesMut,
    /// Requests without an answer.
    pub(super) unanswered: u64,
    /// It has asked to be told who is there, or how many.
    pub(super) watches: bool,
    view: View,
}

/// What a session knows of the channel.
#[derive(Debug, Default)]
enum View {
    #[default]
    Nothing,
    /// How many clients are there.
    Count(u64),
    /// Who is there.
    Roster(HashSet<Bytes>),
}

impl Seat {
    /// A session that has just been opened, and what was read of it so far.
    pub(super) fn new(received: BytesMut) -> Self {
        Self {
            received,
            ..Self::default()
        }
    }

    /// How many clients it believes to be there.
    pub(super) fn clients(&self) -> Option<u64> {
        match &self.view {
            View::Nothing => None,
            View::Count(clients) => Some(*clients),
            View::Roster(clients) => Some(clients.len() as u64),
        }
    }

    /// Takes bytes as they come.
    pub(super) fn take(&mut self, bytes: &[u8], clock: Clock, seen: &mut Seen) -> Result<(), LinkError> {
        self.received.extend_from_slice(bytes);
        while let Some(frame) = Transport::WebSocket.next_frame(&mut self.received)? {
            self.frame(decode_server(frame.body)?, clock, seen)?;
        }
        if self.received.is_empty() {
            // Thousands of sessions rarely have something half read.
            self.received = BytesMut::new();
        }
        Ok(())
    }

    fn frame(&mut self, frame: server_frame::Body, clock: Clock, seen: &mut Seen) -> Result<(), LinkError> {
        match frame {
            server_frame::Body::Occupancy(told) => self.view = View::Count(told.clients),
            server_frame::Body::Roster(part) => self.roster(part, seen),
            server_frame::Body::PresenceChanges(changes) => self.changes(changes, clock, seen),
            server_frame::Body::Entered(_) | server_frame::Body::Left(_) | server_frame::Body::Watched(_) => {
                self.unanswered = self.unanswered.saturating_sub(1);
            }
            server_frame::Body::Certainty(told) => seen.doubts += u64::from(told.stale || !told.uncertain.is_empty()),
            // The session's own life. Each tells often enough that it is there.
            server_frame::Body::Ping(_) | server_frame::Body::Pong(_) => {}
            server_frame::Body::Error(error) => {
                return Err(LinkError::Refused(format!(
                    "{}: {}",
                    error.code().name(),
                    error.message
                )));
            }
            server_frame::Body::Goodbye(goodbye) => {
                return Err(LinkError::Refused(format!("{}: {}", goodbye.code, goodbye.reason)));
            }
            other => {
                return Err(LinkError::Protocol(format!(
                    "a session of the crowd was sent {other:?}"
                )));
            }
        }
        Ok(())
    }

    fn roster(&mut self, part: Roster, seen: &mut Seen) {
        if part.first {
            seen.rosters += 1;
            self.view = View::Roster(HashSet::new());
        }
        if let View::Roster(here) = &mut self.view {
            here.extend(part.clients.into_iter().map(name));
        }
    }

    fn changes(&mut self, changes: PresenceChanges, clock: Clock, seen: &mut Seen) {
        let View::Roster(here) = &mut self.view else {
            return seen.fail("a session was told of changes and not who is there".into());
        };
        let now = clock.nanoseconds(Instant::now());
        seen.updated += changes.updated.len() as u64;
        for present in changes.joined {
            match Stamp::read(&present.state) {
                Some(stamp) => seen.staleness.saturating_record(now.saturating_sub(stamp.intended_ns)),
                None => seen.fail("a client has no stamp: somebody else is in the channel".into()),
            }
            let is_new = here.insert(name(present));
            seen.joined += u64::from(is_new);
            if !is_new {
                seen.fail("a client joined that was there".into());
            }
        }
        for Absent { client } in changes.left {
            let was_here = here.remove(&client);
            seen.left += u64::from(was_here);
            if !was_here {
                seen.fail("a client left that was not there".into());
            }
        }
    }
}

/// By what a client is known, without the frame that it came in.
fn name(present: Present) -> Bytes {
    Bytes::copy_from_slice(&present.client)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use starling_protocol::frame::encode_server;
    use starling_protocol::v1::{Entered, Error, ErrorCode, Occupancy};

    use super::*;

    fn present(client: u8, intended_ns: u64) -> Present {
        let stamp = Stamp { number: 0, intended_ns };
        Present {
            client: vec![client; 16].into(),
            member: "m".into(),
            node: "starling-0".into(),
            state: stamp.payload(0).into(),
        }
    }

    fn absent(client: u8) -> Absent {
        Absent {
            client: vec![client; 16].into(),
        }
    }

    fn told(seat: &mut Seat, seen: &mut Seen, clock: Clock, frame: impl Into<server_frame::Body>) {
        let wire = Transport::WebSocket.server_frame(&encode_server(frame.into()));
        seat.take(&wire, clock, seen).expect("what a node says");
    }

    fn roster(first: bool, last: bool, clients: Vec<Present>) -> server_frame::Body {
        server_frame::Body::Roster(Roster {
            channel_id: 1,
            first,
            last,
            clients,
        })
    }

    fn changes(joined: Vec<Present>, left: Vec<Absent>) -> server_frame::Body {
        server_frame::Body::PresenceChanges(PresenceChanges {
            channel_id: 1,
            joined,
            left,
            updated: Vec::new(),
        })
    }

    #[test]
    fn a_roster_in_parts_and_what_changes_in_it_are_who_is_there() {
        let clock = Clock::start();
        let (mut seat, mut seen) = (Seat::default(), Seen::default());
        told(
            &mut seat,
            &mut seen,
            clock,
            roster(true, false, vec![present(1, 0), present(2, 0)]),
        );
        told(&mut seat, &mut seen, clock, roster(false, true, vec![present(3, 0)]));
        assert_eq!(seat.clients(), Some(3));
        std::thread::sleep(Duration::from_millis(2));
        told(
            &mut seat,
            &mut seen,
            clock,
            changes(vec![present(4, 1_000_000)], vec![absent(1), absent(2)]),
        );
        assert_eq!(seat.clients(), Some(2));
        assert_eq!((seen.joined, seen.left, seen.rosters), (1, 2, 1));
        assert_eq!(seen.staleness.len(), 1);
        assert!(seen.staleness.max() >= 900_000, "from the instant on the schedule");
        told(&mut seat, &mut seen, clock, roster(true, true, vec![present(9, 0)]));
        assert_eq!((seat.clients(), seen.rosters), (Some(1), 2));
        assert_eq!(seen.fault, None);
    }

    #[test]
    fn what_was_told_twice_or_never_is_a_fault_and_does_not_count() {
        let clock = Clock::start();
        for wrong in [changes(vec![present(1, 0)], vec![]), changes(vec![], vec![absent(2)])] {
            let (mut seat, mut seen) = (Seat::default(), Seen::default());
            told(&mut seat, &mut seen, clock, roster(true, true, vec![present(1, 0)]));
            told(&mut seat, &mut seen, clock, wrong);
            assert_eq!((seen.joined, seen.left), (0, 0));
            assert!(seen.fault.is_some());
        }
    }

    #[test]
    fn who_is_told_how_many_there_are_believes_the_last() {
        let clock = Clock::start();
        let (mut seat, mut seen) = (Seat::default(), Seen::default());
        assert_eq!(seat.clients(), None);
        for clients in [8, 7] {
            let count = Occupancy {
                channel_id: 1,
                members: clients,
                clients,
            };
            told(&mut seat, &mut seen, clock, server_frame::Body::Occupancy(count));
        }
        assert_eq!(seat.clients(), Some(7));
    }

    #[test]
    fn an_answer_is_counted_and_a_refusal_ends_the_session() {
        let clock = Clock::start();
        let (mut seat, mut seen) = (Seat::default(), Seen::default());
        seat.unanswered = 2;
        let entered = Entered {
            request: 1,
            client: vec![1; 16].into(),
        };
        told(&mut seat, &mut seen, clock, server_frame::Body::Entered(entered));
        assert_eq!(seat.unanswered, 1);
        let refused = encode_server(server_frame::Body::Error(Error {
            request: 2,
            code: ErrorCode::Forbidden.into(),
            message: "no".into(),
            ..Error::default()
        }));
        let wire = Transport::WebSocket.server_frame(&refused);
        assert!(matches!(seat.take(&wire, clock, &mut seen), Err(LinkError::Refused(_))));
    }
}
