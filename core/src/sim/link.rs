//! Connections between clients and the node.
//!
//! A connection carries two lanes. Each is ordered and loses nothing until it is cut, and each can
//! be cut, held up or swallowed by itself: a client that hears nothing may still be heard, and what
//! it sent over a connection it has given up may arrive after what it sent over the next.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::plan::ClientId;
use crate::channel::Message;
use crate::id::{Position, Seq};
use crate::session::ChannelId;
use crate::session::answer::Answer;
use crate::session::request::Request;

/// Names a connection, and the session at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(pub(super) u32);

/// What travels to the node.
#[derive(Debug)]
pub(super) enum Up {
    /// The connection opens.
    Open,
    Request(Request),
    /// The client is gone.
    Closed,
}

/// What travels to a client.
#[derive(Debug)]
pub(super) enum Down {
    Frame(Frame),
    /// The node is gone.
    Closed,
}

/// One frame to a client.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    Answer(Answer),
    Message {
        channel_id: ChannelId,
        message: Arc<Message>,
    },
    Page {
        channel_id: ChannelId,
        after: Seq,
        messages: Vec<Arc<Message>>,
    },
    /// A part of the values of a keyed channel.
    Snapshot {
        channel_id: ChannelId,
        replace: bool,
        at: Position,
        values: Vec<Arc<Message>>,
        last: bool,
    },
    Goodbye,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Lane<T> {
    /// What is under way, by when it arrives.
    pub(super) queue: VecDeque<(Instant, T)>,
    /// When the last of it arrives.
    pub(super) last: Instant,
    /// Nothing arrives before.
    pub(super) stalled: Option<Instant>,
    /// What is sent is swallowed.
    pub(super) hole: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: ClientId,
    pub(super) up: Lane<Up>,
    pub(super) down: Lane<Down>,
    /// Bytes sent to the client that it has not read.
    pub(super) unread: usize,
}

impl Link {
    pub(super) const fn new(client: ClientId, now: Instant) -> Self {
        Self {
            client,
            up: Lane::new(now),
            down: Lane::new(now),
            unread: 0,
        }
    }
}

impl<T> Lane<T> {
    const fn new(now: Instant) -> Self {
        Self {
            queue: VecDeque::new(),
            last: now,
            stalled: None,
            hole: false,
        }
    }

    /// Sends something that would arrive at `at`, or after what is under way. When it arrives;
    /// `None` if it is swallowed.
    pub(super) fn send(&mut self, at: Instant, what: T) -> Option<Instant> {
        if self.hole {
            return None;
        }
        self.last = self.last.max(at).max(self.stalled.unwrap_or(at));
        self.queue.push_back((self.last, what));
        Some(self.last)
    }

    /// What arrives now, or when the next does.
    pub(super) fn arrive(&mut self, now: Instant) -> Result<T, Option<Instant>> {
        let Some((at, _)) = self.queue.front() else {
            return Err(None);
        };
        let due = (*at).max(self.stalled.unwrap_or(*at));
        if due > now {
            return Err(Some(due));
        }
        let (_, what) = self.queue.pop_front().expect("it has a front");
        Ok(what)
    }

    /// Nothing arrives until then.
    pub(super) fn stall(&mut self, until: Instant) {
        self.stalled = Some(self.stalled.map_or(until, |stalled| stalled.max(until)));
    }
}

/// Bytes of a frame beside the messages in it.
const FRAME_BYTES: usize = 24;

/// Bytes of a message beside its key and payload.
const MESSAGE_BYTES: usize = 16;

impl Frame {
    /// Bytes on the wire.
    pub(super) fn bytes(&self) -> usize {
        FRAME_BYTES
            + match self {
                Self::Message { message, .. } => weigh(std::slice::from_ref(message)),
                Self::Page { messages, .. } | Self::Snapshot { values: messages, .. } => weigh(messages),
                Self::Answer(_) | Self::Goodbye => 0,
            }
    }
}

fn weigh(messages: &[Arc<Message>]) -> usize {
    let payloads = messages.iter().map(|message| MESSAGE_BYTES + message.payload.len());
    payloads.sum()
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sim::agenda::origin;

    fn at(seconds: u64) -> Instant {
        origin() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_lane_keeps_its_order() {
        let mut lane = Lane::new(at(0));
        assert_eq!(lane.send(at(5), "a"), Some(at(5)));
        assert_eq!(lane.send(at(2), "b"), Some(at(5)), "not before what was sent before");
        assert_eq!(lane.arrive(at(4)), Err(Some(at(5))));
        assert_eq!((lane.arrive(at(5)), lane.arrive(at(5))), (Ok("a"), Ok("b")));
        assert_eq!(lane.arrive(at(9)), Err(None));
    }

    #[test]
    fn a_stalled_lane_delivers_late_and_a_hole_never() {
        let mut lane = Lane::new(at(0));
        lane.send(at(1), "a");
        lane.stall(at(8));
        assert_eq!(lane.send(at(2), "b"), Some(at(8)));
        assert_eq!(lane.arrive(at(2)), Err(Some(at(8))));
        lane.hole = true;
        assert_eq!(lane.send(at(3), "c"), None);
        assert_eq!((lane.arrive(at(8)), lane.arrive(at(8))), (Ok("a"), Ok("b")));
        assert_eq!(lane.arrive(at(9)), Err(None));
    }
}
